"""pipeline/cards.py：Anki 认得的卡片，再导入就更新，学过的进度还在。"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from anki.collection import Collection, ImportAnkiPackageRequest

from pipeline import cards
from pipeline.book import Page
from pipeline.cells import Cell
from pipeline.quizzes import Quiz, read_quizzes
from pipeline.runs import Run
from pipeline.tools.project import QUESTIONS, ROOT
from tests.sources import DOCS

TEXT = """\
# Q1：甲？

/// answer
乙[[claim-one]]，**丙**。
///

/// details | `f` 与 $x$？
    type: question
    attrs: {id: fq-f}

见[下面](#below)，$a<b$：

<!-- cell: 0 -->

<!-- cell: 1 -->
///

/// details | 不是追问
    attrs: {id: other}

丁
///
"""
CELLS = [Cell("1", (1,), frozenset({"hide-input"})), Cell("a < b", (2,))]
RUNS = {
    "cell-0": Run(1, [{"output_type": "stream", "name": "stdout", "text": "<1>\n"}]),
    "cell-1": Run(2, []),
}
QUIZ = Quiz("q", "a", "选择", "选哪个？", ["子", "丑"], "", "**B**", "寅。", "a.md#c")
NOTES = [["a-1", "甲？", "乙", "Q1 追问", "Q1 追问"], ["a-2", "丙？", "丁", "", ""]]


def link(target: str) -> str:
    return f"https://x.org/{target}"


def imported(collection: Collection, packed: bytes) -> dict[str, str]:
    """导入一份，给出各张卡片的 guid 与答案。"""
    path = Path(collection.path).with_name("cards.apkg")
    path.write_bytes(packed)
    collection.import_anki_package(ImportAnkiPackageRequest(package_path=str(path)))
    notes = map(collection.get_note, collection.find_notes(""))
    return {note.guid: note["答"] for note in notes}


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """一个空的 Anki。"""
    opened = Collection(str(tmp_path / "collection.anki2"))
    yield opened
    opened.close()


def test_each_kind_of_card_is_drawn_from_the_page() -> None:
    page = Page("a.md", TEXT, cells=CELLS, runs=RUNS)
    answer, asked, quiz = cards.write("Q1", page, TEXT, [QUIZ], link)
    assert answer == [
        "a-answer",
        "<p>Q1：甲？</p>",
        "<p>乙，<strong>丙</strong>。</p>",
        'Q1 一句话回答　<a href="https://x.org/#answer">讲解</a>',
        "Q1 一句话回答",
    ]
    assert asked[0] == "a-fq-f"
    assert '<span class="arithmatex">\\(x\\)</span>？' in asked[1]
    assert '<a href="https://x.org/#below">下面</a>' in asked[2]
    assert "\\(a&lt;b\\)" in asked[2]
    shown = "<samp>&lt;1&gt;</samp></pre>\n<pre><code>a &lt; b</code></pre>"
    assert shown in asked[2]
    assert quiz[1].startswith("<p>（选择）选哪个？</p>\n<ul>\n<li>A：子</li>")
    assert quiz[2] == "<p><strong>B</strong></p>\n<p>寅。</p>"
    assert 'href="https://x.org/a.md#c"' in quiz[3]
    assert cards.write("Q1", page, TEXT, [], lambda _: "")[0][3] == "Q1 一句话回答"


def test_imported_again_they_are_updated_and_not_doubled(
    collection: Collection,
) -> None:
    packed = cards.pack(NOTES, "牌", 1_600_000_000)
    assert packed == cards.pack(NOTES, "牌", 1_600_000_000)
    before = {"a-1": "乙", "a-2": "丁"}
    assert imported(collection, packed) == before
    (card,) = (collection.get_card(n) for n in collection.find_cards("甲"))
    assert "甲？" in card.answer()
    assert collection.decks.name(card.did) == "牌"
    collection.sched.set_due_date([card.id], "7")
    due = collection.get_card(card.id).due
    assert imported(collection, packed) == before
    changed = [[*NOTES[0][:2], "新的答案", *NOTES[0][3:]], NOTES[1]]
    later = cards.pack(changed, "牌", 1_600_000_001)
    assert imported(collection, later) == before | {"a-1": "新的答案"}
    assert collection.get_card(card.id).due == due


def test_the_site_has_a_card_for_each_answer_follow_up_and_quiz(
    site: Path, collection: Collection
) -> None:
    quizzes, _ = read_quizzes(ROOT, lambda _: "")
    wanted = {f"{quiz.stem}-quiz-{quiz.id}" for quiz in quizzes}
    for question in QUESTIONS:
        text = (DOCS / question.page).read_text(encoding="utf-8")
        asked = re.findall(r"type: question\n    attrs: \{id: (.+)\}", text)
        assert asked
        wanted |= {f"{question.stem}-{name}" for name in ["answer", *asked]}
    found = imported(collection, (site / cards.PLACE).read_bytes())
    assert found.keys() == wanted
    assert all(found.values())
    raw = re.compile(r"<!--|\[\[[a-z]|///|\$|\{#|\.md[)#]")
    assert [guid for guid, answer in found.items() if raw.search(answer)] == []
