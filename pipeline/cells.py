"""一页的代码块：读块头的选项，展开引用，记下每一行的来处。"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jupytext.cell_metadata import parse_key_equal_value

from pipeline import citations, knobs
from pipeline.citations import Citations
from pipeline.faults import Fault
from pipeline.fences import Fence, walk
from pipeline.knobs import Knob

OPTIONS = {"tags", "summary", "caption", "alt", "claims", "knobs"}
TAGS = {"hide-input", "raises-exception", "skip-execution"}
PYTHON = re.compile(r"python(?:\s|$)")
PYTHON_LIKE = re.compile(r"\{?\s*\.?i?py(?:thon)?3?\b", re.I)


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
        summary: 折叠的块收起时显示的字，没有写则为空。
        knobs: 读者可以换的值。
    """

    code: str
    lines: tuple[int, ...]
    tags: frozenset[str] = frozenset()
    caption: str = ""
    alt: str = ""
    citations: tuple[tuple[str, str], ...] = ()
    origins: tuple[str, ...] = ()
    claims: tuple[tuple[str, str], ...] = ()
    summary: str = ""
    knobs: tuple[Knob, ...] = ()

    @property
    def line(self) -> int:
        """第一行代码在页面文件中的行号。"""
        return self.lines[0]

    @property
    def runs(self) -> bool:
        """要不要运行。"""
        return "skip-execution" not in self.tags


def is_cell(fence: Fence) -> bool:
    """一个围栏是不是要运行的代码块：列首的 ```` ```python ````。

    Args:
        fence: 围栏。
    """
    return (
        not fence.indent
        and fence.ticks.startswith("`")
        and PYTHON.match(fence.info) is not None
    )


def read_cells(
    lines: Sequence[str], source: Citations
) -> tuple[list[Cell], list[Fault]]:
    """把一页切成代码块并展开引用。

    Args:
        lines: 页面的各行（含页首）。
        source: 引用的去处。

    Returns:
        页面上的 python 代码块，按先后；写错的地方，有一处就都不能运行。
    """
    cells, found = [], []
    for fence in walk(lines):
        if not fence.closed:
            message = f"这一块的围栏没有闭合，请在块尾补一行 {fence.ticks}"
            found.append(Fault(fence.line, message))
        if is_cell(fence):
            cell, faults = _read_cell(fence, source)
            cells.append(cell)
            found += faults
        elif PYTHON_LIKE.match(fence.info):
            message = (
                "这一块不会运行：请写成列首的 ```python；"
                '确实不要运行的，加 tags=["skip-execution"]'
            )
            found.append(Fault(fence.line, message))
    return cells, found


def _option_faults(start: int, options: dict[str, Any]) -> Iterator[Fault]:
    """逐个给出块头的错误；`start` 是围栏的行号。"""
    for name in sorted(set(options) - OPTIONS):
        yield Fault(
            start, f"块头的 {name} 不是已知的选项；可用 {'、'.join(sorted(OPTIONS))}"
        )
    tags = options.get("tags", [])
    if not isinstance(tags, list):
        yield Fault(start, 'tags 应写成 ["标签"]')
        tags = []
    if "summary" in options and "hide-input" not in tags:
        yield Fault(
            start, 'summary 是折叠的块收起时的字，要同 tags=["hide-input"] 一起写'
        )
    for name in "summary", "caption", "alt":
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
    if "knobs" in options and {"skip-execution", "raises-exception"} & {*tags}:
        yield Fault(start, "有旋钮的块要运行，不能出错：请去掉标签或 knobs")


def _read_cell(fence: Fence, source: Citations) -> tuple[Cell, list[Fault]]:
    """读一个代码块；写错的选项当作没有，写错的引用原样留着。"""
    options = parse_key_equal_value(fence.info.removeprefix("python"))
    found = [*_option_faults(fence.line, options)]
    if found:
        options = {}
    if not "".join(fence.body).strip():
        found.append(Fault(fence.line, "这一块是空的，请写上代码或删掉它"))
    if magic := next((line for line in fence.body if line.startswith("%%")), ""):
        message = f"不支持 {magic.split()[0]} 这样整格的魔法；请写成普通的 Python"
        found.append(Fault(fence.line, message))
    turned, faults = knobs.read_knobs(fence.body, options.get("knobs", {}), fence.line)
    found += faults
    code: list[str] = []
    lines: list[int] = []
    origins: list[str] = []
    cited = []
    for number, line in enumerate(fence.body, fence.line + 1):
        expanded, origin = [line], [""]
        wrong = [*source.find_faults(line, number)]
        found += wrong
        if citations.FORM.match(line) and not wrong:
            expanded, file, first, section = source.expand(line)
            cited.append((file, section))
            origin = [f"{file}:{first + n}" for n in range(len(expanded))]
        code += expanded
        lines += [number] * len(expanded)
        origins += origin
    cell = Cell(
        code="\n".join(code),
        lines=tuple(lines) or (fence.line,),
        tags=frozenset(options.get("tags", [])),
        caption=options.get("caption", ""),
        alt=options.get("alt", ""),
        citations=tuple(cited),
        origins=tuple(origins),
        claims=tuple(options.get("claims", {}).items()),
        summary=options.get("summary", ""),
        knobs=tuple(turned),
    )
    return cell, found
