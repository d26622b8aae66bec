"""写错的页面：一次构建查出全部，一处一行，指出页面和行号，说清怎么办。"""

from tests.conftest import SNIPPETS, SmallSite

# 页面、错误所在的行、这一行里应有的话
FAULTS = {
    "raises": (
        "# 页\n\n```python\nx = 1\n\ny = undefined + 1\n```\n",
        6,
        "NameError: name 'undefined' is not defined",
    ),
    "raises_in_snippet": (
        '---\ndescription: 页\n---\n# 页\n\n```python\n--8<-- "a.py:half"\nhalf(\n    3\n)\n```\n',
        8,
        "ZeroDivisionError: division by zero（snippets/a.py:9）",
    ),
    "raises_while_defined": (
        '# 页\n\n```python\n--8<-- "b.py:broken"\n```\n',
        4,
        "NameError: name 'missing' is not defined（snippets/b.py:2）",
    ),
    "syntax": (
        "# 页\n\n```python\nx = 1\nx = = 2\n```\n",
        5,
        "SyntaxError: invalid syntax；请改正这一句",
    ),
    "never_ends": (
        "# 页\n\n```python\n1\n```\n\n```python\n# 不会结束\nwhile True: pass\n```\n",
        9,
        "TimeoutError: 超过时限 6 秒 CPU 时间；请把计算改小",
    ),
    "dies": ("# 页\n\n```python\nimport os; os._exit(1)\n```\n", 4, "内核死了"),
    "no_error": (
        '# 页\n\n```python tags=["raises-exception"]\n1\n```\n',
        4,
        "标了 raises-exception，却没有出错",
    ),
    "stderr": (
        "# 页\n\n```python\nimport warnings\nwarnings.warn('旧')\n```\n",
        4,
        "请消除警告：UserWarning: 旧",
    ),
    "no_alt": (
        "# 页\n\n```python\nimport matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()\n```\n",
        4,
        "alt=",
    ),
    "missing_section": (
        '# 页\n\n```python\n--8<-- "a.py:nothing"\n```\n',
        4,
        "a.py 里没有「nothing」这一段",
    ),
    "open_section": (
        '# 页\n\n甲\n\n```python\n--8<-- "a.py:open_ended"\n```\n',
        6,
        "[end:open_ended] 应恰有 1 个，实有 0 个",
    ),
    "missing_file": ('# 页\n\n```python\n--8<-- "c.py:f"\n```\n', 4, "c.py 不存在"),
    "cited_in_prose": ('# 页\n\n--8<-- "c.svg"\n', 3, "c.svg 不存在"),
    "indented": ("# 页\n\n- 甲\n\n    ```python\n    1\n    ```\n", 5, "不会运行"),
    "alias": ("# 页\n\n```py\n1\n```\n", 3, "不会运行"),
    "unknown_tag": (
        '# 页\n\n```python tags=["hide"]\n1\n```\n',
        3,
        "hide 不是已知的标签",
    ),
    "unknown_option": (
        '# 页\n\n```python title="甲"\n1\n```\n',
        3,
        "title 不是已知的选项",
    ),
    "bad_tex": ("# 页\n\n甲 $x$\n\n$$\n\\frac{1\n$$\n", 6, "公式有误"),
    "undefined_macro": ("# 页\n\n甲 $x$ 乙 $\\part y$\n", 3, "\\part"),
    "chinese_in_tex": ("# 页\n\n甲 $中 + 1$\n", 3, "中文要放进 \\text{}"),
    "raw_tex": ("# 页\n\n甲\n\n乙 $ x$ 丙\n", 5, "公式没有被认出"),
    "raw_block": ("# 页\n\n甲\n$$x$$\n", 4, "公式没有被认出"),
    "raw_angle": ("# 页\n\n内积 <x, y> 为零\n", 3, "会当成 HTML 标签"),
    "more_cells": ("# 页\n\n| 甲 |\n| - |\n| 1 | 2 |\n", 5, "表头只有 1 格"),
    "price": ("# 页\n\n每小时 $5-$10\n", 3, "要的是美元号，写 \\$"),
    "link_in_tex": ("# 页\n\n$\\href{x}{y}$\n", 3, "不支持 \\href"),
    "directive": ("# 页\n\n<!-- claim: x -->\n", 3, "claim 不是已知的指令"),
    "dead_link": ("# 页\n\n甲\n[乙](nowhere.md)\n", 4, "死链 nowhere.md"),
    "dead_anchor": ("# 页\n\n[乙](index.md#nowhere)\n", 3, "死链 index.md#nowhere"),
    "dead_self": ("# 页\n\n甲\n\n[乙](#nowhere)\n", 5, "死链 #nowhere"),
    "missing_image": ("# 页\n\n![图](nothing.png)\n", 3, "死链 nothing.png"),
    "no_text": ("# 页\n\n![](assets/favicon.svg)\n", 3, "文字说明"),
    "front_matter": ("---\na: 1\nb: [1\n---\n# 页\n", 3, "YAML 有误"),
    "not_utf8": ("# 页\n\n\udcff\n", 3, "不是 UTF-8"),
    "prints_much": (
        '# 页\n\n```python\nprint("x" * 200_000)\n```\n',
        4,
        "上限 100000",
    ),
    "misnamed_section": (
        '# 页\n\n```python\n--8<-- "b.py:other"\n```\n',
        4,
        "没有名为 other 的定义",
    ),
    "section_twice": (
        '# 页\n\n```python\n--8<-- "b.py:twice"\n```\n',
        4,
        "[start:twice] 应恰有 1 个，实有 2 个",
    ),
    "unclosed": (
        '# 页\n\n```python\n--8<-- "a.py:double"\n\n甲\n',
        3,
        "围栏没有闭合",
    ),
    "unknown_kind": (
        '# 页\n\n```python\nfrom IPython.display import Image\nImage(b"x", format="png")\n```\n',
        4,
        "不支持这种输出：image/png",
    ),
    "no_claim": ("# 页\n\n甲\n\n乙[[nothing]]。\n", 5, "没有登记名为 nothing 的主张"),
    "unknown_claim": (
        '# 页\n\n```python claims={"nothing": "1"}\n1\n```\n',
        4,
        "主张 nothing 没有登记",
    ),
    "bad_expression": (
        '# 页\n\n```python claims={"one": "unknown"}\n1\n```\n',
        4,
        "claims 里的表达式出错",
    ),
    "false_claim": (
        '# 页\n\n甲[[two]]。\n\n```python claims={"two": "1 + 2"}\n1\n```\n',
        6,
        "主张 two 不成立：预期 = 2，实测 3",
    ),
    "unmeasured": ("# 页\n\n甲[[three]]\n", 1, "登记的主张 three 没有量"),
    "raw_image": ('# 页\n\n<img src="nothing.png" alt="图">\n', 3, "<img>"),
}
BROKEN = """\
# --8<-- [start:broken]
def broken(x: int = missing) -> int:
    return x
# --8<-- [end:broken]
# --8<-- [start:other]
def another() -> None: ...
# --8<-- [end:other]
# --8<-- [start:twice]
def twice() -> None: ...
# --8<-- [end:twice]
# --8<-- [start:twice]
"""
CLAIMS = """\
[one]
statement = "甲"
measure = "f()"
expected = 1
relation = "="
source = "乙"
mutants = [["a.py", "x", "y"]]

[two]
statement = "甲"
measure = "f()"
expected = 2
relation = "="
source = "乙"
mutants = [["a.py", "x", "y"]]
"""


