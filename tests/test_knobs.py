"""旋钮：读、运行、画；写错了怎么说。"""

import gzip
import itertools
import json
import os
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import expect

from pipeline import knobs
from pipeline.cells import Cell, read_cells
from pipeline.citations import Citations
from pipeline.drawing import render_outputs
from pipeline.knobs import Knob
from pipeline.runs import VARIANTS, hide, read_runs
from pipeline.tools.addresses import page_path, url
from pipeline.tools.project import ROOT, STEMS
from pipeline.tools.reader import DESKTOP, VIOLATIONS, Reader, lay_out, moved
from tests.conftest import SmallSite
from tests.unbound import Nbclient

ADJUSTABLE = [
    stem
    for stem in STEMS
    if " knobs={" in (ROOT / f"docs/{stem}.md").read_text("utf-8")
]

HEAD = [
    "w = 1.5  # 权重 w",
    'act = "tanh"  # 激活函数',
    "flip = False  # 反过来",
    "print(w)",
]


def read(values: object, *code: str) -> tuple[list[Knob], list[tuple[int, str]]]:
    found, faults = knobs.read_knobs(code or HEAD, values, 10)
    return found, [(fault.line, fault.message) for fault in faults]


def test_knobs_are_the_literals_at_the_head() -> None:
    values = {"act": ["relu", "tanh"], "w": [-1, 1.5, 2], "flip": [False, True]}
    found, faults = read(values)
    assert faults == []
    assert found == [
        Knob("act", "激活函数", ('"relu"', '"tanh"'), 1, True),
        Knob("w", "权重 w", ("-1", "1.5", "2"), 1, False),
        Knob("flip", "反过来", ("False", "True"), 0, True),
    ]
    code = "\n".join(HEAD)
    turned = knobs.turn(code, found, (0, 0, 1))
    assert turned.splitlines() == [
        "w = -1  # 权重 w",
        'act = "relu"  # 激活函数',
        "flip = True  # 反过来",
        "print(w)",
    ]
    assert knobs.turn(code, found, knobs.default(found)) == code
    assert len(knobs.settings(found)) == 12
    assert knobs.describe(found, (0, 0, 1)) == 'act = "relu", w = -1, flip = True'


def test_the_default_is_written_as_the_author_wrote_it() -> None:
    (knob,), faults = read({"rate": [0.001, 0.01]}, "rate = 1e-3  # 学习率")
    assert (knob.texts, faults) == (("1e-3", "0.01"), [])


@pytest.mark.parametrize(
    ("values", "line", "message"),
    [
        ([1, 2], 10, "knobs 应写成"),
        ({"w": 1.5}, 10, "knobs 应写成"),
        ({"w": [1.5]}, 10, "knobs 应写成"),
        ({"w": [1.5, 1.5]}, 10, "knobs 应写成"),
        ({"w": [1.5, "tanh"]}, 10, "knobs 应写成"),
        ({"w": [True, 1.5]}, 10, "knobs 应写成"),
        ({"w": [2, 1.5]}, 10, "knobs 应写成"),
        ({"w": [None, 1.5]}, 10, "knobs 应写成"),
        ({"v": [1, 2]}, 10, "旋钮 v 不在块首"),
        ({"w": [1, 2]}, 11, "w 的缺省值 1.5 不在块头列出的值里"),
        ({"flip": [0, 1]}, 13, "flip 的缺省值 False 不在"),
        ({"w": [1.5, *range(2, 202)]}, 10, "共 201 个设置，上限 200"),
    ],
)
def test_a_wrong_knob_is_one_line(values: object, line: int, message: str) -> None:
    _, faults = read(values)
    assert [(at, text.startswith(message)) for at, text in faults] == [(line, True)]


