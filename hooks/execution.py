"""运行一页的代码：时限、正在运行的是哪一格、出了事怎么说。"""

import os
import threading
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError

_running = threading.local()


def time_limit() -> int:
    """每一格的时限，单位为秒，由环境变量 CELL_TIMEOUT 指定，缺省 60。"""
    return int(os.environ.get("CELL_TIMEOUT", "60"))


def remember(cell: Any, cell_index: int) -> None:
    """记下本线程正在运行的一格，由 nbclient 调用。"""
    del cell
    _running.index = cell_index


def explain(error: Exception) -> tuple[int, str] | None:
    """把运行中断的原因说清楚。

    Returns:
        第几格（从 0 数起，第 0 格是 preamble）和原因；不是代码的错则为 `None`。
    """
    index = getattr(_running, "index", 0)
    if isinstance(error, CellTimeoutError):
        return index, f"超过时限 {time_limit()} 秒（环境变量 CELL_TIMEOUT）"
    if isinstance(error, DeadKernelError):
        return index, "运行时内核死了，常见原因是内存不足或调用了 os._exit"
    return None
