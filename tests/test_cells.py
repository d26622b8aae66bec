"""代码块：切开、展开、对行号。"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cells import Source, number_fences, read_cells
from pipeline.faults import Fault


@pytest.fixture
def source(tmp_path: Path) -> Source:
    text = "# --8<-- [start:f]\ndef f():\n    return 1\n# --8<-- [end:f]\n"
    (tmp_path / "a.py").write_text(text, encoding="utf-8")
    body = text.splitlines()[1:-1]
    return Source([tmp_path], lambda lines: body if "a.py" in lines[0] else lines)


def test_every_line_of_code_knows_its_line_on_the_page(source: Source) -> None:
    page = (
        "---\ndescription: 页\n---\n\n# 页\n\n```python\nx = 1\n"
        '--8<-- "a.py:f"\ny = 2\n```\n\n```text\n甲\n```\n\n```python\nz\n```\n'
    )
    first, second = read_cells(page, source)
    assert first.code == "x = 1\ndef f():\n    return 1\ny = 2"
    assert first.lines == (8, 9, 9, 10)
    assert [origin.rpartition("/")[2] for origin in first.origins] == [
        "",
        "a.py:2",
        "a.py:3",
        "",
    ]
    assert first.citations == ((f"{source.folders[0]}/a.py", "f"),)
    assert (second.code, second.lines) == ("z", (18,))


def test_options_of_the_fence(source: Source) -> None:
    page = '```python tags=["hide-input"] caption="图 1：甲，乙" alt="一条线"\nplot()\n```\n'
    (cell,) = read_cells(page, source)
    assert cell.tags == {"hide-input"}
    assert (cell.caption, cell.alt) == ("图 1：甲，乙", "一条线")


@pytest.mark.parametrize("language", ["text", "bash", "r", "js"])
def test_other_languages_are_not_run(source: Source, language: str) -> None:
    fence = f"```{language}\nrm\n```\n\n"
    assert [c.code for c in read_cells(3 * fence + "```python\n1\n```\n", source)] == [
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
        ('甲\n\n--8<-- "b.py"\n', ["3: 引用的文件 b.py 不存在"]),
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
        ("甲\n--8<-- 'a.svg'\n", ["2: 引用应写成"]),
        (
            '```python\n--8<-- "a.py:f" \n```\n',
            ["2: 引用应写成"],
        ),
    ],
)
def test_all_faults_of_a_page_are_found(
    source: Source, page: str, faults: list[str]
) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        read_cells(page, source)
    found = [
        f"{e.line}: {e.message}"
        for e in caught.value.exceptions
        if isinstance(e, Fault)
    ]
    assert [f[: len(g)] for f, g in zip(found, faults, strict=True)] == faults


def test_examples_inside_other_fences_are_not_run(source: Source) -> None:
    page = "````markdown\n```python\n1\n```\n````\n\n```python\n2\n```\n"
    assert [c.code for c in read_cells(page, source)] == ["2"]


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
    cells = read_cells(page, Source([], lambda lines: lines))
    assert [c.code.splitlines() for c in cells] == blocks
    text = page.splitlines()
    for cell in cells:
        assert [text[n - 1] for n in cell.lines] == cell.code.splitlines()


def test_only_the_blocks_that_run_are_numbered() -> None:
    page = "````markdown\n```python\n1\n```\n````\n\n```python tags=[]\n2\n```"
    numbered = number_fences(page)
    assert numbered.count("cell=") == 1
    assert numbered.endswith('```python cell="0"\n2\n```')
