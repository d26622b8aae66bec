r"""正文的写法：作者写的字，读者都看得见，意思不变；做不到的在这里查出来。

`find_faults` 查源文件里会让字消失或变样的写法：当成标签的 `<`、表格里多出的格子、
当成公式的美元号。`lost_words` 在画好之后再看一遍：源文件里的每个词，网页上按原来的
次序都在。
"""

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from markdown import Markdown
from markdown.extensions import Extension
from pymdownx.arithmatex import RE_SMART_DOLLAR_INLINE

from pipeline import citations, directives
from pipeline.faults import Fault

# 正文里可以直接写的 HTML：都有看得见的内容
ELEMENTS = set(
    """
    a abbr b bdi bdo blockquote br cite code col colgroup dd del details dfn div dl dt
    em figcaption figure hr i ins kbd li mark ol p pre q rp rt ruby s samp section small
    span strong sub summary sup table tbody td tfoot th thead time tr u ul var wbr
    """.split()  # noqa: SIM905
)
VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s"'<>]+)"""
ATTRIBUTE = rf"\s+(?:markdown|open|reversed|[a-z][\w:-]*\s*=\s*{VALUE})"
TAG = re.compile(rf"<(/?)([a-z][a-z0-9]*)((?:{ATTRIBUTE})*)\s*/?>", re.I)
AUTOLINK = re.compile(r"<(?:https?://[^<>\s]+|[^<>\s@]+@[^<>\s@]+)>")
COMMENT = re.compile(r"<!--.*?-->", re.S)
CODE = re.compile(r"(?<![`\\])(`+)(?!`)((?:(?!\n[ \t]*\n).)+?)(?<!`)\1(?!`)", re.S)
FORMULA = re.compile(RE_SMART_DOLLAR_INLINE)
DISPLAY = re.compile(r"^[ \t>]*\$\$.*?\$\$[ \t]*$", re.S)
BLOCK = re.compile(r"(?:^[ \t>]*\S.*(?:\n|\Z))+", re.M)
SEPARATOR = re.compile(r"^[ \t>]*\|?(?:[ \t]*:?-+:?[ \t]*\|?)+$")
NAMELESS_IMAGE = re.compile(r"!\[\s*\]\(")
ADDRESSED = re.compile(r"<(?P<tag>img|a)\s[^>]*\b(?:src|href)\s*=", re.I)
INVISIBLE = [  # 网页上看不见的记号
    COMMENT,
    re.compile(r"!\[[^\]]*\]\([^)]*\)(?:\{[^}\n]*\})?"),  # 图片
    re.compile(r"(?<=\])\((?:[^()\n]|\([^()\n]*\))*\)"),  # 链接的去处
    re.compile(r"(?<=\])\[[^\]\n]*\]"),
    re.compile(r"^ {0,3}\[[^\]\n]+\]:[ \t]*<?(?:https?://|[\w-]*[./#])\S*.*$", re.M),
    re.compile(r"\[\[[\w-]+\]\]"),  # 主张的标记
    re.compile(
        rf"\{{:?(?:[ \t]*(?:[#.][\w:-]+|[\w-]+={VALUE}))+[ \t]*\}}", re.A
    ),  # 属性
    re.compile(r"^///[ \t]*[\w-]*[ \t]*\|?", re.M),  # 折叠的框
    re.compile(r"^[ \t>]*\d+[.)](?=[ \t])", re.M),  # 列表的编号
    re.compile(r"&(?:#\w+|[a-z]\w*);", re.I),
    TAG,
]
# 内容从别处来的行：指令、引用，和 mkdocstrings 的
BORROWED = [directives.FORM, citations.FORM, re.compile(r"^::: ")]
OPTIONS = re.compile(r"(?<=\n)(///.*\n)((?:[ \t]+[\w-]+:.*\n)+)")  # 框的选项
VOID = {"br", "hr", "col", "wbr"}  # 没有结束标签的
# 会当成强调的：算式里的乘号，Python 的名字
STARS = re.compile(r"(?<=[A-Za-z0-9)])\*(?=[A-Za-z0-9(])")
STRONG = re.compile(r"\*\*[^*\n]+\*\*")
DUNDER = re.compile(r"(?<![\w\\])__[A-Za-z]\w*__(?!\w)")
ROUND = re.compile(r"(?<!\\)\\\(.+?\\\)")  # 公式的另一种写法
WORD = re.compile(r"[^\W_]+")
WINDOW = 3000  # 两个相邻的词，网页上至多隔这么多字：中间可以有公式


