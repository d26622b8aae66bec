"""页面、代码、测试三者的约定：名字对得上，引用成双，定义不写在页面上。

写页面的人遇到的就是这些测试；不合约定时，各说一句怎么办。
"""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from pipeline.faults import find_line, read_front_matter
from pipeline.tools.project import ROOT, STEMS
from tests.article import ANSWERED, TITLES
from tests.sources import (
    DOCS,
    DRILLS,
    MODULES,
    PAGES,
    cells_of,
    cited_sections,
    module_id,
    place,
    public_definitions,
    title_of,
    typed_code,
)

ANATOMY = {
    "whiteboard": "写在白板上",
    "two-minutes": "再说两分钟",
    "try": "试一试",
    "practice": "手撕",
    "quiz": "自测",
    "follow-ups": "追问",
    "in-production": "生产中怎么用",
    "errata": "原文与勘误",  # 只有答原文的页有
    "references": "参考文献",
}
OPTIONAL = {"whiteboard", "two-minutes", "try", "practice", "quiz"}
# 作者 (年). *题目*. 刊物或会议. [链接](…)（哪一节、哪个式子）；预印本的刊物就是链接
REFERENCE = re.compile(
    r"- [^*(]+ \((\d{4})\)\. \*[^*]+\*\.? (?:[^\[]+\. )?\[[^]]+\]\(https://\S+\)(?:（.+）)?"
)
MARKER = re.compile(r"^\s*# --8<-- \[(start|end):(\w+)\]$", re.M)
LONGEST = 20  # 行


@pytest.mark.parametrize("stem", STEMS)
def test_the_same_stem_in_the_three_rooms(stem: str) -> None:
    for path in f"docs/{stem}.md", f"snippets/{stem}.py", f"tests/test_{stem}.py":
        assert (ROOT / path).is_file(), (
            f"{path}：没有这个文件，请补上；导航里的一题是同名的页面、片段和测试"
        )


