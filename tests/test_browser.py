"""在真的浏览器里读网站：桌面、手机、深色、不开脚本、打印、搜索、从磁盘打开。"""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from pipeline.tools.addresses import SITE_URL, transferred, url
from pipeline.tools.project import PAGES, ROOT, STEMS, mkdocs_command, run
from pipeline.tools.reader import DESKTOP, PHONE, Reader, lay_out, moved
from tests.built import broken_links
from tests.conftest import UNMEASURED
from tests.queries import Query, read_queries

FIRST_LOAD = 131_000
TEXT_COLOURS = """elements => elements.map(e => {
  const parse = colour => colour.match(/[\\d.]+/g).map(Number)
  const opaque = e => {
    const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor)
    return a === 1 ? [r, g, b] : opaque(e.parentElement)
  }
  const light = rgb => {
    const [r, g, b] = rgb.map(c => c / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const style = getComputedStyle(e)
  const [r, g, b, a = 1] = parse(e instanceof SVGElement ? style.fill : style.color)
  const back = opaque(e.closest("div, figure, article"))
  const front = [r, g, b].map((c, i) => a * c + (1 - a) * back[i])
  const [low, high] = [light(front), light(back)].sort((x, y) => x - y)
  return [e.textContent, (high + 0.05) / (low + 0.05)]
})"""
SCROLLERS = """() => [...document.querySelectorAll("article *")].filter(e => {
  const style = getComputedStyle(e)
  return e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0
    && ["auto", "scroll"].includes(style.overflowX)
}).map(e => [
  e.outerHTML.slice(0, 120),
  e.matches("[tabindex='0']") || !!e.querySelector("[tabindex='0'], a, summary")
])"""


@pytest.mark.parametrize("page", PAGES)
def test_desktop(read: Callable[..., Reader], page: str) -> None:
    """版面不动，中文字体，一行 35 到 45 个字，88 列的代码不必滚动，每个标题有链接；窗口缩窄也不横向滚动。"""
    reader = read(**DESKTOP)
    reader.page.goto(url(page))
    assert moved(reader.page) <= 0.01
    lay_out(reader.page)
    measure = """() => {
      const p = document.querySelector("article > p")
      return p.clientWidth / parseFloat(getComputedStyle(p).fontSize)
    }"""
    assert 35 <= reader.page.evaluate(measure) <= 45
    fonts = """all => all.map(e => getComputedStyle(e))
      .map(s => `${s.fontFamily}; ${s.fontFeatureSettings}`)"""
    chinese = re.compile(r".*Microsoft YaHei.*; normal")
    used = reader.page.eval_on_selector_all("body, article p, pre code", fonts)
    assert [font for font in set(used) if not chinese.fullmatch(font)] == []
    columns = """() => [...document.querySelectorAll(".cell .highlight pre")]
      .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"""
    for code in reader.page.evaluate(columns):
        assert max(map(len, code.splitlines())) > 88
    heading = "h => [h.textContent, !!h.querySelector('a.headerlink')]"
    found = reader.page.eval_on_selector_all(
        "article :is(h1, h2, h3)", f"headings => headings.map({heading})"
    )
    assert [text for text, linked in found if not linked] == []
    reader.page.set_viewport_size({"width": 360, "height": 800})
    assert reader.page.evaluate("document.scrollingElement.scrollWidth") == 360


@pytest.mark.parametrize("page", PAGES)
def test_phone(read: Callable[..., Reader], site: Path, page: str) -> None:
    """首次打开不重；360 像素宽，整页不横向滚动，放不下的在自己的框里滚动，键盘够得着；公式与标点不分开。"""
    reader = read(**PHONE)
    reader.page.goto(url(page), wait_until="networkidle")
    sizes = {u: transferred(site, u) for u in reader.requests}
    editor = 65_000 if page.startswith("practice/") else 0  # 一打开就看得见题目
    assert sum(sizes.values()) <= FIRST_LOAD + editor, sizes
    assert moved(reader.page) <= 0.01
    lay_out(reader.page)
    reader.page.eval_on_selector_all("details", "all => all.map(e => e.open = true)")
    assert reader.page.evaluate("document.scrollingElement.scrollWidth") == 360
    lines = "all => all.map(e => [e.textContent, e.getClientRects().length])"
    parts = reader.page.eval_on_selector_all(".unbroken", lines)
    assert [text for text, count in parts if count > 1] == []
    scrollers = reader.page.evaluate(SCROLLERS)
    assert [html for html, reachable in scrollers if not reachable] == []
    if page in STEMS:  # 一题的公式不必横着滚动，一眼看得全
        wide = "all => all.filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent)"
        assert reader.page.eval_on_selector_all("div.arithmatex", wide) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("stem", STEMS)
