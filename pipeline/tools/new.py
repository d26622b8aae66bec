"""添一道题：`make new NAME=dropout TITLE="Q8：Dropout 为什么有效？"`。

照 `question/` 里的样子写出同名的五个文件和导航里的一行。写出的是一道小而真的题：
建得成，测得过，约定都用到一遍；照着它逐节换成自己的内容。
"""

import keyword
import re
import sys
from pathlib import Path

from pipeline import contents
from pipeline.tools.project import ROOT

SAMPLES = Path(__file__).parent / "question"
FILES = {  # 写到哪里，照哪一个写
    "docs/{name}.md": "page.md",
    "snippets/{name}.py": "snippet.py.txt",
    "snippets/experiments/{name}.py": "experiment.py.txt",
    "tests/test_{name}.py": "test.py.txt",
    "tests/claims/{name}.toml": "claims.toml",
}
# 相邻的几行 from snippets.…；谁排在前面，要看题的名字
IMPORTS = re.compile(r"^from snippets\.(?:.*\nfrom snippets\.)+.*\n", re.M)


def check(root: Path, name: str, title: str) -> None:
    """查名字与标题；有误就停下，什么也不写。

    Args:
        root: 项目的文件夹。
        name: 五个文件共用的名字。
        title: 题目。

    Raises:
        SystemExit: 名字或标题不合，或已经有了；信息是一句话。
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise SystemExit(
            f"NAME 要能作 Python 模块的名字：小写字母、数字、下划线，收到 {name!r}"
        )
    if not re.fullmatch(r"Q\d+：[^\n\"'\\:#{}\[\]|]+", title):
        raise SystemExit(
            "TITLE 应像「Q8：Dropout 为什么有效？」，用全角标点，不含引号、"
            f"半角冒号、# 与各种括号，收到 {title!r}"
        )
    label = title.partition("：")[0]
    for question in contents.questions(
        contents.read_config(root / "mkdocs.yml")["nav"]
    ):
        if question.label == label:
            raise SystemExit(f"已经有 {label}：{question.title}；请换一个编号")
    for path in FILES:
        if (root / path.format(name=name)).exists():
            raise SystemExit(f"已经有 {path.format(name=name)}；请换一个 NAME")


def extend_navigation(config: str, name: str, title: str) -> str:
    r"""给出添上一道题的 mkdocs.yml。

    Args:
        config: 文件的全文。
        name: 页面的名字。
        title: 题目。

    Example:
        >>> nav = "nav:\n  - 问题:\n      - Q1 甲: a.md\n  - 原文: b.md\n"
        >>> print(extend_navigation(nav, "c", "Q2：丙？"), end="")
        nav:
          - 问题:
              - Q1 甲: a.md
              - Q2 丙？: c.md
          - 原文: b.md
    """
    section = re.search(rf"^  - {contents.SECTION}:\n(?:      - .*\n)*", config, re.M)
    if section is None:
        raise SystemExit(f"mkdocs.yml 的导航里没有「{contents.SECTION}」一节")
    line = f"      - {title.replace('：', ' ', 1)}: {name}.md\n"
    return config[: section.end()] + line + config[section.end() :]


def write(root: Path, name: str, title: str) -> list[Path]:
    """写出一道题，给出写过的文件。

    Args:
        root: 项目的文件夹。
        name: 五个文件共用的名字。
        title: 题目。

    Raises:
        SystemExit: 名字或标题不合，或已经有了；什么也没写。
    """
    check(root, name, title)
    config = root / "mkdocs.yml"
    known = {
        "question_name": name,
        "question-name": name.replace("_", "-"),
        "QUESTION_TITLE": title,
        "QUESTION_NUMBER": title.partition("：")[0].removeprefix("Q"),
    }
    texts = {}
    for path, sample in FILES.items():
        text = (SAMPLES / sample).read_text(encoding="utf-8")
        for word, value in known.items():
            text = text.replace(word, value)
        text = IMPORTS.sub(
            lambda lines: "".join(sorted(lines[0].splitlines(True))), text
        )
        texts[root / path.format(name=name)] = text
    navigation = extend_navigation(config.read_text(encoding="utf-8"), name, title)
    for file, text in (texts | {config: navigation}).items():
        file.write_text(text, encoding="utf-8")
    return [*texts, config]


def main(arguments: list[str]) -> None:
    """写出一道题，逐个打印写过的文件。"""
    if len(arguments) != 2:
        raise SystemExit('用法：make new NAME=dropout TITLE="Q8：Dropout 为什么有效？"')
    for path in write(ROOT, *arguments):
        print(path.relative_to(ROOT).as_posix())
    print("写好了：运行 make serve 看看，再照 docs/writing.md 逐节换成你的内容")


if __name__ == "__main__":
    main(sys.argv[1:])
