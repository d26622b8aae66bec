"""预览：改了就更新；写错了页面照样能看，错误在页首，改好就消失。"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from pipeline.tools.project import ENVIRONMENT, mkdocs_command
from tests.conftest import CLAIM, SmallSite

PAGE = '# 首页\n\n```python\n--8<-- "a.py:f"\n```\n\n```python\nf(1)\n```\n'
SNIPPET = (
    "# --8<-- [start:f]\ndef f(x: int) -> int:\n    return x + 1\n# --8<-- [end:f]\n"
)

MEASURED = '# 首页\n\n甲[[one]]。\n\n```python claims={"one": "1"}\n1\n```\n'


@contextmanager
def serving(
    site: SmallSite, log: int | IO[str] = subprocess.DEVNULL, **environment: str
) -> Iterator[str]:
    """预览小网站，给出首页的地址。"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(
        mkdocs_command("serve", "-a", address),
        cwd=site.folder,
        env=os.environ | ENVIRONMENT | environment,
        stdout=log,
        stderr=log,
    )
    try:
        yield f"http://{address}/"
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until(condition: Callable[[], bool]) -> None:
    """等到条件成立。"""
    for _ in range(240):
        if condition():
            return
        time.sleep(0.25)
    raise AssertionError("一分钟内没有成立")


def wait_for(url: str, text: str) -> str:
    """等到页面里出现 `text`，给出页面。"""
    page = ""
    for _ in range(240):
        try:
            with urllib.request.urlopen(url, timeout=60) as reply:
                page = reply.read().decode()
        except OSError:
            pass  # 还没有开始听
        if text in page:
            return page
        time.sleep(0.25)
    raise AssertionError(f"一分钟内没有出现 {text}：\n{page}")


def test_pages_follow_edits_and_survive_faults(small_site: SmallSite) -> None:
    small_site.write({"docs/index.md": PAGE, "snippets/a.py": SNIPPET})
    page, snippet = (
        small_site.folder / "docs/index.md",
        small_site.folder / "snippets/a.py",
    )
    with serving(small_site) as url:
        first = wait_for(url, "<samp>2</samp>")
        assert "livereload(" in first
        assert "Content-Security-Policy" not in first  # 它会拦住自动刷新的脚本
        page.write_text(PAGE + "\n加一段话\n", encoding="utf-8")
        wait_for(url, "加一段话")
        snippet.write_text(SNIPPET.replace("x + 1", "x + 41"), encoding="utf-8")
        wait_for(url, "<samp>42</samp>")
        page.write_text(PAGE.replace("f(1)", "g(1)"), encoding="utf-8")
        told = "docs/index.md:8: NameError"
        faulty = wait_for(url, f'<p class="cell-fault">{told}')
        assert "本页有错" in faulty
        assert faulty.count(told) == 2  # 页首一次，出错的块下一次
        page.write_text(PAGE + "\n甲 $\\part x$\n", encoding="utf-8")
        wait_for(url, '<span class="arithmatex error">')
        page.write_text(PAGE.replace("a.py:f", "a.py:h"), encoding="utf-8")
        wait_for(url, "docs/index.md:4: ")
        page.write_text(PAGE, encoding="utf-8")
        mended = wait_for(url, "<samp>42</samp>")
        assert "本页有错" not in mended


def test_claims_and_theme_stay_live(small_site: SmallSite) -> None:
    theme = small_site.own_pipeline() / "theme" / "partials" / "copyright.html"
    registry = small_site.folder / "tests" / "claims" / "index.toml"
    claim = CLAIM.format(expected=1)
    small_site.write({"docs/index.md": MEASURED, "tests/claims/index.toml": claim})
    with serving(small_site) as url:
        wait_for(url, "预期 = 1，实测 1")
        registry.write_text(CLAIM.format(expected=2), encoding="utf-8")
        wait_for(url, "主张 one 不成立：预期 = 2，实测 1")
        theme.write_text("改过的页尾", encoding="utf-8")
        wait_for(url, "改过的页尾")


def test_a_broken_configuration_is_one_line(small_site: SmallSite) -> None:
    config = small_site.folder / "mkdocs.yml"
    log = small_site.folder / "serve.log"
    with log.open("w") as stream, serving(small_site, stream) as url:
        wait_for(url, "首页")
        good = config.read_text(encoding="utf-8")
        config.write_text(f"{good}\nnav: [\n", encoding="utf-8")
        wait_until(lambda: "没有重建，改好再存" in log.read_text(encoding="utf-8"))
        assert "首页" in wait_for(url, "首页")
        config.write_text(
            good.replace("nav: [", "site_name: 改好了\nnav: ["), encoding="utf-8"
        )
        wait_for(url, "改好了")
    assert "Traceback" not in log.read_text(encoding="utf-8")


def test_an_edit_saved_during_the_first_build_is_seen(small_site: SmallSite) -> None:
    started = small_site.folder / "started"
    slow = f"open({str(started)!r}, 'w').close()\nimport time\ntime.sleep(3)"
    small_site.write({"docs/index.md": f"# 首页\n\n旧。\n\n```python\n{slow}\n```\n"})
    page = small_site.folder / "docs" / "index.md"
    with serving(small_site) as url:
        wait_until(started.exists)
        page.write_text(page.read_text("utf-8").replace("旧", "新"), encoding="utf-8")
        wait_for(url, "<p>新。</p>")


def test_one_page_alone_is_served(small_site: SmallSite) -> None:
    ran = small_site.folder / "ran"
    code = f"open({str(ran)!r}, 'w').close()"
    small_site.write(
        {
            "docs/a.md": "# 甲\n\n见[乙](b.md#c)。\n\n```python\n1 + 1\n```\n",
            "docs/b.md": f"# 乙\n\n```python\n{code}\n```\n",
        }
    )
    log = small_site.folder / "log.txt"
    alone = {"ONLY": "a", "SITE_URL": ""}
    with log.open("w") as stream, serving(small_site, stream, **alone) as url:
        assert "本页有错" not in wait_for(f"{url}a/", "<samp>2</samp>")
        assert f"只预览这一页：{url}a/" in log.read_text(encoding="utf-8")
    assert not ran.exists()


def test_one_page_alone_is_not_published(small_site: SmallSite) -> None:
    small_site.write({"docs/a.md": "# 甲\n"})
    status, output = small_site.build(ONLY="a")
    assert status != 0
    assert "只建一页的网站不能发布：ONLY 只用于 make serve" in output


def test_only_a_page_that_is_there(small_site: SmallSite) -> None:
    log = small_site.folder / "log.txt"
    with log.open("w") as stream, serving(small_site, stream, ONLY="nowhere"):
        wait_until(lambda: "没有 docs/nowhere.md 这一页" in log.read_text("utf-8"))


def test_files_are_looked_at_ten_times_a_second() -> None:
    """MkDocs 缺省是半秒看一次；在另一个进程里，日志的设置不留下。"""
    code = (
        "from mkdocs.commands import serve\n"
        "from pipeline.plugin import BookPlugin\n"
        "BookPlugin().on_startup(command='serve', dirty=False)\n"
        "server = serve.LiveReloadServer(print, '127.0.0.1', 0, '.')\n"
        "print(server.observer.timeout)\n"
    )
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown == "0.1\n"
