"""时间之比：`make measure` 量好、提交在案的数据；构建时只读出来，写成表。"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

ADVICE = "请运行 make measure"


class TimingsError(ValueError):
    """数据文件有误，或没有这一题的数据。"""


@dataclass(frozen=True)
class Row:
    """两段计算的时间之比。

    Args:
        stem: 所在的题。
        what: 哪一段与哪一段相比，Markdown，不含竖线。
        ratio: 各轮之比的中位数。
        low: 各轮之比的下四分位数。
        high: 各轮之比的上四分位数。
    """

    stem: str
    what: str
    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Timings:
    """一次测量的全部结果，和它的来历。

    Args:
        date: 测量的日期，`年-月-日`。
        processor: 处理器的型号。
        cores: 处理器的核数。
        python: Python 的版本。
        torch: PyTorch 的版本。
        rows: 各行结果。
    """

    date: str
    processor: str
    cores: int
    python: str
    torch: str
    rows: tuple[Row, ...]


def read_timings(path: Path) -> Timings:
    """读出提交在案的数据。

    Args:
        path: `make measure` 写的 JSON 文件。

    Raises:
        TimingsError: 文件读不出，或内容不合；信息是一句话。
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        rows = tuple(
            Row(
                stem=str(row["stem"]),
                what=str(row["what"]),
                **{name: float(row[name]) for name in ("ratio", "low", "high")},
            )
            for row in given["rows"]
        )
        timings = Timings(
            **{name: str(given[name]) for name in ("date", "processor")},
            cores=int(given["cores"]),
            **{name: str(given[name]) for name in ("python", "torch")},
            rows=rows,
        )
    except OSError as error:
        raise TimingsError(f"读不出 {path.name}，{ADVICE}：{error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise TimingsError(f"{path.name} 的内容不合，{ADVICE}：{reason}") from error
    for row in rows:
        if not 0 < row.low <= row.ratio <= row.high < math.inf or "|" in row.what:
            raise TimingsError(f"{path.name} 里「{row.what}」这一行不合，{ADVICE}")
    return timings


def tabulate(timings: Timings, stem: str) -> str:
    """把一题的时间之比写成一张 Markdown 表，表后一行是来历。

    Args:
        timings: 测量的结果。
        stem: 题的名字。

    Raises:
        TimingsError: 没有这一题的数据。
    """
    rows = [row for row in timings.rows if row.stem == stem]
    if not rows:
        raise TimingsError(f"没有 {stem} 的测量数据；请改名，或登记后运行 make measure")
    lines = ["| 做什么 | 时间之比 | 四分位区间 |", "| --- | --- | --- |"]
    lines += [
        f"| {row.what} | {_write(row.ratio)} | {_write(row.low)}–{_write(row.high)} |"
        for row in rows
    ]
    lines += [
        "",
        f"单线程的 CPU 时间之比，各轮的中位数；{timings.date} 测于"
        f" {timings.processor}（{timings.cores} 核），"
        f"Python {timings.python}，PyTorch {timings.torch}。用 `make measure` 重测。",
    ]
    return "\n".join(lines)


def _write(ratio: float) -> str:
    """三位有效数字，不用科学记数法。"""
    digits = max(0, 2 - math.floor(math.log10(ratio)))
    return f"{ratio:.{digits}f}"
