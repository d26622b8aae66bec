"""这本书：不经 MkDocs，读一页、画一页。"""

import re
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from markdown import Markdown

from pipeline.book import Book
from pipeline.citations import Citations
from pipeline.contents import GeneratedPage, Question
from pipeline.execution import Executor
from pipeline.katex import Katex

SNIPPET = '# --8<-- [start:f]\ndef f():\n    """甲。"""\n# --8<-- [end:f]\n'
CLAIM = """\
[one]
statement = "甲"
measure = "f()"
expected = 1
relation = "="
source = "乙"
mutants = [["a.py", "x", "y"]]
"""


class Printed:
    """不运行：每一格都印出它的编号。"""

    versions: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.pages: list[str] = []

    def __call__(
        self, page: str, notebook: str, remember: Callable[[int], None], /
    ) -> list[dict[str, Any]]:
        """给出各格。"""
        del notebook, remember
        self.pages.append(page)
        cells = ["preamble", "cell-0", "cell-1"]
        return [
            {
                "id": name,
                "count": count,
                "outputs": [{"output_type": "stream", "name": "stdout", "text": name}]
                if count > 1
                else [],
            }
            for count, name in enumerate(cells, 1)
        ]


@pytest.fixture
def book(tmp_path: Path, katex: Katex) -> Book:
    for path, text in {
        "snippets/a.py": SNIPPET,
        "snippets/a.svg": "<svg></svg>",
        "tests/claims/a.toml": CLAIM,
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def link(page: str, target: str) -> str | None:
        del page
        return f"../{target}" if target == "reference/a.md" else None

    source = Citations([tmp_path / "snippets"], tmp_path)
    asked = [Question("Q1 甲", "a"), Question("Q2 乙", "b")]
    added = [GeneratedPage("Q1 甲", "Q1 的 API", "reference/a.md", "")]
    return Book(tmp_path, source, Printed(), katex, link, asked, added)


def draw(book: Book, text: str, name: str = "a.md") -> str:
    """读一页，运行，画出来。"""
    book.read(name, text)
    book.run()
    book.check()
    names = ["tables", "md_in_html", "attr_list", "pymdownx.superfences"]
    names.append("pymdownx.blocks.details")
    md = Markdown(extensions=[*names, *book.extensions()])
    html = md.convert(book.prepare(name))
    book.check_drawn(name, html)
    return html


def test_a_block_is_drawn_with_its_output_and_where_it_comes_from(book: Book) -> None:
    page = (
        '---\na: 1\n---\n# 甲\n\n```python claims={"one": "1"}\n--8<-- "a.py:f"\n```\n'
    )
    html = draw(book, page)
    order = [
        html.index(part)
        for part in (
            '<div class="cell" id="cell-0">',
            "甲。",
            'href="../reference/a.md#snippets.a.f" title="f 的完整说明"',
            "<samp>cell-0</samp>",
        )
    ]
    assert order == sorted(order)
    assert "a: 1" not in html


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('summary="量 a < b"', "量 a &lt; b"),
        ('caption="图" alt="线"', "作图代码"),
        ("", "准备代码"),
    ],
)
def test_a_folded_block_says_what_it_does(book: Book, options: str, said: str) -> None:
    html = draw(book, f'```python tags=["hide-input"] {options}\n1\n```\n', "b.md")
    assert re.findall("<summary.*?>(.*?)</summary>", html) == [said]


def test_the_answer_has_its_line(book: Book) -> None:
    page = "# 甲\n\n/// answer\n学 $x$，\n和 `a @ b`。\n///\n"
    assert 'id="answer"' in draw(book, page, "b.md")
    assert [line.partition("：")[0] for line in book.lines() if "b.md" in line] == [
        "docs/b.md:4: 「$x$」念不出来",
        "docs/b.md:5: 「`a @ b`」念不出来",
    ]


def test_a_link_to_no_page_is_left_out(book: Book) -> None:
    (book.root / "snippets" / "b.py").write_text(SNIPPET, encoding="utf-8")
    html = draw(book, '```python\n--8<-- "b.py:f"\n```\n', "b.md")
    assert "完整说明" not in html


def test_examples_are_examples(book: Book) -> None:
    """围栏里的围栏、引用、指令、图片，都照样显示。"""
    example = '```python\n--8<-- "no.py:f"\n```\n<!-- no: x -->\n<img src=a>\n'
    html = draw(book, f"````text\n{example}````\n\n```python\n1\n```\n", "b.md")
    assert book.pages["b.md"].faults == set()
    assert "--8&lt;--" in html
    assert "&lt;img" in html
    assert "<samp>cell-0</samp>" in html


def test_prose_may_cite_a_figure(book: Book) -> None:
    html = draw(book, '甲\n\n<figure>\n--8<-- "a.svg"\n</figure>\n', "b.md")
    assert "<figure>\n<svg></svg>\n</figure>" in html


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ('甲\n\n--8<-- "b.svg"\n', "3: 引用的文件 b.svg 不存在"),
        ("甲\n--8<-- 'a.svg'\n", "2: 引用应写成"),
        ("<!-- claim: a -->\n", "1: claim 不是已知的指令"),
        ("---\nb: 1\n---\n\n<!-- claims: c -->\n", "5: 没有 c 的主张"),
        ("<!-- proof: a -->\n", "1: proof 的参数应是 site"),
        ("<!-- errata: a -->\n", "1: errata 的参数应是 summary"),
        ("<!-- questions: all -->\n", "1: questions 的参数应是 home 或 reference"),
        ("<!-- timings: a -->\n", "1: 读不出 timings.json"),
        ("<!--\n```python\n1\n```\n-->\n", "3: 这一块没有画出来"),
    ],
)
def test_faults_have_their_line(book: Book, page: str, told: str) -> None:
    draw(book, page, "b.md")
    (line,) = [text for text in book.lines() if "b.md" in text]
    assert line.startswith(f"docs/b.md:{told}")