def test_text_in_figures_and_outputs_is_legible(
    read: Callable[..., Reader], stem: str, scheme: str
) -> None:
    reader = read(**DESKTOP, color_scheme=scheme)
    reader.page.goto(url(stem))
    lay_out(reader.page)
    selector = "figure svg text, figcaption, .output samp, .katex-base"
    colours = reader.page.eval_on_selector_all(selector, TEXT_COLOURS)
    assert colours
    assert [(text, ratio) for text, ratio in colours if ratio < 4.5] == []


@pytest.mark.parametrize("page", PAGES)
def test_without_scripts(read: Callable[..., Reader], page: str) -> None:
    """不开脚本：正文、公式、图都在，折叠的打得开。"""
    reader = read(**DESKTOP, java_script_enabled=False)
    reader.page.goto(url(page))
    closed = "details:not([open]) > summary"
    reader.page.eval_on_selector_all(closed, "all => all.forEach(e => e.click())")
    hidden = """all => all
      .filter(e => !e.checkVisibility() || !e.getBoundingClientRect().width)
      .map(e => e.outerHTML.slice(0, 80))"""
    for kind in "details > summary + *", "pre", ".katex-base", "figure > svg", "table":
        found = reader.page.eval_on_selector_all(f"article {kind}", hidden)
        assert found == [], kind
    assert not reader.page.locator("button.md-code__button").first.is_visible()


def copy(page: Page, cell: str) -> str:
    """按一格的复制按钮，给出剪贴板里的文字。"""
    page.locator(f"{cell} button.md-code__button").press("Enter")
    page.get_by_text("已复制").wait_for()
    return str(page.evaluate("navigator.clipboard.readText()"))


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_buttons_stand_on_their_code(
    read: Callable[..., Reader], device: dict[str, Any]
) -> None:
    page = read(**device).page
    page.goto(url("weight_init"), wait_until="networkidle")
    astray = """all => all.filter(button => {
      const at = button.getBoundingClientRect()
      const code = button.closest(".highlight").getBoundingClientRect()
      return at.top < code.top || at.bottom > code.bottom || at.right > code.right
    }).map(button => button.outerHTML)"""
    opened = ".cell > .highlight .md-code__button"
    assert page.locator(opened).count() > 2
    assert page.eval_on_selector_all(opened, astray) == []


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_link_to_a_section_lands_there(
    read: Callable[..., Reader], device: dict[str, Any]
) -> None:
    page = read(**device).page
    page.goto(f"{url('gradient_flow')}#follow-ups", wait_until="networkidle")
    top = page.locator("#follow-ups").bounding_box()
    assert top is not None
    assert 0 <= top["y"] <= 200


def test_instant_navigation_and_back(read: Callable[..., Reader]) -> None:
    """点链接、后退都不重新加载；公式、图、复制、明暗照样可用。"""
    reader = read(**DESKTOP, permissions=["clipboard-read", "clipboard-write"])
    page = reader.page
    page.goto(url("index"), wait_until="networkidle")
    page.evaluate("window.stayed = true")
    page.get_by_role("link", name="Q4 权重初始化").first.click()
    page.wait_for_url(url("weight_init"))
    page.locator("article .katex-base").first.wait_for()
    page.locator("figure > svg").first.wait_for()
    assert copy(page, "#cell-1").startswith("sigma = 0.01")
    page.locator("button.palette").click()
    assert page.locator("body").get_attribute("data-md-color-scheme") == "slate"
    page.get_by_role("link", name="下一页").click()
    page.wait_for_url(url("residual_block"))
    page.locator("figure.diagram").first.wait_for()
    page.go_back()
    page.wait_for_url(url("weight_init"))
    page.locator("#answer").wait_for()
    assert page.locator("body").get_attribute("data-md-color-scheme") == "slate"
    assert copy(page, "#cell-1").startswith("sigma = 0.01")
    assert page.evaluate("window.stayed")


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("stem", STEMS)
def test_late_fonts_move_nothing(
    read: Callable[..., Reader], stem: str, device: dict[str, Any]
) -> None:
    """公式的字体晚来 0.4 秒，字不换行，下面的不被挤走。"""

    def delay(route: Route) -> None:
        time.sleep(0.4)
        route.continue_()

    page = read(**device).page
    page.route("**/*.woff2", delay)
    page.goto(url(stem), wait_until="networkidle")
    assert moved(page) <= 0.005