@pytest.mark.parametrize("module", [*MODULES, *DRILLS], ids=module_id)
def test_each_section_holds_the_definition_it_is_named_after(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    lines = text.splitlines()
    marks = [
        (m[1], m[2], text.count("\n", 0, m.start(1)) + 1) for m in MARKER.finditer(text)
    ]
    for index, (kind, name, line) in enumerate(marks):
        assert kind == ("start", "end")[index % 2], (
            f"{place(module, line)}: 请让 [start:{name}] 与 [end:{name}] 首尾相接，"
            "一段之内不再开一段"
        )
    assert len(marks) % 2 == 0, (
        f"{place(module, marks[-1][2])}: 请补上 # --8<-- [end:{marks[-1][1]}]"
    )
    found = []
    for (_, name, start), (_, end_name, end) in zip(
        marks[::2], marks[1::2], strict=True
    ):
        assert name == end_name, (
            f"{place(module, end)}: 请把 [end:{end_name}] 改成 [end:{name}]"
        )
        names = [
            node.name
            for node in ast.parse("\n".join(lines[start : end - 1])).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
        ]
        assert names == [name], (
            f"{place(module, start)}: 请让这一段恰有一个公开的定义，段名就用它的名字，"
            f"现在段名是 {name}，定义有 {names}"
        )
        found.append(name)
    for node in public_definitions(module):
        assert node.name in found, (
            f"{place(module, node.lineno)}: 请给 {node.name} 加上首尾标记，"
            "或改成以 _ 开头的名字"
        )


@pytest.mark.parametrize("module", MODULES, ids=module_id)
def test_every_section_is_cited(module: Path) -> None:
    cited = {section for page in PAGES for section in cited_sections(page)}
    for node in public_definitions(module):
        section = f"{module_id(module)}:{node.name}"
        assert section in cited, (
            f'{place(module, node.lineno)}: 请在页面上引用它：--8<-- "{section}"，'
            "或删掉它"
        )


@pytest.mark.parametrize("module", [*MODULES, *DRILLS], ids=module_id)
def test_docstrings_have_the_form_of_the_house(module: Path) -> None:
    for node in public_definitions(module):
        where = f"{place(module, node.lineno)}: {node.name}"
        docstring = ast.get_docstring(node) or ""
        summary = docstring.split("\n", 1)[0]
        assert re.search(r"[\u4e00-\u9fff].*。$", summary), (
            f"{where} 的文档字符串，首行请写成一句中文，以句号结尾"
        )
        assert "Example:" in docstring, f"{where} 的文档字符串里请写 Example"
        assert ">>> " in docstring, f"{where} 的 Example 请写成能运行的 >>> 一行"
        body = node
        if isinstance(node, ast.ClassDef):
            methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
            body = next((m for m in methods if m.name == "__init__"), node)
        if isinstance(body, ast.FunctionDef):
            arguments = body.args.args + body.args.kwonlyargs
            for argument in arguments:
                assert argument.arg == "self" or re.search(
                    rf"^\s+\*?{argument.arg}: ", docstring, re.M
                ), f"{where} 的 Args 里请写 {argument.arg}：形状、单位和范围"
        raising = any(isinstance(n, ast.Raise) for n in ast.walk(node))
        assert not raising or "Raises:" in docstring, (
            f"{where} 会抛出异常，请在 Raises 里写明"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_no_definition_is_typed_on_a_page(page: Path) -> None:
    for cell in cells_of(page):
        typed = typed_code(cell)
        where = place(page, cell.line)
        assert not re.search(
            r"^\s*(async def|def|class)\b|=\s*lambda\b", typed, re.M
        ), f'{where}: 请把定义移到 snippets/，这里用 --8<-- "文件:名字" 引用'
        assert not re.search(r"^\s*(from|import) snippets\b", typed, re.M), (
            f'{where}: 请不要导入 snippets，用 --8<-- "文件:名字" 引用，读者才能复制'
        )
        longest = max(map(len, typed.splitlines()), default=0)
        assert longest <= 88, f"{where}: 请折行，这一块有一行长 {longest} 列，上限 88"


@pytest.mark.parametrize("stem", STEMS)
def test_references_are_complete_and_in_order(stem: str) -> None:
    path = DOCS / f"{stem}.md"
    page = path.read_text(encoding="utf-8")
    years = [0]
    for entry in page.partition("{#references}")[2].strip().splitlines():
        found = REFERENCE.fullmatch(entry)
        where = place(path, find_line(page, f"\n{entry}") + 1)
        assert found or entry.startswith("- 文档："), (
            f"{where}: 请写成「- 作者 (年). *题目*. 刊物. [链接](https://…)（哪一节）」，"
            "不是论文的以「- 文档：」开头"
        )
        years.append(int(found[1]) if found else 9999)
        assert years[-1] >= years[-2], f"{where}: 请按年份排列，文档排在最后"


@pytest.mark.parametrize("stem", STEMS)
def test_few_blocks_are_skipped_and_most_are_short(stem: str) -> None:
    page = DOCS / f"{stem}.md"
    cells = cells_of(page)
    skipped = [cell.line for cell in cells if "skip-execution" in cell.tags]
    assert len(skipped) <= 1, (
        f"{place(page, skipped[-1])}: 请让这一块运行，一页至多一块 skip-execution"
    )
    shown = [cell for cell in cells if "hide-input" not in cell.tags]
    long = [c.line for c in shown if len(c.code.splitlines()) > LONGEST]
    assert len(long) <= max(1, len(shown) / 5), (
        f"{place(page, long[-1])}: 请缩短或折叠（hide-input），超过 {LONGEST} 行的块"
        f"至多占五分之一，现在在 {long} 行"
    )


def test_each_question_of_the_article_has_its_page() -> None:
    for question, title in TITLES.items():
        assert question in ANSWERED, (
            f"mkdocs.yml:1: 请把答这一题的页列在「问题」里，页面的标题写作「# {title}」"
        )
    order = [STEMS.index(stem) for stem in ANSWERED.values()]
    assert order == sorted(order), "mkdocs.yml:1: 请照原文的先后排列「问题」里的各题"


@pytest.mark.parametrize("stem", STEMS)
def test_question_pages_share_one_anatomy(stem: str) -> None:
    path = DOCS / f"{stem}.md"
    text = path.read_text(encoding="utf-8")
    answered = stem in ANSWERED.values()
    assert title_of(path), f"{place(path)}: 请写标题，如「# Q8：……？」"
    headings = re.findall(r"^##+ (.+?)(?: \{#([a-z0-9-]+)\})?$", text, re.M)
    for name, anchor in headings:
        where = place(path, find_line(text, f"# {name}"))
        assert anchor, f"{where}: 请给「{name}」写上 ASCII 的 id，如 {{#follow-ups}}"
    panels = len(re.findall(r"^/// answer$", text, re.M))
    panels += ("一句话回答", "answer") in headings
    assert panels == 1, f"{place(path)}: 请在标题下面写「/// answer」的框，一页一个"
    fixed = {anchor: name for name, anchor in headings if anchor in ANATOMY}
    missing = OPTIONAL - fixed.keys() | (set() if answered else {"errata"})
    wanted = {k: v for k, v in ANATOMY.items() if k not in missing}
    assert list(fixed.items()) == list(wanted.items()), (
        f"{place(path)}: 请按先后写这几节："
        f"{'、'.join(f'## {name} {{#{anchor}}}' for anchor, name in wanted.items())}"
        + ("" if answered else "；原文里没有同样标题的题，不写「原文与勘误」")
    )
    meta = read_front_matter(text)
    for key, least, most in ("description", 20, 140), ("summary", 10, 80):
        assert least <= len(meta.get(key, "")) <= most, (
            f"{place(path)}: 请在页首写 {key}，{least} 到 {most} 个字"
        )
    fewest = 4 if answered else 1
    assert text.count("type: question") >= fewest, (
        f"{place(path, find_line(text, '{#follow-ups}'))}: 请写追问，至少 {fewest} 个"
    )


def test_each_erratum_has_one_proof_and_one_listing_on_its_page() -> None:
    proofs: Counter[int] = Counter()
    listed: Counter[int] = Counter()
    for stem in STEMS:
        path = DOCS / f"{stem}.md"
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"\{[^}]*#proof-(\d\d)\b[^}]*\}", text)
        items = re.findall(r"^- \*\*\[勘误 (\d+)\]\(errata\.md#e(\d\d)\)", text, re.M)
        assert stem in ANSWERED.values() or not found + items, (
            f"{place(path, find_line(text, '#proof-', '[勘误 '))}: 请删去勘误，"
            "原文里没有同样标题的题"
        )
        for shown, anchor in items:
            assert int(shown) == int(anchor), (
                f"{place(path, find_line(text, f'[勘误 {shown}](errata.md#e{anchor})'))}"
                f": 请把链接改成 errata.md#e{int(shown):02d}"
            )
        proofs.update(map(int, found))
        listed.update(int(shown) for shown, _ in items)
    for name, counts in (
        ("证据的标记 {#proof-%02d}", proofs),
        ("「原文与勘误」里的一条 errata.md#e%02d", listed),
    ):
        for number in sorted({*range(1, 35), *counts}):
            assert counts[number] == (number <= 34), (
                f"docs/errata.md:1: 请让{name % number}在各题的页面上恰有一处，"
                f"现在有 {counts[number]} 处"
            )
