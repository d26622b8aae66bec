"""搜索：在建成的网站上运行把门的程序和 Material 的搜索线程。

一张问句表核对次序；页面上的每个词核对找得到它的各节。
"""

import functools
import gzip
import html
import json
import random
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jieba
import pytest
from bs4 import BeautifulSoup, Tag

from pipeline.katex import find_node
from pipeline.search import (
    END,
    HAN,
    SKIPPED,
    empty_index,
    find_variants,
    make_dictionary,
    read_terms,
    rewrite_index,
)
from pipeline.tools.project import ROOT, STEMS
from tests.queries import Query, read_queries
from tests.sources import FORGETFUL

HERE = Path(__file__).parent
LIMIT = 150_000 * len(STEMS) // 7  # 七道题 150 KB，多一道多七分之一
Groups = list[list[dict[str, Any]]]


QUERIES = list(read_queries())
UNLISTED = "cheatsheet/", "practice/", "quiz/"  # 别的页上都有，搜索里不收
NOISE = (
    ".feedback, .take-away, .offline, .headerlink, .claim, .katex, pre, svg, bdi, .data"
)
NOISE += ", .cell summary"


def test_short_terms_stay_whole_and_long_ones_are_cut() -> None:
    dictionary = make_dictionary(["感受野", "卷积神经网络"], ["第二节 梯度消失"])
    assert {"感受野", "神经网络", "梯度"} <= set(dictionary)
    assert not {"感受", "野", "卷积神经网络"} & set(dictionary)


def test_index_is_rewritten_with_its_own_separator() -> None:
    entry = {"location": "a/", "title": "梯度", "text": "甲<pre>x</pre>", "boost": 2}
    section = entry | {"location": "a/#b", "title": "感受野"}
    text = json.dumps({"config": {}, "docs": [entry, section]})
    found = json.loads(rewrite_index(text, "| 感受野 | receptive field |", FORGETFUL))
    page, part = found["docs"]
    assert "boost" not in page
    assert part["boost"] == 2
    assert page["text"] == f"甲{SKIPPED}"
    assert part["title"] == f"感受野{END}"
    assert "(?=感受野)" in found["config"]["separator"]
    assert json.loads(empty_index(json.dumps(found)))["docs"] == []


