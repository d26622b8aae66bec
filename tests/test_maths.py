"""公式：排好，或说清错在哪里。"""

import re
from pathlib import Path

import pytest
from markdown import Markdown

from hooks.maths import MathsExtension, TexError, fonts, render_tex, stylesheet


def convert(text: str) -> tuple[str, list[tuple[str, str]]]:
    found: list[tuple[str, str]] = []
    extension = MathsExtension(lambda tex, message: found.append((tex, message)))
    md = Markdown(
        extensions=["pymdownx.arithmatex", "tables", extension],
        extension_configs={"pymdownx.arithmatex": {"generic": True}},
    )
    return md.convert(text), found


def test_inline_and_display() -> None:
    html, found = convert("甲 $a < b$ 乙\n\n$$\n\\frac{1}{2} \\& \\text{中}\n$$\n")
    assert found == []
    assert html.count('class="katex"') == 2
    assert html.count("katex-display") == 1
    assert "<mo>&lt;</mo>" in html
    assert "frac{" not in html, "页面上不留 TeX 原文"


def test_maths_in_a_table_and_in_a_list() -> None:
    html, found = convert("| 甲 |\n|---|\n| $x$ |\n\n- $y$\n")
    assert found == []
    assert html.count("<math") == 2


@pytest.mark.parametrize("tex", [r"\frac{1", r"\part x", "中", r"\undefined"])
def test_bad_tex_is_reported_with_its_source(tex: str) -> None:
    with pytest.raises(TexError):
        render_tex(tex, display=False)
    html, found = convert(f"甲 ${tex}$\n")
    assert [t for t, _ in found] == [tex]
    assert "公式有误" in found[0][1]
    assert "katex-error" not in html


@pytest.mark.parametrize("text", ["甲 $ x$ 乙", "甲\n$$\nx\n$$", "只有一个 $"])
def test_dollars_left_over_are_reported(text: str) -> None:
    assert "没有被认出" in convert(text)[1][0][1]


@pytest.mark.parametrize("text", [r"价格 \$5", "`$x$`", "    $x$"])
def test_dollars_meant_as_such_are_fine(text: str) -> None:
    assert convert(text)[1] == []


def test_stylesheet_names_exactly_the_fonts_that_are_shipped() -> None:
    named = set(re.findall(r"url\(fonts/([^)]+)\)", stylesheet()))
    assert named == {path.name for path in fonts()}
    assert all(Path(name).suffix == ".woff2" for name in named)
