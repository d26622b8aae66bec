"""公式：省去了元素，样子与 KaTeX 自己排的一样。

全站的公式在浏览器里各排两遍：一遍是 KaTeX 原样的 HTML 与样式，一遍是我们的，逐个字比位置。
"""

import html
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest
from markdown import Markdown

from pipeline import formula, maths
from pipeline.formula import trim
from pipeline.katex import HERE, KATEX, Katex, find_node
from pipeline.maths import MathsExtension, assets
from pipeline.tools.addresses import SITE_URL
from pipeline.tools.project import ROOT
from pipeline.tools.web import NoBrowser, open_browser
from tests.sources import FORGETFUL

Formula = tuple[str, bool]  # TeX，是否独占一行
Spot = tuple[str, list[float]]  # 一个字、一条线，和它的左上右下
Measure = Callable[[list[str], Mapping[str, str | bytes]], list[list[Spot]]]
TOLERANCE = 0.6  # 像素
EXTENSIONS = ["attr_list", "md_in_html", "tables", "pymdownx.arithmatex"]
EXTENSIONS += ["pymdownx.blocks.admonition", "pymdownx.blocks.details"]
EXTENSIONS += ["pymdownx.superfences"]
# 网站上还没有，而将来写得到的
SAMPLES = [
    (tex, display)
    for tex in (
        r"x^{y^{z^w}} + x_{i_{j_k}}^{a^b} + f''_i + \mathrm{He}_{\frac12}^{\sqrt2}",
        r"\hat{\hat x} + \widetilde{xyz} + \vec v + \overline{ab} + \underline{\frac ab}",
        r"\sqrt{\overline{x^2}} + \sqrt[3]{\sqrt{x_i}} + \sqrt{\frac ab}",
        r"\frac{x_i^2}{y^{a_b}} + \binom nk + \bigl(\tfrac{n}{2}\bigr)^2 + \frac{a}{b + c}",
        r"\sum_{i=1}^n\frac{1}{1+\frac1x} + \int_0^1 f\,dx + \sum_{\substack{i<n\\j<m}}x",
        r"\max_{x\in X}\Pr_x^y + \operatorname*{arg\,max}_\theta + \overset{!}{=}",
        r"\underbrace{a+b}_{n} + \overbrace{a+b}^n + \xrightarrow{abc}",
        r"\begin{pmatrix}a&b\\c&d\end{pmatrix} + \begin{cases}a&x>0\\b&\text{否则}\end{cases}",
        r"\begin{aligned}a&=b+1\\cd&=\sum_i x_i\end{aligned}",
        r"\left\{\begin{matrix}a\\b\\c\\d\\e\end{matrix}\right\uparrow + \Bigg[\bigg)",
        r"\mathbb{E}\mathcal{L}\mathfrak{g}\mathsf{x}\mathtt{y}\mathbf{w}\boldsymbol\theta",
        r"{\Large x} + {\tiny y_i^2} + \text{中文 abc}_{\text{下标}} + \textcolor{blue}{y_i}",
        r"\mathclap{z}y + \raisebox{0.5em}{$x_i+y$} + \phantom{x} + \boxed{x=1} + a\not=b",
    )
    for display in (False, True)
]
SAMPLES += [(r"a=b\\c=d", True), (r"x\tag{1}", True)]
BLANK = "<p><p><math /></p><p /></p>"  # 空的公式，嵌套与 KaTeX 的相同
# formula.py 或 katex.css 里的一处，改成错的
MUTANTS = {
    '"top") + _em': '"top") - _em',  # 偏移
    "round(top, 4)": "round(0.9 * top, 4)",
    "/ scale + _em": "* scale + _em",  # 角标：长度随字号换算，斜体的字还有自己的
    "+ _em(inner": "- _em(inner",
    "return [*classes, *names], style": "return classes, style",
    "position: relative;": "",
    "depth <= BELOW and": "depth <= BELOW or",  # 支柱
    "ABOVE, BELOW = 0.915": "ABOVE, BELOW = 9",
    r"margin:0 \1;": r"margin-right:\1;",  # 间隔
    r"margin-left:\1;\3": r"\3",
    "margin:0 0.12em": "margin:0 0.2em",
    "_stack(only, classes,": "_stack(only, [],",  # 类
    "if attributes or kept": "if attributes",
    "vertical-align: baseline;": "",  # 样式
    "grid-area: 1 / 1;": "",
    "margin-top: -9em;": "",
    "text-align: right;": "",
    ".katex .katex-accent.vlist,": "",
}
# 标准输入是 [[TeX, 独占一行], …]，标准输出是 KaTeX 给的 HTML
STOCK = """
import { readFileSync } from "node:fs";
import katex from "katex";
const asked = JSON.parse(readFileSync(0, "utf8"));
const render = ([tex, displayMode]) => katex.renderToString(tex, { displayMode });
process.stdout.write(JSON.stringify(asked.map(render)));
"""
# 字号与行高同网站的正文；不折行，各段才都在一行里
PAGE = """<!doctype html><meta charset="utf-8">
<link rel="stylesheet" href="katex.min.css">
<style>
* { box-sizing: border-box }
body { font: 16px/1.75 sans-serif; white-space: nowrap }
div { display: flow-root; width: max-content }
</style>
"""
# 每个公式：一行的上下边，末端，各个字、线、根号的四边；都从公式的起点和基线量起
MEASURE = """async () => {
  await document.fonts.ready
  const failed = [...document.fonts].filter(font => font.status === "error")
  if (failed.length) throw new Error(failed.map(font => font.family).join())
  const mark = () => {
    const mark = document.createElement("i")
    mark.style.display = "inline-block"
    return mark
  }
  const formulas = [...document.querySelectorAll("div")].map(line => {
    const bases = [...line.querySelectorAll(".katex-base, .katex-tag")]
    const [start, end] = [mark(), mark()]
    bases[0].before(start)
    bases.at(-1).after(end)
    return [line, bases, start, end]
  })
  const sides = ["Top", "Right", "Bottom", "Left"]
  const range = document.createRange()
  return JSON.stringify(formulas.map(([line, bases, start, end]) => {
    const origin = start.getBoundingClientRect()
    const spots = []
    const add = (name, measured) => {
      const box = measured.getBoundingClientRect()
      spots.push([name, [box.left - origin.left, box.top - origin.bottom,
        box.right - origin.left, box.bottom - origin.bottom]])
    }
    add("行", line)
    spots[0][1][0] = spots[0][1][2] = 0
    add("末端", end)
    for (const base of bases) {
      const walker = document.createTreeWalker(base, 5)  // 元素与文字
      while (walker.nextNode()) {
        const node = walker.currentNode
        if (node.nodeType === 1) {
          const style = getComputedStyle(node)
          if (node.tagName === "svg")  // 量露出来的一块
            add("根号", node.matches(".hide-tail") ? node : node.parentElement)
          if (sides.some(side => parseFloat(style[`border${side}Width`]))) add("线", node)
          continue
        }
        const font = getComputedStyle(node.parentElement)
        for (let at = 0; at < node.length; at++) {
          if (/[\\s\\u200b]/.test(node.data[at])) continue
          range.setStart(node, at)
          range.setEnd(node, at + 1)
          add([node.data[at], font.fontFamily, font.fontStyle, font.fontWeight].join(" "), range)
        }
      }
    }
    return spots
  }))
}"""


