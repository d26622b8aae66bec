"""判题：读者的代码换下解答，逐个运行那道题的测试。

pytest 和读者的浏览器（Pyodide）运行的是同一个文件，所以只用标准库。
"""

import ast
import contextlib
import io
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

MINE, TESTS = "<你的代码>", "<测试>"
LIMIT = 5.0  # 秒
MOST = 4_000  # 读者印出的，至多留这么多字符
ADVICE = {
    RecursionError: "递归太深：多半没有写出口，或每次调用没有离出口更近",
    ModuleNotFoundError: "这里没有这个模块：只有标准库，题目也只要标准库",
    IndentationError: "缩进不对：同一层的各行要对齐，冒号的下一行要缩进",
    SyntaxError: "语法不对",
    NameError: "这个名字没有定义：检查拼写，要用的模块先 import",
    TypeError: "类型或参数不对；乘方写 **，^ 是按位异或",
    ZeroDivisionError: "除以了 0",
    IndexError: "下标越界",
    MemoryError: "内存不够",
}


class TimeUp(BaseException):
    """运行得太久；不是 `Exception`，读者的 `except Exception` 拦不住它。"""


class _Watch:
    """看着读者的每一行：太久就停下，隔一会儿报告在哪一行。"""

    def __init__(self, limit: float, tell: Callable[[int], None]) -> None:
        self.end = time.monotonic() + limit
        self.told, self.early = time.monotonic(), 50
        self.tell = tell

    def __call__(self, frame: FrameType, event: str, _: object) -> "_Watch | None":
        if frame.f_code.co_filename != MINE:
            return None
        if event == "line":
            now = time.monotonic()
            if now > self.end:
                raise TimeUp
            if self.early or now > self.told + 0.05:  # 一句话也可能算得很久
                self.told, self.early = now, max(0, self.early - 1)
                self.tell(frame.f_lineno)
        return self


class _Printed(io.StringIO):
    """收读者印出的字，太多的不要。"""

    def write(self, text: str) -> int:
        room = MOST - self.tell()
        super().write(text if len(text) <= room else text[: max(room, 0)])
        return len(text)


def judge(
    source: str,
    name: str,
    code: str,
    report: Callable[[str, Any], Any] = lambda *_: None,
    limit: float = LIMIT,
) -> dict[str, Any]:
    """用一题的测试测读者的代码。

    Args:
        source: `snippets/exercises/` 里那个模块的全文。
        name: 解答的名字。
        code: 读者的代码。
        report: 收消息的函数：`("test", 一条结果)`、`("line", 正在哪一行)`。
        limit: 至多运行几秒。

    Returns:
        `error` 是没能测下去的原因，没有则为空；`tests` 各有 `title`、`passed`、
        `message`；`printed` 是读者印出的。
    """
    printed = _Printed()
    watch = _Watch(limit, lambda line: report("line", line))
    tests: list[dict[str, Any]] = []
    before = sys.gettrace()
    error = ""
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            mine: dict[str, Any] = {"__name__": "__main__"}
            program = compile(code, MINE, "exec", dont_inherit=True)
            sys.settrace(watch)
            exec(program, mine)
            if name not in mine:
                raise LookupError(f"没有找到 {name}：请保留这个名字")
            for title, test in _tests(source, name, mine[name]):
                message = _run(test)
                tests.append(
                    {"title": title, "passed": not message, "message": message}
                )
                report("test", tests[-1])
    except BaseException as failure:
        error = explain(failure, limit)
    finally:
        sys.settrace(before)
    return {"error": error, "tests": tests, "printed": printed.getvalue()}


def _tests(
    source: str, name: str, solution: Any
) -> list[tuple[str, Callable[[], None]]]:
    """一题的各个测试：名字和函数；里面的解答换成 `solution`。"""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not is_solution(node)]
    names: dict[str, Any] = {"__name__": "tests"}
    exec(compile(tree, TESTS, "exec"), names)
    names[name] = solution
    return [
        (value.__doc__, value)
        for key, value in names.items()
        if key.startswith(f"test_{name}_")
    ]


def is_solution(node: ast.AST) -> bool:
    """一个定义是不是解答：公开的，又不是测试。

    Args:
        node: 模块里的一句。
    """
    return isinstance(
        node, ast.FunctionDef | ast.ClassDef
    ) and not node.name.startswith(("_", "test_"))


def _run(test: Callable[[], None]) -> str:
    """运行一个测试，给出没过的原因；过了则为空。"""
    try:
        test()
    except AssertionError as failure:
        if _line(failure) is None:
            return str(failure)
        return explain(failure, 0)
    except Exception as failure:
        return explain(failure, 0)
    return ""


def explain(failure: BaseException, limit: float) -> str:
    """把一个异常说成一句话，先说第几行。

    Args:
        failure: 异常。
        limit: 至多运行几秒。
    """
    line = _line(failure)
    where = f"第 {line} 行：" if line else ""
    if isinstance(failure, TimeUp):
        return f"{where}运行超过 {limit:g} 秒，停下了。循环有没有出口？"
    if isinstance(failure, LookupError) and not line:
        return str(failure.args[0])
    kind = type(failure)
    advice = next((ADVICE[k] for k in kind.__mro__ if k in ADVICE), "出错了")
    message = failure.msg if isinstance(failure, SyntaxError) else str(failure)
    if isinstance(failure, ModuleNotFoundError):
        message = f"No module named {failure.name!r}"
    return f"{where}{advice}（{kind.__name__}: {message}）"


def _line(failure: BaseException) -> int | None:
    """出错的行，在读者的代码里；不在则为 `None`。"""
    if isinstance(failure, SyntaxError) and failure.filename == MINE:
        return failure.lineno
    frames = traceback.extract_tb(failure.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == MINE]
    return lines[-1] if lines else None
