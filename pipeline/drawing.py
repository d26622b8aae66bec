"""把代码块和它的输出画成 HTML。"""

import ast
import functools
import html
import re
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import replace
from itertools import groupby, takewhile
from typing import Any

from pygments import highlight
from pygments.filter import Filter
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from pygments.token import (
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Text,
    Whitespace,
)
from wcwidth import wcswidth

from pipeline.cells import Cell
from pipeline.figure import tidy_svg
from pipeline.knobs import Knob

PLAIN = {Name, Operator, Punctuation, Text, Whitespace}
PLAIN |= {Keyword.Constant, Name.Function.Magic, Name.Variable.Magic, String.Affix}
# 数与内建的名字一块里有几十个，着色只添元素，不添看头
PLAIN |= {Number.Integer, Number.Float, Name.Builtin, Name.Builtin.Pseudo}
PLAIN |= {Operator.Word, Name.Namespace}
UNSEARCHED = 'data-search-exclude="true"'  # 输出里的数不进搜索
OBJECT = re.compile(r"<[\w.]+ object>")  # 没有文字的形式
ATTRIBUTES = re.compile(r'<(table|tr|th)(?: (?:border|class|style)="[^"]*")+')
SAMPLE = re.compile(r"(?<=<samp>)[^<]*")  # 一段文字输出
# 着过色的一句导入：前一半，和各个名字
IMPORTED = re.compile(r"^(.*>from</span> snippets[\w.]* <.*</span> )([\w, ]+)$", re.M)
SPOKEN = {"True": "是", "False": "否"}
QUOTED = {String.Single, String.Interpol}


def shorten(code: str) -> str:
    """给出页面上显示的代码：文档字符串只留首行，函数开头的参数检查略去。

    不是合法 Python 的代码原样给回。

    Args:
        code: 源代码。
    """
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return code
    # 占住原来的行数，后面的行号才不变；空出的行最后再删
    lines: list[str | None] = [*code.splitlines()]
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        body = node.body
        if (docstring := ast.get_docstring(node)) is not None:
            text, *body = body
            first, last = text.lineno - 1, text.end_lineno or text.lineno
            summary = f'{" " * text.col_offset}"""{docstring.splitlines()[0]}"""'
            lines[first:last] = [summary, *[None] * (last - first - 1)]
        head = [*takewhile(_is_head, body)]
        checks = [statement for statement in head if _is_check(statement)]
        if len(checks) == len(body):
            continue
        for check in checks:
            before = node.body[: node.body.index(check)]
            first = (before[-1].end_lineno or 0) if before else check.lineno - 1
            last = check.end_lineno or 0
            if check is not body[-1]:  # 后面还有，中间就不空行
                while not (lines[last] or "").strip():
                    last += 1
            lines[first:last] = [None] * (last - first)
    return "\n".join(line for line in lines if line is not None)


def _is_head(statement: ast.stmt) -> bool:
    """是不是还在函数的开头：赋值、检查，或交给父类。"""
    return (
        isinstance(statement, ast.Assign)
        or _is_check(statement)
        or ast.unparse(statement).startswith("super().__init__(")
    )


def _is_check(statement: ast.stmt) -> bool:
    """是不是一句参数检查：`if …: raise`，前面可以先写好信息。"""
    return (
        isinstance(statement, ast.If)
        and not statement.orelse
        and isinstance(statement.body[-1], ast.Raise)
        and all(isinstance(part, ast.Assign) for part in statement.body[:-1])
    )


class Sparing(Filter):
    """颜色与正文相同的不着色，颜色相同的合并：页面上的元素少一半。"""

    def filter(
        self, lexer: Any, stream: Iterable[tuple[Any, str]]
    ) -> Iterator[tuple[Any, str]]:
        """逐个给出换过类别的词。"""
        del lexer
        depth = 0  # 在 f 字符串的几层花括号里
        for token, value in stream:
            if token is String.Interpol:
                depth += value.count("{") - value.count("}")
            if depth or token in QUOTED:
                yield String.Double, value
            else:
                yield Text if token in PLAIN else token, value


