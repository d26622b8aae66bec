"""运行代码的规矩：出的错都算，网页上的字就是终端最后显示的，不依赖键以外的东西。"""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from IPython.display import (
    HTML,
    JSON,
    SVG,
    Audio,
    Code,
    FileLink,
    GeoJSON,
    IFrame,
    Image,
    Javascript,
    Latex,
    Markdown,
    Math,
    Pretty,
    ProgressBar,
    Video,
    YouTubeVideo,
)

from pipeline.cells import Cell
from pipeline.drawing import render_outputs
from pipeline.figure import FigureError
from pipeline.runs import check_runs, read_runs
from pipeline.terminal import settle
from tests.conftest import SmallSite

# 一块的代码，和它应有的错误；行号是块里的第几行
BLOCKS = [
    ("import sys\nsys.exit(3)", 2, "SystemExit: 3；请改正这一句"),
    ("1\n%nomagic", 2, "UsageError: Line magic function `%nomagic` not found"),
    ("raise KeyboardInterrupt", 1, "KeyboardInterrupt: （无说明）；请改正这一句"),
    (
        "!echo hi; cat nofile",
        1,
        "ChildProcessError: 命令 echo hi; cat nofile 的退出状态是 1；请改正这一句",
    ),
    ("names = !ls nofile", 1, "ChildProcessError: 命令 ls nofile 的退出状态是 2"),
    (
        "from snippets.a import double",
        1,
        "ImportError: 不能用 模块 snippets：它不在缓存的键里，改了它，页面不会重新运行；"
        "请用 --8<-- 引用",
    ),
    (
        "import importlib\nimportlib.import_module('pipeline.cells')",
        2,
        "ImportError: 不能用 模块 pipeline：",
    ),
    ("%run x.py", 1, "ImportError: 不能用 %run x.py："),
    (
        "import threading, time\n"
        "threading.Thread(target=lambda: time.sleep(60), daemon=True, name='甲').start()",
        1,
        "请消除警告：线程 甲 还没有结束，请用 join 等它",
    ),
    ("object()", 1, "输出里有内存地址，每次都不同：<object at 0x"),
    ("def f(): pass\nprint(f)", 1, "输出里有内存地址，每次都不同：f at 0x"),
    ("print(hex(id(f)))", 1, "输出里有内存地址，每次都不同：0x"),
    (
        "from IPython.display import HTML, Latex, Markdown\nHTML('<b>x</b>')",
        1,
        "不支持这种输出：text/html、text/plain；可用文字、表格和 matplotlib 的图",
    ),
    ("Latex('x')", 1, "不支持这种输出：text/latex、text/plain；"),
    ("Markdown('x')", 1, "不支持这种输出：text/markdown、text/plain；"),
    (
        "from tqdm import tqdm\nfor _ in tqdm(range(3)): pass",
        1,
        "进度条写到了标准错误：请让它不画（tqdm 用 disable=True），"
        "或写到标准输出（file=sys.stdout）",
    ),
]
FIGURES = [
    ("plt.plot([1], label='字 $t$'); plt.legend(); plt.show()", "一个标签里不能既有汉字"),
    ("plt.plot([1, 2], color='white'); plt.show()", "图里的颜色 #ffffff 不随明暗变化"),
    ("plt.pcolormesh([[1, 2], [3, 4]]); plt.show()", "加 rasterized=True 或用 imshow"),
    ("from IPython.display import SVG\nSVG('<svg/>')", "这张 SVG 读不成（KeyError"),
]  # fmt: skip
FINE = [
    (r"print('\r1/2', end=''); print('\r2/2')", "2/2"),
    ("import sys\nfrom tqdm import tqdm\nfor _ in tqdm(range(2), file=sys.stdout, bar_format='{n}/{total}'): pass", "2/2"),
    (r"print('甲\x1b]8;;http://a.b\x07乙\x1b]8;;\x07 \x1b[31m红\x1b[0m')", "甲乙 红"),
    ("word = 'hi'\n!echo {word}", "hi"),
    ("names = !printf 'a\\nb'\nnames", "['a', 'b']"),
    ("import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.5), print('晚到的'))).start()", "晚到的"),
    ("from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor()\nlist(pool.map(abs, [-1]))", "[1]"),
    ("print(255, hex(255))", "255 0xff"),
]  # fmt: skip


def page(blocks: list[str], header: str = "") -> str:
    return "# 页\n\n" + "\n\n".join(f"```python{header}\n{b}\n```" for b in blocks)


def test_the_limit_is_of_computing_not_of_waiting(small_site: SmallSite) -> None:
    waits = "import time\ntime.sleep(4)\nprint('等到了')"
    turns = page(["while True: pass"], ' tags=["raises-exception"]')
    small_site.write({"docs/index.md": page([waits]), "docs/turns.md": turns})
    status, output = small_site.build(CELL_TIMEOUT="2")
    assert status == 0, output
    assert "<samp>等到了</samp>" in small_site.html()
    assert "超过时限 2 秒 CPU 时间" in small_site.html("turns")


def test_each_block_that_breaks_a_rule_is_told(small_site: SmallSite) -> None:
    figure = ' caption="图" alt="线"'
    imports = "import matplotlib.pyplot as plt"
    drawn = [imports, *(code for code, _ in FIGURES)]
    small_site.write(
        {
            "docs/rules.md": page([code for code, *_ in BLOCKS]),
            "docs/figures.md": page(drawn, figure),
            "docs/magic.md": page(["%%time\n1"]),
        }
    )
    status, output = small_site.build()
    assert status == 1
    told = [line.partition("ERROR   -  docs/")[2] for line in output.splitlines()]
    lines = [line for line in told if line.startswith("rules.md")]
    number = 4
    for (code, row, message), line in zip(BLOCKS, lines, strict=True):
        assert line.startswith(f"rules.md:{number + row - 1}: "), line
        assert message in line
        number += code.count("\n") + 4
    lines = [line for line in told if line.startswith("figures.md")]
    for (_, message), line in zip(FIGURES, lines, strict=True):
        assert message in line
    (line,) = [line for line in told if line.startswith("magic.md")]
    assert "不支持 %%time 这样整格的魔法" in line


