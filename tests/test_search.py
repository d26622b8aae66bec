"""搜索：把一张问句表交给 Material 自己的搜索线程，在建成的网站上核对次序。"""

import functools
import gzip
import html
import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from pipeline.maths import find_node
from pipeline.search import (
    END,
    SKIPPED,
    empty_index,
    make_dictionary,
    rewrite_index,
)
from tests.queries import Query, read_queries

HERE = Path(__file__).parent
LIMIT = 150_000
Groups = list[list[dict[str, Any]]]


QUERIES = list(read_queries())
NOISE = ".feedback, .headerlink, .claim, .katex, pre, svg, .cell summary"


def test_short_terms_stay_whole_and_long_ones_are_cut() -> None:
    dictionary = make_dictionary(["感受野", "卷积神经网络"], ["第二节 梯度消失"])
    assert {"感受野", "神经网络", "梯度"} <= set(dictionary)
    assert not {"感受", "野", "卷积神经网络"} & set(dictionary)


def test_index_is_rewritten_with_its_own_separator() -> None:
    entry = {"location": "a/", "title": "梯度", "text": "甲<pre>x</pre>", "boost": 2}
    section = entry | {"location": "a/#b", "title": "感受野"}
    text = json.dumps({"config": {}, "docs": [entry, section]})
    found = json.loads(rewrite_index(text, "| 感受野 | receptive field |"))
    page, part = found["docs"]
    assert "boost" not in page
    assert part["boost"] == 2
    assert page["text"] == f"甲{SKIPPED}"
    assert part["title"] == f"感受野{END}"
    assert "(?=感受野)" in found["config"]["separator"]
    assert json.loads(empty_index(json.dumps(found)))["docs"] == []


def ask(site: Path, queries: list[str]) -> dict[str, Groups]:
    """在一个 Node 进程里运行建成的搜索线程，给出每条问句的结果，一页一组。"""
    (script,) = (site / "assets" / "javascripts" / "workers").glob("search.*.js")
    done = subprocess.run(
        [find_node(), HERE / "search_worker.mjs", script, index_path(site)],
        input=json.dumps(queries),
        stdout=subprocess.PIPE,
        check=True,
        encoding="utf-8",
    )
    return dict(zip(queries, map(json.loads, done.stdout.splitlines()), strict=True))


def index_path(site: Path) -> Path:
    return site / "search" / "documents.json"


@functools.cache
def read_index(site: Path) -> list[dict[str, Any]]:
    """各节，去掉看不见的尾巴。"""
    text = index_path(site).read_text("utf-8")
    found = json.loads(re.sub(f"[{END}{SKIPPED}]", "", text))["docs"]
    assert isinstance(found, list)
    return found


@pytest.fixture(scope="module")
def answers(site: Path) -> dict[str, Groups]:
    return ask(site, [*(query.text for query in QUERIES), "网络"])


def page_of(group: list[dict[str, Any]]) -> str:
    return str(group[0]["location"]).partition("#")[0].strip("/")


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.text)
def test_query_finds_its_page(query: Query, answers: dict[str, Groups]) -> None:
    pages = [page_of(group) for group in answers[query.text]]
    assert query.page in pages[: query.rank], (
        f"搜「{query.text}」，前 {query.rank} 名里应有 {query.page}，"
        f"实际依次是 {pages[:5] or '什么也没有'}"
    )


def test_part_of_a_compound_finds_it(answers: dict[str, Groups]) -> None:
    marked = json.dumps(answers["网络"], ensure_ascii=False).replace(END, "")
    assert "卷积神经<mark>网络</mark>" in marked


def test_index_is_small(site: Path) -> None:
    size = len(gzip.compress(index_path(site).read_bytes(), 9))
    assert size <= LIMIT, f"索引压缩后 {size} 字节，至多 {LIMIT}"


def squeeze(text: str) -> str:
    return re.sub(r"(?<=\d)×(?=\d)", "x", re.sub(r"\s+", "", text))


def test_index_has_the_prose_but_no_formulas_figures_or_code(site: Path) -> None:
    indexed: defaultdict[str, str] = defaultdict(str)
    for entry in read_index(site):
        page = entry["location"].partition("#")[0]
        indexed[page] += re.sub(r"<[^>]+>", "", entry["title"] + entry["text"])
    for page, text in indexed.items():
        article = BeautifulSoup(
            (site / page / "index.html").read_text("utf-8"), "html.parser"
        ).article
        assert article is not None
        for noise in article.select(NOISE):
            noise.extract()
        found = squeeze(html.unescape(text))
        kept = "h1, h2, h3, p, li, th, td, figcaption"
        for element in article.select(kept):
            for piece in element.find_all(string=True, recursive=False):
                assert squeeze(piece) in found, (page, piece)
        assert len(found) <= len(squeeze(article.get_text())), page


def test_every_page_and_section_is_in_the_index(site: Path) -> None:
    places = {entry["location"] for entry in read_index(site)}
    for path in site.rglob("index.html"):
        page = f"{path.parent.relative_to(site).as_posix()}/".removeprefix("./")
        soup = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        wanted = {f"{page}#{heading['id']}" for heading in soup.select("article h2")}
        assert {page} | wanted <= places
