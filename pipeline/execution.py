"""运行一页的代码：时限、正在运行的是哪一格、出了事怎么说。"""

import os
import subprocess
import threading
from collections.abc import Callable
from typing import Any

from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from pipeline.faults import SetupError

# 能改变输出的环境：线程数不同，浮点和的末位就不同；散列不同，集合的次序就不同
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
STARTS = 3  # 内核先选端口后绑定，端口偶尔会被别的程序抢走
_running = threading.local()


class Interrupted(Exception):
    """某一格没有运行完。

    Args:
        index: 第几格，从 0 数起，第 0 格是 preamble。
        reason: 原因和怎么办。
    """

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index


class NoKernel(Exception):
    """内核启动不了。"""


class SilentKernelManager(AsyncKernelManager):
    """内核进程自己的标准输出不进构建的输出：被打断时，它会往那里写回溯。"""

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
        """启动内核，选项同基类。"""
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        await super().start_kernel(**options | silent)


def time_limit() -> int:
    """每一格的时限，单位为秒，由环境变量 CELL_TIMEOUT 指定，缺省 60。

    Raises:
        SetupError: 环境变量不是整数。
    """
    text = os.environ.get("CELL_TIMEOUT", "60")
    if not text.isdecimal():
        raise SetupError(f"环境变量 CELL_TIMEOUT 应是秒数，如 60，现在是 {text!r}")
    return int(text)


def remember(cell: Any, cell_index: int) -> None:
    """记下本线程正在运行的一格，由 nbclient 调用。"""
    del cell
    _running.index = cell_index


def run(notebook: Callable[[], str]) -> str:
    """运行一个笔记本；内核没有启动起来就再启动。

    Args:
        notebook: 启动内核、运行各格，给出结果。

    Returns:
        `notebook` 给出的结果。

    Raises:
        Interrupted: 某一格超过时限，或内核在其中死了。
        NoKernel: 没有内核，或几次都启动不成。
    """
    reason = ""
    for _ in range(STARTS):
        _running.index = None
        try:
            return notebook()
        except (CellTimeoutError, DeadKernelError) as error:
            if _running.index is None:
                reason = str(error)
                continue
            raise Interrupted(_running.index, _explain(error)) from error
        except NoSuchKernel as error:
            reason = str(error)
            break
        except RuntimeError as error:
            if _running.index is not None:
                raise
            reason = str(error)
    raise NoKernel(f"内核启动不了，请重新安装：pip install ipykernel（{reason}）")


def _explain(error: Exception) -> str:
    if isinstance(error, CellTimeoutError):
        return (
            f"超过时限 {time_limit()} 秒；请把计算改小，"
            "或用环境变量 CELL_TIMEOUT 放宽时限"
        )
    return "运行时内核死了，常见原因是内存不足或调用了 os._exit；请把计算改小"
