"""离线副本：按了按钮才存，断了网照样读、搜、做题；有新的会说，删得掉。"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect
from tornado.web import StaticFileHandler

from pipeline import notebooks, offline_copy
from pipeline.tools.addresses import SITE_URL, transferred, url
from pipeline.tools.reader import DESKTOP, Reader
from pipeline.tools.web import serve

SLOW = 60_000  # 毫秒；要取整个网站
KEPT = (
    "async () => [await caches.keys(), await navigator.serviceWorker.getRegistration()]"
)


def store(page: Page) -> None:
    """在首页上按按钮，等到存好。"""
    page.get_by_role("button", name="存一份离线的").click()
    expect(page.locator(".offline")).to_contain_text("已经存好", timeout=SLOW)


def test_the_list_has_every_file_and_tells_one_version_from_another(
    tmp_path: Path,
) -> None:
    for name in "index.html", "a/index.html", "a/b.js", "_headers", notebooks.ARCHIVE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("甲" * len(name), encoding="utf-8")

    def written() -> dict[str, Any]:
        for name in "sw.js", "offline.json", "manifest.webmanifest":
            (tmp_path / name).unlink(missing_ok=True)
        offline_copy.write(tmp_path, "乙")
        listed = json.loads((tmp_path / "offline.json").read_text(encoding="utf-8"))
        version = f'VERSION = "{listed["version"]}"'
        assert version in (tmp_path / "sw.js").read_text(encoding="utf-8")
        return dict(listed)

    first = written()
    assert [*first["files"]] == ["a/b.js", "a/", "", "manifest.webmanifest"]
    card = (tmp_path / "manifest.webmanifest").read_bytes()
    assert first["size"] == 3 * sum(
        map(len, ("a/b.js", "a/index.html", "index.html"))
    ) + len(card)
    assert json.loads(card)["name"] == "乙"
    assert written() == first
    (tmp_path / "a" / "b.js").write_text("丙", encoding="utf-8")
    assert written()["version"] != first["version"]


def test_stored_at_the_press_of_a_button_it_needs_no_network(
    read: Callable[..., Reader], site: Path
) -> None:
    reader = read(**DESKTOP)
    page = reader.page
    page.goto(url("index"), wait_until="networkidle")
    assert page.evaluate(KEPT) == [[], None]
    assert not any("sw.js" in u or "offline" in u for u in reader.requests)
    page.locator(".offline").scroll_into_view_if_needed()
    size = json.loads((site / "offline.json").read_text(encoding="utf-8"))["size"]
    expect(page.get_by_role("button", name="存一份离线的")).to_contain_text(
        f"（{-(-size // 10**6)} MB）"
    )
    store(page)
    reader.context.set_offline(True)
    page.goto(url("weight_init"), wait_until="networkidle")
    page.locator("article .katex-base").first.wait_for()
    page.locator("input[name=query]").click()
    page.keyboard.insert_text("感受野")
    page.keyboard.press("End")
    page.locator(".md-search-result__link").first.click()
    page.wait_for_url(f"{url('temporal_conv')}**")
    page.goto(f"{SITE_URL}practice/temporal_conv")  # 没有写末尾的斜杠
    box = page.locator(".exercise").first
    box.locator(".cm-content").wait_for()
    box.get_by_role("button", name="运行").click()
    expect(box.locator(".exercise-status")).to_contain_text("项没过", timeout=SLOW)
    page.goto(f"{SITE_URL}no/such/")
    expect(page.locator("h1")).to_have_text("找不到这一页")
    page.goto(url("index"))
    reader.context.set_offline(False)
    page.get_by_role("button", name="删除离线副本").click()
    expect(page.get_by_role("button", name="存一份离线的")).to_be_visible()
    assert page.evaluate(KEPT) == [[], None]


def test_a_new_version_is_told_and_waits_for_the_reader(
    browser: Browser, site: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    heading = copy / "quiz" / "index.html"
    reader = Reader(browser, **DESKTOP)
    page, context = reader.page, reader.context
    with serve(copy) as port:
        home = f"http://127.0.0.1:{port}/qa/"
        page.goto(home)
        page.locator(".offline").scroll_into_view_if_needed()
        store(page)
        page.goto(f"{home}quiz/")
        text = heading.read_text(encoding="utf-8").replace(">随机抽题<", ">新的抽题<")
        heading.write_text(text, encoding="utf-8")
        for name in "sw.js", "offline.json", "manifest.webmanifest":
            (copy / name).unlink()
        offline_copy.write(copy, "新的")
        StaticFileHandler.reset()  # 测试用的服务器记着文件的摘要
        page.reload()
        news = page.locator(".offline-news")
        expect(news).to_have_text("有新版本。刷新", timeout=SLOW)
        assert "新的抽题" not in page.content()
        fetched = {u for u in reader.requests if "/assets/figures/" in u}
        news.get_by_role("button").click()
        page.get_by_text("新的抽题").first.wait_for()
        assert len(page.evaluate("caches.keys()")) == 1
        assert fetched == {u for u in reader.requests if "/assets/figures/" in u}
    assert reader.troubles == []
    context.close()


def test_a_copy_that_cannot_be_stored_is_told(
    browser: Browser, site: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    (copy / "quiz" / "index.html").unlink()
    reader = Reader(browser, **DESKTOP)
    with serve(copy) as port:
        reader.page.goto(f"http://127.0.0.1:{port}/qa/")
        reader.page.locator(".offline").scroll_into_view_if_needed()
        reader.page.get_by_role("button", name="存一份离线的").click()
        again = reader.page.get_by_role("button", name="再试一次")
        again.wait_for(timeout=SLOW)
        expect(reader.page.locator(".offline")).to_contain_text("没有存成（")
    reader.context.close()


def test_until_then_it_costs_next_to_nothing(
    read: Callable[..., Reader], site: Path
) -> None:
    assert transferred(site, f"{SITE_URL}assets/practice/near.js") <= 800
    reader = read(**DESKTOP)
    reader.page.goto(url("weight_init"), wait_until="networkidle")
    assert not any(u.endswith(("offline.js", "sw.js")) for u in reader.requests)
    assert reader.page.locator("link[rel=manifest]").count() == 0
