"""指令：认得的换成内容，不认得的是错误。"""

import pytest

from pipeline.directives import DirectiveError, expand, find_faults


def refuse(argument: str) -> str:
    raise DirectiveError(f"没有 {argument}；请改名")


TABLE = {"say": "说{}".format, "refuse": refuse}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("<!-- say: one -->", None),
        ("<!-- 一句注释 -->", None),
        ("<!-- said: one -->", "said 不是已知的指令；可用 <!-- say: … -->、<!-- refuse: … -->"),
        ("<!--say: one-->", "指令应写成 <!-- say: 参数 -->，独占一行，前后不留空格"),
        ("  <!-- say: one -->", "指令应写成 <!-- say: 参数 -->，独占一行，前后不留空格"),
        ("<!-- say: -->", "指令应写成 <!-- say: 参数 -->，独占一行，前后不留空格"),
    ],
)  # fmt: skip
def test_misspelt_directives_are_told(line: str, message: str | None) -> None:
    found = [(f.line, f.message) for f in find_faults([(7, line)], [*TABLE])]
    assert found == ([(7, message)] if message else [])


def test_directives_are_replaced() -> None:
    told: list[str] = []
    lines = ["甲", "<!-- say: one -->", "<!-- refuse: two -->"]
    assert [expand(line, TABLE, told.append) for line in lines] == [
        "甲",
        "说one",
        "<!-- refuse: two -->",
    ]
    assert told == ["没有 two；请改名"]
