"""一页的运行：写成笔记本，读回结果，查出运行中的错误。不依赖 MkDocs。"""

import functools
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nbformat

from pipeline import drawing, knobs
from pipeline.cells import Cell
from pipeline.faults import Fault
from pipeline.figure import unknown_colours
from pipeline.terminal import settle

ADDRESS = re.compile(r"\S* at 0x[0-9a-fA-F]{4,}|0x[0-9a-fA-F]{9,}")
LONGEST_OUTPUT = 100_000  # 一张图约 20,000 个字符
METADATA = re.compile(r"<metadata>.*?</metadata>")
FIRST = "_first"  # 第一格的名字空间
VARIANTS = f'{FIRST}["variants"]'
FRAME = re.compile(r"Cell In\[(\d+)\], line (\d+)")


def versions() -> dict[str, str]:
    """凡能改变输出的包的版本：项目的依赖、内核和运行它的各个包。"""
    requirements = importlib.metadata.requires("deep-learning-qa") or []
    names = {re.split(r"[^\w.-]", r)[0] for r in requirements if "extra ==" not in r}
    names |= {"ipykernel", "ipython", "matplotlib-inline", "nbclient"}
    # Matplotlib 由它们落笔、取字
    names |= {"contourpy", "fonttools", "kiwisolver", "pillow", "threadpoolctl"}
    found = {name: importlib.metadata.version(name) for name in sorted(names)}
    return found | {"python": sys.version}


def make_notebook(
    cells: Sequence[Cell], preamble: str, versions: Mapping[str, str]
) -> str:
    """写出只有代码的笔记本；它的字节就是缓存的键，所以凡能改变输出的都在里面。

    量出主张的块后面跟着一格 `claims-…`，把表达式的值印成 JSON；有旋钮的块前后各有几
    格，运行其余的设置（见 variants.py）。

    Args:
        cells: 一页的代码块。
        preamble: 先于它们运行的代码（图的样式）。
        versions: 各个包的版本。

    Returns:
        ipynb 文件的内容。
    """
    written = [("preamble", hide(preamble))]
    for number, cell in enumerate(cells):
        written += _write_cell(number, cell)
    return _serialize(tuple(written), tuple(versions.items()))


@functools.lru_cache(100)  # 预览时，没有变的页不再写
def _serialize(
    written: tuple[tuple[str, str], ...], versions: tuple[tuple[str, str], ...]
) -> str:
    """由各格的 id 与代码写出笔记本。"""
    # 不用 nbformat.v4 的 new_…：它一格查一遍格式，几百格要一秒；writes 会查全本
    empty: dict[str, Any] = {"execution_count": None, "metadata": {}, "outputs": []}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": kernel,
            "language_info": {"name": "python"},
            "versions": dict(versions),
        },
        "cells": [
            {"cell_type": "code", "id": name, "source": code, **empty}
            for name, code in written
        ],
    }
    return str(nbformat.writes(nbformat.from_dict(notebook))) + "\n"


def hide(preamble: str) -> str:
    """给出第一格：代码在自己的名字空间里运行，页面的变量与它的同名也无妨。

    Args:
        preamble: 第一格的代码。

    Example:
        >>> names = {}
        >>> exec(hide("import json"), names)
        >>> "json" in names, "json" in names[FIRST]
        (False, True)
    """
    return f"{FIRST} = {{}}\nexec({preamble!r}, {FIRST})"


def _write_cell(number: int, cell: Cell) -> Iterator[tuple[str, str]]:
    """逐格给出一块写成的各格：id 与代码。"""
    if not cell.runs:
        return
    if cell.knobs:
        yield f"keep-{number}", f"{VARIANTS}.keep()"
    yield f"cell-{number}", cell.code
    if cell.knobs:
        yield f"begin-{number}", f"{VARIANTS}.begin({f'f{cell.alt!r}'!r})"
        for setting, name in list_variants(number, cell).items():
            yield name, knobs.turn(cell.code, cell.knobs, setting)
        yield f"alts-{number}", f"{VARIANTS}.end()"
    if cell.claims:
        values = ", ".join(f"{name!r}: float({e})" for name, e in cell.claims)
        yield f"claims-{number}", f"print(__import__('json').dumps({{{values}}}))"


def list_variants(number: int, cell: Cell) -> dict[tuple[int, ...], str]:
    """给出一块的各个设置由哪一格运行，按先后：缺省的排在最后，是再一次运行。

    Args:
        number: 第几块，从 0 数起。
        cell: 代码块。

    Returns:
        设置到格的 id；没有旋钮则为空。
    """
    own = knobs.default(cell.knobs)
    ordered = sorted(knobs.settings(cell.knobs), key=lambda setting: setting == own)
    return {
        setting: f"cell-{number}-{'-'.join(map(str, setting))}"
        for setting in ordered
        if cell.knobs
    }


@dataclass(frozen=True)
class Run:
    """一格代码的运行结果。

    Args:
        count: 它是内核运行的第几格，没有运行则为 `None`。
        outputs: 输出，nbformat 的形式。
    """

    count: int | None
    outputs: list[dict[str, Any]]


