"""运行：启动不成就再来，代码的错不重来。"""

from collections.abc import Callable

import pytest
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from pipeline import execution
from pipeline.faults import SetupError

Reached = Callable[[int], None]


def test_a_kernel_that_did_not_start_is_started_again() -> None:
    calls = []

    def notebook(_: Reached) -> str:
        calls.append(1)
        if len(calls) < 3:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return "好"

    assert execution.run(notebook) == "好"
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("error", "starts"),
    [(RuntimeError("Kernel died before replying"), 3), (NoSuchKernel("python3"), 1)],
)
def test_a_kernel_that_never_starts_is_given_up(error: Exception, starts: int) -> None:
    calls = []

    def notebook(_: Reached) -> str:
        calls.append(1)
        raise error

    with pytest.raises(execution.NoKernel, match="pip install ipykernel"):
        execution.run(notebook)
    assert len(calls) == starts


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DeadKernelError("x"), "内核死了"),
        (CellTimeoutError("x"), "等了 300 秒还没有结束"),
    ],
)
def test_a_fault_of_the_code_is_not_run_again(error: Exception, message: str) -> None:
    calls = []

    def notebook(reached: Reached) -> str:
        calls.append(1)
        reached(2)
        raise error

    with pytest.raises(execution.Interrupted, match=message) as caught:
        execution.run(notebook)
    assert len(calls) == 1
    assert caught.value.index == 2


def test_other_errors_are_not_hidden() -> None:
    def notebook(reached: Reached) -> str:
        reached(1)
        raise RuntimeError("流水线自己的错")

    with pytest.raises(RuntimeError, match="流水线自己的错"):
        execution.run(notebook)


def test_a_kernel_that_died_before_the_first_cell_is_started_again() -> None:
    def notebook(_: Reached) -> str:
        raise DeadKernelError("x")

    with pytest.raises(execution.NoKernel):
        execution.run(notebook)


def test_a_time_limit_that_is_no_number_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CELL_TIMEOUT", "1m")
    with pytest.raises(SetupError, match="CELL_TIMEOUT 应是秒数，如 60，现在是 '1m'"):
        execution.time_limit()
