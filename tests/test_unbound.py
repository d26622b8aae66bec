"""流水线的核心不依赖 MkDocs：没有它，页面照样运行、照样画出来。"""

import ast
import sys

from pipeline.tools.project import ROOT, run
from tests.conftest import PAGE, SNIPPETS, SmallSite

WITHOUT_MKDOCS = """
import sys
from pathlib import Path
for name in "mkdocs", "material", "mkdocs_jupyter", "mkdocstrings":
    sys.modules[name] = None
from tests.unbound import build
print(build(*map(Path, sys.argv[1:])))
"""
BOUND = {"events.py", "docstrings.py"}


def test_only_the_adapter_imports_mkdocs() -> None:
    for path in sorted((ROOT / "pipeline").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names
        }
        names |= {
            n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)
        }
        roots = {name.partition(".")[0] for name in names}
        bound = roots & {"mkdocs", "mkdocs_jupyter", "material", "griffe"}
        assert bool(bound) == (path.name in BOUND), f"{path.name}: {bound}"


def test_a_page_is_built_without_mkdocs(small_site: SmallSite) -> None:
    small_site.write({"docs/index.md": PAGE, "snippets/a.py": SNIPPETS})
    status, output = run(
        ROOT,
        *(sys.executable, "-W", "ignore", "-c", WITHOUT_MKDOCS),
        str(small_site.folder / "docs" / "index.md"),
        str(small_site.folder / "snippets"),
    )
    assert status == 0, output
    for text in (
        '<var class="arithmatex katex"',
        "<samp>42</samp>",
        'aria-label="从一到二"',
        "<figcaption>图 1：一条线</figcaption>",
        "unsupported operand type(s)",
    ):
        assert text in output
