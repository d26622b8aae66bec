"""主张的登记、标记与证据表。"""

from dataclasses import replace
from pathlib import Path

import pytest
from markdown import Markdown

from pipeline.cells import read_cells
from pipeline.citations import Citations
from pipeline.claims import (
    ClaimMarks,
    check,
    check_registry,
    format_number,
    measure,
    read_claims,
    tabulate,
)

ENTRY = """\
[one]
statement = "甲"
measure = "f(seed)"
expected = "1 / 3"
tolerance = 0.1
because = "乙"
source = "丙"
mutants = [["a.py", "x", "y"]]
"""


def write(folder: Path, **files: str) -> Path:
    claims = folder / "tests" / "claims"
    claims.mkdir(parents=True, exist_ok=True)
    for stem, text in files.items():
        (claims / f"{stem}.toml").write_text(text, encoding="utf-8")
    return claims


def test_a_claim_knows_when_it_holds(tmp_path: Path) -> None:
    claims, errors = read_claims(write(tmp_path, stem=ENTRY))
    assert errors == []
    claim = claims["one"]
    assert (claim.id, claim.stem, claim.function) == ("one", "stem", "f")
    assert claim.describe() == "≈ 0.3333 ± 0.1"
    assert claim.holds(0.4)
    assert not claim.holds(0.5)
    assert not claim.holds(float("nan"))


def test_each_broken_promise_is_a_fault(tmp_path: Path) -> None:
    two, three = ENTRY.replace("one", "two"), ENTRY.replace("one", "three")
    claims, _ = read_claims(write(tmp_path, stem=ENTRY + two, elsewhere=three))
    page = '```python claims={"one": "x", "other": "x"}\nx = 1\n```\n'
    blocks = {"stem.md": read_cells(page.splitlines(), Citations([], tmp_path))[0]}

    def faults(**measures: float) -> list[str]:
        return [fault.at(page) for page, fault in check(claims, measures, blocks)]

    unknown = "docs/stem.md:2: 主张 other 没有登记；请改 id，或在 tests/claims 里登记"
    unmeasured = "docs/stem.md:1: 登记的主张 two 没有量；请在一块的块头写 claims={…}"
    assert faults() == faults(one=0.3) == [unknown, unmeasured]
    assert faults(one=1.0) == [
        "docs/stem.md:2: 主张 one 不成立：预期 ≈ 0.3333 ± 0.1，实测 1；"
        "请改代码，或改 tests/claims/stem.toml",
        unknown,
        unmeasured,
    ]


def test_rounding_is_not_shown(tmp_path: Path) -> None:
    claims, _ = read_claims(write(tmp_path, stem=ENTRY.replace("1 / 3", "0")))
    claim = claims["one"]
    shown = [claim.show(value) for value in (None, 0.0, 0.0123, 0.2)]
    assert shown == ["未测得", "0", "0.0123", "0.2"]  # 容许差 0.1：不是舍入
    exact = replace(claim, tolerance="1e-12")
    shown = [exact.show(value) for value in (None, 0.0, 1e-15, 0.2)]
    assert shown == ["未测得", "0", "不超过 1e−12", "0.2"]


