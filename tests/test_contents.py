"""目录：由导航和各页得出。"""

from pathlib import Path

from pipeline.contents import (
    Question,
    pages,
    questions,
    read_config,
    reference_pages,
    with_reference,
)
from pipeline.tools.project import ROOT

NAV = [
    {"首页": "index.md"},
    {"问题": [{"Q1 甲": "a.md"}, {"Q2：乙为什么？": "b.md"}]},
    {"API 参考": "reference.md"},
    "other.md",
]


def test_questions_are_those_of_the_navigation() -> None:
    first, second = questions(NAV)
    assert (first.stem, first.label, first.page) == ("a", "Q1", "a.md")
    assert second.label == "Q2"
    assert pages(NAV) == ["index", "a", "b", "reference", "other"]
    assert questions(None) == []
    assert pages(None) == []


def test_the_article_has_seven_of_them() -> None:
    labels = [q.label for q in questions(read_config(ROOT / "mkdocs.yml")["nav"])]
    assert labels[:7] == [f"Q{n}" for n in range(1, 8)], "导航里要先列原文的七题"


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_md", ".md").replace(
            "_py", ".py"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_reference_has_a_page_a_question_and_a_page_a_shared_module(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        docs__a_md='```python\n--8<-- "shared.py:f"\n```\n',
        docs__b_md="# 乙\n",
        snippets__a_py="",
        snippets__experiments__a_py="",
        snippets__b_py="def f(:\n",
        snippets__shared_py='"""共用的：甲乙都用。"""\n',
    )
    told: list[str] = []
    a, b, shared = reference_pages(questions(NAV), tmp_path, told.append)
    assert (a.name, a.title, a.page) == ("Q1 甲", "Q1 的 API", "reference/a.md")
    assert "::: snippets.a\n" in a.text
    assert "::: snippets.experiments.a\n" in a.text
    assert "[Q1](../a.md)" in a.text
    assert "（这个模块读不成）" in b.text
    (message,) = told
    assert message.startswith("snippets/b.py:1: 读不成 Python，请改正：")
    assert (shared.title, shared.page) == ("共用的的 API", "reference/shared.md")
    assert "用到它们的有 [Q1](../a.md)。" in shared.text

    nav = with_reference(NAV, [a, b])
    assert nav[:2] == NAV[:2]
    assert nav[2] == {
        "API 参考": [
            {"总览": "reference.md"},
            {"Q1 的 API": "reference/a.md"},
            {"Q2 的 API": "reference/b.md"},
        ]
    }
    assert nav[3] == "other.md"


def test_a_question_needs_no_module(tmp_path: Path) -> None:
    (page,) = reference_pages([Question("Q8 丙", "c")], tmp_path, print)
    assert ":::" not in page.text
