"""一页的代码块：切成格子，展开引用，把输出画成 HTML。不依赖 MkDocs。"""

import ast
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from pygments import highlight
from pygments.filter import Filter
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from pygments.token import Name, Operator, Punctuation, Text, Whitespace

from hooks.faults import Fault
from hooks.figure import tidy_svg

OPTIONS = {"tags", "caption", "alt"}
KINDS = {"text/plain", "image/svg+xml"}
LONGEST_OUTPUT = 100_000  # 一张图约 20,000 个字符
TAGS = {"hide-input", "raises-exception", "skip-execution"}
HEADER = """\
---
jupyter:
  kernelspec: {name: python3, display_name: Python 3, language: python}
---
"""
FENCE = re.compile(r"^```python(?:\s.*)?$")
PYTHON_LIKE = re.compile(r"^[\s>]*(?:`{3,}|~{3,})\s*\{?\s*\.?i?py(?:thon)?3?\b", re.I)
CITATION = re.compile(r'^\s*-+8<-+\s+"(?P<path>[^":]+)(?::(?P<section>[\w-]+))?"\s*$')
ANSI = re.compile(r"\x1b\[[0-9;]*m")
FRAME = re.compile(r"Cell In\[(\d+)\], line (\d+)")


@dataclass(frozen=True)
class Cell:
    """页面上的一个 python 代码块。

    Args:
        code: 展开引用之后的代码。
        lines: `code` 的每一行来自页面文件的哪一行，从 1 数起。
        tags: 块头上的标签。
        caption: 图题，不画图的块为空。
        alt: 图的文字说明，不画图的块为空。
        citations: 引用的 `(文件, 定义)`，按先后。
    """

    code: str
    lines: tuple[int, ...]
    tags: frozenset[str] = frozenset()
    caption: str = ""
    alt: str = ""
    citations: tuple[tuple[str, str], ...] = ()

    @property
    def line(self) -> int:
        """第一行代码在页面文件中的行号。"""
        return self.lines[0]


