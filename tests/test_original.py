"""原文页与勘误页的核对：照录不走样，勘误有据可查，标记与条目一一对应。"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
MARK = r"\[勘 (\d+)\]\(errata\.md#e(\d{2})\)\{\.erratum\}"
KINDS = ("错误", "笔误", "遗漏", "不严谨")
ITEMS = ["原文", "正确", "证据", "文献"]
COUNT = 34

# 每题的页面与勘误号。
QUESTIONS = {
    "q1": ("hyperparameter_search", range(1, 3)),
    "q2": ("search_space", range(3, 7)),
    "q3": ("gradient_flow", range(7, 18)),
    "q4": ("weight_init", range(18, 21)),
    "q5": ("residual_block", range(21, 24)),
    "q6": ("temporal_conv", range(24, 30)),
    "q7": ("pointwise_conv", range(30, 35)),
}
PAGE_OF = {n: page for page, numbers in QUESTIONS.values() for n in numbers}
QUESTION_OF = {n: q for q, (_, numbers) in QUESTIONS.items() for n in numbers}

# 修补的清单：故障、页面上的写法、原稿的写法、处数。R5（插图）另行处理。
MENDS = [
    ("R1", r"\partial ", r"\part ", 12),
    ("R2", "就会出现\n\n$$\n", "就会出现\n$$\n", 1),
    ("R2", "$$\n\n这里", "$$\n这里", 1),
    ("R3", r"而 $\frac{", r"而 $ \frac{", 1),
    ("R4", "20 层，\n\n* ", "20 层，\n* ", 1),
    ("R4", "三点：\n\n* ", "三点：\n* ", 1),
    ("R4", "缺点：\n\n* ", "缺点：\n* ", 1),
    ("R6", "$1.5^{20}$", "1.5^20", 1),
    ("代码块", "```text\n", "```Python\n", 2),
]


@dataclass(frozen=True)
class Erratum:
    """勘误页上的一条。"""

    number: int
    kind: str
    anchor: str
    question: str
    lines: list[str]

    @property
    def items(self) -> dict[str, str]:
        """四项的名称与内容，按出现的顺序。"""
        pairs = (re.fullmatch(r"- \*\*(.+?)\*\*：(.+)", line) for line in self.lines)
        return {pair[1]: pair[2] for pair in pairs if pair}


def article() -> str:
    """原稿去掉 front matter 与首尾空行。"""
    raw = (DOCS / "assets/original-article.txt").read_text(encoding="utf-8")
    return raw.split("---\n", 2)[2].strip("\n")


def transcript() -> str:
    """原文页的正文：从第一题的标题到页末，仍带标记与修补。"""
    page = (DOCS / "original.md").read_text(encoding="utf-8")
    return page[page.index("## Q1") :].strip("\n")


def without_marks(text: str) -> str:
    """去掉勘误标记；只由标记组成的段落（代码块下方）连同其后的空行一并去掉。"""
    text = re.sub(rf"^(?:{MARK} ?)+\n\n", "", text, flags=re.MULTILINE)
    return re.sub(MARK, "", text)


def sections() -> dict[str, str]:
    """原文页的正文按题切开，键为二级标题的锚点。"""
    parts = re.split(r"^## .+ \{#(q\d)\}\n", transcript(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def errata() -> list[Erratum]:
    """把勘误页切成条目；h2 给出它所属的题。"""
    page = (DOCS / "errata.md").read_text(encoding="utf-8")
    found: list[Erratum] = []
    question = ""
    for block in re.split(r"^(?=#{2,3} )", page, flags=re.MULTILINE)[1:]:
        heading, _, body = block.partition("\n")
        if group := re.fullmatch(r"## .+ \{#(q\d)\}", heading):
            question = group[1]
            continue
        entry = re.fullmatch(r"### (\d+) · (.+?)：.+ \{#(e\d{2})\}", heading)
        assert entry, f"勘误标题的写法不对：{heading}"
        lines = [line for line in body.splitlines() if line]
        found.append(Erratum(int(entry[1]), entry[2], entry[3], question, lines))
    return found


ERRATA = errata()
each_erratum = pytest.mark.parametrize("erratum", ERRATA, ids=lambda e: e.anchor)


def test_transcript_is_the_article_word_for_word() -> None:
    text = without_marks(transcript())
    text = re.sub(r"^(#{2,3} .+) \{#[a-z0-9-]+\}$", r"\1", text, flags=re.MULTILINE)
    for fault, mended, original, count in MENDS:
        assert text.count(mended) == count, f"{fault} 应修补 {count} 处：{mended!r}"
        text = text.replace(mended, original)
    lost_figure = re.search(r"<div .*?</div>", article(), flags=re.DOTALL)
    assert lost_figure, "原稿里应有一张丢失的插图（R5）"
    figure = re.compile(
        r'<figure class="diagram">\n--8<-- "residual_block\.svg"\n'
        r"<figcaption>.+</figcaption>\n</figure>"
    )
    text, figures = figure.subn(lambda _: lost_figure[0], text)
    assert figures == 1, "R5：插图应恰好重画一处"
    assert text == article()


def test_page_says_what_was_mended() -> None:
    page = (DOCS / "original.md").read_text(encoding="utf-8")
    preface = page[: page.index("## Q1")]
    assert re.findall(r"^\| (R\d) \|", preface, flags=re.MULTILINE) == [
        f"R{n}" for n in range(1, 7)
    ]
    for words in ("Echo", "2020-09-12", "Beijing", "(assets/original-article.txt)"):
        assert words in preface


def test_errata_are_numbered_in_order() -> None:
    assert [e.number for e in ERRATA] == list(range(1, COUNT + 1))
    assert [e.anchor for e in ERRATA] == [f"e{n:02d}" for n in range(1, COUNT + 1)]


@each_erratum
def test_erratum_has_a_kind_and_four_items(erratum: Erratum) -> None:
    assert erratum.kind in KINDS
    assert erratum.question == QUESTION_OF[erratum.number]
    assert len(erratum.lines) == len(ITEMS), "一条勘误只写四项，每项一行"
    assert list(erratum.items) == ITEMS


@each_erratum
def test_quotation_is_verbatim(erratum: Erratum) -> None:
    # 引文可以不带粗体与行内代码的记号：它们是排版，不是字词。R1、R3、R6 只改公式的
    # 写法，所以与去掉标记的原文页比较；该页与原稿一致，已由第一个测试保证。
    quotations = re.findall(r"「([^「」]+)」", erratum.items["原文"])
    rest = re.sub(r"「[^「」]+」", "", erratum.items["原文"])
    assert quotations, "原文一项须引原话"
    assert rest == "", f"原文一项只放引文，多出 {rest!r}"
    section = without_marks(sections()[erratum.question])
    plain = re.sub(r"\*\*|`", "", section)
    for quotation in quotations:
        assert re.sub(r"\*\*|`", "", quotation) in plain


@each_erratum
def test_evidence_and_literature_can_be_followed(erratum: Erratum) -> None:
    target = f"({PAGE_OF[erratum.number]}.md#proof-{erratum.number:02d})"
    assert target in erratum.items["证据"]
    literature = erratum.items["文献"]
    assert "](https://" in literature or literature.startswith("无需文献：")


@each_erratum
def test_question_page_proves_it_and_calls_it_the_same(erratum: Erratum) -> None:
    path = DOCS / f"{PAGE_OF[erratum.number]}.md"
    page = path.read_text(encoding="utf-8")
    assert page.count(f"{{#proof-{erratum.number:02d}}}") == 1
    link = f"**[勘误 {erratum.number}](errata.md#{erratum.anchor})"
    assert f"- {link} · {erratum.kind}** " in page


def test_table_counts_the_kinds() -> None:
    page = (DOCS / "errata.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+) \| .+ \| (\d+) \|$", page, flags=re.MULTILINE)
    kinds = [e.kind for e in ERRATA]
    assert rows == [(kind, str(kinds.count(kind))) for kind in KINDS]


def test_every_mark_leads_to_its_erratum_and_none_is_missing() -> None:
    marked = set()
    for question, section in sections().items():
        for number, target in re.findall(MARK, section):
            assert number == str(int(target)), f"勘 {number} 链接到了 e{target}"
            assert QUESTION_OF[int(number)] == question, f"勘 {number} 标错了题"
            marked.add(int(number))
    assert marked == {e.number for e in ERRATA}
    page = (DOCS / "original.md").read_text(encoding="utf-8")
    assert page.count("[勘 ") == len(re.findall(MARK, page)), "有标记的写法不对"
