"""导入一次，分出许多内核：一个单独的程序，由 kernels.py 启动，参数是要导入的模块。

从标准输入每读一行要求（JSON：`argv`、`cwd`、`env`），就分出一个内核，写出
`{"pid": …}`；有模块导入不了，写出的是 `{"error": …}`。这里只导入，不运行哪一页的代码，
所以分出的内核与新的一样。标准输入关上，或收到 SIGTERM，就杀掉还在的内核再结束。
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import sys
from typing import Any

kernels: set[int] = set()


def become_kernel(argv: list[str], cwd: str | None, env: dict[str, str]) -> None:
    """在分出的进程里，照命令 `python -m …` 的样子运行。

    Args:
        argv: `python`、解释器的选项、`-m`、模块、各个参数。
        cwd: 在哪个文件夹；`None` 是不换。
        env: 全部环境变量。
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in 0, 1, 2:
        os.dup2(null, stream)
    if cwd:
        os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env, JPY_PARENT_PID=str(os.getppid()))
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # 种子是导入时取的，各个内核不该相同
    sys.argv = argv[argv.index("-m") + 1 :]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def fork(request: dict[str, Any]) -> int:
    """分出一个内核，自成一个进程组；给出进程号。"""
    pid = os.fork()
    with contextlib.suppress(OSError):  # 两边都设，不论谁先运行
        os.setpgid(pid, pid)
    if pid == 0:
        try:
            become_kernel(**request)
        finally:
            os._exit(1)
    return pid


def reap(options: int = 0) -> None:
    """收走已经结束的内核；`options` 为 0 时等全部结束。"""
    with contextlib.suppress(ChildProcessError):
        while pid := os.waitpid(-1, options)[0]:
            kernels.discard(pid)


def main(modules: list[str]) -> None:
    """导入各个模块，逐行答复。"""
    del sys.path[0]  # 这个文件所在的文件夹，内核里没有
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # ipykernel 导入时就看
    try:
        with contextlib.redirect_stdout(sys.stderr):  # 标准输出只写答复
            for name in modules:
                importlib.import_module(name)
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        return
    gc.freeze()  # 导入的都留着，内核收垃圾时不必再翻一遍
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        for line in sys.stdin:
            reap(os.WNOHANG)
            kernels.add(pid := fork(json.loads(line)))
            print(json.dumps({"pid": pid}), flush=True)
    finally:
        for pid in kernels:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        reap()


if __name__ == "__main__":
    main(sys.argv[1:])