def _blank(match: re.Match[str]) -> str:
    """换成同样长的空白，行号不变。"""
    return re.sub(r"[^\n]", " ", match[0])


def _join(prose: Iterable[tuple[int, str]]) -> str:
    """围栏之外的文字，行号不变。"""
    lines: list[str] = []
    for number, line in prose:
        lines += [""] * (number - 1 - len(lines))
        lines.append(line)
    return "\n".join(lines)


def find_faults(prose: Sequence[tuple[int, str]]) -> Iterator[Fault]:
    """逐个给出会让字消失或变样的写法。

    Args:
        prose: 围栏之外的行号与文字。
    """
    text = CODE.sub(_blank, COMMENT.sub(_blank, _join(prose)))
    yield from _table_faults(text)
    bare = BLOCK.sub(lambda m: _blank(m) if DISPLAY.match(m[0]) else m[0], text)
    for match in FORMULA.finditer(bare):
        after = bare[match.end() : match.end() + 1]
        if match[2] and after.isascii() and after.isalnum():
            message = (
                f"{match[0]} 会当成公式排；要的是美元号，写 \\$；是公式，后面空一格"
            )
            yield Fault(_line(bare, match.start()), message)
    bare = FORMULA.sub(_blank, bare)
    for match in re.finditer(r"(?<!\\)\$+", bare):
        message = (
            "公式没有被认出：$ 内侧不留空格，$$ 独占一段，前后有空行；"
            "要的是美元号，写 \\$"
        )
        yield Fault(_line(bare, match.start()), message)
    for match in DUNDER.finditer(bare):
        message = f"{match[0]} 的下划线会当成加粗的记号而不见；写成 `{match[0]}`"
        yield Fault(_line(bare, match.start()), message)
    for block in BLOCK.finditer(bare):
        single = STRONG.sub(_blank, block[0])
        star = STARS.search(single)
        if star and len(re.findall(r"(?<!\\)\*(?! )", single)) > 1:
            message = "* 会当成强调的记号而不见；乘号写 ×、\\*，或放进公式"
            yield Fault(_line(bare, block.start() + star.start()), message)
    for match in NAMELESS_IMAGE.finditer(bare):
        message = "图片要有文字说明：![说明](图片)"
        yield Fault(_line(bare, match.start()), message)
    yield from _tag_faults(bare)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _tag_faults(text: str) -> Iterator[Fault]:
    """会当成标签的 `<`，和没有配对的标签。"""
    opened: dict[str, list[int]] = {}
    for match in re.finditer(r"(?<!\\)<(?=[a-z/!?])", text, re.I):
        start = match.start()
        tag = TAG.match(text, start)
        if AUTOLINK.match(text, start):
            continue
        if addressed := ADDRESSED.match(text, start):
            message = f"请用 Markdown 写法代替 <{addressed['tag']}>，这样去处才会被检查"
            yield Fault(_line(text, start), message)
        elif tag and (name := tag[2].lower()) in ELEMENTS:
            if tag[1] and opened.get(name):
                opened[name].pop()
            elif tag[1] or name not in VOID:
                opened.setdefault(name, []).append(start)
        else:
            block = text[start:].partition("\n\n")[0]
            begins = not text[text.rfind("\n", 0, start) + 1 : start].strip(" \t>")
            if ">" in block or begins:
                shown = block.partition("\n")[0][:12].strip()
                message = (
                    f"「{shown}」里的 < 会当成 HTML 标签，后面的字就看不见了；"
                    "写成 \\<，或放进 `代码`"
                )
                yield Fault(_line(text, start), message)
    for name, starts in opened.items():
        for start in starts:
            message = f"<{name}> 没有配对；不是标签，就写成 \\<"
            yield Fault(_line(text, start), message)