def test_each_fault_is_one_line_that_names_page_and_line(small_site: SmallSite) -> None:
    small_site.write({"snippets/a.py": SNIPPETS, "snippets/b.py": BROKEN})
    pages = {"docs/claims.md": "# 页\n\n甲[[one]]、乙[[two]]。\n"}
    small_site.write({"tests/claims/claims.toml": CLAIMS} | pages)
    unmeasured = CLAIMS.replace("[one]", "[three]").partition("[two]")[0]
    small_site.write({"tests/claims/unmeasured.toml": unmeasured})
    small_site.write(
        {
            "docs/evidence.md": '# 证据\n\n<a id="one"></a><a id="two"></a><a id="three"></a>\n'
        }
    )
    small_site.write({f"docs/{page}.md": text for page, (text, *_) in FAULTS.items()})
    status, output = small_site.build(CELL_TIMEOUT="6")
    assert status != 0
    assert "Traceback" not in output
    lines = [line for line in output.splitlines() if "docs/" in line and ".md:" in line]
    for page, (_, number, message) in FAULTS.items():
        found = [line for line in lines if f"docs/{page}.md:" in line]
        assert len(found) == 1, found
        line = found[0]
        assert f"docs/{page}.md:{number}: " in line
        assert message in line
    assert len(lines) == len(FAULTS)
    assert not list(small_site.folder.glob("site/**/*.html"))
    assert not list(small_site.folder.glob(".cache/**/*.partial"))
