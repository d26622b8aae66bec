"""画出代码块和它的输出。"""

import re
from typing import Any

import pytest

from pipeline.cells import Cell
from pipeline.drawing import render_code, render_outputs, shorten


def test_docstrings_keep_their_first_line_only() -> None:
    code = (
        'class A:\n    """甲。\n\n    乙\n    """\n\n    def f(self):\n'
        '        """丙。\n\n        丁\n        """\n        return 1\n'
    )
    assert shorten(code) == (
        'class A:\n    """甲。"""\n\n    def f(self):\n        """丙。"""\n        return 1'
    )
    assert shorten("x = = 1") == "x = = 1"
    assert shorten('x = """甲\n乙"""') == 'x = """甲\n乙"""'


CHECKS = """\
class A:
    def __init__(self, a):
        super().__init__(a)
        b = 2 * a
        # 单位是步
        if a < 1:
            told = (
                f"收到 {a}"
            )
            raise ValueError(told)

        # 记下
        self.a = a

    def f(self):
        \"\"\"甲。

        乙
        \"\"\"
        if self.a > 1: raise ValueError
        if self.a > 2:
            raise ValueError

        return 1

    def g(self, a):
        b = a
        if b > 2:
            raise ValueError

    def h(self):
        pass
"""


def test_checks_at_the_head_of_a_function_are_left_out() -> None:
    assert shorten(CHECKS).splitlines() == [
        "class A:",
        "    def __init__(self, a):",
        "        super().__init__(a)",
        "        b = 2 * a",
        "        # 记下",
        "        self.a = a",
        "",
        "    def f(self):",
        '        """甲。"""',
        "        return 1",
        "",
        "    def g(self, a):",
        "        b = a",
        "",
        "    def h(self):",
        "        pass",
    ]


@pytest.mark.parametrize(
    "body",
    [
        "if a:\n        raise A",  # 别的什么也没有
        "f(a)\n    if a:\n        raise A\n    return a",
        "if a:\n        raise A\n    else:\n        a = 1\n    return a",
        "if a:\n        f()\n        raise A\n    return a",
        "return a",
    ],
)
def test_what_is_no_check_at_the_head_stays(body: str) -> None:
    code = f"def f(a):\n    {body}"
    assert shorten(code) == code


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            {
                "output_type": "stream",
                "name": "stdout",
                "text": "<甲>\n",
            },
            '<pre tabindex="0"><samp>&lt;甲&gt;</samp></pre>',
        ),
        (
            {"output_type": "error", "ename": "E", "evalue": "甲", "traceback": []},
            '<pre class="error" tabindex="0"><samp>E: 甲</samp></pre>',
        ),
        (
            {"output_type": "execute_result", "data": {"text/plain": "1"}},
            '<pre tabindex="0"><samp>1</samp></pre>',
        ),
        (
            {
                "output_type": "execute_result",
                "data": {
                    "text/html": '<div>\n<style scoped>x</style>\n<table border="1" '
                    'class="dataframe">\n  <tr style="text-align: right;">\n'
                    "<th></th> <th>甲 乙</th></tr></table>\n</div>",
                    "text/plain": "1",
                },
            },
            '<div class="scroll" tabindex="0"><table class="data" data-search-exclude="true"><tr><td></td>'
            "<th>甲 乙</th></tr></table></div>",
        ),
        (
            {
                "output_type": "execute_result",
                "data": {"text/html": "<script>1</script>", "text/plain": "模型"},
            },
            '<pre tabindex="0"><samp>模型</samp></pre>',
        ),
    ],
)
def test_outputs_are_drawn(output: dict[str, Any], expected: str) -> None:
    assert render_outputs(Cell("1", (1,)), [output], "f0") == expected


def test_code_is_coloured_sparingly() -> None:
    html = render_code(
        Cell("def f(x):\n    return x + 1\n\n\n\n\nf(1)", (1,)), "cell-0", {}
    )
    assert html.startswith(
        '<div class="highlight"><pre tabindex="0"><span><code><span class="k">def'
    )
    assert 'data-clipboard-target="#cell-0 code"' in html
    assert '<span class="k">return</span> x + 1' in html
    assert "\n\nf(" in html
    assert "\n\n\n" not in html


def test_a_definition_leads_to_its_whole_text() -> None:
    html = render_code(Cell("f", (1,)), "cell-0", {"f": "../a/#f"})
    assert re.findall('<a class="md-code__button" (.*?)></a>', html) == [
        'href="../a/#f" title="f 的完整说明" aria-label="f 的完整说明"'
    ]


def test_a_folded_box_imports_what_it_cites() -> None:
    cell = Cell(
        "import math\n\n\ndef f():\n    return 1\n\n\nclass G: ...\n\n\nf()",
        (2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 11),
        frozenset({"hide-input"}),
        citations=(("snippets/a.py", "f"), ("snippets/a.py", "G")),
        origins=("", "", "", "snippets/a.py:2", "snippets/a.py:3", *[""] * 2)
        + ("snippets/a.py:9", *[""] * 3),
    )
    html = render_code(cell, "cell-0", {"f": "../a/#f", "G": "../a/#G"})
    assert re.sub("</?span[^>]*>", "", html).split("<code>")[1].split("</code>")[0] == (
        'import math\n\nfrom snippets.a import <a href="../a/#f">f</a>, '
        '<a href="../a/#G">G</a>\n\nf()\n'
    )
    assert 'md-code__button" href' not in html


def test_a_string_is_one_element() -> None:
    html = render_code(Cell("f'甲 {x:.2f} 乙', None", (1,)), "cell-0", {})
    assert re.findall("<span class.*?</span>", html) == [
        "<span class=\"s2\">'甲 {x:.2f} 乙'</span>",
    ]
