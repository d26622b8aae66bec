"""不用 MkDocs、Material 和 mkdocs-jupyter 建一页。

将来换生成器，要写的就是这样一个接口：谁来运行笔记本，谁来渲染 Markdown。
"""

from pathlib import Path
from typing import Any

import nbformat
from markdown import Markdown
from nbclient import NotebookClient
from pymdownx.snippets import SnippetPreprocessor

from pipeline import cells, drawing, execution, faults, maths, runs, typography
from pipeline.tools.project import ROOT


def read(text: str, snippets: Path) -> list[cells.Cell]:
    """切出一页的代码块。"""
    settings = {"pymdownx.snippets": {"base_path": [snippets], "check_paths": True}}
    md = Markdown(extensions=["pymdownx.snippets"], extension_configs=settings)
    preprocessor = md.preprocessors["snippet"]
    assert isinstance(preprocessor, SnippetPreprocessor)
    return cells.read_cells(text, cells.Source([snippets], preprocessor.run))


def execute(blocks: list[cells.Cell]) -> dict[str, runs.Run]:
    """运行各块。"""
    preamble = (ROOT / "pipeline" / "preamble.py").read_text(encoding="utf-8")
    text = runs.make_notebook(blocks, preamble, runs.versions())
    notebook = nbformat.reads(text, as_version=4)
    manager = execution.SilentKernelManager
    NotebookClient(notebook, allow_errors=True, kernel_manager_class=manager).execute()
    return runs.read_runs(
        [
            {"id": c.id, "count": c.execution_count, "outputs": c.outputs}
            for c in notebook.cells
        ]
    )


def render(text: str, blocks: list[cells.Cell], results: dict[str, runs.Run]) -> str:
    """渲染一页。"""

    def draw(
        source: str, language: str, css: str, options: Any, md: Any, **_: Any
    ) -> str:
        del source, language, css, md
        number = int(options["cell"])
        run = results.get(f"cell-{number}", runs.Run(None, []))
        return drawing.render_code(
            blocks[number], f"cell-{number}"
        ) + drawing.render_outputs(blocks[number], run.outputs, f"f{number}")

    def accept(language: str, inputs: Any, options: Any, *_: Any) -> bool:
        del language
        options |= inputs
        return True

    def fail(source: str, message: str) -> None:
        raise faults.Fault(faults.find_line(text, source), message)

    fence = {"name": "python", "class": "cell", "validator": accept, "format": draw}
    md = Markdown(
        extensions=[
            "pymdownx.arithmatex",
            "pymdownx.superfences",
            maths.MathsExtension(fail),
            typography.ChineseNewlines(),
        ],
        extension_configs={
            "pymdownx.arithmatex": {"generic": True},
            "pymdownx.superfences": {"custom_fences": [fence]},
        },
    )
    return md.convert(cells.number_fences(text))


def build(page: Path, snippets: Path) -> str:
    """建一页，给出 HTML。

    Args:
        page: 页面。
        snippets: 片段的文件夹。

    Raises:
        Fault: 页面有错。
    """
    text = page.read_text(encoding="utf-8")
    blocks = read(text, snippets)
    results = execute(blocks)
    for fault in runs.check_runs(blocks, results):
        raise fault
    return render(text, blocks, results)
