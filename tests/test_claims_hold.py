"""主张：换一个种子仍成立；登记、页面、代码三者对得上。"""

import re
from collections import Counter

import pytest

from pipeline.cells import Cell
from pipeline.claims import MARK, SEED, Claim, measure, read_claims
from pipeline.faults import find_line
from pipeline.tools.project import ROOT, STEMS
from tests.sources import DOCS, SNIPPETS, cells_of, place, public_definitions

CLAIMS, ERRORS = read_claims(ROOT / "tests" / "claims")


# --8<-- [start:test_claim]
@pytest.mark.claim
@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_claim(claim: Claim) -> None:
    measured = measure(claim, SEED)
    assert claim.holds(measured), advice(claim, measured)


# --8<-- [end:test_claim]


def blocks(stem: str) -> list[Cell]:
    return cells_of(DOCS / f"{stem}.md")


def registered(claim: Claim) -> str:
    """登记这条主张的位置。"""
    path = ROOT / "tests" / "claims" / f"{claim.stem}.toml"
    return place(path, find_line(path.read_text(encoding="utf-8"), f"[{claim.id}]"))


def advice(claim: Claim, measured: float) -> str:
    """主张不成立时怎么办。"""
    found = f"预期 {claim.describe()}，实测 {measured:.6g}"
    return f"{registered(claim)}: 请改代码，或改登记的预期与容差：{found}"


def test_registry_is_sound() -> None:
    assert ERRORS == [], "\n".join(ERRORS)
    for claim in CLAIMS.values():
        assert claim.stem in STEMS, (
            f"{registered(claim)}: 请让登记的文件与导航里的一题同名"
        )


def test_papers_in_the_sources_are_linked() -> None:
    for claim in CLAIMS.values():
        bare = re.search(r"（[12]\d{3}）(?!\]\(https://)", claim.source)
        assert not bare, (
            f"{registered(claim)}: source 里的论文请写成 [作者（年）](https://…)"
        )


@pytest.mark.parametrize("stem", STEMS)
def test_each_claim_has_one_mark_and_one_measurement_on_its_page(stem: str) -> None:
    page = DOCS / f"{stem}.md"
    text = page.read_text(encoding="utf-8")
    marks = Counter(re.findall(MARK, text))
    measured = Counter(name for cell in blocks(stem) for name, _ in cell.claims)
    listed = {name for name, claim in CLAIMS.items() if claim.stem == stem}
    for name in sorted({*listed, *marks, *measured}):
        where = place(page, find_line(text, f"[[{name}]]", f'"{name}"'))
        assert name in listed, (
            f"{where}: 请在 tests/claims/{stem}.toml 里登记 {name}，或改用登记过的"
        )
        assert marks[name] == 1, (
            f"{where}: 请在 {name} 支持的那句话后面写 [[{name}]]，恰好一处，"
            f"现在有 {marks[name]} 处"
        )
        assert measured[name] == 1, (
            f'{where}: 请在量它的那一块写 claims={{"{name}": "…"}}，恰好一处，'
            f"现在有 {measured[name]} 处"
        )


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_page_measures_with_the_function_of_the_claim(claim: Claim) -> None:
    module = SNIPPETS / "experiments" / f"{claim.stem}.py"
    assert claim.function in {node.name for node in public_definitions(module)}, (
        f"{registered(claim)}: 请让 measure 以 {place(module)} 里公开的函数开头，"
        f"那里没有 {claim.function}"
    )
    used = "\n".join(cell.code for cell in blocks(claim.stem))
    assert re.search(rf"\b{claim.function}\(", used), (
        f"docs/{claim.stem}.md:1: 请在页面上调用 {claim.function}，"
        f"主张 {claim.id} 是用它量的"
    )


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_mutants_edit_what_is_there(claim: Claim) -> None:
    for file, old, new in claim.mutants:
        text = (SNIPPETS / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, (
            f"{registered(claim)}: mutants 的原文「{old}」请在 snippets/{file} 里"
            f"恰有 1 处，现在有 {text.count(old)} 处"
        )
        assert old != new, f"{registered(claim)}: mutants 请真的改动「{old}」"
