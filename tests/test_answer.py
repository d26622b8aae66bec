"""一句话回答：数字数，念不出来的、念不完的都是错误。"""

import pytest
from markdown import Markdown

from pipeline.answer import LIMIT, Answers, count_spoken


def convert(text: str) -> tuple[str, list[str]]:
    """画出一段，给出 HTML 和查出的错误。"""
    found = []
    names = ["attr_list", "pymdownx.superfences", "pymdownx.arithmatex"]
    report = Answers(lambda said, message: found.append(f"{said}: {message}"))
    return Markdown(extensions=[*names, report]).convert(text), found


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("残差块，只学「增量」。", 7),
        ("3×3", 3),
        ("0.25", 4),
        ("5%", 4),
        ("第 10. 句", 4),
        ("TCN", 3),
        ("dropout tanh", 3),
        ("ln", 2),
    ],
)
def test_what_is_spoken_is_counted(text: str, count: int) -> None:
    assert count_spoken(text) == count


def test_the_panel_has_its_seconds_outside_of_the_paragraphs() -> None:
    text = (
        "/// answer\n**残差块**只学[加多少](a.md#b)\n（`ResNet`）[[one]]。\n\n二。\n///"
    )
    html, found = convert(text)
    assert found == []
    assert html.startswith(
        '<div class="answer" id="answer">\n'
        '<div class="answer-title">一句话回答<span>约 3 秒</span></div>\n<p>'
    )
    assert html.count("<p>") == 2


@pytest.mark.parametrize("count", [1, LIMIT])
def test_as_long_as_it_may_be(count: int) -> None:
    html, found = convert(f"/// answer\n{'残' * count}\n///")
    assert found == []
    assert f"约 {'30' if count == LIMIT else '1'} 秒" in html


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "残" * (LIMIT + 1),
            ["/// answer: 回答念出来要有 1 到 125 个字，现在有 126 个"],
        ),
        ("。", ["/// answer: 回答念出来要有 1 到 125 个字，现在有 0 个"]),
        ("学 $x^2$。", ["x^2: 「$x^2$」念不出来：回答里不用公式和符号"]),
        ("学 `a @ b`。", ["`a @ b`: 「`a @ b`」念不出来：回答里不用公式和符号"]),
        ("n=2", ["=: 「=」念不出来：回答里不用公式和符号"]),
        ("- 残", ["/// answer: 回答里只写成段的话，不放列表、代码块和公式"]),
        (
            "```text\n残\n```",
            ["/// answer: 回答里只写成段的话，不放列表、代码块和公式"],
        ),
    ],
)
def test_what_cannot_be_spoken_is_a_fault(text: str, told: list[str]) -> None:
    assert convert(f"/// answer\n{text}\n///")[1] == told
