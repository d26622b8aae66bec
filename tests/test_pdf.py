"""印出来的：一份 PDF 装下全部，速记正好两页，什么也没有被切掉。"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from pipeline.tools import pdf
from pipeline.tools.addresses import page_path, url
from pipeline.tools.project import PAGES
from pipeline.tools.reader import Reader
from tests.built import parse

PAPER = {"viewport": {"width": 680, "height": 1000}}  # A4 减去两边的空白，CSS 像素
CUT = """() => [...document.querySelectorAll("article *")]
  .filter(e => e.tagName !== "math" && e.clientWidth > 1)
  .filter(e => e.scrollWidth > e.clientWidth + 1)
  .filter(e => getComputedStyle(e).overflowX !== "visible")
  .map(e => [e.className, e.textContent.slice(0, 60)])"""


def count_pages(data: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", data))


def joined(browser: Browser, pages: list[str]) -> Page:
    """接成一篇、等着印的几页。"""
    context = browser.new_context(**PAPER, bypass_csp=True)  # type: ignore[arg-type]
    page = pdf.join_pages(context, pages)
    page.emulate_media(media="print")
    return page


def test_every_page_is_printed_once_in_the_order_of_the_navigation() -> None:
    pages = pdf.list_pages()
    assert sorted(pages) == sorted(PAGES)
    assert pages[0] == "index"
    assert pages.index("practice") + 1 == pages.index("practice/hyperparameter_search")


def test_the_cheat_sheet_is_two_sheets_of_paper(
    read: Callable[..., Reader],
) -> None:
    page = read().page
    page.goto(url("cheatsheet"), wait_until="networkidle")
    data = page.pdf(prefer_css_page_size=True)
    assert count_pages(data) == 2
    assert set(re.findall(rb"/MediaBox \[0 0 (\d+)\S* (\d+)", data)) == {
        (b"594", b"841")  # A4：594.96 × 841.92 点
    }


def test_nothing_is_cut_off_and_every_link_leads_somewhere(browser: Browser) -> None:
    page = joined(browser, pdf.list_pages())
    assert page.evaluate(CUT) == []
    ids = page.eval_on_selector_all("[id]", "all => all.map(e => e.id)")
    assert len(ids) == len({*ids})
    links = page.eval_on_selector_all(
        "article [href]", "all => all.map(e => e.getAttribute('href'))"
    )
    inside = {link[1:] for link in links if link.startswith("#")}
    assert len(inside) > 1000
    assert inside - {*ids} == set()
    assert [
        u for u in links if not re.match(r"#|https?://(?!site\.localhost)", u)
    ] == []
    page.context.close()


@pytest.mark.slow
def test_the_whole_has_bookmarks_page_numbers_and_no_bitmaps(
    browser: Browser, site: Path, tmp_path: Path
) -> None:
    pages = ["index", "weight_init", "cheatsheet", "errata"]
    path = tmp_path / "some.pdf"
    pdf.print_pages(browser, pages, path)
    data = path.read_bytes()
    assert count_pages(data) > 20
    titles = [
        bytes.fromhex(title.decode()).decode("utf-16")
        for title in re.findall(rb"/Title <([0-9A-F ]+)>", data)
    ]
    assert "怎么用" in titles  # 排在第 2 页最上面
    assert [t for t in titles if re.fullmatch(r"(.+)\1", t)] == []
    for name in pages:
        heading = parse(page_path(site, name)).h1
        assert heading is not None
        assert heading.get_text().rstrip("¶") in titles
    assert b"/StructTreeRoot" in data  # 读屏软件认得出标题和表格
    assert b"/Subtype /Image" not in data  # 公式、图都是线条和字


def test_a_site_not_built_is_told(tmp_path: Path) -> None:
    told = pdf.main(tmp_path, tmp_path / "a.pdf")
    assert told.endswith("里没有 index 这一页：请先运行 make build")