def test_what_is_shown_is_what_a_terminal_shows_at_the_end(
    small_site: SmallSite,
) -> None:
    heat = "import matplotlib.pyplot as plt\nplt.imshow([[1, 2], [3, 4]])\nplt.show()"
    small_site.write(
        {
            "docs/index.md": page([code for code, _ in FINE]),
            "docs/heat.md": page([heat], ' caption="图" alt="热力图"'),
        }
    )
    status, output = small_site.build()
    assert status == 0, output
    html = small_site.html()
    for number, (_, shown) in enumerate(FINE):
        block = html.split(f'id="cell-{number}"')[1].split('class="output"')[1]
        assert f"<samp>{shown}</samp>" in block.partition("</div>")[0]
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", html)
    assert small_site.html("heat").count("data:image/png;base64,") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("一行\n", "一行\n"),
        ("a\r", "a"),
        ("12345\r12\n", "12345\n"),
        ("12345\r\x1b[K12\n", "12\n"),
        ("1\n2\x1b[A\r改\n\n", "改\n2\n"),
        ("字字\b\b丙", "字丙"),
        ("\x00\x07响\x0c", "响"),
        ("一\x0b二\x85三", "一\n二\n三"),
        ("\x9b31m红", "红"),
        ("\x1b[", ""),
        ("\t甲", "\t甲"),
    ],
)
def test_a_terminal(text: str, shown: str) -> None:
    assert settle(text).rstrip("\n") == shown.rstrip("\n")


CONTROLS = [
    "\r",
    "\b",
    "\x1b[K",
    "\x1b[2K",
    "\x1b[A",
    "\x1b[3B",
    "\x1b[1;1H",
    "\x07",
    "\x00",
]
CONTROLS += [
    "\x1b[31m",
    "\x1b]8;;x\x07",
    "\x9b1A",
    "\x1b[",
    "\x85",
    "\x0c",
    "\x7f",
    "\x1bc",
]
PIECES = st.sampled_from(
    [*CONTROLS, "字", "a", "12", " ", "\n", "\t", "0x7f3a12345678"]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)
KINDS: list[Callable[[str], object]] = [
    *(HTML, Markdown, Math, Latex, Javascript, Pretty, Code),
    *(lambda text: JSON({"a": text}), lambda text: GeoJSON({"a": text})),
    lambda text: SVG(f"<svg><text>{html.escape(settle(text))}</text></svg>"),
    ProgressBar,
    lambda text: Image(text.encode(), format="png"),
    lambda text: Image(text.encode(), format="jpeg"),
    lambda text: IFrame("https://example.org", 1, 1, a=len(text)),
    lambda text: Video(text.encode(), embed=True, mimetype="video/mp4"),
    lambda _: Audio(b"x", rate=1, embed=True),
    lambda _: YouTubeVideo("x"),
    lambda text: FileLink(text or "x"),
    lambda text: Drawn(text),
    *(
        str,
        list,
        lambda _: object(),
        lambda text: {"a": text},
        lambda text: Exception(text),
    ),
]


class Drawn:
    """自己写明各种形式的对象。"""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<table><tr><td>{html.escape(self.text)}</td></tr></table>"


def bundle(thing: object) -> dict[str, Any]:
    data, _ = DisplayFormatter().format(thing)
    return {"output_type": "display_data", "metadata": {}, "data": data}


def stream(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def error(text: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": "E", "evalue": text, "traceback": [text]}


OUTPUTS = st.one_of(
    TEXTS.map(stream),
    TEXTS.map(error),
    st.builds(lambda make, text: bundle(make(text)), st.sampled_from(KINDS), TEXTS),
)


@pytest.mark.slow
@settings(max_examples=1000)
@given(st.lists(OUTPUTS, min_size=1, max_size=3))
def test_generated_outputs_show_no_control_byte_and_no_address(
    outputs: list[dict[str, Any]],
) -> None:
    cell = Cell("1", (3,), frozenset({"raises-exception"}), "图", "线")
    runs = read_runs([{"id": "cell-0", "count": 1, "outputs": outputs}])
    faults = [fault.message for fault in check_runs([cell], runs)]
    refused = ("不支持", "内存地址", "却没有出错", "颜色")
    try:
        shown = render_outputs(cell, runs["cell-0"].outputs, "f0")
    except FigureError:
        return
    if not any(word in fault for fault in faults for word in refused[:2]):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)
        assert not re.search(r" object&gt;| at 0x|0x7f3a12345678", shown)
    assert all(any(word in fault for word in refused) for fault in faults), faults


def test_names_of_the_page_and_of_the_first_cell_do_not_meet(
    small_site: SmallSite,
) -> None:
    names = "signal = threading = json = random = sys = np = shell = _limit = 1"
    knob = '```python knobs={"n": [1, 2]}\nn = 1  # 数\nprint(n)\n```'
    seen = '```python\nprint("mpl" in globals(), "unicodedata" in globals())\n```'
    page = f"# 页\n\n```python\n{names}\n```\n\n{knob}\n\n{seen}\n"
    small_site.write({"docs/index.md": page})
    status, output = small_site.build()
    assert status == 0, output
    assert "<samp>False False</samp>" in small_site.html()
