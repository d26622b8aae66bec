"""主张：换一个种子仍成立；登记、页面、代码三者对得上。"""

import re
from collections import Counter

import pytest

from pipeline.cells import Cell
from pipeline.claims import MARK, SEED, Claim, measure, read_claims
from pipeline.tools.project import ROOT, STEMS
from tests.sources import DOCS, SNIPPETS, cells_of, public_definitions

CLAIMS, ERRORS = read_claims(ROOT / "tests" / "claims")


# --8<-- [start:test_claim]
@pytest.mark.claim
@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_claim(claim: Claim) -> None:
    measured = measure(claim, SEED)
    assert claim.holds(measured), f"预期 {claim.describe()}，实测 {measured:.6g}"


# --8<-- [end:test_claim]


def blocks(stem: str) -> list[Cell]:
    return cells_of(DOCS / f"{stem}.md")


def test_registry_is_sound() -> None:
    assert ERRORS == []
    assert {claim.stem for claim in CLAIMS.values()} <= set(STEMS)


def test_papers_in_the_sources_are_linked() -> None:
    for claim in CLAIMS.values():
        bare = re.search(r"（[12]\d{3}）(?!\]\(https://)", claim.source)
        assert not bare, f"{claim.id}: {claim.source}"


def test_each_claim_has_one_mark_and_one_measurement_on_its_page() -> None:
    for stem in STEMS:
        listed = {name: 1 for name, claim in CLAIMS.items() if claim.stem == stem}
        text = (DOCS / f"{stem}.md").read_text(encoding="utf-8")
        assert Counter(re.findall(MARK, text)) == listed, f"docs/{stem}.md"
        measured = Counter(name for cell in blocks(stem) for name, _ in cell.claims)
        assert measured == listed, f"docs/{stem}.md"


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_page_measures_with_the_function_of_the_claim(claim: Claim) -> None:
    module = SNIPPETS / "experiments" / f"{claim.stem}.py"
    assert claim.function in {node.name for node in public_definitions(module)}
    used = "\n".join(cell.code for cell in blocks(claim.stem))
    assert re.search(rf"\b{claim.function}\(", used), f"页面没有调用 {claim.function}"


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_mutants_edit_what_is_there(claim: Claim) -> None:
    for file, old, new in claim.mutants:
        text = (SNIPPETS / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file} 里「{old}」应恰有 1 处"
        assert old != new
