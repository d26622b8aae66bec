"""分出来的内核与从头启动的一样；分出它们的进程死了、关上了，内核也结束。"""

import json
import os
import resource
import sys
from collections.abc import Iterator

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from pipeline import execution, kernels
from pipeline.faults import SetupError
from pipeline.kernels import KernelServer
from tests.conftest import SmallSite

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="只在 Linux 上分出内核"),
]

# 一个内核看得见的：收到的参数、环境、路径、散列、信号、线程
LOOK = """
import json, os, signal, sys, threading
import matplotlib, numpy
hidden = {"JPY_PARENT_PID", "JPY_SESSION_NAME"}
print(json.dumps({
    "argv": sys.argv[:1],
    "backend": matplotlib.get_backend(),
    "cwd": os.getcwd(),
    "environment": {k: v for k, v in os.environ.items() if k not in hidden},
    "flags": str(sys.flags),
    "hash": hash("内核"),
    "main": __name__,
    "path": sys.path,
    "seeded": numpy.random.default_rng(0).random(3).tolist(),
    "signals": [str(signal.getsignal(s)) for s in (signal.SIGTERM, signal.SIGCHLD)],
    "threads": sorted(type(t).__name__ for t in threading.enumerate()),
}))
"""


@pytest.fixture
def server() -> Iterator[KernelServer]:
    made = KernelServer(["matplotlib", "numpy"])
    yield made
    made.close()


def run(code: str, server: KernelServer | None = None) -> str:
    """在一个新的内核里运行一格，给出它印的。"""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    NotebookClient(book, **execution.client_options(server)).execute()
    (output,) = book.cells[0].outputs
    return str(output.text)


def spent() -> float:
    """等过的子进程一共用了多少 CPU 时间，秒。"""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_a_forked_kernel_is_like_a_fresh_one(server: KernelServer) -> None:
    fresh, forked = json.loads(run(LOOK)), json.loads(run(LOOK, server))
    assert forked == fresh
    assert server.process


def test_kernels_do_not_share_their_random_numbers(server: KernelServer) -> None:
    code = "import numpy, random\nprint(numpy.random.random(), random.random())"
    assert run(code, server) != run(code, server)


def test_modules_are_imported_once(server: KernelServer) -> None:
    assert run("import sys\nprint('numpy' in sys.modules)", server) == "True\n"
    assert run("import sys\nprint('numpy' in sys.modules)") == "False\n"


def test_a_dead_server_is_started_again_and_its_kernels_end() -> None:
    server = KernelServer([])
    assert run("print(1)", server) == "1\n"
    assert server.process
    first = psutil.Process(server.process.pid)
    loop = [sys.executable, "-m", "timeit", "-n1", "-r1", "while True: pass"]
    lost = psutil.Process(server.fork(loop, None, dict(os.environ)))
    first.kill()
    first.wait(5)
    assert run("print(2)", server) == "2\n"
    kernel = psutil.Process(server.fork(loop, None, dict(os.environ)))
    server.close()
    assert not kernel.is_running()
    lost.kill()  # 不是内核，不看它的父进程还在不在


def test_what_kernels_cost_is_counted(server: KernelServer) -> None:
    before = spent()
    run("import time\nwhile time.process_time() < 2: pass\nprint(1)", server)
    server.close()
    assert spent() - before > 1.8


def test_a_module_that_is_not_there_is_said(server: KernelServer) -> None:
    server.preload = ["antigravity_that_is_not_there"]
    with pytest.raises(SetupError, match="preload 里有导入不了的：ModuleNotFound"):
        server.fork(["python"], None, {})
    server.preload = []  # 改好了，不必重新开始
    assert run("print(3)", server) == "3\n"


def test_a_wrong_preload_stops_the_build_with_one_line(small_site: SmallSite) -> None:
    small_site.write({"docs/index.md": "# 页\n\n```python\nprint(1)\n```\n"})
    config = small_site.folder / "mkdocs.yml"
    text = config.read_text(encoding="utf-8")
    config.write_text(f"{text}      preload: [numpyy]\n", encoding="utf-8")
    status, output = small_site.build()
    assert status == 1
    last = output.splitlines()[-1]
    told = "mkdocs.yml 的 preload 里有导入不了的：ModuleNotFoundError: No module named"
    assert last == f"{told} 'numpyy'。没有发布。"
    assert "Traceback" not in output


def test_kernels_are_killed_with_their_server(server: KernelServer) -> None:
    loop = [sys.executable, "-m", "timeit", "-n1", "-r1", "while True: pass"]
    kernel = psutil.Process(server.fork(loop, None, dict(os.environ)))
    assert server.process
    kernels.kill()
    assert not psutil.pid_exists(kernel.pid)
    assert not psutil.pid_exists(server.process.pid)
