"""中途被杀、两个一起建、换个文件夹建：建成的网站逐字节相同。"""

import contextlib
import io
import multiprocessing
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from mkdocs.__main__ import cli

from pipeline import kernels
from pipeline.staging import Staging
from pipeline.tools.project import ENVIRONMENT, mkdocs_command
from tests.conftest import PAGE, SNIPPETS, UNMEASURED, SmallSite

KILLS = 10  # 每个种子
# 各次构建从已经导入一切的进程分出，省下启动的时间
forkserver = multiprocessing.get_context("forkserver")
forkserver.set_forkserver_preload(["tests.warm", __name__])


@pytest.fixture(autouse=True)
def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """构建了几十次，不量覆盖率。"""
    for name, value in UNMEASURED.items():
        monkeypatch.setenv(name, value)


def build(folder: Path) -> None:
    """在另一个进程里构建一次。"""
    os.chdir(folder)
    os.environ |= ENVIRONMENT
    with contextlib.redirect_stdout(io.StringIO()):
        cli(["build", "--strict", "--quiet"])


def start(site: SmallSite) -> multiprocessing.process.BaseProcess:
    """开始构建一次。"""
    process = forkserver.Process(target=build, args=(site.folder,))
    process.start()
    return process


def edit(site: SmallSite, number: int) -> None:
    """改一段代码和一句话：一页要重新运行，一页不要。"""
    site.write(
        {
            "snippets/a.py": SNIPPETS.replace("2 * x", f"{number} * x"),
            "docs/other.md": f"# 另一页\n\n第 {number} 版\n\n```python\n1\n```\n",
        }
    )


def leftovers(site: SmallSite) -> list[str]:
    """不该留下的临时文件。"""
    found = [*site.folder.glob(".site-*"), *site.folder.glob(".cache/**/*.partial")]
    return [path.name for path in found]


def finish(site: SmallSite) -> dict[str, bytes]:
    """构建到底，给出网站。"""
    process = start(site)
    process.join()
    assert process.exitcode == 0
    return site.tree()


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_build_hurts_no_later_one(built: SmallSite, seed: int) -> None:
    """在随机的时刻杀掉构建，看紧接着的一次是否与没有被杀过的相同。"""
    clean = {}
    for number in (2, 3):
        edit(built, number)
        begin = time.monotonic()
        clean[number] = finish(built)
        length = time.monotonic() - begin
    assert clean[2] != clean[3]
    moment = random.Random(seed)
    for kill in range(KILLS):
        number = 2 + kill % 2
        edit(built, number)
        process = start(built)
        time.sleep(moment.uniform(0, length))
        process.kill()
        process.join()
        assert built.tree() in clean.values() or not built.tree(), kill
        assert finish(built) == clean[number], kill
        assert leftovers(built) == [], kill


def test_two_builds_at_once_do_not_hurt_each_other(built: SmallSite) -> None:
    for number in (2, 3, 4):
        edit(built, number)
        both = [start(built), start(built)]
        for process in both:
            process.join()
        assert [process.exitcode for process in both] == [0, 0]
        tree = built.tree()
        shutil.rmtree(built.folder / "site")
        shutil.rmtree(built.folder / ".cache")
        assert finish(built) == tree
        assert leftovers(built) == []


def test_two_folders_give_the_same_bytes(
    built: SmallSite, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = SmallSite(tmp_path_factory.mktemp("elsewhere") / "deeper" / "site")
    ignored = shutil.ignore_patterns(".cache", "site")
    shutil.copytree(built.folder, other.folder, ignore=ignored)
    other.write({"docs/index.md": PAGE})
    status, output = other.build(PYTHONHASHSEED="1")
    assert status == 0, output
    assert other.tree() == built.tree()


@pytest.mark.parametrize("killed_in_the_swap", [False, True])
def test_what_a_killed_build_left_is_removed(
    tmp_path: Path, killed_in_the_swap: bool
) -> None:
    target = tmp_path / "site"
    old = tmp_path / ".site-old-999999999"
    for folder in (old, tmp_path / ".site-999999999"):
        folder.mkdir()
    (old / "index.html").write_text("旧", encoding="utf-8")
    if not killed_in_the_swap:
        shutil.copytree(old, target)
    Staging(target)
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    assert (target / "index.html").read_text(encoding="utf-8") == "旧"


def test_the_last_of_two_publishers_wins(tmp_path: Path) -> None:
    target = tmp_path / "site"
    staged = [Staging(target), Staging(target)]
    staged[1].folder = tmp_path / ".site-2"  # 如同另一个进程
    for number, staging in enumerate(staged):
        staging.folder.mkdir()
        (staging.folder / "index.html").write_text(str(number), encoding="utf-8")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Staging.publish, staged))
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    assert (target / "index.html").read_text(encoding="utf-8") in {"0", "1"}


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / ".site-backup"
    ours = tmp_path / f".site-old-{os.getpid()}"  # 容器里进程编号常常相同
    for folder in (theirs, ours):
        folder.mkdir()
    (tmp_path / "site").mkdir()
    Staging(tmp_path / "site")
    assert {path.name for path in tmp_path.iterdir()} == {"site", ".site-backup"}


@pytest.mark.parametrize("command", ["build", "serve"])
def test_an_interrupt_ends_the_kernels_and_leaves_nothing(
    built: SmallSite, command: str
) -> None:
    before = built.tree()
    built.write({"docs/index.md": "# 页\n\n```python\nwhile True: pass\n```\n"})
    arguments = ["-a", f"127.0.0.1:{free_port()}"] if command == "serve" else []
    process = subprocess.Popen(
        mkdocs_command(command, *arguments),
        cwd=built.folder,
        env=os.environ | ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    found: list[psutil.Process] = []
    while len(found) < 2:  # 内核，和分出它的进程
        time.sleep(0.1)
        assert process.poll() is None
        found = kernels_of(process.pid)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=20)
    assert process.returncode
    assert not any(kernel.is_running() for kernel in found)
    assert built.tree() == before
    assert leftovers(built) == []


def kernels_of(pid: int) -> list[psutil.Process]:
    """一个进程启动的内核，和分出它们的进程。"""
    names = {kernels.LAUNCHER, str(kernels.PROGRAM)}
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if names & {*child.cmdline()}]


def free_port() -> int:
    """一个空闲的端口。"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