@pytest.mark.parametrize("page", ["weight_init", "evidence"])
def test_the_page_is_styled_once(read: Callable[..., Reader], page: str) -> None:
    """脚本不叫浏览器把整页的样式重算：Material 原来要算四遍半，手机上多等一秒。"""
    reader = read(**PHONE)
    session = reader.page.context.new_cdp_session(reader.page)
    events: list[Any] = []
    ended: list[bool] = []
    session.on("Tracing.dataCollected", lambda data: events.extend(data["value"]))
    session.on("Tracing.tracingComplete", lambda _: ended.append(True))
    categories = {"includedCategories": ["devtools.timeline"]}
    session.send("Tracing.start", {"traceConfig": categories})
    reader.page.goto(url(page), wait_until="networkidle")
    reader.page.wait_for_timeout(300)
    session.send("Tracing.end")
    while not ended:
        reader.page.wait_for_timeout(50)
    styled = sum(
        event["args"].get("elementCount", 0)
        for event in events
        if event["name"] == "UpdateLayoutTree"
    )
    assert styled <= 1.6 * reader.page.locator("*").count()
    assert "UpdateLayoutTree" in {event["name"] for event in events}


def test_dark_or_light_before_the_first_sight(read: Callable[..., Reader]) -> None:
    """没选过，跟着系统；选过，重开还是；都不等 Material 的脚本。"""
    page = read(**DESKTOP, color_scheme="dark").page
    scheme = """() => [document.body.dataset.mdColorScheme,
      getComputedStyle(document.documentElement).colorScheme]"""

    def first_sight() -> Any:
        page.route("**/bundle.*.js", lambda _: None)  # 等着，不来
        page.goto(url("weight_init"), wait_until="commit")
        page.locator("article").wait_for()
        page.unroute("**/bundle.*.js")
        return page.evaluate(scheme)

    assert first_sight() == ["slate", "dark"]
    page.goto(url("index"), wait_until="networkidle")
    page.emulate_media(color_scheme="light")
    page.locator("body[data-md-color-scheme=default]").wait_for()
    page.locator("button.palette").press("Enter")
    assert page.evaluate(scheme) == ["slate", "dark"]
    assert first_sight() == ["slate", "dark"]


OPENED = "e => !!e.closest('details').open && e.getBoundingClientRect().top"


def test_landing_in_a_folded_box_opens_it(read: Callable[..., Reader]) -> None:
    """直接打开、不重新加载就换页、后退，链接指着的框都打开，就在眼前。"""
    page = read(**DESKTOP).page
    page.goto(f"{url('evidence')}#net-relu", wait_until="networkidle")
    assert 0 <= page.locator("#net-relu").evaluate(OPENED) <= 400
    page.goto(url("gradient_flow"), wait_until="networkidle")
    mark = page.locator("article > p > a.claim").first
    name = (mark.get_attribute("href") or "").partition("#")[2]
    mark.click()
    page.wait_for_url(f"**/evidence/#{name}")
    box = page.locator(f"details:has(#{name})[open]")
    box.wait_for()
    assert 0 <= page.locator(f"#{name}").evaluate(OPENED) <= 400
    folded = page.locator("details.evidence").last
    inside = folded.locator("tr a[id]").first
    page.evaluate("h => { location.hash = h }", inside.get_attribute("id"))
    folded.locator("xpath=self::*[@open]").wait_for()
    folded.locator("a", has_text="原句").first.click()
    page.wait_for_url(f"**/{STEMS[-1]}/#claim-*")
    page.go_back()
    folded.locator("xpath=self::*[@open]").wait_for()
    assert 0 <= inside.evaluate(OPENED) <= 500


