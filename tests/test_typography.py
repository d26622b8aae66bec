"""汉字之间的换行不变成空格。"""

import pytest
from markdown import markdown

from pipeline.typography import ChineseNewlines


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
