"""手撕题的测试用的三句话：应当给出什么，应当拒绝什么，不该改动什么。"""

import copy
import math
from collections.abc import Callable
from typing import Any

LONGEST = 90  # 提示里一个值至多写这么长


def check(
    function: Callable[..., Any],
    *arguments: Any,
    gives: Any,
    because: str = "",
    within: float = 1e-9,
) -> None:
    """调用 `function(*arguments)`，确认它给出 `gives`，也没有改动参数。

    Args:
        function: 被测的函数。
        arguments: 参数。
        gives: 应当给出的值；其中的数容许舍入误差。
        because: 错了时的提示。
        within: 容许的误差。

    Raises:
        AssertionError: 不合；信息里有调用、预期、得到的值和提示。

    Example:
        >>> check(abs, -2, gives=2)
        >>> check(abs, -2, gives=3, because="绝对值")
        Traceback (most recent call last):
        ...
        AssertionError: abs(-2) 应是 3，得到 2。绝对值
    """
    given = copy.deepcopy(arguments)
    compare(show_call(function, given), function(*arguments), gives, because, within)
    assert arguments == given, f"{show_call(function, given)} 改动了传进来的参数"


def compare(
    what: str, got: Any, want: Any, because: str = "", within: float = 1e-9
) -> None:
    """确认得到的值就是预期的值。

    Args:
        what: 比的是什么，写在信息的开头。
        got: 得到的值。
        want: 预期的值。
        because: 错了时的提示。
        within: 容许的误差。

    Raises:
        AssertionError: 不合。

    Example:
        >>> compare("和", [0.1 + 0.2], [0.3])
        >>> compare("和", [1, 2], [1, 3])
        Traceback (most recent call last):
        ...
        AssertionError: 和 应是 [1, 3]，得到 [1, 2]：第 [1] 项应是 3，得到 2。
    """
    difference = _difference(got, want, within)
    assert difference is None, (
        f"{what} 应是 {_short(want)}，得到 {_short(got)}{difference}。{because}"
    )


def refuses(
    error: type[Exception], function: Callable[..., Any], *arguments: Any
) -> None:
    """确认 `function(*arguments)` 抛出 `error`。

    Args:
        error: 应当抛出的异常。
        function: 被测的函数。
        arguments: 参数。

    Raises:
        AssertionError: 没有抛出，或抛出了别的。

    Example:
        >>> refuses(ValueError, int, "甲")
        >>> refuses(ValueError, abs, -2)
        Traceback (most recent call last):
        ...
        AssertionError: abs(-2) 应抛出 ValueError，得到 2。
    """
    what = show_call(function, arguments)
    try:
        got = _short(function(*arguments))
    except error:
        return
    except Exception as other:
        got = type(other).__name__
    raise AssertionError(f"{what} 应抛出 {error.__name__}，得到 {got}。")


def show_call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> str:
    """写出一次调用。

    Args:
        function: 函数。
        arguments: 参数。

    Example:
        >>> show_call(max, (1, 2))
        'max(1, 2)'
    """
    name = getattr(function, "__name__", "函数")
    return f"{name}({', '.join(map(_short, arguments))})"


def _short(value: Any) -> str:
    """写出一个值，数至多六位有效数字，太长就截断。"""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        text = f"[{', '.join(map(_short, value))}]"
    elif isinstance(value, tuple) and len(value) > 1:
        text = f"({', '.join(map(_short, value))})"
    else:
        text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _difference(got: Any, want: Any, within: float, path: str = "") -> str | None:
    """第一处不同，写成接在后面的话；相同则为 `None`。"""
    if got is None and want is not None:
        return "：没有 return"
    where = f"：第 {path} 项" if path else "："
    if isinstance(want, list | tuple):
        if not isinstance(got, list | tuple):
            return f"{where}应是{'列表' if isinstance(want, list) else '元组'}"
        if len(got) != len(want):
            return f"{where}应有 {len(want)} 个元素，得到 {len(got)} 个"
        for index, pair in enumerate(zip(got, want, strict=True)):
            found = _difference(*pair, within, f"{path}[{index}]")
            if found is not None:
                return found
        return None
    if isinstance(want, float | int) and isinstance(got, float | int):
        same = math.isclose(got, want, rel_tol=1e-9, abs_tol=within)
    else:
        same = bool(got == want)
    if same:
        return None
    return f"{where}应是 {_short(want)}，得到 {_short(got)}" if path else ""