@dataclass
class Source:
    """引用的去处：若干文件夹，按先后查找。

    Args:
        folders: 文件夹。
        expand: 展开一行引用，用 pymdownx.snippets 自己的预处理器。
    """

    folders: Sequence[Path]
    expand: Callable[[list[str]], list[str]]
    _files: dict[str, str] = field(default_factory=dict)

    def check(self, path: str, section: str | None, line: int) -> None:
        """确认文件在、段的首尾标记恰好各一个。

        Raises:
            Fault: 不是这样。
        """
        if path not in self._files:
            found = [f / path for f in self.folders if (f / path).is_file()]
            if not found:
                raise Fault(line, f"引用的文件 {path} 不存在")
            self._files[path] = found[0].read_text(encoding="utf-8")
        if section is None:
            return
        for kind, meaning in ("start", "开始"), ("end", "结束"):
            count = len(
                re.findall(rf"8<-+\s+\[{kind}:\s*{section}\]", self._files[path])
            )
            if count != 1:
                raise Fault(
                    line,
                    f"{path} 里「{section}」的{meaning}标记 [{kind}:{section}] "
                    f"应恰有 1 个，实有 {count} 个",
                )
        body = re.search(
            rf"\[start:\s*{section}\](.*?)\[end:\s*{section}\]", self._files[path], re.S
        )
        definition = rf"^(?:async def|def|class) {section}\b"
        if path.endswith(".py") and not re.search(
            definition, body[1] if body else "", re.M
        ):
            raise Fault(line, f"{path} 的「{section}」段里没有名为 {section} 的定义")


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
        Fault: 引用有误、块头有误，或有代码块不会被运行。
    """
    for number, path, section in find_citations(text):
        source.check(path, section, number)
    lines = text.splitlines()
    starts = []
    for number, line in enumerate(lines, 1):
        if FENCE.match(line):
            starts.append(number)
        elif PYTHON_LIKE.match(line):
            raise Fault(
                number,
                "这一块不会运行：请写成列首的 ```python；"
                '确实不要运行的，加 tags=["skip-execution"]',
            )
    body = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    notebook = jupytext.reads(HEADER + body, fmt="md:markdown")
    cells = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and not cell.source.startswith("%%")
    ]
    unread = "这一块没有被识别成代码块，请检查围栏是否配对"
    for start, cell in zip(starts, cells, strict=False):
        written = [*cell.source.splitlines(), "```"]
        if lines[start : start + len(written)] != written:
            raise Fault(start, unread)
    if len(starts) != len(cells):
        raise Fault(([*starts, 1])[min(len(starts), len(cells))], unread)
    return [
        _read_cell(start, cell, source)
        for start, cell in zip(starts, cells, strict=True)
    ]


def _read_cell(start: int, cell: Any, source: Source) -> Cell:
    """展开一个代码块；`start` 是围栏的行号。"""
    options = dict(cell.metadata)
    options.pop("lines_to_next_cell", None)  # jupytext 自己记的空行数
    if unknown := set(options) - OPTIONS:
        raise Fault(start, f"块头的 {'、'.join(sorted(unknown))} 不是已知的选项")
    tags = frozenset(options.get("tags", []))
    if unknown := set(tags - TAGS):
        raise Fault(start, f"{'、'.join(sorted(unknown))} 不是已知的标签")
    code: list[str] = []
    origin: list[int] = []
    citations = []
    for number, line in enumerate(cell.source.splitlines(), start + 1):
        expanded = [line]
        if match := CITATION.match(line):
            expanded = source.expand([line])
            citations.append((match["path"], match["section"] or ""))
        code += expanded
        origin += [number] * len(expanded)
    if not "".join(code).strip():
        raise Fault(start, "这一块是空的")
    return Cell(
        code="\n".join(code),
        lines=tuple(origin),
        tags=tags,
        caption=options.get("caption", ""),
        alt=options.get("alt", ""),
        citations=tuple(citations),
    )


def make_notebook(
    cells: Sequence[Cell], preamble: str, versions: dict[str, str]
) -> str:
    """写出只有代码的笔记本；它的字节就是缓存的键，所以凡能改变输出的都在里面。

    Args:
        cells: 一页的代码块。
        preamble: 先于它们运行的代码（图的样式）。
        versions: 各个包的版本。

    Returns:
        ipynb 文件的内容。
    """
    notebook = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {
                "name": "python3",
                "display_name": "Python 3",
                "language": "python",
            },
            "language_info": {"name": "python"},
            "versions": versions,
        },
        cells=[nbformat.v4.new_code_cell(preamble, id="preamble")]
        + [
            nbformat.v4.new_code_cell(
                cell.code, id=f"cell-{n}", metadata={"tags": sorted(cell.tags)}
            )
            for n, cell in enumerate(cells)
        ],
    )
    return str(nbformat.writes(notebook)) + "\n"


@dataclass(frozen=True)
class Run:
    """一块代码的运行结果。

    Args:
        count: 它是内核运行的第几块，没有运行则为 `None`。
        outputs: 输出，nbformat 的形式。
    """

    count: int | None
    outputs: list[dict[str, Any]]


def read_runs(content: str) -> list[Run]:
    """读出模板 notebook.html.j2 写下的运行结果，不含第一格 preamble。

    Args:
        content: mkdocs-jupyter 渲染出的内容。
    """
    pattern = r'<script type="application/json">(.*?)</script>'
    found = re.search(pattern, content, re.S)
    if found is None:
        raise ValueError("mkdocs-jupyter 没有使用 hooks/templates 里的模板")
    runs = json.loads(found[1])[1:]
    return [Run(run["count"], _merge_streams(run["outputs"])) for run in runs]


def _merge_streams(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """接上相邻的标准输出：内核按时间切段，快慢不同，段数就不同。"""
    merged: list[dict[str, Any]] = []
    for output in outputs:
        if merged and "name" in output and output["name"] == merged[-1].get("name"):
            merged[-1] |= {"text": merged[-1]["text"] + output["text"]}
        else:
            merged.append(output)
    return merged


def check_runs(cells: Sequence[Cell], runs: Sequence[Run]) -> Iterator[Fault]:
    """逐个给出运行中的错误。

    Args:
        cells: 一页的代码块。
        runs: 它们的运行结果。

    Returns:
        错误，行号是出错的那一句的；整块的错误，是块内第一行的。
    """
    for cell, run in zip(cells, runs, strict=True):
        if run.count is None:
            if "skip-execution" not in cell.tags:
                yield Fault(cell.line, "这一块没有运行")
            continue
        errors = [o for o in run.outputs if o["output_type"] == "error"]
        if errors and "raises-exception" not in cell.tags:
            yield _error_fault(cell, errors[0], run.count)
        if not errors and "raises-exception" in cell.tags:
            yield Fault(cell.line, "这一块标了 raises-exception，却没有出错")
        length = sum(len(json.dumps(o, ensure_ascii=False)) for o in run.outputs)
        if length > LONGEST_OUTPUT:
            yield Fault(
                cell.line, f"输出有 {length} 个字符，上限 {LONGEST_OUTPUT}，请少印一些"
            )
        for output in run.outputs:
            kinds = set(output.get("data", {}))
            if kinds and (not kinds & KINDS or {"image/png", "image/jpeg"} & kinds):
                names = "、".join(sorted(kinds))
                yield Fault(
                    cell.line,
                    f"不支持这种输出：{names}；可用文字、表格和 matplotlib 的图",
                )
            if output.get("name") == "stderr":
                warning = output["text"].strip().splitlines()[0]
                yield Fault(cell.line, f"这一块写了标准错误，请消除警告：{warning}")
            if "image/svg+xml" in output.get("data", {}) and not (
                cell.caption and cell.alt
            ):
                yield Fault(cell.line, '画图的块要有 caption="图题" 和 alt="文字说明"')


def _error_fault(cell: Cell, error: dict[str, Any], count: int) -> Fault:
    """从回溯里找出本块出错的那一行。"""
    line = cell.line
    frames = FRAME.findall(ANSI.sub("", "\n".join(error["traceback"])))
    for cell_count, number in frames:
        if int(cell_count) == count and 0 < int(number) <= len(cell.lines):
            line = cell.lines[int(number) - 1]
            break
    reason = (error["evalue"].strip() or "（无说明）").splitlines()[0]
    return Fault(line, f"{error['ename']}: {reason}")


def shorten_docstrings(code: str) -> str:
    """把代码里的文档字符串都减到第一行；不是合法 Python 的代码原样给回。

    Args:
        code: 源代码。
    """
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return code
    lines = code.splitlines()
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if (docstring := ast.get_docstring(node)) is None:
            continue
        text = node.body[0]
        indent = " " * text.col_offset
        first, last = text.lineno - 1, text.end_lineno or text.lineno
        summary = f'{indent}"""{docstring.splitlines()[0]}"""'
        # 占住原来的行数，后面的行号才不变；空出的行最后再删
        lines[first:last] = [summary] + ["\0"] * (last - first - 1)
    return "\n".join(line for line in lines if line != "\0")


class _Plain(Filter):
    """普通的名字和标点不上色：页面上的元素少一半。"""

    def filter(
        self, lexer: Any, stream: Iterable[tuple[Any, str]]
    ) -> Iterator[tuple[Any, str]]:
        del lexer
        plain = {Name, Operator, Punctuation, Text, Whitespace}
        for token, value in stream:
            yield Text if token in plain else token, value


def render_code(cell: Cell) -> str:
    """把一块的代码画成 HTML：文档字符串只留首行，语法着色。

    Args:
        cell: 代码块。
    """
    code = re.sub(r"\n{3,}", "\n\n", shorten_docstrings(cell.code))
    formatter = HtmlFormatter(cssclass="highlight", wrapcode=True)
    return str(highlight(code, PythonLexer(filters=[_Plain()]), formatter))


def render_outputs(cell: Cell, outputs: Sequence[dict[str, Any]], prefix: str) -> str:
    """把一块的输出画成 HTML：文字、表格、图、错误。

    Args:
        cell: 代码块。
        outputs: 它的输出，nbformat 的形式。
        prefix: 图内各 id 的前缀，全页唯一。

    Returns:
        各输出的 HTML，没有输出则为空。
    """
    return "".join(
        _render_output(cell, output, f"{prefix}-{n}")
        for n, output in enumerate(outputs)
    )


def _render_output(cell: Cell, output: dict[str, Any], prefix: str) -> str:
    if output["output_type"] == "stream":
        return _pre(output["text"])
    if output["output_type"] == "error":
        return _pre(f"{output['ename']}: {output['evalue']}", ' class="error"')
    data = output["data"]
    if "image/svg+xml" in data:
        svg = tidy_svg(data["image/svg+xml"], prefix, cell.alt)
        caption = html.escape(cell.caption)
        return f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"
    if (table := _table(data.get("text/html", ""))) is not None:
        return table
    return _pre(data.get("text/plain", ""))


def _table(text: str) -> str | None:
    """取出 pandas 一类的输出里的表格；别的 HTML 不采用。"""
    if text.lstrip().startswith(("<table", "<div>\n<style scoped>")):
        return text[text.index("<table") : text.rindex("</table>") + len("</table>")]
    return None


def _pre(text: str, attributes: str = "") -> str:
    code = html.escape(ANSI.sub("", text).rstrip("\n"), quote=False)
    return f'<pre{attributes} tabindex="0"><code>{code}</code></pre>'
