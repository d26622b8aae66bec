"""代码块：切开、展开、对行号、画输出。"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooks.cells import (
    Cell,
    Run,
    Source,
    check_runs,
    make_notebook,
    read_cells,
    read_runs,
    render_code,
    render_outputs,
    shorten_docstrings,
)
from hooks.faults import Fault


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
    assert first.citations == (("a.py", "f"),)
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
    ("page", "line", "message"),
    [
        ("甲\n\n```python\n```\n", 3, "空的"),
        ("甲\n\n```python\n1\n", 3, "围栏"),
        ('```python\n--8<-- "a.py:g"\n```\n', 2, r"\[start:g\] 应恰有 1 个，实有 0 个"),
        ('甲\n\n--8<-- "b.py"\n', 3, "b.py 不存在"),
        ("```Python\n1\n```\n", 1, "不会运行"),
        ("``` {.python}\n1\n```\n", 1, "不会运行"),
        ("> ```python\n> 1\n> ```\n", 1, "不会运行"),
    ],
)
def test_bad_pages(source: Source, page: str, line: int, message: str) -> None:
    with pytest.raises(Fault, match=message) as caught:
        read_cells(page, source)
    assert caught.value.line == line


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


def test_notebook_depends_only_on_what_can_change_an_output() -> None:
    cell = Cell("1", (3,))
    moved = Cell("1", (30,), caption="图", alt="线")
    notebook = make_notebook([cell], "import a", {"torch": "2"})
    assert make_notebook([moved], "import a", {"torch": "2"}) == notebook
    for other in (
        make_notebook([Cell("2", (3,))], "import a", {"torch": "2"}),
        make_notebook([cell], "import b", {"torch": "2"}),
        make_notebook([cell], "import a", {"torch": "3"}),
        make_notebook([Cell("1", (3,), frozenset({"x"}))], "import a", {"torch": "2"}),
        make_notebook([cell, cell], "import a", {"torch": "2"}),
    ):
        assert other != notebook


def test_block_that_was_not_run_is_a_fault() -> None:
    cells = [Cell("1", (3,)), Cell("2", (7,), frozenset({"skip-execution"}))]
    (fault,) = check_runs(cells, [Run(None, []), Run(None, [])])
    assert (fault.line, fault.message) == (3, "这一块没有运行")


def test_adjacent_streams_are_one() -> None:
    def stream(name: str, text: str) -> dict[str, str]:
        return {"output_type": "stream", "name": name, "text": text}

    value = {"output_type": "execute_result", "data": {"text/plain": "1"}}
    outputs = [stream("stdout", "a"), stream("stdout", "b"), value]
    outputs += [stream("stdout", "c"), stream("stderr", "d")]
    runs = [{"count": 1, "outputs": []}, {"count": 2, "outputs": outputs}]
    (run,) = read_runs(f'<script type="application/json">{json.dumps(runs)}</script>')
    assert run.count == 2
    assert [o.get("text") for o in run.outputs] == ["ab", None, "c", "d"]


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        ({"text/plain": "1"}, 0),
        ({"text/plain": "<图>", "image/png": "x"}, 1),
        ({"application/x": "1"}, 1),
    ],
)
def test_unknown_kind_of_output_is_a_fault(data: dict[str, str], faults: int) -> None:
    run = Run(1, [{"output_type": "execute_result", "data": data}])
    found = list(check_runs([Cell("1", (3,))], [run]))
    assert [(fault.line, "不支持" in fault.message) for fault in found] == [
        (3, True)
    ] * faults


def test_foreign_template_is_told() -> None:
    with pytest.raises(ValueError, match="模板"):
        read_runs("<p>别的模板</p>")


def test_docstrings_keep_their_first_line_only() -> None:
    code = (
        'class A:\n    """甲。\n\n    乙\n    """\n\n    def f(self):\n'
        '        """丙。\n\n        丁\n        """\n        return 1\n'
    )
    assert shorten_docstrings(code) == (
        'class A:\n    """甲。"""\n\n    def f(self):\n        """丙。"""\n        return 1'
    )
    assert shorten_docstrings("x = = 1") == "x = = 1"
    assert shorten_docstrings('x = """甲\n乙"""') == 'x = """甲\n乙"""'


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            {
                "output_type": "stream",
                "name": "stdout",
                "text": "\x1b[31m<甲>\x1b[0m\n",
            },
            '<pre tabindex="0"><code>&lt;甲&gt;</code></pre>',
        ),
        (
            {"output_type": "error", "ename": "E", "evalue": "甲", "traceback": []},
            '<pre class="error" tabindex="0"><code>E: 甲</code></pre>',
        ),
        (
            {"output_type": "execute_result", "data": {"text/plain": "1"}},
            '<pre tabindex="0"><code>1</code></pre>',
        ),
        (
            {
                "output_type": "execute_result",
                "data": {
                    "text/html": "<div>\n<style scoped>x</style>\n<table><tr></tr></table>\n</div>",
                    "text/plain": "1",
                },
            },
            "<table><tr></tr></table>",
        ),
        (
            {
                "output_type": "execute_result",
                "data": {"text/html": "<script>1</script>", "text/plain": "模型"},
            },
            '<pre tabindex="0"><code>模型</code></pre>',
        ),
    ],
)
def test_outputs_are_drawn(output: dict[str, Any], expected: str) -> None:
    assert render_outputs(Cell("1", (1,)), [output], "f0") == expected


def test_code_is_coloured_sparingly() -> None:
    html = render_code(Cell("def f(x):\n    return x + 1\n\n\n\n\nf(1)", (1,)))
    assert html.startswith('<div class="highlight"><pre><span></span><code>')
    assert '<span class="k">return</span> x + <span class="mi">1</span>' in html
    assert "\n\nf(" in html
    assert "\n\n\n" not in html