@pytest.mark.parametrize(
    "code",
    ["w = 1.5", "w=1.5  # 权重", "x = f()\nw = 1.5  # 权重", "%time\nw = 1.5  # 权重"],
)
def test_a_knob_has_a_comment_and_stands_at_the_head(code: str) -> None:
    _, faults = read({"w": [1, 1.5]}, *code.split("\n"))
    assert [text[:8] for _, text in faults] == ["旋钮 w 不在块"]


@pytest.mark.parametrize("tag", ["skip-execution", "raises-exception"])
def test_a_cell_with_knobs_runs(tag: str) -> None:
    header = f'```python knobs={{"w": [1, 2]}} tags=["{tag}"]'
    _, (fault,) = read_cells([header, "w = 1  # 权重", "```"], Citations([], Path()))
    assert fault.message.startswith("有旋钮的块要运行")


PAGE = """\
# 首页

```python tags=["hide-input"]
import random

import matplotlib.pyplot as plt
import numpy as np

drawn = np.random.default_rng(0)
random.seed(0)
np.random.seed(0)
```

```python knobs={"n": [1, 2, 3], "kind": ["点", "线"]} caption="图 1：点" alt="{n} 个{kind}，共 {total:.1f}"
in_n = 2  # 不是旋钮
n = 2  # 个数 n
kind = "线"  # 样子
total = drawn.random() + random.random() + np.random.rand() + n
for i in range(n):
    print(i, kind)
plt.plot(range(n), "-" if kind == "线" else "o")
plt.show()
```

```python
print(n, kind, total, drawn.random(), random.random())
```

```python knobs={"n": [1, 2]}
n = 1  # 个数
n
```
"""


def read_data(site: Path, name: str) -> dict[str, Any]:
    """一块的各个设置。"""
    text = (site / f"assets/knobs/{name}.js").read_text("utf-8")
    data: dict[str, Any] = json.loads(text.partition("=")[2].partition("=")[2])
    return data


def test_every_setting_runs_from_the_same_state(small_site: SmallSite) -> None:
    small_site.write({"docs/index.md": PAGE})
    plain = re.sub(r" knobs=\{[^}]*\}", "", PAGE).replace('alt="{n} 个{kind}', 'alt="')
    small_site.write({"docs/plain.md": plain})
    status, output = small_site.build()
    assert status == 0, output
    html, without = small_site.html(), small_site.html("plain")
    after = re.findall(r"<samp>2 线 .*?</samp>", html)
    assert len(after) == 1
    assert after == re.findall(r"<samp>2 线 .*?</samp>", without)
    data = read_data(small_site.folder / "site", "index-1")
    assert data["texts"] == [["1", "2", "3"], ['"点"', '"线"']]
    assert len(data["outputs"]) == 6
    first, *others = (str(text) for text in data["outputs"])
    assert first.startswith('<pre tabindex="0"><samp>0 点\n\n </samp></pre><figure>')
    label = re.findall(r'aria-label="([^"]*)', " ".join([first, *others]))
    assert [text[:4] for text in label] == [
        "1 个点",
        "1 个线",
        "2 个点",
        "2 个线",
        "3 个点",
        "3 个线",
    ]
    totals = {round(float(text.rpartition(" ")[2]) - int(text[0]), 1) for text in label}
    assert len(totals) == 1
    shown = str(data["outputs"][3]).replace(' data-search-exclude="true"', "")
    assert shown in html
    assert len(set(re.findall('viewBox="[^"]*"', str(data["outputs"])))) == 1
    assert (
        'kind = <span class="literal" style="min-width:4ch"><span class="s2">"线"</span></span>'
        in html
    )
    assert "in_n = 2" in html
    assert html.count("knobs.js") == 1
    assert "knobs.js" not in without
    assert 'data-key="n-2"' in html


FAULTY = """\
# 首页

```python
seen = []
```

```python knobs={"n": [1, 2]}
n = 1  # 个数
print(10 / (2 - n))
```

```python knobs={"n": [1, 2]}
n = 1  # 个数
seen.append(n)
print(len(seen))
```

```python knobs={"n": [1, 2]}
n = 1  # 个数
if n == 2:
    print(object())
```

```python knobs={"n": [1, 2]}
n = 1  # 个数
n if n == 1 else None
```

```python knobs={"n": [1, 2]} alt="{m}"
n = 1  # 个数
n
```
"""