class Recorder(Katex):
    """不排公式，只记下来。"""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[Formula, None] = {}

    def markup(self, tex: str, *, display: bool) -> str:
        """记下一个公式，给出空的。"""
        self.found[tex, display] = None
        return f"<p>{BLANK}</p>" if display else BLANK


def read_formulas(texts: Iterable[str]) -> list[Formula]:
    """Markdown 里的公式，一样的只给一次；排公式的就是网站用的扩展。"""
    recorder = Recorder()

    def fail(tex: str, message: str) -> None:
        raise AssertionError(f"{tex}：{message}")

    for text in texts:
        Markdown(
            extensions=[*EXTENSIONS, MathsExtension(recorder, fail)],
            extension_configs={"pymdownx.arithmatex": {"generic": True}},
        ).convert(re.sub(r"(?m)^```python.*$", "```python", text))
    return list(recorder.found)


def site_texts() -> Iterator[str]:
    """全站的 Markdown：各页，和证据表里的文字。"""
    for path in sorted((ROOT / "docs").rglob("*.md")):
        yield path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "tests" / "claims").glob("*.toml")):
        for claim in tomllib.loads(path.read_text(encoding="utf-8")).values():
            for key in "statement", "source", "because":
                yield claim.get(key, "")


def stock(formulas: list[Formula]) -> list[str]:
    """KaTeX 自己给的 HTML。"""
    done = subprocess.run(
        [find_node(), "--input-type=module", "--eval", STOCK],
        cwd=KATEX,
        input=json.dumps(formulas),
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    return list(json.loads(done.stdout))


def ours(shown: tuple[str, ...], *, display: bool) -> str:
    """我们给的 HTML，与网站放进页面的一样。"""
    text = f'<span class="katex">{"".join(shown)}</span>'
    return f'<span class="katex-display">{text}</span>' if display else text


@pytest.fixture(scope="module")
def measure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measure]:
    """在浏览器里量公式；CI 里没有浏览器是错误，别处就跳过。"""
    folder = tmp_path_factory.mktemp("formulas")

    def run(shown: list[str], files: Mapping[str, str | bytes]) -> list[list[Spot]]:
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data if isinstance(data, bytes) else data.encode())
        body = "".join(f"<div>{text}</div>" for text in shown)
        (folder / "index.html").write_text(PAGE + body, encoding="utf-8")
        with window.new_page() as page:
            page.goto(SITE_URL)
            return list(json.loads(page.evaluate(MEASURE)))

    # 一个线程只容得下一个 Playwright，别的测试可能开着
    with ThreadPoolExecutor(1) as pool:
        stack = ExitStack()
        try:
            window = pool.submit(stack.enter_context, open_browser(folder)).result()
        except NoBrowser as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
        yield lambda *given: pool.submit(run, *given).result()
        pool.submit(stack.close).result()


