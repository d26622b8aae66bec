"""运行代码的规矩，接在 preamble 后面，也是笔记本的一部分，改了就会重新运行。

出的错都算，命令失败也算；一块的 CPU 时间有限；只用装好的包，项目自己的代码要引用；
线程与它的块一起结束。
"""

import importlib.abc
import importlib.machinery
import os
import signal
import site
import subprocess
import sys
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from IPython import get_ipython
from IPython.utils.text import LSString, SList

shell: Any = get_ipython()


def _show(exc_tuple: Any = None, *_: Any, **__: Any) -> None:
    """每个异常都是一个 error 输出；IPython 把 SystemExit 一类另说成别的。"""
    kind, value, trace = shell._get_exc_info(exc_tuple)
    frames = shell.InteractiveTB.structured_traceback(kind, value, trace)
    shell._showtraceback(kind, value, frames)


def _run(command: str) -> str:
    """运行一条命令，给出它写的一切；不成功就抛出异常。"""
    command = shell.var_expand(command, depth=2)
    done = subprocess.run(
        command,
        shell=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        print(done.stdout, end="")
        raise ChildProcessError(f"命令 {command} 的退出状态是 {done.returncode}")
    return done.stdout


def _system(command: str) -> None:
    """`!命令`。"""
    print(_run(command), end="")


def _getoutput(command: str, split: bool = True, depth: int = 0) -> SList | LSString:
    """`x = !命令`。"""
    del depth
    text = _run(command)
    return SList(text.splitlines()) if split else LSString(text)


def _refuse(name: str) -> NoReturn:
    raise ImportError(
        f"不能用 {name}：它不在缓存的键里，改了它，页面不会重新运行；请用 --8<-- 引用"
    )


class _InstalledOnly(importlib.abc.MetaPathFinder):
    """只许导入装好的包。"""

    roots = (sys.prefix, sys.base_prefix, site.getusersitepackages())

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """项目里的模块不许导入；别的交给后面的去找。"""
        if "." not in name:
            others = [finder for finder in sys.meta_path if finder is not self]
            specs = (finder.find_spec(name, path, target) for finder in others)
            if (spec := next(filter(None, specs), None)) is not None:
                places = [spec.origin or "", *(spec.submodule_search_locations or [])]
                files = [place for place in places if Path(place).is_absolute()]
                if not all(place.startswith(self.roots) for place in files):
                    _refuse(f"模块 {name}")
        return None


def _join_threads(_: Any = None) -> None:
    """等这一块的线程结束，它们印的字才在这一块下面。"""
    for thread in set(threading.enumerate()) - _known:
        target = getattr(thread, "function", getattr(thread, "_target", None))
        modules = type(thread).__module__, getattr(target, "__module__", "")
        if not {"__main__", "builtins"} & set(modules):
            continue  # 库自己的线程，由库去管
        if not thread.daemon:
            thread.join()
        else:
            print(f"线程 {thread.name} 还没有结束，请用 join 等它", file=sys.stderr)
        _known.add(thread)


def _stop(*_: Any) -> NoReturn:
    raise TimeoutError(
        f"超过时限 {_limit} 秒 CPU 时间；请把计算改小，"
        "或用环境变量 CELL_TIMEOUT 放宽时限"
    )


def _start_clock(_: Any = None) -> None:
    """一块的时限从这里算起：只算它自己的 CPU 时间，机器再慢再忙也一样。"""
    signal.setitimer(signal.ITIMER_PROF, _limit, 1)


def _stop_clock(_: Any = None) -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)


shell.showtraceback = _show
shell.system = _system
shell.getoutput = _getoutput
shell.register_magic_function(lambda line: _refuse(f"%run {line}"), "line", "run")
warnings.filterwarnings("ignore", message="To exit: use")
sys.meta_path.insert(0, _InstalledOnly())
_known = set(threading.enumerate())
shell.events.register("post_run_cell", _join_threads)
_limit = int(os.environ.get("CELL_TIMEOUT", "60"))
if hasattr(signal, "setitimer"):  # Windows 没有，那里只有执行器的时限
    signal.signal(signal.SIGPROF, _stop)
    shell.events.register("pre_run_cell", _start_clock)
    shell.events.register("post_run_cell", _stop_clock)