# 交给 pymdownx.highlight：别处的代码，着色与页面上的一样省
SPARING_LANGUAGES = [
    {"name": name, "lang": name, "options": {"filters": [Sparing()]}}
    for name in ("python", "pycon")
]


@functools.cache  # 预览时，没有变的代码不再着色；图也是
def colour(code: str) -> str:
    """给 Python 代码着色，给出 HTML。

    Args:
        code: 源代码。
    """
    lexer = PythonLexer(filters=[Sparing()])
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True)))


def render_sample(code: str) -> str:
    """把一段不属于哪一块的代码画成 HTML，如手撕题的答案。

    Args:
        code: 源代码。
    """
    return (
        '<div class="highlight"><pre tabindex="0"><code>'
        f"{colour(code)}</code></pre></div>"
    )


def import_cited(cell: Cell, names: Collection[str]) -> str:
    r"""给出一块的代码，引用的定义换成导入：全文在 API 参考里。

    Args:
        cell: 代码块。
        names: 要换的定义；别的照旧。

    Example:
        >>> cell = Cell(
        ...     code="def f(): ...\n\n\nf()",
        ...     lines=(8, 9, 10, 11),
        ...     citations=(("snippets/a.py", "f"),),
        ...     origins=("snippets/a.py:2", "", "", ""),
        ... )
        >>> print(import_cited(cell, {"f"}))
        from snippets.a import f
        <BLANKLINE>
        <BLANKLINE>
        f()
    """
    cited = iter(cell.citations)
    parts: list[str] = []
    module = ""  # 上一行从哪里导入
    rows = zip(cell.code.split("\n"), cell.lines, cell.origins, strict=True)
    for (_, quoted), group in groupby(rows, lambda row: (row[1], bool(row[2]))):
        lines = [line for line, *_ in group]
        path, section = next(cited) if quoted else ("", "")
        if section not in names:
            parts += lines
            module = module if not any(lines) else ""
            continue
        source = path.removesuffix(".py").replace("/", ".")
        if source == module:  # 与上一行合成一句，中间的空行不要
            while not parts[-1]:
                parts.pop()
            parts[-1] += f", {section}"
        else:
            parts.append(f"from {source} import {section}")
        module = source
    return "\n".join(parts)


def render_code(cell: Cell, name: str, sources: Mapping[str, str]) -> str:
    """把一块的代码画成 HTML：只留要点，语法着色，可以复制，通往完整的说明。

    折叠的块里，引用的定义只写从哪里导入，点名字去看全文。

    Args:
        cell: 代码块。
        name: 整格的 id，复制的按钮要用。
        sources: 引用的定义的名字，和它的完整说明的网址。
    """
    folded = "hide-input" in cell.tags
    code = import_cited(cell, sources) if folded else cell.code
    spans = colour(re.sub(r"\n{3,}", "\n\n", shorten(code)))
    if folded:
        spans = IMPORTED.sub(
            lambda line: (
                line[1]
                + re.sub(
                    r"\w+", lambda n: f'<a href="{sources[n[0]]}">{n[0]}</a>', line[2]
                )
            ),
            spans,
        )
        sources = {}
    for knob in cell.knobs:
        literal = render_literal(knob.texts[knob.default])
        line = re.compile(f"^({knob.name} = )({re.escape(literal)})", re.M)
        # 按最长的写法留宽，换的时候后面的注释不动
        width = max(map(wcswidth, knob.texts))
        mark = rf'\1<span class="literal" style="min-width:{width}ch">\2</span>'
        spans = line.sub(mark, spans, count=1)
    copy = (
        '<button class="md-code__button" title="复制代码" data-md-type="copy" '
        f'data-clipboard-target="#{name} code"></button>'
    )
    links = "".join(
        f'<a class="md-code__button" href="{url}" title="{source} 的完整说明" '
        f'aria-label="{source} 的完整说明"></a>'
        for source, url in sources.items()
    )
    buttons = f'<div class="md-code__nav">{links}{copy}</div>' if links else copy
    # 多一层 span：Material 的脚本于是不逐块量宽，长的页面快一倍
    return (
        '<div class="highlight">'
        f'<pre tabindex="0"><span><code>{spans}</code></span></pre>{buttons}</div>'
    )