def read_runs(runs: Sequence[dict[str, Any]]) -> dict[str, Run]:
    """按格的 id 给出运行结果：相邻的标准输出接成一段，文字都是终端最后显示的。

    Args:
        runs: 各格的 `id`、`count`、`outputs`。
    """
    return {
        run["id"]: Run(run["count"], [*map(_settle, _merge_streams(run["outputs"]))])
        for run in runs
    }


def _merge_streams(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """接上相邻的标准输出：内核按时间切段，快慢不同，段数就不同。"""
    merged: list[dict[str, Any]] = []
    for output in outputs:
        if merged and "name" in output and output["name"] == merged[-1].get("name"):
            merged[-1] = output | {"text": merged[-1]["text"] + output["text"]}
        else:
            merged.append(output)
    return merged


def _settle(output: dict[str, Any]) -> dict[str, Any]:
    """文字换成终端最后显示的。"""
    settled = dict(output)
    for key in "text", "ename", "evalue":
        if key in output:
            settled[key] = settle(output[key])
    if "traceback" in output:
        settled["traceback"] = [settle(frame) for frame in output["traceback"]]
    if "data" in output:
        settled["data"] = {
            kind: settle(content) if isinstance(content, str) else content
            for kind, content in output["data"].items()
        }
    return settled


def check_runs(cells: Sequence[Cell], runs: Mapping[str, Run]) -> Iterator[Fault]:
    """逐个给出运行中的错误。

    Args:
        cells: 一页的代码块。
        runs: 它们的运行结果。

    Returns:
        错误，行号是出错的那一句的；整块的错误，是块内第一行的。
    """
    by_count = {
        run.count: cell
        for number, cell in enumerate(cells)
        for name in (f"cell-{number}", *list_variants(number, cell).values())
        if (run := runs.get(name)) is not None
    }
    for number, cell in enumerate(cells):
        run = runs.get(f"cell-{number}", Run(None, []))
        if run.count is None:
            if cell.runs:
                yield Fault(cell.line, "这一块没有运行，请重新构建；再现时请报告")
            continue
        errors = [o for o in run.outputs if o["output_type"] == "error"]
        if errors and "raises-exception" not in cell.tags:
            yield _error_fault(cell, errors[0], run.count, by_count)
        if not errors and "raises-exception" in cell.tags:
            yield Fault(
                cell.line, "这一块标了 raises-exception，却没有出错；请去掉标签或改代码"
            )
        own = [*_output_faults(cell, run.outputs)]
        yield from own
        if cell.knobs and not errors and not own:
            yield from _variant_faults(number, cell, runs, by_count)
        yield from _claim_faults(cell, runs.get(f"claims-{number}"))


def cell_at(cells: Sequence[Cell], index: int) -> Cell:
    """给出笔记本的第 `index` 格属于哪一块；第 0 格是 preamble，算第一块的。

    Args:
        cells: 一页的代码块。
        index: 从 0 数起。
    """
    written = [
        cell for number, cell in enumerate(cells) for _ in _write_cell(number, cell)
    ]
    return written[max(index - 1, 0)]


def _variant_faults(
    number: int,
    cell: Cell,
    runs: Mapping[str, Run],
    by_count: Mapping[int | None, Cell],
) -> Iterator[Fault]:
    """缺省的设置没有错时，别的设置的错；一块至多一处。"""
    own = runs[f"cell-{number}"]
    shape = drawing.shape(own.outputs)
    for setting, name in list_variants(number, cell).items():
        run = runs.get(name, Run(None, []))
        errors = [o for o in run.outputs if o["output_type"] == "error"]
        if errors and run.count is not None:
            found = [_error_fault(cell, errors[0], run.count, by_count)]
        else:
            found = [*_output_faults(cell, run.outputs)]
        if not found and drawing.shape(run.outputs) != shape:
            message = (
                "输出的个数、图的大小或表的行数与缺省的不同；"
                "请让它们一样，换的时候版面才不动"
            )
            found = [Fault(cell.line, message)]
        if found:
            where = knobs.describe(cell.knobs, setting)
            yield Fault(found[0].line, f"{where} 时，{found[0].message}")
            return
    if [*map(_content, run.outputs)] != [*map(_content, own.outputs)]:
        message = (
            "别的设置运行之后，缺省的输出变了：这一块改了前面的东西；"
            "请在块内新建，不要就地改"
        )
        yield Fault(cell.line, message)
    try:
        read_alts(number, cell, runs)
    except ValueError as error:
        yield Fault(cell.line, f"alt 里的 {{…}} 写不出来，请改正：{error}")


def _content(output: dict[str, Any]) -> dict[str, Any]:
    """一个输出的内容，没有第几格和日期。"""
    text = json.dumps({k: v for k, v in output.items() if k != "execution_count"})
    found: dict[str, Any] = json.loads(METADATA.sub("", text))
    return found


def read_alts(
    number: int, cell: Cell, runs: Mapping[str, Run]
) -> dict[tuple[int, ...], str]:
    """给出各个设置的图的说明。

    Args:
        number: 第几块，从 0 数起。
        cell: 代码块。
        runs: 一页的运行结果。

    Raises:
        ValueError: 有的写不出来。
    """
    (printed,) = runs[f"alts-{number}"].outputs
    alts = json.loads(printed["text"])
    for alt in alts:
        if "error" in alt:
            raise ValueError(alt["error"])
    texts = [alt["text"] for alt in alts]
    return dict(zip(list_variants(number, cell), texts, strict=True))


def _output_faults(cell: Cell, outputs: Sequence[dict[str, Any]]) -> Iterator[Fault]:
    length = sum(len(json.dumps(o, ensure_ascii=False)) for o in outputs)
    if length > LONGEST_OUTPUT:
        yield Fault(
            cell.line, f"输出有 {length} 个字符，上限 {LONGEST_OUTPUT}，请少印一些"
        )
    for output in outputs:
        data = output.get("data", {})
        kind = drawing.choose(data)
        if data and kind is None:
            yield Fault(
                cell.line,
                f"不支持这种输出：{'、'.join(sorted(data))}；"
                "可用文字、表格和 matplotlib 的图",
            )
        if output.get("name") == "stderr":
            yield Fault(cell.line, _explain_stderr(output["text"]))
        shown = data[kind] if kind else output.get("text", output.get("evalue", ""))
        if "0x" in shown and (found := ADDRESS.search(shown)):
            message = f"输出里有内存地址，每次都不同：{found[0]}；请改成印出它的值"
            yield Fault(cell.line, message)
        if kind == "image/svg+xml":
            yield from _figure_faults(cell, shown)


def _figure_faults(cell: Cell, svg: str) -> Iterator[Fault]:
    if not (cell.caption and cell.alt):
        yield Fault(cell.line, '画图的块要有 caption="图题" 和 alt="文字说明"')
    if colours := unknown_colours(svg):
        message = (
            f"图里的颜色 {'、'.join(colours)} 不随明暗变化，会看不清：只用 C0–C5 和黑色"
            "；按值上色的，加 rasterized=True 或用 imshow"
        )
        yield Fault(cell.line, message)


def _explain_stderr(text: str) -> str:
    """写了标准错误，该怎么办。"""
    if re.search(r"\d+%\|.*\|| \d*\.?\d+(?:it/s|s/it)\]", text):
        return (
            "进度条写到了标准错误：请让它不画（tqdm 用 disable=True），"
            "或写到标准输出（file=sys.stdout）"
        )
    if re.search(r"Glyph .* missing|does not have a glyph", text):
        return "一个标签里不能既有汉字又有 $…$：请分开写，或公式改用普通的字"
    warning = (text.strip().splitlines() or ["（空行）"])[0]
    warning = re.sub(r"^\S*/ipykernel_\S+:\d+: ", "", warning)
    return f"这一块写了标准错误，请消除警告：{warning}"


def _claim_faults(cell: Cell, run: Run | None) -> Iterator[Fault]:
    for output in run.outputs if run else []:
        reason = ""
        if output["output_type"] == "error":
            reason = _reason(output)
        elif output.get("name") == "stderr":
            reason = output["text"].strip().splitlines()[-1]
        if reason:
            yield Fault(
                cell.line, f"块头 claims 里的表达式出错或有警告，请改正：{reason}"
            )


def read_measures(runs: Mapping[str, Run]) -> dict[str, float]:
    """给出各主张在这一页上量出的值；求值出错的没有。

    Args:
        runs: 一页的运行结果。
    """
    measures: dict[str, float] = {}
    for name, run in runs.items():
        if name.startswith("claims-"):
            printed = [o["text"] for o in run.outputs if o.get("name") == "stdout"]
            if text := "".join(printed).strip():
                measures |= json.loads(text.splitlines()[-1])
    return measures


def _error_fault(
    cell: Cell, error: dict[str, Any], count: int, cells: Mapping[int | None, Cell]
) -> Fault:
    """从回溯里找出本块出错的那一行，和它在片段里的位置。"""
    line, origin = cell.line, ""
    frames = FRAME.findall("\n".join(error["traceback"]))
    found = False
    for frame_count, frame_line in frames:
        owner, position = cells.get(int(frame_count)), int(frame_line) - 1
        if owner is None or not 0 <= position < len(owner.lines):
            continue
        if int(frame_count) == count and not found:
            line, found = owner.lines[position], True
        if owner.origins:
            origin = owner.origins[position] or origin
    where = f"（{origin}）" if origin else ""
    reason = _reason(error)
    advice = "" if "；请" in reason else "；请改正这一句"
    return Fault(line, f"{reason}{where}{advice}")


def _reason(error: dict[str, Any]) -> str:
    reason = (error["evalue"].strip() or "（无说明）").splitlines()[0]
    reason = re.sub(r" \(\d+\.py, line \d+\)$", "", reason)  # 格子的临时文件名
    return f"{error['ename']}: {reason}"
