"""公式：省去了元素，样子与 KaTeX 自己排的一样。

全站的公式在浏览器里各排两遍：一遍是 KaTeX 原样的 HTML 与样式，一遍是我们的，逐个字比位置。
"""

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from markdown import Markdown

from pipeline import maths
from pipeline.katex import KATEX, find_node
from pipeline.maths import MathsExtension, assets, render_tex
from tests.conftest import ROOT
from tests.web import SITE_URL, NoBrowser, open_browser

Formula = tuple[str, bool]  # TeX，是否独占一行
Spot = tuple[str, list[float]]  # 一个字、一条线，和它的左上右下
TOLERANCE = 0.6  # 像素
EXTENSIONS = ["attr_list", "md_in_html", "tables", "pymdownx.arithmatex"]
EXTENSIONS += ["pymdownx.blocks.admonition", "pymdownx.blocks.details"]
EXTENSIONS += ["pymdownx.superfences"]
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
    const bases = [...line.querySelectorAll(".katex-base")]
    const [start, end] = [mark(), mark()]
    bases[0].before(start)
    bases.at(-1).after(end)
    return [line, bases, start, end]
  })
  const sides = ["Top", "Right", "Bottom", "Left"]
  const range = document.createRange()
  return formulas.map(([line, bases, start, end]) => {
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
          if (node.tagName === "svg") add("根号", node.parentElement)
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
  })
}"""


def read_formulas(texts: Iterable[str]) -> list[Formula]:
    """Markdown 里的公式，一样的只给一次；排公式的就是网站用的扩展。"""
    found: dict[Formula, None] = {}

    def record(tex: str, *, display: bool) -> tuple[str, ...]:
        found[tex, display] = None
        return "", ""

    def fail(tex: str, message: str) -> None:
        raise AssertionError(f"{tex}：{message}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maths, "render_tex", record)
        for text in texts:
            Markdown(
                extensions=[*EXTENSIONS, MathsExtension(fail)],
                extension_configs={"pymdownx.arithmatex": {"generic": True}},
            ).convert(re.sub(r"(?m)^```python.*$", "```python", text))
    return list(found)


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


def ours(formula: Formula) -> str:
    """我们给的 HTML。"""
    tex, display = formula
    text = f'<span class="katex">{"".join(render_tex(tex, display=display))}</span>'
    return f'<span class="katex-display">{text}</span>' if display else text


Measure = Callable[[list[str], Mapping[str, str | bytes]], list[list[Spot]]]


@pytest.fixture(scope="module")
def measure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measure]:
    """在浏览器里量公式；CI 里没有浏览器是错误，别处就跳过。"""
    folder = tmp_path_factory.mktemp("formulas")

    def run(shown: list[str], files: Mapping[str, str | bytes]) -> list[list[Spot]]:
        for name, data in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
        body = "".join(f"<div>{text}</div>" for text in shown)
        (folder / "index.html").write_text(PAGE + body, encoding="utf-8")
        with window.new_page() as page:
            page.goto(SITE_URL)
            return [list(map(tuple, spots)) for spots in page.evaluate(MEASURE)]

    # 一个线程只容得下一个 Playwright，别的测试可能开着
    with ThreadPoolExecutor(1) as pool:
        stack = ExitStack()
        try:
            window = pool.submit(stack.enter_context, open_browser(folder)).result()
        except NoBrowser as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
        yield lambda *asked: pool.submit(run, *asked).result()
        pool.submit(stack.close).result()


def stock_files() -> dict[str, bytes]:
    """KaTeX 自己的样式与字体。"""
    fonts = sorted((KATEX / "fonts").glob("*.woff2"))
    files = [KATEX / "katex.min.css", *fonts]
    return {path.relative_to(KATEX).as_posix(): path.read_bytes() for path in files}


def compare(
    formulas: list[Formula], expected: list[list[Spot]], found: list[list[Spot]]
) -> list[str]:
    """逐个公式比，不同的各写一行：哪个公式，哪个字，左上右下各差多少像素。"""
    lines = []
    for (tex, display), wanted, given in zip(formulas, expected, found, strict=True):
        names, shown = [[name for name, _ in spots] for spots in (wanted, given)]
        if names != shown:
            lines.append(f"{tex}（display={display}）：应是 {names}，却是 {shown}")
            continue
        for (name, want), (_, have) in zip(wanted, given, strict=True):
            off = [b - a for a, b in zip(want, have, strict=True)]
            if max(map(abs, off)) > TOLERANCE:
                offsets = " ".join(f"{value:+.1f}" for value in off)
                lines.append(f"{tex}（display={display}）的 {name}：{offsets}")
                break
    return lines


def test_site_formulas_look_as_katex_sets_them(measure: Measure) -> None:
    formulas = read_formulas(site_texts())
    shown = [ours(formula) for formula in formulas]
    expected = measure(stock(formulas), stock_files())
    found = measure(shown, assets("".join(shown)))
    assert len(formulas) > 600
    assert sum(map(len, expected)) > 10 * len(formulas)
    assert compare(formulas, expected, found) == []
