"""目录：从 mkdocs.yml 的导航和各页得出有哪些题，凡是按题列出的都由此而来。"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.exercises import DOWNLOAD, Exercise

SECTION = "问题"  # 导航里放题的一节
REFERENCE = "reference"  # API 参考的总览，各题的 API 排在它后面
TITLE = re.compile(r"^# (.+?)(?: \{#[\w-]+\})?$", re.M)
ERRATUM = re.compile(  # 勘误页上的一题，或一处
    r"^## (?P<question>Q\d+)|"
    r"^### (?P<number>\d+) · (?P<kind>.+?)：(?P<title>.+) \{#(?P<id>e\d+)\}$",
    re.M,
)
GENERATED = """\
---
description: {title}的 API 参考：参数与返回值的形状、单位、异常、可运行的示例与出处
search: {{boost: 0.15}}
---

# {heading}

{lead}
"""
PRACTICE_PAGE = """\
---
description: {name}的手撕代码：{titles}；在浏览器里写，用测试测，有提示和答案
search: {{exclude: true}}
---

# {label}的手撕题

只用标准库，先自己写，再看提示和答案。讲解见 [{question.label}](../{question.page})，\
别的题见[手撕题](../practice.md)。代码就在你的浏览器里运行：第一次运行要取 Python，\
约 {download} MB，浏览器会留着它。