def test_missing_page(browser: Browser) -> None:
    page = browser.new_page()
    response = page.goto(f"{SITE_URL}no/such/page/")
    assert response is not None
    assert response.status == 404
    assert page.get_by_role("heading", name="找不到这一页").is_visible()
    page.get_by_role("article").get_by_role("link", name="首页").click()
    page.wait_for_url(SITE_URL)
    page.close()


@pytest.mark.parametrize("stem", STEMS)
def test_print(read: Callable[..., Reader], stem: str) -> None:
    """打印：折叠的都打开，没有导航，白底黑字；不开脚本也一样。"""
    page = read(**DESKTOP, color_scheme="dark", java_script_enabled=False).page
    page.goto(url(stem))
    page.emulate_media(media="print", color_scheme="dark")
    for kind in "md-header", "md-sidebar", "md-footer", "headerlink", "md-code__nav":
        assert not page.locator(f".{kind}").first.is_visible(), kind
    shown = page.eval_on_selector_all(
        "article details > :last-child", "all => all.map(e => e.checkVisibility())"
    )
    assert shown
    assert all(shown)
    page = read(**DESKTOP, color_scheme="dark").page
    page.goto(url(stem))
    page.emulate_media(media="print", color_scheme="dark")
    white = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert white == "rgb(255, 255, 255)"
    line = page.evaluate("getComputedStyle(document.body).getPropertyValue('--fig-1')")
    assert line == "#2456b3"  # 明的一套
    colours = page.eval_on_selector_all("figure svg text, article p", TEXT_COLOURS)
    assert [(text, ratio) for text, ratio in colours if ratio < 4.5] == []


QUERIES = [query for query in read_queries() if query.rank == 1][::20]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.text)
def test_search_box(read: Callable[..., Reader], query: Query) -> None:
    """没有输入就不取索引；输入后第一条是该去的那一页，点了就到。"""
    reader = read(**DESKTOP)
    page = reader.page
    page.goto(url("index"), wait_until="networkidle")
    page.locator("input[name=query]").click()
    assert not any("documents.json" in u for u in reader.requests)
    page.keyboard.insert_text(query.text)
    page.keyboard.press("End")  # 搜索框等的是松开一个键
    result = page.locator(".md-search-result__link").first
    result.wait_for()
    result.click()
    page.wait_for_url(f"{url(query.page)}**")


def test_opened_from_disk(browser: Browser, tmp_path: Path) -> None:
    """离线的那一份从磁盘打开：公式、链接、搜索都行，不向外站要东西。"""
    command = mkdocs_command("build", "--strict", "--site-dir", str(tmp_path))
    status, output = run(ROOT, *command, OFFLINE="true", SITE_URL="", **UNMEASURED)
    assert status == 0, output
    assert broken_links(tmp_path, from_disk=True) == []
    reader = Reader(browser, **DESKTOP)
    page = reader.page
    page.goto((tmp_path / "index.html").as_uri())
    page.get_by_role("link", name="Q4 权重初始化").first.click()
    page.locator("#answer").wait_for()
    assert page.evaluate("document.fonts.check('16px KaTeX_Main')")
    page.locator("input[name=query]").click()
    page.keyboard.insert_text("感受野")
    page.keyboard.press("End")
    page.locator(".md-search-result__link").first.click()
    page.wait_for_url("**/temporal_conv.html**")
    page.goto((tmp_path / "practice" / "temporal_conv.html").as_uri())
    page.get_by_text("从磁盘打开的网页，浏览器不许它运行别的文件").first.wait_for()
    page.goto((tmp_path / "quiz.html").as_uri())
    page.get_by_role("button", name="抽一题，30 秒").click()
    page.locator(".quiz-stage .quiz").wait_for()
    assert reader.troubles == []
    assert {urlsplit(u).scheme for u in reader.requests} <= {"file", "data", "about"}
    reader.context.close()
