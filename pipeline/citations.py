r"""引用：`--8<-- "文件:段"` 换成片段里的那一段，记下每一行从哪里来。"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from markdown import Markdown
from pymdownx.snippets import SnippetPreprocessor

from pipeline.faults import Fault

FORM = re.compile(r'^\s*-+8<-+\s+"(?P<path>[^":]+)(?::(?P<section>[\w-]+))?"$')
LIKE = re.compile(r"^\s*-+8<-+(?!\s*\[)")
MARK = re.compile(r"8<-+\s+\[(start|end):([\w-]+)\]")
DEFINED = re.compile(r"^(?:async def|def|class) (\w+)", re.M)


class Citations:
    """引用的去处：若干文件夹，按先后查找；展开由 pymdownx.snippets 做。

    Args:
        folders: 文件夹。
        root: 项目的文件夹，写位置时从它算起。
    """

    def __init__(self, folders: Sequence[Path], root: Path) -> None:
        self.folders, self.root = folders, root
        settings = {"base_path": list(folders), "check_paths": True}
        md = Markdown(
            extensions=["pymdownx.snippets"],
            extension_configs={"pymdownx.snippets": settings},
        )
        preprocessor = md.preprocessors["snippet"]
        assert isinstance(preprocessor, SnippetPreprocessor)
        self._preprocessor = preprocessor
        self._texts: dict[str, tuple[str, str] | None] = {}

    def _find(self, path: str) -> tuple[str, str] | None:
        """文件从项目的文件夹算起的路径，和它的全文。"""
        if path not in self._texts:
            files = [f / path for f in self.folders if (f / path).is_file()]
            self._texts[path] = (
                (
                    files[0].relative_to(self.root).as_posix(),
                    files[0].read_text(encoding="utf-8"),
                )
                if files
                else None
            )
        return self._texts[path]

    def find_faults(self, line: str, number: int) -> Iterator[Fault]:
        """逐个给出一行里的错误：文件在，段的首尾标记恰好各一个，段里有同名的定义。

        Args:
            line: 页面上的一行。
            number: 它的行号。
        """
        match = FORM.match(line)
        if match is None:
            if LIKE.match(line):
                message = '引用应写成 --8<-- "文件:段"，独占一行，行尾不留空格'
                yield Fault(number, message)
            return
        path, section = match["path"], match["section"]
        try:
            found = self._find(path)
        except UnicodeDecodeError:
            message = f"引用的文件 {path} 不是 UTF-8 编码，请另存为 UTF-8"
            yield Fault(number, message)
            return
        if found is None:
            where = "、".join(f.relative_to(self.root).as_posix() for f in self.folders)
            message = f"引用的文件 {path} 不存在；请改文件名，它从 {where} 找起"
            yield Fault(number, message)
        elif section is not None:
            for message in _section_faults(path, found[1], section):
                yield Fault(number, message)

    def expand(self, line: str) -> tuple[list[str], str, int, str]:
        """展开一行没有错误的引用。

        Args:
            line: 页面上的一行引用。

        Returns:
            各行；文件从项目的文件夹算起的路径；第一行在文件里的行号；段名，引用整个
            文件则为空。
        """
        match = FORM.match(line)
        assert match is not None
        found = self._find(match["path"])
        assert found is not None
        file, text = found
        section = match["section"] or ""
        first = 1
        if section:
            start = text.index(f"[start:{section}]")
            first = text.count("\n", 0, start) + 2
        return self._preprocessor.run([line]), file, first, section


def _section_faults(path: str, text: str, section: str) -> Iterator[str]:
    found = [mark[1] for mark in MARK.finditer(text) if mark[2] == section]
    if not found:
        yield f"{path} 里没有「{section}」这一段；请改段名，或在定义前后加上标记"
        return
    for kind in ("start", "end"):
        if (count := found.count(kind)) != 1:
            yield (
                f"{path} 里 [{kind}:{section}] 应恰有 1 个，实有 {count} 个；"
                f"请{'补上' if count == 0 else '只留'}一行 # --8<-- [{kind}:{section}]"
            )
    _, _, rest = text.partition(f"[start:{section}]")
    body, end, _ = rest.partition(f"[end:{section}]")
    if end and path.endswith(".py") and section not in DEFINED.findall(body):
        yield (
            f"{path} 的「{section}」段里没有名为 {section} 的定义；"
            "段名应与其中的 def 或 class 相同"
        )
