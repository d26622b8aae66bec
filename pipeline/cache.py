"""缓存：做过的不再做，键对得上才用。"""

import contextlib
import hashlib
import json
import os
import re
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil


class Cache:
    """一个名字一个条目：键的摘要，和当时做出的值（JSON 写得出的）。

    条目读不出、残缺、键不合，都当没有；写是一步换上的，中途停下，旧的原样留着。

    Args:
        folder: 放条目的文件夹。
        stamp: 每个条目的键里都有的，如 `program_stamp`。
    """

    def __init__(self, folder: Path, stamp: str = "") -> None:
        self.folder = folder
        self.stamp = stamp
        self.trouble: OSError | None = None  # 最近一次写不进去的原因
        for leftover in folder.glob("**/*.partial"):
            owner = re.search(r"\.(\d+)-\d+\.partial$", leftover.name)
            if owner and not psutil.pid_exists(int(owner[1])):
                with contextlib.suppress(OSError):
                    leftover.unlink()  # 被杀掉的构建留下的

    def load(self, name: str, key: str) -> Any:
        """给出一个条目的值；没有做过，或键变了，则为 `None`。

        Args:
            name: 条目的名字，可以带文件夹，如页面的路径。
            key: 值由什么决定，全文。
        """
        try:
            entry = json.loads(self._path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        match entry:
            case {"key": found, "value": value} if found == digest(self.stamp + key):
                return value
        return None

    def save(self, name: str, key: str, value: Any) -> None:
        """记下一个条目；写不进去不算错，`trouble` 里有原因。

        Args:
            name: 条目的名字。
            key: 值由什么决定，全文。
            value: 值。
        """
        path = self._path(name)
        mark = f".{os.getpid()}-{threading.get_ident()}.partial"
        partial = path.with_name(path.name + mark)
        text = json.dumps(
            {"key": digest(self.stamp + key), "value": value}, ensure_ascii=False
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            self.trouble = error
            with contextlib.suppress(OSError):
                partial.unlink()

    def get(self, name: str, key: str, make: Callable[[], Any]) -> Any:
        """给出一个条目的值，没有就做出来记下。

        Args:
            name: 条目的名字。
            key: 值由什么决定，全文。
            make: 做出值的函数。
        """
        value = self.load(name, key)
        if value is None:
            value = make()
            self.save(name, key, value)
        return value

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def program_stamp(folder: Path) -> str:
    """给出程序的摘要：一个文件夹里的程序，和装着的各个包的版本。

    Args:
        folder: 程序所在的文件夹；`node_modules` 和 `tools` 不算。
    """
    packages = Path(sysconfig.get_path("purelib")).glob("*.dist-info")
    parts = [sys.version, *sorted(path.name for path in packages)]
    for path in sorted(folder.rglob("*.*")):
        inside = path.relative_to(folder).parts
        if not {"node_modules", "tools", "__pycache__"} & {*inside}:
            parts += ["/".join(inside), digest(path.read_text(encoding="utf-8"))]
    return digest("\n".join(parts))


def digest(text: str) -> str:
    """给出一段文字的摘要。

    Args:
        text: 文字。
    """
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
