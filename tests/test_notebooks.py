"""pipeline/notebooks.py：带输出的笔记本，离开项目也能运行。"""

import importlib.metadata
import io
import json
import subprocess
import zipfile
from pathlib import Path

import nbformat
import pytest

from pipeline import notebooks
from pipeline.cells import Cell
from pipeline.runs import Run
from pipeline.tools import rerun
from tests.conftest import SmallSite

TEXT = """\
# Q1：甲？ {#top}

/// answer
乙。
///

见[下面](#below)，还有[另一页](b.md#c)、[站外](https://example.org)。这一行
接着[[claim-one]]，**丙**{#proof-01}。

<!-- cell: 0 -->

<svg viewBox="0 0 1 1"><title>一格</title><path fill="var(--fig-1)"/></svg>

/// details | `f` 是什么？
    type: question
    attrs: {id: fq-f}

答。
///

/// details | 再问
    type: question
    attrs: {id: fq-g}

<!-- cell: 1 -->
///

```toml
[[not-a-mark]]
```
"""
CELLS = [
    Cell("import numpy as np\nprint(1)", (1, 2), frozenset({"hide-input"})),
    Cell("1 + 1", (5,), caption="图 1：丁", summary="算"),
]
RUNS = {
    "cell-0": Run(2, [{"output_type": "stream", "name": "stdout", "text": "1\n"}]),
    "cell-1": Run(
        4,
        [
            {
                "output_type": "execute_result",
                "data": {"text/plain": "2", "image/svg+xml": "<svg width='1'/>"},
                "metadata": {},
                "execution_count": 4,
            }
        ],
    ),
}


def written(text: str = TEXT, **options: object) -> list[nbformat.NotebookNode]:
    made = notebooks.make(text, CELLS, RUNS, **options)  # type: ignore[arg-type]
    cells: list[nbformat.NotebookNode] = nbformat.reads(made, as_version=4).cells
    return cells


def test_words_are_markdown_and_outputs_are_those_of_the_page() -> None:
    cells = written(about="版本 1")
    assert [cell.id for cell in cells] == [
        "text-0",
        "setup",
        "style",
        "cell-0",
        "text-2",
        "cell-1",
        "caption-1",
        "text-4",
    ]
    first, setup, style, shown, after, asked, caption, rest = cells
    assert first.source.startswith("# Q1：甲？\n\n> **一句话回答**\n>\n> 乙。")
    assert first.source.endswith("\n\n版本 1")
    assert "这一行接着，**丙**。" in first.source
    assert "见下面，还有另一页、[站外](https://example.org)" in first.source
    assert f"'numpy': 'numpy=={importlib.metadata.version('numpy')}'" in setup.source
    assert "svg.hashsalt" in style.source
    assert shown.source.startswith("# @title 准备代码\n")
    assert shown.metadata.jupyter.source_hidden
    assert shown.metadata.cellView == "form"
    assert shown.outputs[0].text == "1\n"
    assert "data:image/svg+xml;base64," in after.source
    assert "<details><summary><code>f</code> 是什么？</summary>" in after.source
    assert after.source.endswith("#### 再问")
    assert asked.execution_count == asked.outputs[0].execution_count == 4
    assert "background: white" in asked.outputs[0].data["image/svg+xml"]
    assert caption.source == "*图 1：丁*"
    assert "[[not-a-mark]]" in rest.source


def test_links_lead_to_the_site_where_it_has_an_address() -> None:
    first = written(link="https://x.org/{}".format)[0]
    assert "[下面](https://x.org/#below)" in first.source
    assert "[另一页](https://x.org/b.md#c)" in first.source


def test_a_block_that_does_not_run_is_shown_only() -> None:
    cell = Cell("f()", (1,), frozenset({"skip-execution"}))
    made = notebooks.make("# 甲\n\n<!-- cell: 0 -->\n", [cell], {})
    last = nbformat.reads(made, as_version=4).cells[-1]
    assert last.cell_type == "markdown"
    assert "f()" in last.source


