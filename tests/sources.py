"""读页面和片段的源文件。"""

import ast
import os
import re
from pathlib import Path

from pipeline import citations
from pipeline.cache import Cache
from pipeline.cells import Cell, read_cells
from pipeline.citations import Citations
from pipeline.tools.project import ROOT

DOCS, SNIPPETS = ROOT / "docs", ROOT / "snippets"
EXERCISES = SNIPPETS / "exercises"
MODULES = sorted(
    path
    for path in SNIPPETS.rglob("*.py")
    if path.name != "__init__.py" and path.parent != EXERCISES
)
DRILLS = sorted(EXERCISES.glob("[!_]*.py"))  # 手撕题：页面不引用它们
DRILLS.remove(EXERCISES / "checking.py")
PAGES = sorted(DOCS.glob("*.md"))
FORGETFUL = Cache(Path(os.devnull))  # 什么也记不下的缓存
TITLE = re.compile(r"^# (.+?)(?: \{#[\w-]+\})?$", re.M)


def place(path: Path, line: int = 1) -> str:
    """写出一处的位置：`文件:行号`，文件相对项目的文件夹。"""
    return f"{path.relative_to(ROOT).as_posix()}:{line}"


def module_id(path: Path) -> str:
    """片段相对 `snippets/` 的路径。"""
    return path.relative_to(SNIPPETS).as_posix()


def public_definitions(path: Path) -> list[ast.FunctionDef | ast.ClassDef]:
    """一个模块里公开的函数和类，测试不算。"""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith(("_", "test_"))
    ]


def title_of(page: Path) -> str:
    """一页的标题，没有则为空。"""
    match = TITLE.search(page.read_text(encoding="utf-8"))
    return match[1] if match else ""


def lines_of(page: Path) -> list[str]:
    """一页的各行。"""
    return page.read_text(encoding="utf-8").splitlines()


def cells_of(page: Path) -> list[Cell]:
    """一页的代码块；没有文件夹，就不展开引用：只看页面上写了什么。"""
    cells, _ = read_cells(lines_of(page), Citations([], ROOT))
    return cells


def typed_code(cell: Cell) -> str:
    """一块里直接写在页面上的代码。"""
    lines = cell.code.splitlines()
    return "\n".join(line for line in lines if not citations.FORM.match(line))


def cited_sections(page: Path) -> set[str]:
    """一页引用的各段，写作 `文件:段`。"""
    found = map(citations.FORM.match, lines_of(page))
    return {f"{match['path']}:{match['section']}" for match in found if match}
