"""正文的写法：每个词都看得见，否则是一处错误，行号不假。"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown import Markdown

from pipeline import fences
from pipeline.book import Book
from pipeline.citations import Citations
from pipeline.katex import Katex
from pipeline.markup import find_faults, lost_words
from pipeline.tools.project import CONFIG

EXTENSIONS = [
    (extension if isinstance(extension, str) else next(iter(extension)))
    for extension in CONFIG["markdown_extensions"]
]


class Silent:
    """不运行，没有输出。"""

    versions: Mapping[str, str] = {}

    def __call__(
        self, page: str, notebook: str, remember: Callable[[int], None], /
    ) -> list[dict[str, Any]]:
        """给出各格。"""
        del page, remember
        names = re.findall(r'"id": "([\w-]+)"', notebook)
        return [{"id": n, "count": i, "outputs": []} for i, n in enumerate(names, 1)]


Draw = Callable[[str], tuple[str, list[tuple[int, str]]]]


@pytest.fixture(scope="module")
def show(katex: Katex, tmp_path_factory: pytest.TempPathFactory) -> Draw:
    """画一页，给出 HTML 和错误。"""
    root = tmp_path_factory.mktemp("book")
    book = Book(root, Citations([], root), Silent(), katex)
    options = {"pymdownx.arithmatex": {"generic": True}}
    extensions = [*EXTENSIONS, *book.extensions()]
    md = Markdown(extensions=extensions, extension_configs=options)

    def draw(text: str) -> tuple[str, list[tuple[int, str]]]:
        page = book.read("a.md", text)
        book.run()
        book.check()
        html = md.reset().convert(book.prepare("a.md"))
        book.check_drawn("a.md", html)
        return html, [(fault.line, fault.message) for fault in sorted(page.faults)]

    return draw


def visible(html: str) -> str:
    return BeautifulSoup(html, "html.parser").get_text()


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        # 会当成标签的 <
        ("内积 <x, y>，若 a<b，b>c。", 1, "「<x, y>，若 a<b」里的 < 会当成 HTML 标签"),
        ("甲\n\n若 a<b，b>c。", 3, "「<b，b>c。」里的 < 会当成 HTML 标签"),
        ("向量 <u and v> 的积", 1, "会当成 HTML 标签"),
        ("用 <script>alert</script>", 1, "会当成 HTML 标签"),
        ("甲 <!DOCTYPE x> 乙", 1, "会当成 HTML 标签"),
        ("<y 的字", 1, "会当成 HTML 标签"),
        ("| 甲 | 乙 |\n| - | - |\n| a<b 与 c>d | 1 |", 3, "会当成 HTML 标签"),
        ("若 a <b> c", 1, "<b> 没有配对；不是标签，就写成 \\<"),
        ("甲</i>", 1, "<i> 没有配对"),
        # 会当成记号而不见的
        ("共 2*3*4 个", 1, r"乘号写 ×、\*，或放进公式"),
        ("K*K 与 C*C", 1, "* 会当成强调的记号而不见"),
        ("2*3，这*很*好", 1, "* 会当成强调的记号而不见"),
        ("写在 __init__ 里", 1, "写成 `__init__`"),
        ("[注]: 见下文", 1, "「注」在网页上看不见"),
        ("**粗**{: 说=明}", 1, "在网页上看不见"),
        # 多出的格子，竖线
        ("| 甲 | 乙 |\n| - | - |\n| 1 | 2 | 3 |", 3, "这一行有 3 格，表头只有 2 格"),
        ("| 甲 | 乙 |\n|---|---|\n| 条件概率 | P(A|B) 的值 |", 3, "这一行有 3 格，表头只有 2 格"),
        ("> | 甲 |\n> | - |\n> | 1 | 2 |", 3, "这一行有 2 格，表头只有 1 格"),
        ("| 甲 | 乙 |\n| - | - |\n| $P(A|B)$ | 1 |", 3, "公式里的竖线会当成格子的边：$P(A|B)$"),
        ("| $|x|$ |\n| - |\n| 1 |", 1, "公式里的竖线会当成格子的边"),
        (r"| 甲 |" "\n| - |\n" r"| $P(A\|B)$ |", 3, r"表格里公式的 \| 会排成双竖线"),
        # 美元号
        ("每小时 $5-$10。", 1, r"$5-$ 会当成公式排；要的是美元号，写 \$"),
        ("把 $HOME/bin:$PATH 改了", 1, r"要的是美元号，写 \$"),
        ("US$5，HK$6", 1, r"要的是美元号，写 \$"),
        ("甲\n\n只要 $5。", 3, r"公式没有被认出"),
        ("价格 $5 和 $10。", 1, r"要的是美元号，写 \$"),
        ("甲 $ x$ 乙", 1, "$ 内侧不留空格"),
        ("甲\n$$x$$", 2, "前后有空行"),
        # 画不出的公式
        (r"$\href{https://a.b}{x}$", 1, r"不支持 \href"),
        (r"$\includegraphics{a.png}$", 1, r"不支持 \includegraphics"),
        (r"$\htmlClass{a}{x}$", 1, r"不支持 \htmlClass"),
        ("<table><tr><td>$x_1$</td></tr></table>", 1, "HTML 里的公式不会排版"),
        ("<div>\n甲\n$x_1$\n</div>", 3, "HTML 里的公式不会排版"),
        ("<div>\n\n$$\nx\n$$\n\n</div>", 3, "HTML 里的公式不会排版"),
        (r"<div>\(x_1\)</div>", 1, "HTML 里的公式不会排版"),
    ],
)  # fmt: skip
def test_what_would_be_lost_is_a_fault(
    show: Draw, text: str, line: int, told: str
) -> None:
    _, faults = show(text)
    assert {number for number, _ in faults} == {line}, faults
    assert any(told in message for _, message in faults), faults


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"内积 \<x, y>，若 a\<b，b>c。", "内积 <x, y>，若 a<b，b>c。"),
        ("`<x, y>` 与 ``a<b>``", "<x, y> 与 a<b>"),
        ("3 < 5 且 a<3", "3 < 5 且 a<3"),
        ("若 a<b，则", "若 a<b，则"),
        ("<https://example.org/a_b> 好", "https://example.org/a_b 好"),
        ("甲<b>粗</b>、<kbd>Ctrl</kbd>、H<sub>2</sub>O<br>乙", "甲粗、Ctrl、H2O乙"),
        (r"要 \$5 到 \$10", "要 $5 到 $10"),
        ("`$HOME` 与 `$PATH`", "$HOME 与 $PATH"),
        ("| 甲 | 乙 |\n| - | - |\n| `a|b` | 1 |", "a|b"),
        ("| 甲 | 乙 |\n| - | - |\n" r"| a \| b | 1 |", "a | b"),
        ('<div markdown="1">\n\n甲\n\n</div>', "甲"),
        ("甲 &lt;乙&gt; &amp; 丙", "甲 <乙> & 丙"),
        ("2*3 是 6，`__init__` 好", "2*3 是 6，__init__ 好"),
        ("这*很*好，**2**", "这很好，2"),
        (r"2\*3\*4", "2*3*4"),
        ("甲[注]乙\n\n[注]: https://example.org/a_b", "甲注乙"),
        ("<!-- 一句注释 <x, y> $5 -->\n\n甲", "甲"),
    ],
)
def test_what_is_written_right_is_shown(show: Draw, text: str, shown: str) -> None:
    html, faults = show(text)
    assert faults == []
    assert shown in visible(html).replace("\n", "")


@pytest.mark.parametrize(
    "text", ["设$x$为", "2$x$倍", "（$x$）", "$x$, $y$", "是 $5$。"]
)
def test_formulas_stay_formulas(show: Draw, text: str) -> None:
    html, faults = show(text)
    assert faults == []
    soup = BeautifulSoup(html, "html.parser")
    assert len(soup.select(".katex")) == text.count("$") // 2
    assert "$" not in soup.get_text()


def test_a_formula_in_a_heading_is_there_once(show: Draw) -> None:
    html, faults = show("# 范数 $L_1$ 与 $L_2$\n\n## 用 $x^2$\n")
    assert faults == []
    soup = BeautifulSoup(html, "html.parser")
    assert [h.get_text().rstrip("¶") for h in soup.select("h1, h2")] == [
        "范数 L1 与 L2",
        "用 x2",
    ]
    assert "L1L1" not in html
    assert len(soup.select("math")) == 3


def test_a_block_in_a_list_does_not_restart_its_numbers(show: Draw) -> None:
    html, faults = show("1. 甲\n\n```python\n1\n```\n\n2. 乙\n")
    assert faults == []
    assert '<ol start="2">' in html


def test_a_word_that_is_not_shown_is_told() -> None:
    prose = [(1, "甲乙 **丙**"), (3, "丁 `戊` [己](庚.md){.xin}")]
    html = "<p>甲乙 <b>丙</b></p><p>丁 <code>戊</code> <a>己</a></p>"
    assert list(lost_words(prose, html)) == []
    for word, line in (("乙", 1), ("丙", 1), ("戊", 3), ("己", 3)):
        (fault,) = lost_words(prose, html.replace(word, ""))
        assert fault.line == line
        assert word in fault.message
    assert len([*lost_words(prose, "")]) == 2


def test_words_are_looked_for_in_their_order() -> None:
    prose = [(1, "甲"), (3, "乙"), (5, "丙")]
    (fault,) = lost_words(prose, "<p>甲</p><p>丙</p><p>乙</p>")
    assert fault.line == 5
    far = "x" * 4000
    assert list(lost_words(prose[:2], f"甲{far}乙"))
    borrowed = [(1, "甲"), (2, "<!-- claims: all -->"), (3, "乙")]
    assert list(lost_words(borrowed, f"甲{far}乙")) == []


# 生成的页面：每个「字」只出现一次，没有错误的页面上就该都看得见
WORDS = re.compile(r"w\d+字")


@st.composite
def inline(draw: st.DrawFn, words: "Words") -> str:
    kinds: list[Callable[[], str]] = [
        lambda: words.next(),
        lambda: f"**{words.next()}**",
        lambda: f"*{words.next()}*",
        lambda: f"`{words.next()}`",
        lambda: f"`<{words.next()}, y>`",
        lambda: f"<{words.next()}, y>",
        lambda: f"a<b，{words.next()}>c",
        lambda: f"若 a<b 则{words.next()}",
        lambda: rf"\<{words.next()}>",
        lambda: f"<b>{words.next()}</b>",
        lambda: f"<br>{words.next()}",
        lambda: f"[{words.next()}](https://example.org)",
        lambda: f"$x_1$，{words.next()}",
        lambda: f"设$y$为{words.next()}",
        lambda: f"$5-$10 {words.next()}",
        lambda: rf"\$5 {words.next()}",
        lambda: f"$HOME/{words.next()}",
        lambda: f"$P(A|B)$ {words.next()}",
        lambda: rf"$\|x\|$ {words.next()}",
        lambda: f"a|{words.next()}",
        lambda: rf"a\|{words.next()}",
        lambda: f"&amp; {words.next()} &lt;",
        lambda: f"AT&T {words.next()}",
        lambda: f"3 < 5 > {words.next()}",
        lambda: f"{words.next()}_a_b*c",
        lambda: f"!{words.next()} #{words.next()}",
        lambda: f"{{{words.next()}}}",
        lambda: f"<!-- 注释 --> {words.next()}",
        lambda: f"[{words.next()}]",
        lambda: f"{words.next()}：(1) [2]: 3",
    ]
    parts = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3))
    return "，".join(part() for part in parts)


class Words:
    """一个接一个的字。"""

    def __init__(self) -> None:
        self.count = 0

    def next(self) -> str:
        """下一个。"""
        self.count += 1
        return f"w{self.count}字"


def indented(text: str, by: str) -> str:
    return "\n".join(f"{by}{line}" if line else line for line in text.splitlines())


@st.composite
def block(draw: st.DrawFn, words: Words, depth: int = 0) -> str:
    kind = draw(st.integers(0, 11 if depth < 2 else 5))
    text = draw(inline(words))
    if kind == 0:
        return text
    if kind == 1:
        return f"{'#' * draw(st.integers(2, 4))} {text}"
    if kind == 2:
        width = draw(st.integers(1, 3))
        rows = [[draw(inline(words)) for _ in range(width)]]
        for _ in range(draw(st.integers(1, 2))):
            count = draw(st.integers(1, width + 1))
            rows.append([draw(inline(words)) for _ in range(count)])
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join([lines[0], "|" + " - |" * width, *lines[1:]])
    if kind == 3:
        ticks = draw(st.sampled_from(["```", "````", "~~~"]))
        return f"{ticks}text\n<{words.next()}, y> $5-$10 | {words.next()}\n{ticks}"
    if kind == 4:
        return f"````markdown\n```python\n{words.next()}\n```\n<img src=a>\n````"
    if kind == 5:
        return f"$$\nx_1 + y\n$$\n\n{text}"
    if kind == 6:
        tag = draw(st.sampled_from(["div", "p", "section", 'div markdown="1"']))
        return f"<{tag}>\n{text}\n</{tag.split()[0]}>"
    if kind == 7:
        return indented(draw(block(words, depth + 1)), "> ")
    if kind == 8:
        return f"```python\nx = '{words.next()}'\n```"
    inner = draw(block(words, depth + 1))
    mark = draw(st.sampled_from(["- ", "1. "]))
    return f"{mark}{text}\n\n{indented(inner, '    ')}\n\n{mark}{draw(inline(words))}"


@st.composite
def pages(draw: st.DrawFn) -> str:
    words = Words()
    return "\n\n".join(draw(block(words)) for _ in range(draw(st.integers(1, 4))))


SUSPECT = re.compile(r"[<$|`~*]|python")


@pytest.mark.slow
@settings(max_examples=2000)
@given(pages())
def test_generated_pages_show_all_their_words_or_are_refused(
    show: Draw, page: str
) -> None:
    html, faults = show(page)
    shown = visible(html)
    if not faults:
        words = WORDS.findall(page)
        assert [word for word in words if word not in shown] == []
        places = [shown.index(word) for word in words]
        assert places == sorted(places)
        assert shown.count("$5") == len(re.findall(r"\\\$5|\$5-\$10 \|", page))
    lines = page.splitlines()
    for number, message in faults:
        assert 1 <= number <= len(lines), message
        assert SUSPECT.search(lines[number - 1]), (number, message)


def test_faults_of_prose_only() -> None:
    page = "````text\n<x, y> $5-$10\n````\n"
    assert list(find_faults([*fences.prose(page.splitlines())])) == []
