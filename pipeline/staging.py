"""网站整个建好了才换上：中途停下，旧的原样留着。"""

import contextlib
import errno
import os
import re
import shutil
from pathlib import Path

import psutil


class Staging:
    """目标文件夹旁边的一个临时文件夹，名字里有本进程的编号。

    Args:
        target: 网站的文件夹。
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.folder = target.with_name(f".{target.name}-{os.getpid()}")
        for leftover in target.parent.glob(f".{target.name}-*"):
            owner = re.fullmatch(
                rf"\.{re.escape(target.name)}-(?:old-)?(\d+)", leftover.name
            )
            if owner is None:
                continue  # 不是构建的
            if int(owner[1]) != os.getpid() and psutil.pid_exists(int(owner[1])):
                continue  # 别的进程正在用
            # 被杀掉的构建留下的；它若刚挪开旧网站，就放回去
            if leftover.match(f".{target.name}-old-*") and not target.exists():
                with contextlib.suppress(OSError):
                    leftover.rename(target)
            shutil.rmtree(leftover, ignore_errors=True)

    def publish(self) -> None:
        """换上新的网站，删掉旧的。"""
        old = self.target.with_name(f".{self.target.name}-old-{os.getpid()}")
        while self.folder.exists():
            with contextlib.suppress(FileNotFoundError):
                self.target.rename(old)
            try:
                self.folder.rename(self.target)
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise
                # 另一个构建抢先换上了它的网站，再换一次
            shutil.rmtree(old, ignore_errors=True)

    def discard(self) -> None:
        """删掉没有建成的网站；已经换上的不受影响。"""
        shutil.rmtree(self.folder, ignore_errors=True)
