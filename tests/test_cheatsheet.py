"""pipeline/cheatsheet.py：速记取自各题的页面。"""

from pipeline import cheatsheet
from pipeline.cells import Cell
from pipeline.runs import Run

PAGE = """\
---
summary: 一句话
---

# Q1：甲？

/// answer
乙[[claim-one]]。
///

## 写在白板上 {#whiteboard}

$x$，见[下面](#below)，**丙**{#proof-01}。

## 再说两分钟 {#two-minutes}

丁
"""


def test_answer_and_section_are_those_of_the_page() -> None:
    assert cheatsheet.read_answer(PAGE) == "乙[[claim-one]]。"
    assert cheatsheet.read_section(PAGE, "whiteboard").startswith("$x$")
    assert cheatsheet.read_section(PAGE, "two-minutes") == "丁"
    assert cheatsheet.read_answer("甲") == cheatsheet.read_section("甲", "b") == ""


def test_a_card_leads_back_to_its_page() -> None:
    parts = [cheatsheet.read_answer(PAGE), cheatsheet.read_section(PAGE, "whiteboard")]
    card = cheatsheet.write_card("Q1：甲？", "a.md", parts, "")
    assert "## [Q1：甲？](a.md) {#a}" in card
    assert "\n\n乙。\n\n" in card
    assert "[下面](a.md#below)，**丙**。" in card


def test_the_picture_is_the_first_one_that_stands_still() -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="1pt" height="1pt" '
        'viewBox="0 0 1 1"><path d="M 0 0 L 1 1"/></svg>'
    )
    output = {"output_type": "display_data", "data": {"image/svg+xml": svg}}
    cells = [Cell("1", (1,)), Cell("2", (2,), caption="图 1：乙", alt="丙")]
    runs = {"cell-0": Run(1, []), "cell-1": Run(2, [output])}
    picture = cheatsheet.first_picture(cells, runs, "sheet")
    assert "<figure>" in picture
    assert "丙" in picture
    assert "figcaption" not in picture
    assert cheatsheet.first_picture(cells[:1], runs, "sheet") == ""
