"""谁可以导入谁：测试互不导入，流水线不靠测试，网站的构建不靠工具。"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.tools.project import ROOT
from tests.sources import place

# 文件夹，和它里面不许导入的
FORBIDDEN = {
    "snippets": ("pipeline.", "tests."),
    "pipeline": ("tests.",),
    "tests": ("tests.test_",),
}
SOURCES = [
    path
    for folder in FORBIDDEN
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "node_modules" not in path.parts
]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """逐个给出一个文件导入的模块和名字，连同行号。"""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    folder, *inner = path.relative_to(ROOT).parts
    forbidden = FORBIDDEN[folder]
    if folder == "pipeline" and inner[0] != "tools":
        forbidden += ("pipeline.tools.",)
    for line, name in imports(path):
        assert not any(f"{name}.".startswith(start) for start in forbidden), (
            f"{place(path, line)}: 请不要导入 {name}，"
            "两边都要的放进不是测试的模块，或 pipeline/"
        )
