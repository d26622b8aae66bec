"""读页面和片段的源文件。"""

import ast
from pathlib import Path

from pipeline.cells import Cell, read_cells
from pipeline.citations import Citations
from pipeline.tools.project import ROOT

DOCS, SNIPPETS = ROOT / "docs", ROOT / "snippets"
MODULES = sorted(p for p in SNIPPETS.rglob("*.py") if p.name != "__init__.py")


def module_id(path: Path) -> str:
    """片段相对 `snippets/` 的路径。"""
    return path.relative_to(SNIPPETS).as_posix()


def public_definitions(path: Path) -> list[ast.FunctionDef | ast.ClassDef]:
    """一个模块里公开的函数和类。"""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
    ]


def lines_of(page: Path) -> list[str]:
    """一页的各行。"""
    return page.read_text(encoding="utf-8").splitlines()


def cells_of(page: Path) -> list[Cell]:
    """一页的代码块；没有文件夹，就不展开引用：只看页面上写了什么。"""
    cells, _ = read_cells(lines_of(page), Citations([], ROOT))
    return cells
