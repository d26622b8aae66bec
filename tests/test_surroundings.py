"""环境的问题：一句话说清怎么办，没有回溯，没有行号，旧网站原样留着。"""

import re
import shutil
import socket

import pytest

from pipeline.tools.project import mkdocs_command, run
from tests.conftest import PAGE, SmallSite


def told(output: str) -> str:
    """构建失败时说的那一句。"""
    assert "Traceback" not in output, output
    assert not re.search(r"\.md:\d", output), output
    lines = [
        line
        for line in output.splitlines()
        if line and not line.startswith(("INFO", "共 "))
    ]
    assert len(lines) == 1, output
    return lines[0]


def test_kernel_that_does_not_start(built: SmallSite) -> None:
    before = built.tree()
    broken = built.folder / "broken" / "ipykernel_launcher.py"
    broken.parent.mkdir()
    broken.write_text("raise SystemExit(1)\n", encoding="utf-8")
    built.write({"docs/index.md": PAGE.replace("double(21)", "double(4)")})
    status, output = built.build(PYTHONPATH=str(broken.parent))
    assert status == 1
    assert "内核启动不了，请重新安装：pip install ipykernel" in told(output)
    assert built.tree() == before


def test_npm_packages_missing(built: SmallSite) -> None:
    before = built.tree()
    (built.own_pipeline() / "node_modules").unlink()
    status, output = built.build()
    assert status == 1
    assert "KaTeX 还没有装：请运行 npm ci --prefix pipeline" in told(output)
    assert built.tree() == before


def test_renderer_that_dies(built: SmallSite) -> None:
    before = built.tree()
    (built.own_pipeline() / "katex.mjs").write_text(
        "process.exit(1);\n", encoding="utf-8"
    )
    status, output = built.build()
    assert status == 1
    assert "KaTeX 的进程一启动就死，请重装：npm ci --prefix pipeline" in told(output)
    assert built.tree() == before


def test_cache_that_cannot_be_written(built: SmallSite) -> None:
    before = built.tree()
    shutil.rmtree(built.folder / ".cache")
    (built.folder / ".cache").write_text("不是文件夹", encoding="utf-8")
    status, output = built.build()
    assert status == 0, output
    assert "缓存写不进去，下次构建要重新运行" in told(output)
    assert built.tree() == before


# 在自己的命名空间里，把一个放得下旧网站、放不下新网站的文件系统挂在 full/
FULL = """\
mount -t tmpfs -o size=5m tmpfs full && cp -r site full/site || exit 2
"$@"
status=$?
diff -r site full/site >&2 || exit 78
exit $status
"""


def test_disk_full(built: SmallSite) -> None:
    (built.folder / "full").mkdir()
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or run(built.folder, *namespace, "true")[0]:
        pytest.skip("系统不让建命名空间，造不出满的磁盘")
    build = mkdocs_command("build", "--strict", "--site-dir", "full/site")
    status, output = run(built.folder, *namespace, "sh", "-c", FULL, "", *build)
    assert status == 1, output
    assert "磁盘满了，请腾出空间" in told(output)


def test_port_that_is_taken(small_site: SmallSite) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = mkdocs_command("serve", "-a", f"127.0.0.1:{port}")
        status, output = run(small_site.folder, *command)
    assert status == 1
    assert f"端口 {port} 已被占用：请关掉占用它的程序" in told(output)
    assert not (small_site.folder / ".cache" / "index.md.json").exists()