def measure_stock(measure: Measure, formulas: list[Formula]) -> list[list[Spot]]:
    """KaTeX 自己排的，用它自己的样式与字体。"""
    files = [KATEX / "katex.min.css", *sorted((KATEX / "fonts").glob("*.woff2"))]
    return measure(
        stock(formulas),
        {path.relative_to(KATEX).as_posix(): path.read_bytes() for path in files},
    )


def compare(
    formulas: list[Formula], expected: list[list[Spot]], found: list[list[Spot]]
) -> list[str]:
    """不同的公式各写一行：哪个公式，哪个字，四边向右、向下各差多少像素。"""
    lines = []
    for (tex, display), wanted, given in zip(formulas, expected, found, strict=True):
        where = f"{tex}（{'独占一行' if display else '行内'}）"
        names, shown = ([name for name, _ in spots] for spots in (wanted, given))
        if names != shown:
            lines.append(f"{where}应有 {names}，却有 {shown}")
            continue
        for (name, want), (_, have) in zip(wanted, given, strict=True):
            left, top, right, bottom = (b - a for a, b in zip(want, have, strict=True))
            if max(map(abs, (left, top, right, bottom))) > TOLERANCE:
                lines.append(
                    f"{where}的「{name}」：左 {left:+.1f}，右 {right:+.1f}，"
                    f"上 {top:+.1f}，下 {bottom:+.1f}"
                )
                break  # 它后面的多半也跟着错
    return lines


@pytest.fixture(scope="module")
def formulas() -> list[Formula]:
    """全站的公式。"""
    return read_formulas(site_texts())


def test_site_formulas_look_as_katex_sets_them(
    measure: Measure, formulas: list[Formula], katex: Katex
) -> None:
    assert len(formulas) > 600
    expected = measure_stock(measure, formulas)
    assert sum(map(len, expected)) > 10 * len(formulas)
    shown = [
        ours(trim(katex.markup(tex, display=d), display=d), display=d)
        for tex, d in formulas
    ]
    found = measure(shown, assets("".join(shown), FORGETFUL))
    assert compare(formulas, expected, found) == []


@pytest.fixture(scope="module")
def samples(measure: Measure) -> tuple[list[str], list[list[Spot]]]:
    """示例的 HTML 和位置，都是 KaTeX 自己给的。"""
    return stock(SAMPLES), measure_stock(measure, SAMPLES)


def measure_samples(
    measure: Measure, markup: list[str], trim: Callable[..., tuple[str, ...]]
) -> list[list[Spot]]:
    """用 `trim` 省过的示例。"""
    shown = [
        ours(trim(text, display=display), display=display)
        for text, (_, display) in zip(markup, SAMPLES, strict=True)
    ]
    return measure(shown, assets("".join(shown), FORGETFUL))


def test_other_formulas_look_as_katex_sets_them(
    measure: Measure, samples: tuple[list[str], list[list[Spot]]]
) -> None:
    markup, expected = samples
    found = measure_samples(measure, markup, formula.trim)
    assert compare(SAMPLES, expected, found) == []


@pytest.mark.parametrize(("old", "new"), MUTANTS.items())
def test_wrong_geometry_is_seen(
    measure: Measure,
    samples: tuple[list[str], list[list[Spot]]],
    old: str,
    new: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutant = ModuleType("mutant")
    mutated = 0
    for name in "formula.py", "katex.css":
        text = (HERE / name).read_text(encoding="utf-8")
        mutated += text.count(old)
        (tmp_path / name).write_text(text.replace(old, new), encoding="utf-8")
    assert mutated == 1
    exec((tmp_path / "formula.py").read_text(encoding="utf-8"), vars(mutant))
    monkeypatch.setattr(maths, "HERE", tmp_path)
    markup, expected = samples
    found = measure_samples(measure, markup, mutant.trim)
    assert compare(SAMPLES, expected, found)


def test_formulas_read_as_katex_writes_them(formulas: list[Formula]) -> None:
    """念出来的字，除了间隔和看不见的「作用于」，一个不少：MathML，没有它就是看到的。"""
    for (tex, display), markup in zip(formulas, stock(formulas), strict=True):
        written = re.sub("<annotation.*", "", markup, flags=re.S)
        mathml, *shown = trim(markup, display=display)
        spoken = mathml or "".join(shown)
        assert "aria-hidden" not in spoken, tex
        texts = (
            re.sub(r"<[^>]*>|&nbsp;|[\s\u2061]", "", text) for text in (written, spoken)
        )
        assert len(set(map(html.unescape, texts))) == 1, tex