def test_faults_of_settings_are_one_line_each(small_site: SmallSite) -> None:
    small_site.write({"docs/index.md": FAULTY})
    status, output = small_site.build()
    assert status != 0
    for line in (
        "docs/index.md:9: n = 2 时，ZeroDivisionError: division by zero；请改正这一句",
        "docs/index.md:13: 别的设置运行之后，缺省的输出变了",
        "docs/index.md:19: n = 2 时，输出里有内存地址",
        "docs/index.md:25: n = 2 时，输出的个数、图的大小或表的行数与缺省的不同",
        "docs/index.md:30: alt 里的 {…} 写不出来，请改正：NameError: name 'm' is not defined",
    ):
        assert line in output, output
    assert "共 5 处错误" in output


def settle(output: str) -> str:
    """一个输出的内容：没有说明，没有末尾补上的空行。"""
    output = re.sub(r' aria-label="[^"]*"|<figcaption>.*?</figcaption>', "", output)
    return re.sub(r"\s+</samp>", "</samp>", output)


def turn_shown(cell: Tag, data: dict[str, Any], setting: Sequence[int]) -> str:
    """转到一个设置，网页上的代码；脚本做的也是换掉这几个字面量。"""
    literals = cell.select(".literal")
    for literal, texts, at in zip(literals, data["texts"], setting, strict=True):
        literal.string = texts[at]
    return cell.select("pre code")[0].get_text()


def whole(code: str) -> str:
    """折叠的块从项目导入的定义，换成引用的全文：页面的内核里不许导入项目的模块。"""

    def quote(line: re.Match[str]) -> str:
        path = ROOT / f"{line[1].replace('.', '/')}.py"
        sections = (
            re.escape(f"[start:{name}]") + r"\n(.*?)# --8<--"
            for name in line[2].split(", ")
        )
        text = path.read_text(encoding="utf-8")
        found = (re.search(section, text, re.S) for section in sections)
        return "\n\n".join(match[1] for match in found if match)

    return re.sub(r"(?m)^from (snippets[\w.]*) import (.+)$", quote, code)


def compare(site: Path, stem: str, chance: random.Random, count: int = 1) -> int:
    """一页的旋钮各随便转 `count` 次，与照网页上的代码运行的比，给出比了几次。"""
    soup = BeautifulSoup(page_path(site, stem).read_text("utf-8"), "html.parser")
    names = "preamble", "rules", "variants"
    files = [ROOT / "pipeline" / f"{name}.py" for name in names]
    first = "\n".join(path.read_text("utf-8") for path in files)
    written = [("start", hide(first))]
    expected = {}
    for cell in soup.select(".cell:has(.output)"):
        name, code = str(cell["id"]), cell.select("pre code")[0].get_text()
        if panel := cell.select(".knobs"):
            data = read_data(site, str(panel[0]["data-name"]))
            every = [*itertools.product(*(range(len(t)) for t in data["texts"]))]
            written.append((f"keep-{name}", f"{VARIANTS}.keep()"))
            for n, setting in enumerate(chance.choices(every, k=count)):
                key = f"turned-{name}-{n}"
                output = data["outputs"][every.index(setting)]
                expected[key] = name, code, setting, output
                written.append((key, turn_shown(cell, data, setting)))
                written.append((f"back-{name}-{n}", f"{VARIANTS}.before()"))
        written.append((name, whole(code)))
    last = max(n for n, (key, _) in enumerate(written) if key in expected)
    cells = [nbformat.v4.new_code_cell(code, id=key) for key, code in written]
    notebook = nbformat.v4.new_notebook(cells=cells[: last + 1])
    runs = read_runs(Nbclient()(stem, nbformat.writes(notebook), lambda _: None))
    for key, (name, code, setting, output) in expected.items():
        prefix = name.replace("cell-", "f")
        got = render_outputs(Cell(code, (1,)), runs[key].outputs, prefix)
        assert settle(got) == settle(output), (stem, name, setting)
    return len(expected)