def test_the_archive_does_not_depend_on_the_day() -> None:
    packed = notebooks.archive({"b.ipynb": "乙", "a.ipynb": "甲"})
    assert packed == notebooks.archive({"a.ipynb": "甲", "b.ipynb": "乙"})
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        assert opened.namelist() == ["a.ipynb", "b.ipynb"]
        assert opened.read("b.ipynb").decode() == "乙"


@pytest.mark.parametrize("repository", [None, "", "https://gitlab.com/a/b"])
def test_colab_opens_what_is_on_github(repository: str | None) -> None:
    assert notebooks.colab(repository) == ""
    assert notebooks.colab("https://github.com/a/b.c/").endswith(
        "/a/b.c/blob/notebooks/"
    )


@pytest.mark.slow
def test_a_notebook_runs_without_the_project(tmp_path: Path) -> None:
    code = "import importlib.util\nprint(importlib.util.find_spec('numpy') is not None)"
    output = {"output_type": "stream", "name": "stdout", "text": "True\n"}
    cell = Cell(code, (1, 2))
    path = tmp_path / "a.ipynb"
    text = "# 甲\n\n<!-- cell: 0 -->\n"
    for said, changed in ("True\n", []), ("False\n", ["cell-0"]):
        run = Run(2, [output | {"text": said}])
        made = notebooks.make(text, [cell], {"cell-0": run})
        path.write_text(made, encoding="utf-8")
        assert [*rerun.differing(path)] == changed
    own = json.loads(made)
    own["cells"][3]["source"] = "import pipeline"
    path.write_text(json.dumps(own), encoding="utf-8")
    assert [*rerun.differing(path)] == ["cell-0"]


KNOB_PAGE = """\
# Q1：甲？

```python
import matplotlib.pyplot as plt
```

```python knobs={"k": [1, 2]} caption="图 1：乙" alt="丙 {k}"
k = 1  # 斜率
plt.plot([0, k])
plt.show()
```

```python caption="图 2：丁" alt="戊"
plt.plot([0, 1])
plt.show()
```
"""


def test_a_figure_with_a_knob_is_drawn_as_on_the_page(small_site: SmallSite) -> None:
    small_site.write({"docs/a.md": KNOB_PAGE})
    config = small_site.folder / "mkdocs.yml"
    text = config.read_text(encoding="utf-8")
    text = text.replace("nav: [a.md, index.md]", "nav: [index.md, 问题: [Q1 甲: a.md]]")
    config.write_text(text, encoding="utf-8")
    status, output = small_site.build()
    assert status == 0, output
    path = small_site.folder / "site" / "notebooks" / "a.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    assert "# 旋钮：换一个 k，再运行一次\nk = 1" in [c.source for c in cells][4]
    assert [*rerun.differing(path)] == []


def test_the_site_offers_the_notebook_and_tells_its_version(
    small_site: SmallSite,
) -> None:
    small_site.write({"docs/a.md": "# Q1：甲？\n\n```python\nprint(6 * 7)\n```\n"})
    config = small_site.folder / "mkdocs.yml"
    text = config.read_text(encoding="utf-8")
    text = text.replace("nav: [a.md, index.md]", "nav: [index.md, 问题: [Q1 甲: a.md]]")
    config.write_text(text, encoding="utf-8")
    who = ["-c", "user.name=甲", "-c", "user.email=a@example.org"]
    for arguments in ["init", "-q"], ["add", "."], [*who, "commit", "-qm", "乙"]:
        subprocess.run(["git", *arguments], cwd=small_site.folder, check=True)
    address = "https://github.com/a/b"
    status, output = small_site.build(SITE_URL="https://x.org/", REPO_URL=address)
    assert status == 0, output
    tree, html = small_site.tree(), small_site.html("a")
    made = nbformat.reads(tree["notebooks/a.ipynb"].decode(), as_version=4)
    assert made.cells[-1].outputs[0].text == "42\n"
    assert "<https://x.org/a/>" in made.cells[0].source
    assert 'href="../notebooks/a.ipynb" download' in html
    assert "colab.research.google.com/github/a/b/blob/notebooks/a.ipynb" in html
    assert "notebooks/deep-learning-qa.zip" in tree
    assert "notebooks/a.ipynb" not in small_site.html()
    assert f'版本 <a href="{address}/commit/' in html
