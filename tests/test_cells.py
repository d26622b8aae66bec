"""代码块：切开、展开、对行号。"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cells import Cell, read_cells
from pipeline.citations import Citations


@pytest.fixture
def source(tmp_path: Path) -> Citations:
    text = "# --8<-- [start:f]\ndef f():\n    return 1\n# --8<-- [end:f]\n"
    folder = tmp_path / "snippets"
    folder.mkdir()
    (folder / "a.py").write_text(text, encoding="utf-8")
    return Citations([folder], tmp_path)


def cells_of(page: str, source: Citations) -> list[Cell]:
    """没有错误的一页的代码块。"""
    cells, faults = read_cells(page.splitlines(), source)
    assert faults == []
    return cells


def test_every_line_of_code_knows_its_line_on_the_page(source: Citations) -> None:
    page = (
        "---\ndescription: 页\n---\n\n# 页\n\n```python\nx = 1\n"
        '--8<-- "a.py:f"\ny = 2\n```\n\n```text\n甲\n```\n\n```python\nz\n```\n'
    )
    first, second = cells_of(page, source)
    assert first.code == "x = 1\ndef f():\n    return 1\ny = 2"
    assert first.lines == (8, 9, 9, 10)
    assert first.origins == ("", "snippets/a.py:2", "snippets/a.py:3", "")
    assert first.citations == (("snippets/a.py", "f"),)
    assert (second.code, second.lines) == ("z", (18,))


def test_options_of_the_fence(source: Citations) -> None:
    page = (
        '```python tags=["hide-input"] summary="量 δ" caption="图 1：甲，乙" '
        'alt="一条线"\nplot()\n```\n'
    )
    (cell,) = cells_of(page, source)
    assert cell.tags == {"hide-input"}
    assert cell.summary == "量 δ"
    assert (cell.caption, cell.alt) == ("图 1：甲，乙", "一条线")


@pytest.mark.parametrize("language", ["text", "bash", "r", "js"])
def test_other_languages_are_not_run(source: Citations, language: str) -> None:
    fence = f"```{language}\nrm\n```\n\n"
    assert [c.code for c in cells_of(3 * fence + "```python\n1\n```\n", source)] == [
        "1"
    ]


@pytest.mark.parametrize(
    ("page", "faults"),
    [
        ("甲\n\n```python\n```\n", ["3: 这一块是空的"]),
        ("甲\n\n```python\n1\n", ["3: 这一块的围栏没有闭合"]),
        ("```python\n1\n\n甲\n\n```python\n2\n```\n", ["1: 这一块的围栏没有闭合"]),
        (
            '```python\n--8<-- "a.py:g"\n```\n',
            ["2: a.py 里没有「g」这一段"],
        ),
        ("```text\n1\n", ["1: 这一块的围栏没有闭合"]),
        ("```Python\n1\n```\n", ["1: 这一块不会运行"]),
        ("``` {.python}\n1\n```\n", ["1: 这一块不会运行"]),
        ("> ```python\n> 1\n> ```\n", ["1: 这一块不会运行"]),
        (
            '```python title="x" tags=["y"]\n1\n```\n',
            ["1: y 不是", "1: 块头的 title 不是"],
        ),
        ('```python claims=["y"]\n1\n```\n', ["1: claims 应写成"]),
        (
            '```python\n--8<-- "b.py"\n```\n\n```py\n1\n```\n\n```python x=1\n1\n```\n',
            ["2: 引用的文件 b.py 不存在", "5: 这一块不会运行", "9: 块头的 x 不是"],
        ),
        ('```python tags="x"\n1\n```\n', ["1: tags 应写成"]),
        ("```python tags=[1]\n1\n```\n", ["1: 1 不是已知的标签"]),
        ('```python caption=5 alt="线"\n1\n```\n', ["1: caption 应写成"]),
        ('```python summary="量"\n1\n```\n', ["1: summary 是折叠的块"]),
        ('```python tags=["hide-input"] summary=5\n1\n```\n', ["1: summary 应写成"]),
        ("```python\n--8<-- 'a.py'\n```\n", ["2: 引用应写成"]),
        (
            '```python\n--8<-- "a.py:f" \n```\n',
            ["2: 引用应写成"],
        ),
    ],
)
def test_all_faults_of_a_page_are_found(
    source: Citations, page: str, faults: list[str]
) -> None:
    lines = page.splitlines()
    found = [f"{f.line}: {f.message}" for f in sorted(read_cells(lines, source)[1])]
    assert [f[: len(g)] for f, g in zip(found, faults, strict=True)] == faults


def test_examples_inside_other_fences_are_not_run(source: Citations) -> None:
    page = "````markdown\n```python\n1\n```\n````\n\n```python\n2\n```\n"
    assert [c.code for c in cells_of(page, source)] == ["2"]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(
            st.sampled_from(["x = 1", "  y", "# 甲", "--", "$x$", "%magic"]),
            min_size=1,
            max_size=5,
        ),
        max_size=5,
    )
)
def test_line_numbers_point_at_the_same_text(blocks: list[list[str]]) -> None:
    page = "# 页\n\n" + "".join(
        "甲\n\n```python\n" + "\n".join(lines) + "\n```\n\n" for lines in blocks
    )
    cells = cells_of(page, Citations([], Path()))
    assert [c.code.splitlines() for c in cells] == blocks
    text = page.splitlines()
    for cell in cells:
        assert [text[n - 1] for n in cell.lines] == cell.code.splitlines()
