"""汉字之间的换行不变成空格；表格在自己的框里滚动。"""

import pytest
from markdown import markdown

from pipeline.typography import ChineseNewlines, ScrollableTables


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("甲。\n乙", "甲。乙"),
        ("甲\n乙", "甲乙"),
        ("甲，\n`x`", "甲，<code>x</code>"),
        ("甲。\n**乙**。\n丙", "甲。<strong>乙</strong>。丙"),
        ("甲 abc\n乙", "甲 abc\n乙"),
        ("abc\ndef", "abc\ndef"),
        ("甲。  \n乙", "甲。<br />\n乙"),
        ("`甲\n乙`", "<code>甲\n乙</code>"),
    ],
)
def test_newlines(text: str, html: str) -> None:
    assert markdown(text, extensions=[ChineseNewlines()]) == f"<p>{html}</p>"


def test_tables_scroll_in_a_box_of_their_own() -> None:
    text = "- 甲\n\n    | 乙 | 丙 |\n    |---|---|\n    | 1 | 2 |\n\n    丁"
    html = markdown(text, extensions=["tables", ScrollableTables()])
    before, _, rest = html.replace("\n", "").partition('<table class="table">')
    box = '<div class="md-typeset__scrollwrap" tabindex="0"><div class="md-typeset__table">'
    assert before == f"<ul><li><p>甲</p>{box}"
    assert rest.endswith("</table></div></div><p>丁</p></li></ul>")