def run_search(site: Path, queries: list[str], *options: str) -> list[Any]:
    """在一个 Node 进程里运行建成的搜索，逐条给出结果。"""
    workers = site / "assets" / "javascripts" / "workers"
    (script,) = workers.glob("search.*.js")
    paths = [HERE / "search_worker.mjs", workers / "gate.js"]
    done = subprocess.run(
        [find_node(), *paths, script.name, index_path(site), *options],
        input=json.dumps(queries),
        stdout=subprocess.PIPE,
        check=True,
        encoding="utf-8",
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def ask(site: Path, queries: list[str]) -> dict[str, Groups]:
    """每条问句的结果，一页一组。"""
    return dict(zip(queries, run_search(site, queries), strict=True))


def locate(site: Path, queries: list[str]) -> dict[str, set[str]]:
    """每条问句找到的各节的网址。"""
    found = run_search(site, queries, "locations")
    return dict(zip(queries, map(set, found), strict=True))


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


def plain_text(entry: dict[str, Any]) -> str:
    """一节的标题和正文，去掉标签。"""
    return html.unescape(re.sub(r"<[^>]+>", " ", f"{entry['title']}\n{entry['text']}"))


@pytest.fixture(scope="module")
def texts(site: Path) -> dict[str, str]:
    """各节的网址到文字。"""
    return {entry["location"]: plain_text(entry) for entry in read_index(site)}


def chinese_words(runs: list[str]) -> set[str]:
    """读者会从正文里取的中文词：分词切的、术语，再随手取些两到四个字的。"""
    words = set(read_terms((ROOT / "docs" / "glossary.md").read_text("utf-8")))
    for run in runs:
        words |= {*jieba.cut(run), *jieba.cut_for_search(run)}
    rng = random.Random(0)
    for run in rng.sample(runs, 600):
        start = rng.randrange(len(run))
        words.add(run[start : start + rng.randint(2, 4)])
    return words


def test_every_chinese_word_finds_its_sections(
    site: Path, texts: dict[str, str]
) -> None:
    """页面上写着的，搜它就找得到那一节：不靠词典里有没有。"""
    runs = sorted(
        {run for text in texts.values() for run in re.findall(f"{HAN}+", text)}
    )
    words = sorted(chinese_words(runs))
    found = locate(site, words)
    missed = {
        word: places
        for word in words
        if (places := {at for at, text in texts.items() if word in text} - found[word])
    }
    assert len(words) > 3000
    assert missed == {}


def test_every_other_word_finds_its_sections(site: Path, texts: dict[str, str]) -> None:
    """外文、数、代码里的名字，也一样。"""
    places: defaultdict[str, set[str]] = defaultdict(set)
    for at, text in texts.items():
        for word in re.findall(
            r"(?:(?!HAN)\w|(?<=\w)[.-](?=\d))+".replace("HAN", HAN), text
        ):
            places[word].add(at)
    found = locate(site, sorted(places))
    missed = {word: at - found[word] for word, at in places.items() if at - found[word]}
    assert missed == {}


def traditional(text: str) -> str:
    """换成繁体；一个简体字有几个繁体的，取末一个。"""
    pairs = find_variants(text)
    return text.translate(
        {ord(b): a for a, b in zip(pairs[::2], pairs[1::2], strict=True)}
    )


def full_width(text: str) -> str:
    """西文和数换成全角。"""
    return re.sub("[!-~]", lambda match: chr(ord(match[0]) + 0xFEE0), text)


@pytest.mark.parametrize("change", [traditional, full_width, str.upper])
def test_way_of_writing_does_not_matter(
    site: Path, change: Callable[[str], str], answers: dict[str, Groups]
) -> None:
    """问句写成繁体、全角、大写，结果不变。"""
    changed = {query.text: change(query.text) for query in QUERIES}
    assert any(text != other for text, other in changed.items())
    found = ask(site, list(set(changed.values())))
    for text, other in changed.items():
        assert found[other] == answers[text], other


def test_mixed_words_find_their_section(site: Path) -> None:
    """有没有连字符都行；词典外的词接上「是什么」也行。"""
    wanted = {
        "resnet50": "weight_init/#fq-bert",
        "ResNet-50": "weight_init/#fq-bert",
        "殘差結構是什麼": "original/#q3-remedies",
        "１×１": "pointwise_conv/",
    }
    found = locate(site, list(wanted))
    assert {query for query, at in wanted.items() if at not in found[query]} == set()


def test_whole_word_comes_before_its_parts(site: Path, texts: dict[str, str]) -> None:
    """「谱范数」先于别的范数；写着的字整个标出来，到了页面上也标出来。"""
    for word, groups in ask(site, ["谱范数", "候选值", "残差结构"]).items():
        entries = [entry for group in groups for entry in group if entry["score"]]
        holds = [word in texts[entry["location"]] for entry in entries]
        assert holds[0]
        for entry, held in zip(entries, holds, strict=True):
            marked = f"<mark>{word}</mark>" in entry["title"] + entry["text"]
            assert marked == (word in entry["terms"]) == held, entry["location"]


def boxes(site: Path, page: str) -> Iterator[Tag]:
    """一页上有文字的折叠框，不算里面全是代码的。"""
    text = (site / page / "index.html").read_text("utf-8")
    if re.search("<details (?!.*open)", text):  # 大的参考页里没有，不必读
        soup = BeautifulSoup(text, "html.parser")
        yield from soup.select(
            "article details:not([open], .cell > details, .mkdocstrings-source)"
        )


def test_every_box_has_its_own_entry(site: Path, texts: dict[str, str]) -> None:
    """每个折叠框有自己的网址和自己的一条；标题里的词搜得到它。"""
    titles = {}
    for path in site.rglob("index.html"):
        page = f"{path.parent.relative_to(site).as_posix()}/".removeprefix("./")
        if page.startswith(UNLISTED):
            continue
        for box in boxes(site, page):
            assert re.fullmatch(r"[a-z][a-z0-9-]{1,24}", str(box.get("id", ""))), box
            at = f"{page}#{box['id']}"
            assert box.summary is not None
            titles[at] = squeeze(box.summary.get_text())
            assert squeeze(texts[at].partition("\n")[0]) == titles[at]
            for noise in box.select(NOISE):
                noise.extract()
            assert len(squeeze(texts[at])) <= len(squeeze(box.get_text()))
    assert len(titles) > 40
    found = locate(site, list(titles.values()))
    assert {at for at, title in titles.items() if at not in found[title]} == set()


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
        if page.startswith(UNLISTED):
            assert not any(place.startswith(page) for place in places)
            continue
        soup = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        wanted = {f"{page}#{heading['id']}" for heading in soup.select("article h2")}
        assert {page} | wanted <= places
