"""一页的代码块：切成格子，展开引用，记下每一行的来处。不依赖 MkDocs。"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jupytext
from jupytext.cell_metadata import parse_key_equal_value

from pipeline.faults import FRONT_MATTER, Fault

OPTIONS = {"tags", "caption", "alt", "claims"}
TAGS = {"hide-input", "raises-exception", "skip-execution"}
HEADER = """\
---
jupyter:
  kernelspec: {name: python3, display_name: Python 3, language: python}
---
"""
FENCE = re.compile(r"^```python(?:\s.*)?$")
ANY_FENCE = re.compile(r"^(?P<ticks>`{3,}|~{3,})(?P<rest>.*)$")
PYTHON_LIKE = re.compile(r"^[\s>]*(?:`{3,}|~{3,})\s*\{?\s*\.?i?py(?:thon)?3?\b", re.I)
CITATION = re.compile(r'^\s*-+8<-+\s+"(?P<path>[^":]+)(?::(?P<section>[\w-]+))?"$')
CITATION_LIKE = re.compile(r"^\s*-+8<-+(?!\s*\[)")


@dataclass(frozen=True)
class Cell:
    """页面上的一个 python 代码块。

    Args:
        code: 展开引用之后的代码。
        lines: `code` 的每一行来自页面文件的哪一行，从 1 数起。
        tags: 块头上的标签。
        caption: 图题，不画图的块为空。
        alt: 图的文字说明，不画图的块为空。
        citations: 引用的 `(文件, 定义)`，按先后；文件如 `snippets/a.py`。
        origins: `code` 的每一行来自哪个片段的哪一行，如 `snippets/a.py:8`；
            写在页面上的为空。
        claims: 这一块量出的主张：主张的 id 到求值的表达式。
    """

    code: str
    lines: tuple[int, ...]
    tags: frozenset[str] = frozenset()
    caption: str = ""
    alt: str = ""
    citations: tuple[tuple[str, str], ...] = ()
    origins: tuple[str, ...] = ()
    claims: tuple[tuple[str, str], ...] = ()

    @property
    def line(self) -> int:
        """第一行代码在页面文件中的行号。"""
        return self.lines[0]

    @property
    def runs(self) -> bool:
        """要不要运行。"""
        return "skip-execution" not in self.tags


@dataclass
class Source:
    """引用的去处：若干文件夹，按先后查找。

    Args:
        folders: 文件夹。
        expand: 展开一行引用，用 pymdownx.snippets 自己的预处理器。
    """

    folders: Sequence[Path]
    expand: Callable[[list[str]], list[str]]
    _files: dict[str, tuple[Path, str] | None] = field(default_factory=dict)

    def _read(self, path: str) -> tuple[Path, str] | None:
        if path not in self._files:
            files = [f / path for f in self.folders if (f / path).is_file()]
            self._files[path] = (
                (files[0], files[0].read_text(encoding="utf-8")) if files else None
            )
        return self._files[path]

    def find_faults(self, path: str, section: str | None, line: int) -> Iterator[Fault]:
        """逐个给出一处引用的错误：文件在，段的首尾标记恰好各一个，段里有同名的定义。

        Args:
            path: 引用的文件。
            section: 引用的段，引用整个文件则为 `None`。
            line: 引用在页面上的行号。
        """
        try:
            file = self._read(path)
        except UnicodeDecodeError:
            yield Fault(line, f"引用的文件 {path} 不是 UTF-8 编码，请另存为 UTF-8")
            return
        if file is None:
            where = "、".join(f.as_posix() for f in self.folders)
            yield Fault(
                line, f"引用的文件 {path} 不存在；请改文件名，它从 {where} 找起"
            )
        elif section is not None:
            yield from _section_faults(path, file[1], section, line)

    def locate(self, path: str, section: str | None) -> tuple[str, int]:
        """给出引用的文件和段的第一行的行号；引用须没有错误。"""
        file = self._read(path)
        assert file is not None
        if section is None:
            return file[0].as_posix(), 1
        start = file[1].index(f"[start:{section}]")
        return file[0].as_posix(), file[1].count("\n", 0, start) + 2


def _section_faults(path: str, text: str, section: str, line: int) -> Iterator[Fault]:
    counts = {
        kind: len(re.findall(rf"8<-+\s+\[{kind}:{section}\]", text))
        for kind in ("start", "end")
    }
    if not any(counts.values()):
        yield Fault(
            line, f"{path} 里没有「{section}」这一段；请改段名，或在定义前后加上标记"
        )
        return
    for kind, count in counts.items():
        if count != 1:
            yield Fault(
                line,
                f"{path} 里 [{kind}:{section}] 应恰有 1 个，实有 {count} 个；"
                f"请{'补上' if count == 0 else '只留'}一行 # --8<-- [{kind}:{section}]",
            )
    body = re.search(rf"\[start:{section}\](.*?)\[end:{section}\]", text, re.S)
    definition = rf"^(?:async def|def|class) {section}\b"
    if body and path.endswith(".py") and not re.search(definition, body[1], re.M):
        yield Fault(
            line,
            f"{path} 的「{section}」段里没有名为 {section} 的定义；"
            "段名应与其中的 def 或 class 相同",
        )


def find_citations(text: str) -> Iterator[tuple[int, str, str | None]]:
    r"""逐个给出页面中的引用：行号、文件、段名。

    Args:
        text: 页面全文。

    Example:
        >>> list(find_citations('甲\n--8<-- "a.py:f"'))
        [(2, 'a.py', 'f')]
    """
    for number, line in enumerate(text.splitlines(), 1):
        if match := CITATION.match(line):
            yield number, match["path"], match["section"]


def read_cells(text: str, source: Source) -> list[Cell]:
    """把一页切成代码块并展开引用。

    Args:
        text: 页面全文（含 front matter）。
        source: 引用的去处。

    Returns:
        页面上的 python 代码块，按先后。

    Raises:
        ExceptionGroup: 引用有误、块头有误，或有代码块不会被运行；
            里面是找得到的全部 `Fault`。
    """
    lines = text.splitlines()
    found = [
        fault
        for number, path, section in find_citations(text)
        for fault in source.find_faults(path, section, number)
    ]
    found += [
        Fault(number, '引用应写成 --8<-- "文件:段"，独占一行，行尾不留空格')
        for number, line in enumerate(lines, 1)
        if CITATION_LIKE.match(line) and not CITATION.match(line)
    ]
    starts, unread = _find_blocks(lines)
    cells = []
    for start in starts:
        header = lines[start - 1].removeprefix("```python")
        found += _fence_faults(start, parse_key_equal_value(header))
    if not unread and not found:
        body = FRONT_MATTER.sub("", text)
        notebook = jupytext.reads(HEADER + body, fmt="md:markdown")
        cells = [
            cell
            for cell in notebook.cells
            if cell.cell_type == "code" and not cell.source.startswith("%%")
        ]
        unread = list(_misread_blocks(lines, starts, cells))
        found += [
            Fault(start, "这一块是空的，请写上代码或删掉它")
            for start, cell in zip(starts, cells, strict=False)
            if not cell.source.strip()
        ]
    if found or unread:
        raise ExceptionGroup("代码块有误", sorted({*found, *unread}))
    return [
        _read_cell(start, cell, source)
        for start, cell in zip(starts, cells, strict=True)
    ]


def _find_blocks(lines: Sequence[str]) -> tuple[list[int], list[Fault]]:
    """给出各 python 块的围栏的行号，和不会被运行的块的错误。"""
    starts, found = [], []
    opened, ticks = 0, ""
    for number, line in enumerate(lines, 1):
        fence = ANY_FENCE.match(line)
        if ticks:
            if fence and fence["ticks"].startswith(ticks) and not fence["rest"].strip():
                ticks = ""
            elif FENCE.match(line) and FENCE.match(lines[opened - 1]):
                found.append(Fault(opened, "这一块的围栏没有闭合，请在块尾补一行 ```"))
                opened = number
                starts.append(number)
        elif FENCE.match(line):
            starts.append(number)
            opened, ticks = number, "```"
        elif PYTHON_LIKE.match(line):
            found.append(
                Fault(
                    number,
                    "这一块不会运行：请写成列首的 ```python；"
                    '确实不要运行的，加 tags=["skip-execution"]',
                )
            )
            opened, ticks = number, fence["ticks"] if fence else ""
        elif fence:
            opened, ticks = number, fence["ticks"]
    if ticks:
        found.append(Fault(opened, "这一块的围栏没有闭合，请在块尾补一行 ```"))
    return starts, found


def _misread_blocks(
    lines: Sequence[str], starts: Sequence[int], cells: Sequence[Any]
) -> Iterator[Fault]:
    """确认 jupytext 读出的就是页面上的各块。"""
    message = "这一块没有被识别成代码块，请检查上下的围栏是否配对"
    for start, cell in zip(starts, cells, strict=False):
        written = [*cell.source.splitlines(), "```"]
        if lines[start : start + len(written)] != written:
            yield Fault(start, message)
            return
    if len(starts) != len(cells):
        yield Fault([*starts, 1][min(len(starts), len(cells))], message)


def number_fences(text: str) -> str:
    """把各块的块头换成 ```` ```python cell="序号" ````，供 superfences 认；行数不变。

    Args:
        text: 页面的正文。
    """
    lines = text.splitlines()
    for number, start in enumerate(_find_blocks(lines)[0]):
        lines[start - 1] = f'```python cell="{number}"'
    return "\n".join(lines)


