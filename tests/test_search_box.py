"""在真的浏览器里搜：怎样输入都行，搜到的折叠框打开着。"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from pipeline.tools.addresses import url
from pipeline.tools.project import ROOT, mkdocs_command, run
from pipeline.tools.reader import DESKTOP, PHONE, Reader

BOX = "#fq-adam"
TITLE = "Adam 会除以梯度的大小，是不是就不怕梯度消失了？"


def paste(page: Page, text: str) -> None:
    """不按键，字忽然就在了：用鼠标粘贴、用语音输入都是这样。"""
    page.locator("input[name=query]").click()
    page.keyboard.insert_text(text)


def drop(page: Page, text: str) -> None:
    """输入法、语音输入法：先是没定的字，再定下来。"""
    page.locator("input[name=query]").click()
    session = page.context.new_cdp_session(page)
    for shown in text[:1], text:
        session.send(
            "Input.imeSetComposition",
            {"text": shown, "selectionStart": len(shown), "selectionEnd": len(shown)},
        )
    session.send("Input.insertText", {"text": text})


def typed(page: Page, text: str) -> None:
    """一个键一个键地打。"""
    page.locator("input[name=query]").press_sequentially(text)


@pytest.mark.parametrize("put", [typed, paste, drop])
@pytest.mark.parametrize("text", ["残差结构", "殘差結構", "ｒｅｓｎｅｔ５０"])
def test_any_way_of_input(
    read: Callable[..., Reader], put: Callable[[Page, str], None], text: str
) -> None:
    page = read(**DESKTOP).page
    page.goto(url("index"), wait_until="networkidle")
    put(page, text)
    page.locator(".md-search-result__link mark").first.wait_for()


def wait_for_box(page: Page, box: str) -> None:
    """等折叠框打开，它的标题在屏幕里。"""
    page.locator(f"{box} > p").first.wait_for()
    page.wait_for_function(
        """box => {
          const { top, bottom } = document.querySelector(box).getBoundingClientRect()
          return 0 <= top && bottom <= innerHeight
        }""",
        arg=f"{box} > summary",
    )


@pytest.mark.parametrize("start", ["index", "gradient_flow"])
@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_hit_opens_the_box(
    read: Callable[..., Reader], device: dict[str, object], start: str
) -> None:
    """从别的页、从这一页搜过去，框都打开，字标出来。"""
    page = read(**device).page
    page.goto(url(start), wait_until="networkidle")
    if device is PHONE:
        page.locator(".md-header__button[for=__search]").click()
    paste(page, "不怕梯度消失")
    page.locator(".md-search-result__link").filter(has_text=TITLE).click()
    page.wait_for_url(f"**{BOX}")
    wait_for_box(page, BOX)
    assert page.locator(f"{BOX} summary mark").count() > 0


@pytest.mark.parametrize("scripts", [True, False])
def test_link_opens_the_box(read: Callable[..., Reader], scripts: bool) -> None:
    """别处的链接指着它，开不开脚本都打开。"""
    page = read(**DESKTOP, java_script_enabled=scripts).page
    page.goto(f"{url('gradient_flow')}{BOX}")
    wait_for_box(page, BOX)
    assert not page.locator("#fq-rnn > p").first.is_visible()


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """从磁盘打开的网站。"""
    folder = tmp_path_factory.mktemp("offline")
    command = mkdocs_command("build", "--strict", "--site-dir", str(folder))
    status, output = run(ROOT, *command, OFFLINE="true", SITE_URL="")
    assert status == 0, output
    return folder


@pytest.fixture
def opened(browser: Browser, offline: Path) -> Iterator[Page]:
    """从磁盘打开的首页。"""
    reader = Reader(browser, **DESKTOP)
    reader.page.goto((offline / "index.html").as_uri())
    yield reader.page
    reader.context.close()
    assert reader.troubles == []


def test_opened_from_disk(opened: Page) -> None:
    """从磁盘打开，词典外的词、繁体、折叠框也一样。"""
    paste(opened, "殘差結構")
    opened.locator(".md-search-result__link mark").first.wait_for()
    opened.locator("input[name=query]").fill("")
    paste(opened, "不怕梯度消失")
    opened.locator(".md-search-result__link").filter(has_text=TITLE).click()
    opened.wait_for_url(f"**{BOX}")
    wait_for_box(opened, BOX)
