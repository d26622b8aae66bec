"""运行各页的代码要等一会：告诉人在等哪几页，第几页，等了多久。"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

TICK = 0.5  # 终端上那一行多久变一次，秒


class Progress:
    """报告进度：终端上是一行会变的字，日志里一页一行。

    Args:
        say: 写一行。
        terminal: 那一行写到哪里；不是终端，或不要它，则为 `None`。
        clock: 时钟，单位为秒。
    """

    def __init__(
        self,
        say: Callable[[str], object],
        terminal: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.say = say
        self.terminal = terminal
        self.clock = clock
        self.total = self.done = 0
        self.running: dict[str, float] = {}  # 页面到它开始的时刻
        self.begin = 0.0
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.ticking = threading.Thread(target=self._tick, daemon=True)

    def __call__(self, total: int) -> Self:
        """要运行 `total` 页。

        Args:
            total: 页数。
        """
        self.total, self.done, self.begin = total, 0, self.clock()
        return self

    def __enter__(self) -> Self:
        if self.total:
            self.say(f"要运行 {self.total} 页的代码，没有改过的页用上次的输出")
        if self.terminal and self.total:
            self.over.clear()
            self.ticking = threading.Thread(target=self._tick, daemon=True)
            self.ticking.start()
        return self

    def start(self, page: str) -> None:
        """开始运行一页。

        Args:
            page: 页面的路径。
        """
        with self.lock:
            self.running[page] = self.clock()

    def finish(self, page: str) -> None:
        """运行完一页。

        Args:
            page: 页面的路径。
        """
        with self.lock:
            took = self.clock() - self.running.pop(page)
            self.done += 1
            self._wipe()
            self.say(f"运行完 {page}（{self.done}/{self.total}），{took:.0f} 秒")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        if self.ticking.is_alive():
            self.ticking.join()
        self.running.clear()
        self._wipe()

    def line(self) -> str:
        """终端上的那一行。"""
        pages = "、".join(sorted(self.running))
        spent = self.clock() - self.begin
        return f"运行代码 {self.done}/{self.total}：{pages}，已 {spent:.0f} 秒"

    def _tick(self) -> None:
        while not self.over.wait(TICK):
            with self.lock:
                self._wipe()
                print(self.line(), end="", file=self.terminal, flush=True)

    def _wipe(self) -> None:
        if self.terminal and self.total:
            print("\r\x1b[2K", end="", file=self.terminal, flush=True)
