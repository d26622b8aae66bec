"""页面、代码、测试三者的约定：名字对得上，引用成双，定义不写在页面上。"""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from pipeline import citations
from pipeline.tools.project import ROOT, STEMS
from tests.sources import (
    DOCS,
    MODULES,
    cells_of,
    lines_of,
    module_id,
    public_definitions,
)

ANATOMY = {
    "answer": "一句话回答",
    "follow-ups": "追问",
    "in-production": "生产中怎么用",
    "errata": "原文与勘误",
    "references": "参考文献",
}
# 作者 (年). *题目*. 刊物或会议. [链接](…)（哪一节、哪个式子）；预印本的刊物就是链接
REFERENCE = re.compile(
    r"- [^*(]+ \((\d{4})\)\. \*[^*]+\*\.? (?:[^\[]+\. )?\[[^]]+\]\(https://\S+\)(?:（.+）)?"
)
MARKER = re.compile(r"^\s*# --8<-- \[(start|end):(\w+)\]$", re.M)
PAGES = sorted(DOCS.glob("*.md"))


@pytest.mark.parametrize("stem", STEMS)
def test_the_same_stem_in_the_three_rooms(stem: str) -> None:
    for path in f"docs/{stem}.md", f"snippets/{stem}.py", f"tests/test_{stem}.py":
        assert (ROOT / path).is_file(), path


@pytest.mark.parametrize("module", MODULES, ids=module_id)
def test_each_section_holds_the_definition_it_is_named_after(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    lines = text.splitlines()
    marks = [
        (m[1], m[2], text.count("\n", 0, m.start())) for m in MARKER.finditer(text)
    ]
    assert [kind for kind, *_ in marks] == ["start", "end"] * (len(marks) // 2)
    found = []
    for (_, name, start), (_, end_name, end) in zip(
        marks[::2], marks[1::2], strict=True
    ):
        assert name == end_name, f"{module_id(module)}:{start + 1}"
        names = [
            node.name
            for node in ast.parse("\n".join(lines[start + 1 : end])).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        ]
        assert name in names, f"{module_id(module)}:{start + 1}: 段名与定义不符"
        assert [n for n in names if not n.startswith("_")] == [name]
        found.append(name)
    assert found == [node.name for node in public_definitions(module)]


def test_every_section_is_cited() -> None:
    cited = {
        f"{match['path']}:{match['section']}"
        for page in PAGES
        for line in lines_of(page)
        if (match := citations.FORM.match(line))
    }
    sections = {
        f"{module_id(module)}:{node.name}"
        for module in MODULES
        for node in public_definitions(module)
    }
    assert sections <= cited, f"没有页面引用：{sorted(sections - cited)}"


@pytest.mark.parametrize("module", MODULES, ids=module_id)
def test_docstrings_have_the_form_of_the_house(module: Path) -> None:
    for node in public_definitions(module):
        where = f"{module_id(module)}:{node.lineno} {node.name}"
        docstring = ast.get_docstring(node) or ""
        summary = docstring.split("\n", 1)[0]
        assert re.search(r"[\u4e00-\u9fff].*。$", summary), f"{where}: 首行应是一句中文"
        assert "Example:" in docstring, f"{where}: 没有 Example"
        assert ">>> " in docstring, f"{where}: 没有 doctest"
        body = node
        if isinstance(node, ast.ClassDef):
            methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
            body = next((m for m in methods if m.name == "__init__"), node)
        if isinstance(body, ast.FunctionDef):
            arguments = body.args.args + body.args.kwonlyargs
            for argument in arguments:
                if argument.arg != "self":
                    assert re.search(rf"^\s+\*?{argument.arg}: ", docstring, re.M), (
                        f"{where}: Args 里没有 {argument.arg}"
                    )
        if any(isinstance(n, ast.Raise) for n in ast.walk(node)):
            assert "Raises:" in docstring, f"{where}: 没有 Raises"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_no_definition_is_typed_on_a_page(page: Path) -> None:
    for cell in cells_of(page):
        typed = "\n".join(
            line for line in cell.code.splitlines() if not citations.FORM.match(line)
        )
        where = f"docs/{page.name}:{cell.line}"
        assert not re.search(
            r"^\s*(async def|def|class)\b|=\s*lambda\b", typed, re.M
        ), where
        assert not re.search(r"^\s*(from|import) snippets\b", typed, re.M), where
        assert max(map(len, typed.splitlines()), default=0) <= 88, (
            f"{where}: 超过 88 列"
        )


@pytest.mark.parametrize("stem", STEMS)
def test_references_are_complete_and_in_order(stem: str) -> None:
    page = (DOCS / f"{stem}.md").read_text(encoding="utf-8")
    entries = page.partition("{#references}")[2].strip().splitlines()
    years = []
    for entry in entries:
        found = REFERENCE.fullmatch(entry)
        assert found or entry.startswith("- 文档："), entry
        years.append(int(found[1]) if found else 9999)  # 文档排在最后
    assert years == sorted(years)


@pytest.mark.parametrize("stem", STEMS)
def test_few_blocks_are_skipped_and_most_are_short(stem: str) -> None:
    cells = cells_of(DOCS / f"{stem}.md")
    skipped = [c for c in cells if "skip-execution" in c.tags]
    assert len(skipped) <= 1
    shown = [c for c in cells if "hide-input" not in c.tags]
    long = [c.line for c in shown if len(c.code.splitlines()) > 20]
    assert len(long) <= len(shown) / 5, f"docs/{stem}.md: 长的块在 {long} 行"


@pytest.mark.parametrize(("number", "stem"), list(enumerate(STEMS, 1)))
def test_question_pages_share_one_anatomy(number: int, stem: str) -> None:
    text = (DOCS / f"{stem}.md").read_text(encoding="utf-8")
    original = (DOCS / "assets" / "original-article.txt").read_text(encoding="utf-8")
    title = re.search(r"^# (.+?)(?: \{#[\w-]+\})?$", text, re.M)
    question = re.search(rf"^## (Q{number}：.+)$", original, re.M)
    assert title is not None
    assert question is not None
    assert title[1].replace("`", "") == question[1].replace("`", "")
    headings = re.findall(r"^##+ (.+?)(?: \{#([a-z0-9-]+)\})?$", text, re.M)
    assert [name for name, anchor in headings if not anchor] == []
    fixed = [(anchor, name) for name, anchor in headings if anchor in ANATOMY]
    assert fixed == list(ANATOMY.items())
    assert re.match(r"---\ndescription: .{20,140}\nsummary: .{10,80}\n---\n", text)
    assert text.count("type: question") >= 4, "追问至少四个"


def test_each_erratum_has_one_proof_and_one_listing_on_its_page() -> None:
    proofs: Counter[int] = Counter()
    listed: Counter[int] = Counter()
    for stem in STEMS:
        text = (DOCS / f"{stem}.md").read_text(encoding="utf-8")
        proofs.update(
            int(n) for n in re.findall(r"\{[^}]*#proof-(\d\d)\b[^}]*\}", text)
        )
        items = re.findall(r"^- \*\*\[勘误 (\d+)\]\(errata\.md#e(\d\d)\)", text, re.M)
        assert all(int(shown) == int(anchor) for shown, anchor in items)
        listed.update(int(shown) for shown, _ in items)
    assert proofs == Counter(range(1, 35))
    assert listed == Counter(range(1, 35))
