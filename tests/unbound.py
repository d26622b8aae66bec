"""不用 MkDocs、Material 和 mkdocs-jupyter 建一页：同一本书，由 nbclient 运行。"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
from markdown import Markdown
from nbclient import NotebookClient

from pipeline import execution
from pipeline.book import Book
from pipeline.citations import Citations


class Nbclient:
    """由 nbclient 运行一个笔记本，各参数见 `execution.Executor`。"""

    versions: Mapping[str, str] = {}

    def __call__(
        self, page: str, notebook: str, remember: Callable[[int], None], /
    ) -> list[dict[str, Any]]:
        """运行。"""
        del page
        run = nbformat.reads(notebook, as_version=4)
        NotebookClient(
            run,
            allow_errors=True,
            on_cell_execute=lambda cell, cell_index: remember(cell_index),  # noqa: ARG005
            **execution.client_options(),
        ).execute()
        return [
            {"id": c.id, "count": c.execution_count, "outputs": c.outputs}
            for c in run.cells
        ]


def build(root: Path) -> tuple[str, list[str]]:
    """建项目的首页。

    Args:
        root: 项目的文件夹。

    Returns:
        HTML，和查出的错误。
    """
    book = Book(root, Citations([root / "snippets"], root), Nbclient())
    book.read("index.md", (root / "docs" / "index.md").read_text(encoding="utf-8"))
    book.run()
    book.check()
    md = Markdown(
        extensions=["pymdownx.arithmatex", "pymdownx.superfences", *book.extensions()],
        extension_configs={"pymdownx.arithmatex": {"generic": True}},
    )
    content = md.convert(book.prepare("index.md"))
    book.check_drawn("index.md", content)
    return content, book.lines()