@pytest.mark.parametrize("stem", ADJUSTABLE)
def test_what_is_shown_at_a_setting_is_what_ran(site: Path, stem: str) -> None:
    """随便转到一个设置：照网页上的代码，在新的内核里从头运行，输出就是网页上的。"""
    assert compare(site, stem, random.Random(os.environ.get("KNOBS_SEED", "0")))


@pytest.mark.parametrize("stem", ADJUSTABLE)
def test_every_knob_turns_by_keyboard(read: Callable[..., Reader], stem: str) -> None:
    """用键盘转每个旋钮：输出和代码里的字面量都变，版面不动，网址记得住。"""
    reader = read(**DESKTOP)
    page = reader.page
    page.goto(url(stem))
    before = moved(page)
    for panel in page.locator(".knobs").all():
        cell = panel.locator("xpath=..")
        panel.scroll_into_view_if_needed()
        for k, control in enumerate(panel.locator("> *").all()):
            literal = cell.locator(".literal").nth(k)
            was = literal.text_content(), cell.locator(".output").inner_html()
            size = cell.bounding_box()
            knob = control.locator("input:checked, input[type=range]")
            at = int(knob.input_value())
            last = control.locator("input").count() - 1
            last = int(knob.get_attribute("max") or last)
            knob.press("ArrowRight" if at < last else "ArrowLeft")
            expect(literal).not_to_have_text(str(was[0]))
            assert cell.locator(".output").inner_html() != was[1]
            assert cell.bounding_box() == size
            if text := control.locator("> span").all():
                shown = literal.text_content()
                assert text[0].text_content() == shown
                assert control.locator("input").get_attribute("aria-valuetext") == shown
    assert moved(page) - before <= 0.001
    lay_out(page)
    results = Axe().run(page, options=VIOLATIONS)
    assert results.violations_count == 0, results.generate_report()
    turned = page.locator(".literal").all_text_contents()
    page.reload()
    expect(page.locator(".literal")).to_have_text(turned)


def test_a_setting_is_an_address(read: Callable[..., Reader]) -> None:
    """链接打开一个设置；点到别的页再后退，设置还在；不认得的值当作没有写。"""
    page = read(**DESKTOP).page
    page.goto(f"{url('index')}")
    page.get_by_role("link", name="Q3 梯度爆炸与消失").first.click()
    literals = page.locator("#cell-1 .literal")
    expect(literals).to_have_text(["1.5", "0", '"恒等"'])
    page.get_by_label("权重 w").press("End")
    expect(literals).to_have_text(["8", "0", '"恒等"'])
    page.wait_for_url("**?w=8**")
    page.get_by_role("link", name="上一页").click()
    page.wait_for_url(f"{url('search_space')}**")
    page.go_back()
    expect(literals).to_have_text(["8", "0", '"恒等"'])
    page.goto(f"{url('gradient_flow')}?w=7&bias=-3")
    expect(literals).to_have_text(["1.5", "-3", '"恒等"'])


def test_without_scripts_there_is_no_knob(read: Callable[..., Reader]) -> None:
    page = read(**DESKTOP, java_script_enabled=False).page
    page.goto(url("gradient_flow"))
    assert not page.locator(".knobs").first.is_visible()
    assert page.locator("#cell-1 .output svg").is_visible()


def test_the_files_are_small(site: Path) -> None:
    for path in site.glob("assets/knobs/*.js"):
        assert len(gzip.compress(path.read_bytes())) <= 25_000, path.name
    script = site / "assets" / "javascripts" / "knobs.js"
    assert len(gzip.compress(script.read_bytes())) <= 3_000
