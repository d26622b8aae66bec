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
content, faults = build(Path(sys.argv[1]))
print(content, *faults, sep="\\n")
"""
BOUND = {"pages.py", "plugin.py", "docstrings.py", "executor.py"}
LIBRARIES = {"mkdocs", "mkdocs_jupyter", "material", "griffe"}


def test_only_the_adapter_imports_mkdocs() -> None:
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        if "tools" in path.parts or "node_modules" in path.parts:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names
        }
        names |= {
            n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)
        }
        bound = {name.partition(".")[0] for name in names} & LIBRARIES
        assert bool(bound) == (path.name in BOUND), f"{path.name}: {bound}"


def build_alone(site: SmallSite) -> str:
    """在导入不了 MkDocs 的进程里建首页，给出 HTML 和错误。"""
    command = sys.executable, "-W", "ignore", "-c", WITHOUT_MKDOCS
    status, output = run(ROOT, *command, str(site.folder))
    assert status == 0, output
    return output


def test_a_page_is_built_without_mkdocs(small_site: SmallSite) -> None:
    small_site.write({"docs/index.md": PAGE, "snippets/a.py": SNIPPETS})
    output = build_alone(small_site)
    for text in (
        '<var class="arithmatex katex"',
        "<samp>42</samp>",
        'aria-label="从一到二"',
        "<figcaption>图 1：一条线</figcaption>",
        "unsupported operand type(s)",
    ):
        assert text in output
    assert "docs/index.md:" not in output


def test_faults_are_the_same_without_mkdocs(small_site: SmallSite) -> None:
    page = "# 页\n\n```python\nx\n```\n\n甲 $\\part$\n"
    small_site.write({"docs/index.md": page})
    told = [
        line.partition("docs/")[2]
        for output in (build_alone(small_site), small_site.build()[1])
        for line in output.splitlines()
        if "docs/index.md:" in line and "<" not in line
    ]
    assert len(told) == 4
    assert told[:2] == told[2:]
