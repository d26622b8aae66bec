"""原文页与勘误页的核对：照录不走样，勘误有据可查，标记与条目一一对应。"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.faults import find_line
from tests.article import ANSWERED, TEXT, TITLES
from tests.sources import DOCS, place

ORIGINAL, ERRATA_PAGE = DOCS / "original.md", DOCS / "errata.md"
MARK = r"\[勘 (\d+)\]\(errata\.md#e(\d{2})\)\{\.erratum\}"
KINDS = ("错误", "笔误", "遗漏", "不严谨")
ITEMS = ["原文", "正确", "证据", "文献"]
COUNT = 34
FIRST = {"q1": 1, "q2": 3, "q3": 7, "q4": 18, "q5": 21, "q6": 24, "q7": 30}
QUESTION_OF = {
    number: max(question for question, first in FIRST.items() if first <= number)
    for number in range(1, COUNT + 1)
}

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
    where: str

    @property
    def items(self) -> dict[str, str]:
        """四项的名称与内容，按出现的顺序。"""
        pairs = (re.fullmatch(r"- \*\*(.+?)\*\*：(.+)", line) for line in self.lines)
        return {pair[1]: pair[2] for pair in pairs if pair}

    @property
    def page(self) -> Path:
        """证据所在的页面。"""
        assert self.question in ANSWERED, (
            f"mkdocs.yml:1: 请在「问题」里列出答「{TITLES[self.question]}」的页，标题相同"
        )
        return DOCS / f"{ANSWERED[self.question]}.md"


def transcript() -> str:
    """原文页的正文：从第一题的标题到页末，仍带标记与修补。"""
    page = ORIGINAL.read_text(encoding="utf-8")
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
    page = ERRATA_PAGE.read_text(encoding="utf-8")
    found: list[Erratum] = []
    question = ""
    for block in re.split(r"^(?=#{2,3} )", page, flags=re.MULTILINE)[1:]:
        heading, _, body = block.partition("\n")
        if heading.startswith("## "):
            group = re.fullmatch(r"## .+ \{#(q\d)\}", heading)
            question = group[1] if group else ""
            continue
        where = place(ERRATA_PAGE, find_line(page, heading))
        entry = re.fullmatch(r"### (\d+) · (.+?)：.+ \{#(e\d{2})\}", heading)
        assert entry, f"{where}: 请把标题写成「### 号 · 种类：一句话 {{#e号}}」"
        lines = [line for line in body.splitlines() if line]
        found.append(Erratum(int(entry[1]), entry[2], entry[3], question, lines, where))
    return found


ERRATA = errata()
each_erratum = pytest.mark.parametrize("erratum", ERRATA, ids=lambda e: e.anchor)


def test_transcript_is_the_article_word_for_word() -> None:
    text = without_marks(transcript())
    text = re.sub(r"^(#{2,3} .+) \{#[a-z0-9-]+\}$", r"\1", text, flags=re.MULTILINE)
    for fault, mended, original, count in MENDS:
        assert text.count(mended) == count, (
            f"docs/original.md:1: {fault} 请恰好修补 {count} 处，写作 {mended!r}"
        )
        text = text.replace(mended, original)
    lost_figure = re.search(r"<div .*?</div>", TEXT, flags=re.DOTALL)
    assert lost_figure, (
        "docs/assets/original-article.txt:1: 请恢复原稿，它里面有一张丢失的插图（R5）"
    )
    figure = re.compile(
        r'<figure class="diagram">\n--8<-- "residual_block\.svg"\n'
        r"<figcaption>.+</figcaption>\n</figure>"
    )
    text, figures = figure.subn(lambda _: lost_figure[0], text)
    assert figures == 1, "docs/original.md:1: 请恰好重画一处插图（R5）"
    written, given = text.splitlines(), TEXT.splitlines()
    for ours, theirs in zip(written, given, strict=False):
        line = find_line(ORIGINAL.read_text(encoding="utf-8"), ours, ours[:8])
        assert ours == theirs, (
            f"{place(ORIGINAL, line)}: 请照录原文：{theirs!r}，不要改成 {ours!r}"
        )
    assert len(written) == len(given), (
        f"docs/original.md:1: 请照录到底，原文 {len(given)} 行，这里 {len(written)} 行"
    )


def test_page_says_what_was_mended() -> None:
    page = ORIGINAL.read_text(encoding="utf-8")
    preface = page[: page.index("## Q1")]
    assert re.findall(r"^\| (R\d) \|", preface, flags=re.MULTILINE) == [
        f"R{n}" for n in range(1, 7)
    ], "docs/original.md:1: 请在「## Q1」之前的表里逐行列出 R1 到 R6"
    for words in ("Echo", "2020-09-12", "Beijing", "(assets/original-article.txt)"):
        assert words in preface, f"docs/original.md:1: 请在「## Q1」之前写明 {words}"


def test_errata_are_numbered_in_order() -> None:
    for number, erratum in enumerate(ERRATA, 1):
        assert (erratum.number, erratum.anchor) == (number, f"e{number:02d}"), (
            f"{erratum.where}: 请把号改成 {number}，id 改成 e{number:02d}"
        )
    assert len(ERRATA) == COUNT, (
        f"docs/errata.md:1: 请列全 {COUNT} 条，现在有 {len(ERRATA)} 条"
    )


@each_erratum
def test_erratum_has_a_kind_and_four_items(erratum: Erratum) -> None:
    assert erratum.kind in KINDS, f"{erratum.where}: 种类请用 {'、'.join(KINDS)} 之一"
    question = QUESTION_OF[erratum.number]
    assert erratum.question == question, (
        f"{erratum.where}: 请移到「{TITLES[question]}」下面"
    )
    assert len(erratum.lines) == len(ITEMS), f"{erratum.where}: 请只写四项，每项一行"
    assert list(erratum.items) == ITEMS, (
        f"{erratum.where}: 四项请依次写 {'、'.join(ITEMS)}，各以「- **名称**：」开头"
    )


@each_erratum
def test_quotation_is_verbatim(erratum: Erratum) -> None:
    # 引文可以不带粗体与行内代码的记号：它们是排版，不是字词。R1、R3、R6 只改公式的
    # 写法，所以与去掉标记的原文页比较；该页与原稿一致，已由第一个测试保证。
    quotations = re.findall(r"「([^「」]+)」", erratum.items["原文"])
    rest = re.sub(r"「[^「」]+」", "", erratum.items["原文"])
    assert quotations, f"{erratum.where}: 「原文」一项请用「」引原话"
    assert rest == "", f"{erratum.where}: 「原文」一项只放引文，请删去 {rest!r}"
    section = without_marks(sections()[erratum.question])
    plain = re.sub(r"\*\*|`", "", section)
    for quotation in quotations:
        assert re.sub(r"\*\*|`", "", quotation) in plain, (
            f"{erratum.where}: 请照抄原文，这一题里没有「{quotation}」"
        )


@each_erratum
def test_evidence_and_literature_can_be_followed(erratum: Erratum) -> None:
    target = f"({erratum.page.name}#proof-{erratum.number:02d})"
    assert target in erratum.items["证据"], (
        f"{erratum.where}: 「证据」一项请链接到 {target}"
    )
    literature = erratum.items["文献"]
    assert "](https://" in literature or literature.startswith("无需文献："), (
        f"{erratum.where}: 「文献」一项请给出链接，或写「无需文献：」和理由"
    )


@each_erratum
def test_question_page_proves_it_and_calls_it_the_same(erratum: Erratum) -> None:
    text = erratum.page.read_text(encoding="utf-8")
    mark = f"{{#proof-{erratum.number:02d}}}"
    assert text.count(mark) == 1, (
        f"{place(erratum.page, find_line(text, mark))}: "
        f"请在证明第 {erratum.number} 条的那句话上写 {mark}，恰好一处"
    )
    link = f"**[勘误 {erratum.number}](errata.md#{erratum.anchor})"
    item = f"- {link} · {erratum.kind}** "
    assert item in text, (
        f"{place(erratum.page, find_line(text, link, '{#errata}'))}: "
        f"「原文与勘误」里请写「{item}」，种类与勘误页相同"
    )


def test_table_counts_the_kinds() -> None:
    page = ERRATA_PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+) \| .+ \| (\d+) \|$", page, flags=re.MULTILINE)
    kinds = [e.kind for e in ERRATA]
    wanted = [(kind, str(kinds.count(kind))) for kind in KINDS]
    assert rows == wanted, (
        f"{place(ERRATA_PAGE, find_line(page, '| 种类'))}: "
        f"请把表里的条数改成 {'、'.join(map(''.join, wanted))}"
    )


def test_every_mark_leads_to_its_erratum_and_none_is_missing() -> None:
    page = ORIGINAL.read_text(encoding="utf-8")
    marked = set()
    for question, section in sections().items():
        for number, target in re.findall(MARK, section):
            where = place(
                ORIGINAL, find_line(page, f"[勘 {number}](errata.md#e{target})")
            )
            assert number == str(int(target)), (
                f"{where}: 请把链接改成 errata.md#e{int(number):02d}"
            )
            assert QUESTION_OF[int(number)] == question, (
                f"{where}: 请移到「{TITLES[QUESTION_OF[int(number)]]}」里"
            )
            marked.add(int(number))
    for number in range(1, COUNT + 1):
        assert number in marked, (
            f"docs/original.md:1: 请在它说的那句话后面标出 "
            f"[勘 {number}](errata.md#e{number:02d}){{.erratum}}"
        )
    for number, line in enumerate(page.splitlines(), 1):
        assert line.count("[勘 ") == len(re.findall(MARK, line)), (
            f"{place(ORIGINAL, number)}: 请把标记写成 [勘 号](errata.md#e号){{.erratum}}"
        )