def render_literal(text: str) -> str:
    """把一个字面量着色。

    Args:
        text: 字面量。
    """
    return colour(text).rstrip("\n")


def render_knobs(
    cell: Cell, name: str, keys: Sequence[str], data: str, version: str
) -> str:
    """把一块的旋钮画成 HTML：数是滑块，文字与真假是单选。

    Args:
        cell: 代码块。
        name: 整格的 id。
        keys: 各个旋钮在网址里的名字，全页唯一。
        data: 各个设置的输出叫什么。
        version: 它的版本：内容变了，浏览器才不用旧的。
    """
    controls = "".join(
        (_radios if knob.words else _slider)(knob, f"{name}-{knob.name}", key)
        for knob, key in zip(cell.knobs, keys, strict=True)
    )
    return (
        f'<div class="knobs" data-name="{data}" data-version="{version}" '
        f'data-search-exclude="true">{controls}</div>'
    )


def _slider(knob: Knob, name: str, key: str) -> str:
    text = knob.texts[knob.default]
    return (
        f'<div data-key="{key}"><label for="{name}">{html.escape(knob.label)}</label>'
        f'<input type="range" id="{name}" max="{len(knob.texts) - 1}" '
        f'value="{knob.default}" aria-valuetext="{text}" autocomplete="off">'
        f'<span aria-hidden="true">{text}</span></div>'
    )


def _radios(knob: Knob, name: str, key: str) -> str:
    choices = "".join(
        f'<label><input type="radio" name="{name}" value="{number}" '
        f'autocomplete="off"{" checked" if number == knob.default else ""}>'
        f"{html.escape(SPOKEN.get(text, text[1:-1]))}</label>"
        for number, text in enumerate(knob.texts)
    )
    legend = f"<legend>{html.escape(knob.label)}</legend>"
    return f'<fieldset data-key="{key}">{legend}{choices}</fieldset>'


def render_variants(
    cell: Cell, outputs: Sequence[tuple[Sequence[dict[str, Any]], str]], prefix: str
) -> list[str]:
    """把各个设置的输出画成 HTML，一样高：文字少的，末尾补上空行。

    Args:
        cell: 代码块。
        outputs: 各个设置的输出，和图的说明。
        prefix: 图内各 id 的前缀，全页唯一，各个设置相同。
    """
    drawn = [render_outputs(replace(cell, alt=alt), o, prefix) for o, alt in outputs]
    heights = [[text.count("\n") for text in SAMPLE.findall(own)] for own in drawn]
    tallest = [max(column) for column in zip(*heights, strict=True)]
    return [_pad(own, tallest) for own in drawn]


def _pad(drawn: str, heights: Sequence[int]) -> str:
    """把各段文字补到这么多行；末尾的换行不占一行，所以再有一个空格。"""
    goals = iter(heights)

    def pad(match: re.Match[str]) -> str:
        lacking = next(goals) - match[0].count("\n")
        return match[0] + ("\n" * lacking + " " if lacking else "")

    return SAMPLE.sub(pad, drawn)


def shape(outputs: Sequence[dict[str, Any]]) -> list[str]:
    """给出各个输出占地方的样子：种类，图的大小，表的行数；文字的行数不算。

    Args:
        outputs: 一块的输出，nbformat 的形式。
    """
    shapes = []
    for output in outputs:
        data = output.get("data", {})
        kind = choose(data) or output["output_type"]
        content = data.get(kind, "")
        size = re.search(r'viewBox="[^"]*"', content)
        shapes.append(f"{kind} {size and size[0]} {content.count('<tr')}")
    return shapes


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
    table = ATTRIBUTES.sub(r"<\1", re.sub(r">\s+<", "><", table))
    table = table.replace("<th></th>", "<td></td>")
    table = table.replace("<table", f'<table class="data" {UNSEARCHED}', 1)
    return f'<div class="scroll" tabindex="0">{table}</div>'


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