def _table_faults(text: str) -> Iterator[Fault]:
    """表格里多出的格子，和公式里的竖线。"""
    for block in BLOCK.finditer(text):
        rows = block[0].splitlines()
        if len(rows) < 2 or "|" not in rows[0] or not SEPARATOR.match(rows[1]):
            continue
        first = _line(text, block.start())
        width = _count_cells(rows[0])
        for number, row in enumerate(rows, first):
            bars = [m for m in re.findall(r"\$[^$\n]*\$", row) if "|" in m]
            if bars and "\\|" in bars[0]:
                message = (
                    f"表格里公式的 \\| 会排成双竖线：{bars[0]}；"
                    "单竖线写 \\mid 或 \\lvert…\\rvert，范数写 \\lVert…\\rVert"
                )
                yield Fault(number, message)
            elif bars:
                message = (
                    f"公式里的竖线会当成格子的边：{bars[0]}；"
                    "写 \\mid、\\lvert…\\rvert 或 \\lVert…\\rVert"
                )
                yield Fault(number, message)
            elif number > first + 1 and (count := _count_cells(row)) > width:
                message = (
                    f"这一行有 {count} 格，表头只有 {width} 格，多出的不会显示；"
                    "格子里的竖线写 \\|"
                )
                yield Fault(number, message)


def _count_cells(row: str) -> int:
    inner = row.strip(" \t>").replace("\\|", "")
    return inner.removeprefix("|").removesuffix("|").count("|") + 1


def _visible(content: str) -> str:
    """网页上看得见的字，没有空白。"""
    text = re.sub(r"<!--.*?-->|<[/!?a-zA-Z][^>]*>", "", content, flags=re.S)
    return re.sub(r"\s+", "", html.unescape(text))


def lost_words(prose: Sequence[tuple[int, str]], content: str) -> Iterator[Fault]:
    """逐行给出网页上看不见的词，一行至多一个；没有排版的公式也算。

    Args:
        prose: 围栏之外的行号与文字。
        content: 画好的 HTML，不含代码块。
    """
    shown = _visible(content)
    borrowed = {n for n, line in prose if any(form.match(line) for form in BORROWED)}
    prose_shown = _visible(re.sub(r"<(code|pre)\b.*?</\1>", "", content, flags=re.S))
    text = COMMENT.sub(_blank, _join(prose) + "\n")
    code = [match[2] for match in CODE.finditer(text)]  # 看得见，但不是记号
    text = CODE.sub(lambda m: "\0" + _blank(m)[1:], text)
    blocks = [match for match in BLOCK.finditer(text) if DISPLAY.match(match[0])]
    for match in [*FORMULA.finditer(text), *ROUND.finditer(text), *blocks]:
        if re.sub(r"\s+", "", match[0]) in prose_shown and match[0] != "$":
            message = (
                f"HTML 里的公式不会排版：{match[0].strip()}；"
                '给外层的标签加上 markdown="1"，或改用 Markdown 的写法'
            )
            yield Fault(_line(text, match.start()), message)
    text = BLOCK.sub(lambda m: _blank(m) if DISPLAY.match(m[0]) else m[0], text)
    text = ROUND.sub(_blank, FORMULA.sub(_blank, text))
    text = OPTIONS.sub(lambda m: m[1] + "\n" * m[2].count("\n"), text)
    for mark in INVISIBLE:
        text = mark.sub(_blank, text)
    place, free = 0, False
    for number, line in enumerate(text.split("\n"), 1):
        if number in borrowed:
            free = True  # 添进来的内容，多长都行
            continue
        written = re.sub("\0", lambda _: f" {code.pop(0)} ", line)
        for word in WORD.findall(written):
            found = shown.find(word, place)
            if found < 0 or (found - place > WINDOW and not free):
                message = f"「{word}」在网页上看不见；请换一种写法"
                yield Fault(number, message)
                break
            place, free = found + len(word), False


class Escapes(Extension):
    r"""`\<` 就是一个 `<`：Python-Markdown 自己不认。"""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """添一个可以转义的字。"""
        md.ESCAPED_CHARS.append("<")
