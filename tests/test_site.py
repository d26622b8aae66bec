"""建成的网站：每块代码有输出，公式都排好，链接都通，不向外站要任何东西。"""

import gzip
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urljoin

import pytest
from bs4 import BeautifulSoup

from pipeline import contents
from pipeline.tools.addresses import page_path, resolve
from pipeline.tools.project import (
    CONFIG,
    PAGES,
    ROOT,
    STEMS,
    mkdocs_command,
    read_tree,
    run,
)
from tests.built import BASE, address, broken_links, html_pages, parse
from tests.conftest import UNMEASURED
from tests.sources import cells_of

LOADING = {  # 浏览器不等点击就会去取的
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "input": "src",
    "object": "data",
    "script": "src",
    "source": "src",
    "track": "src",
    "video": "src",
}
LOADING_RELATIONS = {"icon", "manifest", "modulepreload", "preconnect", "dns-prefetch"}
LOADING_RELATIONS |= {"preload", "prefetch", "stylesheet"}


@pytest.mark.parametrize("page", PAGES)
def test_page_is_there_and_chinese(site: Path, page: str) -> None:
    soup = parse(page_path(site, page))
    assert soup.html is not None
    assert soup.html["lang"] == "zh"
    assert soup.find("h1") is not None
    assert soup.find("meta", {"name": "description"})["content"]  # type: ignore[index]


@pytest.mark.parametrize("page", contents.pages(CONFIG["nav"]))
def test_every_python_block_has_its_output(site: Path, page: str) -> None:
    written = cells_of(ROOT / "docs" / f"{page}.md")
    shown = parse(page_path(site, page)).select("div.cell")
    assert len(shown) == len(written)
    for cell, block in zip(written, shown, strict=True):
        where = f"docs/{page}.md:{cell.line}"
        assert block.select_one("div.highlight") is not None, where
        outputs = block.find_all("div", class_="output", recursive=False)
        assert len(outputs) == ("skip-execution" not in cell.tags), where
        if cell.caption:
            assert block.select_one(".output svg[role=img][aria-label]"), where
            caption = block.select_one(".output figcaption")
            assert caption is not None, where
            assert caption.get_text() == cell.caption, where
        if "raises-exception" in cell.tags:
            assert block.select_one(".output pre.error"), where


@pytest.mark.parametrize("stem", STEMS)
def test_question_page_shows_outputs(site: Path, stem: str) -> None:
    soup = parse(page_path(site, stem))
    assert soup.select(".output > *"), f"docs/{stem}.md:1: 请至少运行一块有输出的代码"


def test_residual_figures_are_drawn(site: Path) -> None:
    diagrams = parse(page_path(site, "residual_block")).select("figure.diagram")
    assert len(diagrams) >= 3
    for diagram in diagrams:
        svg = diagram.svg
        assert svg is not None
        assert svg.title is not None
        assert diagram.figcaption is not None
    assert parse(page_path(site, "original")).select_one("figure.diagram svg")


@pytest.mark.parametrize("page", PAGES)
def test_nothing_raw_is_left(site: Path, page: str) -> None:
    soup = parse(page_path(site, page))
    text = page_path(site, page).read_text(encoding="utf-8")
    assert "--8<--" not in text
    assert "katex-error" not in text
    assert re.search(r"\\part\b", text) is None
    article = BeautifulSoup(str(soup.article), "html.parser")
    for hidden in article.select("code, pre, .katex, script, style"):
        hidden.decompose()
    prose = article.get_text()
    assert "$" not in prose
    assert re.search(r"\\[a-zA-Z]+", prose) is None
    assert re.search(r"(?m)^\s*(\*|```|///)", prose) is None


def test_every_formula_is_typeset(site: Path) -> None:
    formulas = [
        formula
        for page in PAGES
        for formula in parse(page_path(site, page)).select(".arithmatex")
    ]
    assert formulas
    assert all(formula.select_one(".katex-base, math") for formula in formulas)


def test_a_site_read_back_is_the_same(site: Path, tmp_path: Path) -> None:
    """从缓存读回来的各页，连 API 参考里的链接，与刚画的一样。"""
    assert site.is_dir()  # 缓存已经满了
    for name in "first", "second":
        command = mkdocs_command(
            "build", "--strict", "--site-dir", str(tmp_path / name)
        )
        status, output = run(ROOT, *command, **UNMEASURED)
        assert status == 0, output
    first, second = read_tree(tmp_path / "first"), read_tree(tmp_path / "second")
    assert second == first
    links = parse(page_path(tmp_path / "second", "reference/temporal_conv"))
    assert links.select("a.autorefs-internal")


def test_links_and_anchors_lead_somewhere(site: Path) -> None:
    assert broken_links(site) == []


def test_no_request_goes_to_another_host(site: Path) -> None:
    for path in html_pages(site):
        here = address(site, path)
        soup = parse(path)
        urls = [
            str(e[LOADING[e.name]])
            for e in soup.select("[src], [data]")
            if e.name in LOADING and LOADING[e.name] in e.attrs
        ]
        for link in soup.select("link[href]"):
            if set(link["rel"]) & LOADING_RELATIONS:
                urls.append(str(link["href"]))
        urls += re.findall(r"url\(\s*['\"]?([^'\")]+)", str(soup))
        assert not soup.select("[srcset], base")
        for url in urls:
            assert urljoin(here, url).startswith((BASE, "data:")), f"{path}: {url}"


def test_stylesheets_name_only_files_that_are_there(site: Path) -> None:
    sheets = sorted(site.rglob("*.css"))
    assert sheets
    for sheet in sheets:
        text = sheet.read_text(encoding="utf-8")
        assert "@import" not in text
        for url in re.findall(r"url\(\s*['\"]?([^'\")]+)", text):
            if url.startswith(("data:", "#")):
                continue
            target = urljoin(address(site, sheet), url)
            assert target.startswith(BASE), f"{sheet.name}: {url}"
            assert resolve(site, target).is_file(), f"{sheet.name}: {url}"


@pytest.mark.parametrize("page", PAGES)
def test_ids_are_unique_and_speak(site: Path, page: str) -> None:
    soup = parse(page_path(site, page))
    ids = Counter(str(e["id"]) for e in soup.select("[id]"))
    assert [i for i, count in ids.items() if count > 1] == []
    headings = soup.select("article h2, article h3")
    anchors = [str(h.get("id", "")) for h in headings]
    assert [a for a in anchors if not re.fullmatch(r"[A-Za-z][\w.-]*", a)] == []


@pytest.mark.parametrize("page", PAGES)
def test_labels_lead_to_their_control(site: Path, page: str) -> None:
    soup = parse(page_path(site, page))
    ids = {str(e["id"]) for e in soup.select("input[id]")}
    assert {str(e["for"]) for e in soup.select("label[for]")} <= ids


@pytest.mark.parametrize("stem", STEMS)
def test_question_page_is_light(site: Path, stem: str) -> None:
    size = len(gzip.compress(page_path(site, stem).read_bytes()))
    assert size <= 41_000, f"{stem}: {size} 字节"
    elements = len(parse(page_path(site, stem)).find_all(True))
    assert elements <= 3_500, f"{stem}: {elements} 个元素"


def test_folded_answers_read_without_scripts(site: Path) -> None:
    for stem in STEMS:
        soup = parse(page_path(site, stem))
        folded = soup.select("details")
        assert all(d.find("summary", recursive=False) for d in folded)
        assert not soup.select("article noscript, article script:not([src])")
