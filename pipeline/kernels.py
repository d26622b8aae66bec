"""启动和结束内核：环境固定；几页都要导入的模块只导入一次，内核从那里分出来。"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from pipeline.faults import SetupError

# 能改变输出的环境：线程数不同，浮点和的末位就不同；散列不同，集合的次序就不同
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
BACKEND = "module://matplotlib_inline.backend_inline"  # 图进输出；Matplotlib 导入时就看
PROGRAM = Path(__file__).with_name("forkserver.py")
LAUNCHER = "ipykernel_launcher"


def _environment() -> dict[str, str]:
    return os.environ | ENVIRONMENT | {"MPLBACKEND": BACKEND}


class KernelServer:
    """分出内核的进程，最晚在要第一个内核时启动；只用于 Linux，别处各自导入。

    Args:
        preload: 先导入的模块；几页都要的才值得。
    """

    def __init__(self, preload: Sequence[str]) -> None:
        self.preload = list(preload)
        self.process: subprocess.Popen[str] | None = None
        self.lock = threading.Lock()  # 几页并排运行，问答不能交错

    def start(self) -> subprocess.Popen[str]:
        """启动这个进程，不等它导入完；已经启动了就是原来的。"""
        if self.process is None or self.process.poll() is not None:
            self.close()
            modules = "ipykernel.kernelapp", *self.preload
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), *modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=_environment(),
                start_new_session=True,  # Ctrl-C 由本进程处理
            )
        return self.process

    def fork(self, argv: list[str], cwd: str | None, env: dict[str, str]) -> int:
        """分出一个内核，给出它的进程号。

        Args:
            argv: 启动它的命令。
            cwd: 在哪个文件夹；`None` 是不换。
            env: 全部环境变量。

        Raises:
            RuntimeError: 进程在答复之前死了。
            SetupError: `preload` 里有导入不了的模块。
        """
        request = json.dumps({"argv": argv, "cwd": cwd and str(cwd), "env": env})
        with self.lock:
            process = self.start()
            assert process.stdin
            assert process.stdout
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(request + "\n")
                process.stdin.flush()
            answer = json.loads(process.stdout.readline() or "{}")
            if "error" in answer:
                self.close()
        if "error" in answer:
            raise SetupError(f"mkdocs.yml 的 preload 里有导入不了的：{answer['error']}")
        if "pid" not in answer:
            raise RuntimeError("分出内核的进程死了")
        return int(answer["pid"])

    def close(self) -> None:
        """结束这个进程和还在的内核。"""
        if self.process:
            self.process.terminate()
            self.process.communicate()
            self.process = None


class _ForkedProcess(psutil.Process):
    """分出来的内核，样子像 `subprocess.Popen`；收走它的是分出它的进程。"""

    stdin = stdout = stderr = None

    def poll(self) -> int | None:
        """还活着就给出 `None`。"""
        with contextlib.suppress(psutil.NoSuchProcess):
            if self.is_running() and self.status() != psutil.STATUS_ZOMBIE:
                return None
        return 1

    def wait(self, timeout: float | None = None) -> int:
        """只在它结束之后才调用。"""
        del timeout
        return 1


class _ForkingProvisioner(LocalProvisioner):
    """由 `server` 分出内核；别的命令照旧启动。"""

    server: KernelServer
    process: Any = None

    async def launch_kernel(
        self, cmd: list[str], **kwargs: Any
    ) -> KernelConnectionInfo:
        """启动内核。

        Raises:
            RuntimeError: 内核一分出来就死了。
        """
        if cmd[0] != sys.executable or LAUNCHER not in cmd:
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.server.fork(cmd, kwargs.get("cwd"), kwargs["env"])
        self.pgid = self.pid
        try:
            self.process = _ForkedProcess(self.pid)
        except psutil.NoSuchProcess as error:
            raise RuntimeError("内核一分出来就死了") from error
        return self.connection_info


class SilentKernelManager(AsyncKernelManager):
    """内核的环境固定；它自己的标准输出不进构建的输出：被打断时，它会往那里写回溯。"""

    server: KernelServer | None = None

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
        """启动内核，选项同基类。"""
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = {"env": _environment()}
        if self.server:
            self.provisioner = _ForkingProvisioner(
                kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
            )
            self.provisioner.server = self.server
        await super().start_kernel(**options | silent | environment)


def manager(server: KernelServer | None = None) -> type[SilentKernelManager]:
    """给出启动内核的类，交给 nbclient。

    Args:
        server: 内核从哪里分出来；`None` 是各自从头启动。
    """
    return type("KernelManager", (SilentKernelManager,), {"server": server})


def kill() -> None:
    """立刻结束本进程启动的内核；它们不在终端的进程组里，收不到 Ctrl-C。"""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            command = child.cmdline()
            if str(PROGRAM) in command:
                child.terminate()  # 它先结束它分出的
            elif LAUNCHER in command:
                child.kill()
            else:
                continue
            child.wait(1)  # 收走，不留下僵尸
