"""运行：启动不成就再来，代码的错不重来。"""

import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from hooks import execution


def test_a_kernel_that_did_not_start_is_started_again() -> None:
    calls = []

    def notebook() -> None:
        calls.append(1)
        if len(calls) < 3:
            raise RuntimeError("Kernel died before replying to kernel_info")

    execution.run(notebook)
    assert len(calls) == 3


def test_a_kernel_that_never_starts_is_given_up() -> None:
    def notebook() -> None:
        raise RuntimeError("Kernel died before replying to kernel_info")

    with pytest.raises(RuntimeError, match="kernel_info") as caught:
        execution.run(notebook)
    assert execution.explain(caught.value) is None


@pytest.mark.parametrize(
    ("error", "message"),
    [(DeadKernelError("x"), "内核死了"), (CellTimeoutError("x"), "超过时限 60 秒")],
)
def test_a_fault_of_the_code_is_not_run_again(error: Exception, message: str) -> None:
    calls = []

    def notebook() -> None:
        calls.append(1)
        execution.remember(None, 2)
        raise error

    with pytest.raises(type(error)):
        execution.run(notebook)
    assert len(calls) == 1
    index, reason = execution.explain(error) or (0, "")
    assert index == 2
    assert message in reason
