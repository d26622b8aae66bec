"""把代码块和它的输出画成 HTML。"""

import ast
import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pygments import highlight
from pygments.filter import Filter
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from pygments.token import (
    Keyword,
    Name,
    Operator,
    Punctuation,
    String,
    Text,
    Whitespace,
)

from pipeline.cells import Cell
from pipeline.figure import tidy_svg

PLAIN = {Name, Operator, Punctuation, Text, Whitespace}
PLAIN |= {Keyword.Constant, Name.Function.Magic, Name.Variable.Magic, String.Affix}
OBJECT = re.compile(r"<[\w.]+ object>")  # 没有文字的形式
QUOTED = {String.Single, String.Interpol}


def shorten_docstrings(code: str) -> str:
    """把代码里的文档字符串都减到第一行；不是合法 Python 的代码原样给回。

    Args:
        code: 源代码。
    """
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return code
    lines = code.splitlines()
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if (docstring := ast.get_docstring(node)) is None:
            continue
        text = node.body[0]
        indent = " " * text.col_offset
        first, last = text.lineno - 1, text.end_lineno or text.lineno
        summary = f'{indent}"""{docstring.splitlines()[0]}"""'
        # 占住原来的行数，后面的行号才不变；空出的行最后再删
        lines[first:last] = [summary] + ["\0"] * (last - first - 1)
    return "\n".join(line for line in lines if line != "\0")


class Sparing(Filter):
    """颜色与正文相同的不着色，颜色相同的合并：页面上的元素少一半。"""

    def filter(
        self, lexer: Any, stream: Iterable[tuple[Any, str]]
    ) -> Iterator[tuple[Any, str]]:
        """逐个给出换过类别的词。"""
        del lexer
        for token, value in stream:
            if token in PLAIN:
                yield Text, value
            else:
                yield String.Double if token in QUOTED else token, value


# 交给 pymdownx.highlight：别处的代码，着色与页面上的一样省
SPARING_LANGUAGES = [
    {"name": name, "lang": name, "options": {"filters": [Sparing()]}}
    for name in ("python", "pycon")
]


def colour(code: str) -> str:
    """给 Python 代码着色，给出 HTML。

    Args:
        code: 源代码。
    """
    lexer = PythonLexer(filters=[Sparing()])
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True)))


def render_code(cell: Cell, name: str) -> str:
    """把一块的代码画成 HTML：文档字符串只留首行，语法着色，可以复制。

    Args:
        cell: 代码块。
        name: 整格的 id，复制的按钮要用。
    """
    spans = colour(re.sub(r"\n{3,}", "\n\n", shorten_docstrings(cell.code)))
    copy = (
        '<button class="md-code__button" title="复制代码" data-md-type="copy" '
        f'data-clipboard-target="#{name} code"></button>'
    )
    # 多一层 span：Material 的脚本于是不逐块量宽，长的页面快一倍
    return (
        '<div class="highlight">'
        f'<pre tabindex="0"><span><code>{spans}</code></span></pre>'
        f'<div class="md-code__nav">{copy}</div></div>'
    )


def render_outputs(cell: Cell, outputs: Sequence[dict[str, Any]], prefix: str) -> str:
    """把一块的输出画成 HTML：文字、表格、图、错误。

    Args:
        cell: 代码块。
        outputs: 它的输出，nbformat 的形式。
        prefix: 图内各 id 的前缀，全页唯一。

    Returns:
        各输出的 HTML，没有输出则为空。
    """
    return "".join(
        _render_output(cell, output, f"{prefix}-{n}")
        for n, output in enumerate(outputs)
    )


def _render_output(cell: Cell, output: dict[str, Any], prefix: str) -> str:
    if output["output_type"] == "stream":
        return _pre(output["text"])
    if output["output_type"] == "error":
        return _pre(f"{output['ename']}: {output['evalue']}", ' class="error"')
    data = output["data"]
    kind = choose(data)
    return RENDERERS[kind](data[kind], cell, prefix) if kind else ""


def _figure(svg: str, cell: Cell, prefix: str) -> str:
    drawn = tidy_svg(svg, prefix, cell.alt)
    caption = html.escape(cell.caption)
    return f"<figure>{drawn}<figcaption>{caption}</figcaption></figure>"


def _table(text: str, *_: Any) -> str:
    table = text[text.index("<table") : text.rindex("</table>") + len("</table>")]
    return table.replace("<table", '<table tabindex="0"', 1)


def _text(text: str, *_: Any) -> str:
    return _pre(text)


# 能画的输出：种类到画法，画法由内容、代码块、id 的前缀给出 HTML；排在前面的先用
RENDERERS: dict[str, Callable[[str, Cell, str], str]] = {
    "image/svg+xml": _figure,
    "text/html": _table,
    "text/plain": _text,
}


def choose(data: Mapping[str, Any]) -> str | None:
    """给出一个输出该按哪一种画；没有能画的，则给 `None`。

    HTML 只画 pandas 一类的表格，别的用它的文字；文字若只是 `<… object>`，或它是一张画不
    了的图，就不能画。

    Args:
        data: 种类到内容，nbformat 的形式。
    """
    if any(kind.startswith("image/") and kind not in RENDERERS for kind in data):
        return None
    for kind in RENDERERS:
        if kind not in data or (kind == "text/html" and not _is_table(data[kind])):
            continue
        if kind == "text/plain" and OBJECT.fullmatch(data[kind].strip()):
            continue
        return kind
    return None


def _is_table(text: str) -> bool:
    return text.lstrip().startswith(("<table", "<div>\n<style scoped>"))


def _pre(text: str, attributes: str = "") -> str:
    shown = html.escape(text.rstrip("\n"), quote=False)
    return f'<pre{attributes} tabindex="0"><samp>{shown}</samp></pre>'
