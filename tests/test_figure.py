"""图：小、随明暗变色、id 不冲突、有文字说明。"""

import io
import re
import runpy
import warnings
from collections.abc import Iterator
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.textpath import TextToPath

from pipeline.figure import tidy_svg
from pipeline.tools.project import ROOT


@pytest.fixture
def styled() -> Iterator[None]:
    """用上页面第一格的样式，用完还原。"""
    vector = TextToPath.get_text_width_height_descent
    raster = RendererAgg.get_text_width_height_descent
    with mpl.rc_context():
        runpy.run_path(str(ROOT / "pipeline" / "preamble.py"))
        yield
    TextToPath.get_text_width_height_descent = vector  # type: ignore[method-assign]
    RendererAgg.get_text_width_height_descent = raster  # type: ignore[method-assign]


def draw() -> str:
    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2, 3], "o-", label="权重 1.5")
    axes.set_xlabel("层数")
    axes.grid(visible=True)
    axes.legend()
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight")
    return buffer.getvalue()


@pytest.mark.usefixtures("styled")
def test_figure_follows_the_theme_and_is_small() -> None:
    raw = draw()
    svg = tidy_svg(raw, "f0", 'A "quoted" <alt>')
    root = ElementTree.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == 'A "quoted" <alt>'
    assert not re.search(r"#[0-9a-f]{6}\b", svg), "有固定的颜色"
    assert {"currentColor", "var(--fig-1)", "var(--fig-grid)"} <= set(
        re.findall(r'="(currentColor|var\([^)]*\))"', svg)
    )
    assert not re.search(r"\d\.\d\d", svg.split("viewBox", 1)[1].split('"', 2)[2])
    assert "metadata" not in svg
    assert "date" not in svg
    assert "层数" in svg
    assert len(svg) < len(raw) / 2


@pytest.mark.usefixtures("styled")
def test_ids_are_prefixed_and_every_reference_is_met() -> None:
    first, second = tidy_svg(draw(), "f0", "甲"), tidy_svg(draw(), "f1", "甲")
    ids = set(re.findall(r'\bid="([^"]+)"', first))
    assert ids == set(re.findall(r"url\(#([^)]+)", first))
    assert all(i.startswith("f0-") for i in ids)
    assert second == first.replace("f0-", "f1-")
    assert "href" not in first, "<use href> 会让 Material 的脚本出错"


@pytest.mark.usefixtures("styled")
def test_points_that_look_alike_are_one_path() -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.plot(range(50), range(50), "o", markersize=4)
    axes.scatter([1, 2, 3], [3, 1, 2], c=["C1", "C2", "C2"], alpha=0.5)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    root = ElementTree.fromstring(tidy_svg(buffer.getvalue(), "f0", "甲"))
    svg = "{http://www.w3.org/2000/svg}"
    shapes = {
        str(m.get("id")): m[0].attrib["fill"]
        for m in root.iter(f"{svg}marker")
        if "fill" in m[0].attrib
    }
    points = {
        shapes[name]: len(re.findall("[hlv]", line.attrib["d"])) - 1
        for line in root.iterfind(f".//{svg}path[@marker-mid]")
        if (name := line.attrib["marker-mid"][5:-1]) in shapes
    }
    assert points == {"var(--fig-1)": 50, "var(--fig-2)": 1, "var(--fig-3)": 2}


@pytest.mark.usefixtures("styled")
def test_lines_that_look_alike_are_one_path() -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.errorbar([1, 2, 3], [3, 1, 2], yerr=0.5, fmt="none")
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    svg = tidy_svg(buffer.getvalue(), "f0", "甲")
    (line,) = re.findall(r'<path[^>]*"var\(--fig-1\)"[^>]*>', svg)
    assert len(re.findall(r"M[\d.]+ [\d.]+v-[\d.]+", line)) == 3


@pytest.mark.usefixtures("styled")
def test_letters_of_a_formula_are_few_elements() -> None:
    figure = Figure()
    figure.text(0.1, 0.5, "$x = abcdef$")
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    raw, svg = buffer.getvalue(), tidy_svg(buffer.getvalue(), "f0", "甲")
    assert 0 < svg.count("<tspan") < raw.count("<tspan")
    (shown,) = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    assert {*"abcdef="} <= {*"".join(shown.itertext())}
    places = re.findall(r'<tspan[^>]* x="([^"]*)"[^>]*>([^<]*)', svg)
    assert places
    assert all(len(x.split()) == len(text) for x, text in places)


@pytest.mark.usefixtures("styled")
def test_chinese_needs_no_font() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw()
        figure = Figure()
        FigureCanvasAgg(figure)
        figure.subplots().set_xlabel("层数")
        figure.tight_layout()
    measure = TextToPath().get_text_width_height_descent
    prop = mpl.font_manager.FontProperties(size=10)
    assert measure("感受野", prop, ismath=False)[0] == pytest.approx(30, rel=0.01)
    plain = measure("abc", prop, ismath=False)
    assert measure("abc感", prop, ismath=False)[0] == pytest.approx(
        plain[0] + 10, abs=1
    )
