"""运行一页的代码：谁来运行都要守的约定、时限、出了事怎么说。"""

import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from pipeline import kernels
from pipeline.faults import SetupError

T = TypeVar("T")
PATIENCE = 5  # 时限算的是 CPU 时间（见 rules.py）；等的时间是它的这么多倍
STARTS = 3  # 内核先选端口后绑定，端口偶尔会被别的程序抢走


class Executor(Protocol):
    """运行一个笔记本的办法：页面的路径、笔记本的全文、报告进度的函数，给出各格的结果。

    结果是各格的 `id`、`count`（内核运行的第几格）、`outputs`（nbformat 的形式）。
    """

    versions: Mapping[str, str]  # 其中能改变输出的，连同版本

    def __call__(
        self, page: str, notebook: str, remember: Callable[[int], None], /
    ) -> list[dict[str, Any]]:
        """运行一个笔记本；轮到第几格，就用 `remember` 报告。"""


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


def time_limit() -> int:
    """每一格的时限，单位为 CPU 秒，由环境变量 CELL_TIMEOUT 指定，缺省 60。

    Raises:
        SetupError: 环境变量不是整数。
    """
    text = os.environ.get("CELL_TIMEOUT", "60")
    if not text.isdecimal():
        raise SetupError(f"环境变量 CELL_TIMEOUT 应是秒数，如 60，现在是 {text!r}")
    return int(text)


def client_options(server: kernels.KernelServer | None = None) -> dict[str, Any]:
    """nbclient 运行笔记本的设置。

    Args:
        server: 内核从哪里分出来；`None` 是各自从头启动。
    """
    return {
        "kernel_manager_class": kernels.manager(server),
        "timeout": PATIENCE * time_limit(),
        "extra_arguments": ["--IPKernelApp.log_level=50"],
        "shutdown_kernel": "immediate",  # 结果已经取到，不等内核自己收拾
    }


def run(
    execute: Callable[[Callable[[int], None]], T],
    stopped: Callable[[], bool] = lambda: False,
) -> T:
    """运行一个笔记本；内核没有启动起来就再启动。

    Args:
        execute: 启动内核、运行各格，给出结果；轮到第几格，就用它的参数报告。
        stopped: 是不是已经叫停：叫停了就不再启动。

    Returns:
        `execute` 给出的结果。

    Raises:
        Interrupted: 某一格超过时限，或内核在其中死了。
        NoKernel: 没有内核，或几次都启动不成。
    """
    reason = ""
    for _ in range(STARTS):
        if stopped():
            break
        reached: list[int] = []
        try:
            return execute(reached.append)
        except (CellTimeoutError, DeadKernelError) as error:
            if reached:
                raise Interrupted(reached[-1], _explain(error)) from error
            reason = str(error)
        except NoSuchKernel as error:
            reason = str(error)
            break
        except RuntimeError as error:
            if reached:
                raise
            reason = str(error)
    raise NoKernel(f"内核启动不了，请重新安装：pip install ipykernel（{reason}）")


def _explain(error: Exception) -> str:
    if isinstance(error, CellTimeoutError):
        return (
            f"等了 {PATIENCE * time_limit()} 秒还没有结束；请看它是不是在等什么，"
            "或用环境变量 CELL_TIMEOUT 放宽时限"
        )
    return "运行时内核死了，常见原因是内存不足或调用了 os._exit；请把计算改小"
