"""围栏：最外层的各个，和它们之外的正文。"""

import pytest

from pipeline.fences import prose, walk


@pytest.mark.parametrize(
    ("page", "fences"),
    [
        ("```python\n1\n```\n", [("python", 1, 3, True)]),
        ("```\n1\n````\n```\n", [("", 1, 4, True)]),  # 结束的一行与开头一样长
        ("```python\n1\n```  \n\n~~~text\n```\n~~~\n", [
            ("python", 1, 3, True),
            ("text", 5, 7, True),
        ]),
        ("````markdown\n```python\n1\n```\n````\n", [("markdown", 1, 5, True)]),
        ("- 甲\n\n    ```python\n    1\n    ```\n", [("python", 3, 5, True)]),
        ("> ```python\n> 1\n> ```\n", [("python", 1, 3, True)]),
        ("```python\n1\n", [("python", 1, 2, False)]),
        ("```python\n1\n\n```python\n2\n```\n", [
            ("python", 1, 3, False),
            ("python", 4, 6, True),
        ]),
        ("`` ```a``` ``\n", []),
        ("```a```\n", []),
        ("```python\nx = '''\n````\n'''\n```\n", [("python", 1, 5, True)]),
        ("````python\nx = '''\n```\n'''\n````\n", [("python", 1, 5, True)]),
    ],
)  # fmt: skip
def test_outermost_fences(page: str, fences: list[tuple[str, int, int, bool]]) -> None:
    found = [(f.info, f.line, f.end, f.closed) for f in walk(page.splitlines())]
    assert found == fences


def test_prose_is_what_no_fence_holds() -> None:
    page = "甲\n````text\n```\n乙\n```\n````\n丙\n"
    assert [*prose(page.splitlines())] == [(1, "甲"), (7, "丙")]