def test_a_page_with_a_fault_in_a_block_is_not_run(book: Book) -> None:
    html = draw(book, '```python\n--8<-- "a.py:g"\n```\n\n```python\n1\n```\n', "b.md")
    assert isinstance(book.execute, Printed)
    assert book.execute.pages == []
    assert html.count('class="highlight"') == 2
    (fault,) = book.pages["b.md"].faults
    assert "没有「g」这一段" in fault.message


def test_the_home_page_has_a_card_a_question(book: Book) -> None:
    picture = book.root / "docs" / "assets" / "figures" / "cards" / "a.svg"
    picture.parent.mkdir(parents=True)
    picture.write_text('<svg id="p"></svg>\n', encoding="utf-8")
    draw(book, "---\nsummary: 一句 `话`\n---\n# Q1：甲是什么？ {#a}\n")
    draw(book, "---\nsummary: 又一句\n---\n# Q2：乙呢？\n", "b.md")
    html = draw(book, "<!-- questions: home -->\n", "index.md")
    first, second = html.split('<div class="card">')[1:]
    assert '<figure aria-hidden="true"><svg id="p"></svg></figure>' in first
    assert '<strong><a href="a.md">Q1：甲是什么？</a></strong>' in first
    assert "<p>一句 <code>话</code></p>" in first
    assert '<figure aria-hidden="true"></figure>' not in second
    assert "<p>又一句</p>" in second


def test_the_proof_counts_this_build(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795521600")
    block = '```python claims={"one": "1"}\n1\n```\n\n甲[[one]]。\n\n'
    skipped = '```python tags=["skip-execution"]\n2\n```\n'
    draw(book, block + skipped)
    shown = "这次构建（2026-11-24 的代码）运行了 **1** 块代码；登记的 **1** 条[主张]"
    assert book.directives["proof"]("site").startswith(shown)
    assert book.directives["proof"]("site").endswith("有 0 条成立。")
    book.measures["one"] = 1.0
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert book.directives["proof"]("site") == (
        "这次构建运行了 **1** 块代码；登记的 **1** 条[主张](evidence.md)全部成立。"
    )


def test_evidence_is_folded_under_its_count(book: Book) -> None:
    assert "/// details | 1 条，1 条不成立或没有量" in book.directives["claims"]("all")
    book.measures["one"] = 1.0
    lines = book.directives["claims"]("all").splitlines()
    assert lines[2:6] == [
        "/// details | 1 条，全部在容差内",
        "    type: success",
        "    attrs: {id: q1-claims, class: evidence}",
        "",
    ]
    assert lines[-1] == "///"


def test_errata_are_summed_up(book: Book) -> None:
    page = (
        "# 勘误\n\n<!-- errata: summary -->\n\n## Q1：甲？ {#q1}\n\n"
        "### 1 · 笔误：`a` 与乙 {#e01}\n"
    )
    html = draw(book, page, "e.md")
    assert re.findall("<td>(.*?)</td>", html) == [
        "Q1",
        "笔误",
        '<a href="#e01">1 · <code>a</code> 与乙</a>',
    ]


def test_lists_are_derived(book: Book) -> None:
    assert '<a href="reference/a.md">Q1 甲</a>' in draw(
        book, "<!-- questions: reference -->\n", "r.md"
    )
    evidence = draw(book, "# 证据\n\n<!-- claims: all -->\n", "e.md")
    assert '<h2 id="q1">Q1 甲</h2>' in evidence
    assert '<details class="failure evidence" id="q1-claims">' in evidence
    assert "未测得" in evidence
    assert "Q2" not in evidence
    assert '<a id="one">' in draw(book, "<!-- claims: a -->\n", "f.md")


def test_outputs_come_from_the_cache(book: Book) -> None:
    page = "```python\n1\n```\n"
    draw(book, page, "b.md")
    draw(book, f"改过的话\n\n{page}", "b.md")
    assert isinstance(book.execute, Printed)
    assert book.execute.pages == ["b.md"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("/// answer\n乙。\n///", "乙。"),
        ("## 写在白板上 {#whiteboard}\n\n丙。", "丙。"),
    ],
)
def test_cheatsheet_has_what_the_pages_have(book: Book, asked: str, said: str) -> None:
    book.read("a.md", f"---\nsummary: 一句话\n---\n\n# Q1：甲？\n\n{asked}\n")
    html = draw(book, "<!-- cheatsheet: all -->\n", "sheet.md")
    assert said in html
    assert ("一句话" in html) == ("answer" not in asked)
    assert 'id="a"' in html
    draw(book, "<!-- cheatsheet: some -->\n", "sheet.md")
    assert "cheatsheet 的参数应是 all" in book.lines("sheet.md")[-1]


def test_an_interrupt_is_seen_whichever_thread_the_system_hands_it_to(
    book: Book,
) -> None:
    """系统可以把 SIGINT 交给任何一个线程，如正在启动内核的；处理它的总是主线程。"""
    over = threading.Event()

    def execute(*_: object) -> list[dict[str, Any]]:
        time.sleep(0.5)  # 主线程在等了
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        over.wait(60)
        return []

    book.execute = cast(Executor, execute)
    book.execute.versions = {}
    book.read("a.md", "```python\n1\n```\n")
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        book.run()
    assert time.monotonic() - begin < 30
    over.set()
    assert book.stopped
