"""输出的缓存：一页一个文件，内容的键对得上才用。"""

import contextlib
import hashlib
import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import psutil


class Cache:
    """一页一个条目：笔记本的摘要，和它运行出的结果。

    条目读不出、残缺、键不合，都当没有；写是一步换上的，中途停下，旧的原样留着。

    Args:
        folder: 放条目的文件夹。
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trouble: OSError | None = None  # 最近一次写不进去的原因
        for leftover in folder.glob("**/*.partial"):
            owner = re.search(r"\.(\d+)-\d+\.partial$", leftover.name)
            if owner and not psutil.pid_exists(int(owner[1])):
                with contextlib.suppress(OSError):
                    leftover.unlink()  # 被杀掉的构建留下的

    def load(self, page: str, notebook: str) -> list[Any] | None:
        """给出这一页的结果；笔记本变过，或没有运行过，则为 `None`。

        Args:
            page: 页面的路径。
            notebook: 笔记本的全文。
        """
        try:
            entry = json.loads(self._path(page).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        match entry:
            case {"key": key, "runs": list(runs)} if key == _digest(notebook):
                return runs
        return None

    def save(self, page: str, notebook: str, runs: list[Any]) -> None:
        """记下这一页的结果；写不进去不算错，`trouble` 里有原因。

        Args:
            page: 页面的路径。
            notebook: 笔记本的全文。
            runs: 运行的结果。
        """
        path = self._path(page)
        mark = f".{os.getpid()}-{threading.get_ident()}.partial"
        partial = path.with_name(path.name + mark)
        text = json.dumps({"key": _digest(notebook), "runs": runs}, ensure_ascii=False)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            self.trouble = error
            with contextlib.suppress(OSError):
                partial.unlink()

    def _path(self, page: str) -> Path:
        return self.folder / f"{page}.json"


def _digest(notebook: str) -> str:
    return hashlib.sha256(notebook.encode()).hexdigest()