@pytest.mark.parametrize(
    ("relation", "below", "equal", "above"),
    [("<", True, False, False), ("=", False, True, False), (">", False, False, True)],
)
def test_relations(
    tmp_path: Path, relation: str, below: bool, equal: bool, above: bool
) -> None:
    text = ENTRY.replace('tolerance = 0.1\nbecause = "乙"', f'relation = "{relation}"')
    claims, errors = read_claims(write(tmp_path, stem=text))
    assert errors == []
    claim = claims["one"]
    assert [claim.holds(v) for v in (0, 1 / 3, 1)] == [below, equal, above]
    assert claim.describe() == f"{relation} 0.3333"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('statement = "甲"\n', "", "1: 主张 one 缺少 statement"),
        ('source = "丙"', 'sauce = "丙"', "1: 主张 one 的 sauce 不是已知的键"),
        ("tolerance = 0.1\n", "", "≈ 两样都要"),
        ("tolerance", 'relation = ">"\ntolerance', "别的关系都不要"),
        ("tolerance", 'relation = "~"\ntolerance', "relation 应是"),
        ("1 / 3", "one / 3", "求不出值"),
        ("f(seed)", "-f(seed)", "measure 应以调用"),
        ("f(seed)", "torch.f(seed)", "measure 应以调用"),
        ("甲", "|甲|", "不能有竖线"),
        ("[one]", "[One]", "的 id 只用"),
        ('[["a.py", "x", "y"]]', "[]", "至少要有一个"),
        ('[["a.py", "x", "y"]]', "5", "至少要有一个"),
        ('[["a.py", "x", "y"]]', '["abc"]', "至少要有一个"),
        ("[one]", "one = 1\n[two]", "1: 主张 one 应是一张表"),
        ("[one]", "[one", "1: 读不出"),
    ],
)
def test_faults_of_the_registry_are_told(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in ENTRY
    claims, errors = read_claims(write(tmp_path, stem=ENTRY.replace(old, new)))
    assert "one" not in claims
    assert errors[0].startswith("tests/claims/stem.toml:1: ")
    assert message in errors[0]


def test_a_name_is_used_once(tmp_path: Path) -> None:
    claims, (error,) = read_claims(write(tmp_path, a=ENTRY, b="\n" + ENTRY))
    assert list(claims) == ["one"]
    assert error.startswith("tests/claims/b.toml:2: 主张 one 与 a.toml 里的重名")


def test_a_registry_without_its_page_or_mark_is_told(tmp_path: Path) -> None:
    two = "\n" + ENTRY.replace("one", "two")
    claims, _ = read_claims(
        write(tmp_path, stem=ENTRY + two, lost=two.replace("two", "three"))
    )
    assert list(check_registry(claims.values(), {"stem": "甲[[one]]。"})) == [
        "tests/claims/lost.toml:2: 没有 docs/lost.md 这一页；"
        "请改登记文件的名字，或写这一页",
        "tests/claims/stem.toml:10: docs/stem.md 里没有 [[two]]；"
        "请在它支持的那句话后面写上，或改 id",
    ]


def test_no_folder_is_no_claims(tmp_path: Path) -> None:
    assert read_claims(tmp_path / "tests" / "claims") == ({}, [])


def test_the_table_lists_expected_and_measured(tmp_path: Path) -> None:
    claims, _ = read_claims(write(tmp_path, stem=ENTRY))
    *_, row = tabulate(claims.values(), {"one": 0.35}, "甲[[one]]。")
    for text in (
        '<a id="one"></a>甲',
        "≈ 0.3333 ± 0.1",
        ">0.35</bdi> |",
        "[原句](stem.md#claim-one)",
        "[函数](reference/stem.md#snippets.experiments.stem.f)",
        "丙<br>容差：乙",
        "[测试](#test) `one`",
    ):
        assert text in row
    *_, row = tabulate(claims.values(), {}, "没有标记")
    assert ">未测得</bdi> |" in row
    assert "原句" not in row


def test_a_claim_without_tolerance_has_no_reason_for_it(tmp_path: Path) -> None:
    text = ENTRY.replace('tolerance = 0.1\nbecause = "乙"', 'relation = "<"')
    claims, _ = read_claims(write(tmp_path, stem=text))
    *_, row = tabulate(claims.values(), {"one": 0.2}, "stem.md")
    assert ">&lt; 0.3333</bdi> |" in row or ">< 0.3333</bdi> |" in row
    assert "容差" not in row


def test_a_claim_is_measured_with_the_modules_of_its_stem(tmp_path: Path) -> None:
    text = ENTRY.replace("f(seed)", "receptive_field(seed, 4)")
    claims, _ = read_claims(write(tmp_path, temporal_conv=text))
    assert measure(claims["one"], seed=2) == 31.0


def test_marks_lead_to_the_evidence() -> None:
    found = []

    def describe(name: str) -> str | None:
        return "预期" if name == "one" else None

    def report(text: str, message: str) -> None:
        found.append((text, message))

    md = Markdown(extensions=[ClaimMarks(describe, report)])
    page = md.convert("甲[[one]]，`[[code]]`，[[two]]。")
    assert 'href="evidence.md#one"' in page
    assert 'id="claim-one"' in page
    assert 'title="预期"' in page
    assert "[[code]]" in page
    assert found == [("[[two]]", found[0][1])]
    assert "没有登记名为 two 的主张" in found[0][1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.95393, "0.9539"),
        (1048576.0, "1048576"),
        (4.8325e16, "4.832e16"),
        (-3.02e-9, "−3.02e−9"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert format_number(value) == text