<!-- exercise-boxes: {question.stem} -->
"""


@dataclass(frozen=True)
class Question:
    """一道题。

    Args:
        title: 导航里的标题，如「Q5 ResNet」。
        stem: 页面、片段、实验、测试、主张共用的名字。
    """

    title: str
    stem: str

    @property
    def label(self) -> str:
        """标题的第一个词，如「Q5」。"""
        return re.split(r"[\s：]", self.title, maxsplit=1)[0]

    @property
    def page(self) -> str:
        """页面相对 `docs/` 的路径。"""
        return f"{self.stem}.md"


class _Loader(yaml.SafeLoader):
    """读 mkdocs.yml，不管里面的 !ENV 与 !!python。"""


_Loader.add_multi_constructor("", lambda *_: None)


def read_config(path: Path) -> dict[str, Any]:
    """读出 mkdocs.yml，环境变量和 Python 对象读作 `None`。

    Args:
        path: 文件。
    """
    config: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    return config


def _entries(nav: Any) -> Iterator[tuple[str, Any]]:
    """逐条给出导航里的标题与去处，没有标题的标题为空。"""
    for entry in nav or []:
        yield from entry.items() if isinstance(entry, dict) else [("", entry)]


def questions(nav: Any) -> list[Question]:
    """给出导航里的题，按先后。

    Args:
        nav: `mkdocs.yml` 的 `nav`。

    Example:
        >>> questions([{"首页": "index.md"}, {"问题": [{"Q1 甲": "a.md"}]}])
        [Question(title='Q1 甲', stem='a')]
    """
    return [
        Question(title, path.removesuffix(".md"))
        for name, section in _entries(nav)
        if name == SECTION
        for title, path in _entries(section)
    ]


def pages(nav: Any) -> list[str]:
    """给出导航里各页的名字，按先后，不带 `.md`。

    Args:
        nav: `mkdocs.yml` 的 `nav`。

    Example:
        >>> pages([{"首页": "index.md"}, {"节": [{"甲": "a.md"}, "b/c.md"]}])
        ['index', 'a', 'b/c']
    """
    return [
        name
        for _, target in _entries(nav)
        for name in (
            [target.removesuffix(".md")] if isinstance(target, str) else pages(target)
        )
    ]


@dataclass(frozen=True)
class GeneratedPage:
    """生成的一页：API 参考，或手撕题。

    Args:
        name: 讲的是什么，如「Q5 ResNet」。
        title: 标题，也是导航里的名字，如「Q5 的 API」。
        page: 页面相对 `docs/` 的路径。
        text: 页面全文。
    """

    name: str
    title: str
    page: str
    text: str


def reference_pages(
    asked: Sequence[Question], root: Path, report: Callable[[str], None]
) -> list[GeneratedPage]:
    """写出 API 参考的各页：一题一页，然后是几题共用的各个模块。

    Args:
        asked: 题。
        root: 项目的文件夹，里面有 `docs/` 和 `snippets/`。
        report: 收错误的函数：读不成 Python 的模块，mkdocstrings 遇到它只会中断。
    """
    snippets, docs = root / "snippets", root / "docs"
    found = []
    for question in asked:
        functions = snippets / f"{question.stem}.py"
        experiments = snippets / "experiments" / functions.name
        parts = []
        if functions.is_file():
            parts += ["## 函数 {#functions}", _document(functions, root, report)]
        if experiments.is_file():
            parts += ["## 实验 {#experiments}", "量出页面上各个数字的函数。"]
            parts.append(_document(experiments, root, report))
        lead = f"讲解见 [{question.label}](../{question.page})。"
        found.append(
            _reference_page(question.stem, question.title, question.label, lead, parts)
        )
    stems = {question.stem for question in asked}
    for module in sorted(snippets.glob("[!_]*.py")):
        if module.stem not in stems:
            users = [
                f"[{question.label}](../{question.page})"
                for question in asked
                if _cites(docs / question.page, module.name)
            ]
            lead = f"用到它们的有 {'、'.join(users)}。"
            parts = ["## 函数 {#functions}", _document(module, root, report)]
            name = _subject(module)
            found.append(_reference_page(module.stem, name, name, lead, parts))
    return found


def _spaced(name: str) -> str:
    """名字后面接汉字：西文的空一格。"""
    return f"{name} " if name[-1].isascii() else name


def _reference_page(
    stem: str, name: str, label: str, lead: str, parts: Iterable[str]
) -> GeneratedPage:
    heading = f"{_spaced(label)}的 API"
    text = GENERATED.format(title=_spaced(name), heading=heading, lead=lead)
    body = "\n\n".join([text.rstrip(), *parts])
    return GeneratedPage(name, heading, f"reference/{stem}.md", f"{body}\n")


def _document(module: Path, root: Path, report: Callable[[str], None]) -> str:
    """一个模块的全部说明，由 mkdocstrings 写。"""
    path = module.relative_to(root)
    try:
        ast.parse(module.read_text(encoding="utf-8"), path.as_posix())
    except (ValueError, SyntaxError) as error:
        line = getattr(error, "lineno", None) or 1
        report(f"{path.as_posix()}:{line}: 读不成 Python，请改正：{error}")
        return "（这个模块读不成）"
    return f"::: {'.'.join(path.with_suffix('').parts)}"


def _cites(page: Path, module: str) -> bool:
    return page.is_file() and f'"{module}:' in page.read_text(encoding="utf-8")


def _subject(module: Path) -> str:
    """共用的模块讲什么：文档字符串里冒号之前的话。"""
    text = module.read_text(encoding="utf-8")
    match = re.match(r'"""([^"\n]+?)[：。]', text)
    return match[1] if match else module.stem


def with_reference(nav: Any, added: Iterable[GeneratedPage]) -> Any:
    """给出添上 API 参考各页的导航：总览所在的那一条，换成总览和它们。

    Args:
        nav: `mkdocs.yml` 的 `nav`。
        added: 要添的各页。
    """
    overview = f"{REFERENCE}.md"
    below = [{"总览": overview}, *({page.title: page.page} for page in added)]
    return [
        {name: below if target == overview else target} if name else target
        for name, target in _entries(nav)
    ]


def practice_pages(
    asked: Sequence[Question], exercises: Sequence[Exercise]
) -> list[GeneratedPage]:
    """写出各题的手撕页，有手撕题的才有。

    Args:
        asked: 题。
        exercises: 登记的手撕题。
    """
    found = []
    for question in asked:
        titles = [e.title for e in exercises if e.stem == question.stem]
        if titles:
            text = PRACTICE_PAGE.format(
                question=question,
                name=_spaced(question.title),
                label=_spaced(question.label),
                titles="、".join(titles),
                download=DOWNLOAD,
            )
            page = f"practice/{question.stem}.md"
            title = f"{_spaced(question.label)}的手撕题"
            found.append(GeneratedPage(question.title, title, page, text))
    return found


def home_cards(asked: Iterable[tuple[str, str, str, str]]) -> str:
    """首页的卡片，一题一张。

    Args:
        asked: 各题的题目、页面、一句话（Markdown）、画（SVG，没有则为空）。
    """
    cards = [
        '<div class="card" markdown="1">\n'
        + (f'<figure aria-hidden="true">{picture}</figure>\n\n' if picture else "")
        + f"**[{title}]({page})**\n\n{summary}\n\n</div>\n"
        for title, page, summary, picture in asked
    ]
    return "\n".join(['<div class="cards" markdown="1">\n', *cards, "</div>"])


def errata_table(page: str) -> str:
    r"""勘误的总表，一处一行。

    Args:
        page: 勘误页的全文。

    Example:
        >>> text = "## Q1：甲？ {#q1}\n\n### 1 · 笔误：乙 {#e01}\n"
        >>> print(errata_table(text).splitlines()[-3])
        | Q1 | 笔误 | [1 · 乙](#e01) |
    """
    lines = ['<div class="compact" markdown="1">', ""]
    lines += ["| 题 | 种类 | 勘误 |", "| --- | --- | --- |"]
    question = ""
    for match in ERRATUM.finditer(page):
        question = match["question"] or question
        if match["number"]:
            number, kind, title, anchor = match.group("number", "kind", "title", "id")
            lines.append(f"| {question} | {kind} | [{number} · {title}](#{anchor}) |")
    return "\n".join([*lines, "", "</div>"])


def reference_list(added: Iterable[GeneratedPage]) -> str:
    """总览上的目录，一页一行。

    Args:
        added: API 参考的各页。
    """
    return "\n".join(f"- [{page.name}]({page.page})" for page in added)