def _fence_faults(start: int, options: dict[str, Any]) -> Iterator[Fault]:
    """逐个给出块头的错误；`start` 是围栏的行号。"""
    for name in sorted(set(options) - OPTIONS):
        yield Fault(
            start, f"块头的 {name} 不是已知的选项；可用 {'、'.join(sorted(OPTIONS))}"
        )
    tags = options.get("tags", [])
    if not isinstance(tags, list):
        yield Fault(start, 'tags 应写成 ["标签"]')
        tags = []
    for name in "caption", "alt":
        if not isinstance(options.get(name, ""), str):
            yield Fault(start, f'{name} 应写成 {name}="文字"')
    for tag in sorted({str(tag) for tag in tags} - TAGS):
        yield Fault(start, f"{tag} 不是已知的标签；可用 {'、'.join(sorted(TAGS))}")
    claims = options.get("claims", {})
    if (
        not isinstance(claims, dict)
        or not all(isinstance(value, str) for value in claims.values())
        or ("skip-execution" in tags and claims)
    ):
        yield Fault(start, 'claims 应写成 {"主张的 id": "表达式"}，所在的块要运行')


def _read_cell(start: int, cell: Any, source: Source) -> Cell:
    """展开一个没有错误的代码块；`start` 是围栏的行号。"""
    options = cell.metadata
    code: list[str] = []
    lines: list[int] = []
    origins: list[str] = []
    citations = []
    for number, line in enumerate(cell.source.splitlines(), start + 1):
        expanded, origin = [line], [""]
        if match := CITATION.match(line):
            expanded = source.expand([line])
            file, first = source.locate(match["path"], match["section"])
            citations.append((file, match["section"] or ""))
            origin = [f"{file}:{first + n}" for n in range(len(expanded))]
        code += expanded
        lines += [number] * len(expanded)
        origins += origin
    return Cell(
        code="\n".join(code),
        lines=tuple(lines),
        tags=frozenset(options.get("tags", [])),
        caption=options.get("caption", ""),
        alt=options.get("alt", ""),
        citations=tuple(citations),
        origins=tuple(origins),
        claims=tuple(options.get("claims", {}).items()),
    )
