"""运行一页的代码：时限、正在运行的是哪一格、出了事怎么说。"""

import os
import threading
from collections.abc import Callable
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError

STARTS = 3  # 内核先选端口后绑定，端口偶尔会被别的程序抢走
_running = threading.local()


def time_limit() -> int:
    """每一格的时限，单位为秒，由环境变量 CELL_TIMEOUT 指定，缺省 60。"""
    return int(os.environ.get("CELL_TIMEOUT", "60"))


def remember(cell: Any, cell_index: int) -> None:
    """记下本线程正在运行的一格，由 nbclient 调用。"""
    del cell
    _running.index = cell_index


def run(notebook: Callable[[], None]) -> None:
    """运行一个笔记本；内核没有启动起来就再启动。

    Args:
        notebook: 启动内核、运行各格。

    Raises:
        Exception: `notebook` 抛出的，多次启动不成时是最后一次的。
    """
    for attempt in range(1, STARTS + 1):
        _running.index = None
        try:
            return notebook()
        except RuntimeError:
            if _running.index is not None or attempt == STARTS:
                raise
    return None


def explain(error: Exception) -> tuple[int, str] | None:
    """把运行中断的原因说清楚。

    Returns:
        第几格（从 0 数起，第 0 格是 preamble）和原因；不是代码的错则为 `None`。
    """
    if _running.index is None:
        return None
    if isinstance(error, CellTimeoutError):
        return _running.index, f"超过时限 {time_limit()} 秒（环境变量 CELL_TIMEOUT）"
    if isinstance(error, DeadKernelError):
        return _running.index, "运行时内核死了，常见原因是内存不足或调用了 os._exit"
    return None
