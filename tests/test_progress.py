"""进度：日志里一页一行；终端上一行，写完擦掉。"""

import io
import time

import pytest

from pipeline import progress
from pipeline.progress import Progress


class Clock:
    """每看一次，过一秒。"""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """给出时刻。"""
        self.now += 1
        return self.now


def test_a_line_a_page_in_the_log() -> None:
    said: list[str] = []
    with Progress(said.append, clock=Clock())(2) as told:
        told.start("a.md")
        told.start("b.md")
        told.finish("b.md")
        told.finish("a.md")
    assert said == [
        "要运行 2 页的代码，没有改过的页用上次的输出",
        "运行完 b.md（1/2），1 秒",
        "运行完 a.md（2/2），3 秒",
    ]


def test_nothing_to_run_nothing_to_say() -> None:
    said: list[str] = []
    terminal = io.StringIO()
    with Progress(said.append, terminal)(0):
        pass
    assert (said, terminal.getvalue()) == ([], "")


def test_the_line_says_which_pages_and_how_long() -> None:
    told = Progress(lambda _: None, clock=Clock())(3)
    told.start("b.md")
    told.start("a.md")
    assert told.line() == "运行代码 0/3：a.md、b.md，已 3 秒"


def test_the_line_on_a_terminal_changes_and_is_wiped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "TICK", 0.01)
    terminal = io.StringIO()
    with Progress(lambda _: None, terminal)(1) as told:
        told.start("a.md")
        while "a.md" not in terminal.getvalue():
            time.sleep(0.01)
    assert terminal.getvalue().endswith("\r\x1b[2K")
    assert not told.ticking.is_alive()
