"""不要这个项目，把建成的各本笔记本再运行一遍，看输出与里面带着的一样不一样。"""

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from pipeline.execution import client_options

# 内核里导入不了本项目的包，就像没有装过
BLOCKER = """\
import sys


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"pipeline", "snippets", "tests"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Absent())
"""


def differing(path: Path) -> Iterator[str]:
    """逐个给出输出变了的格的 id。

    Args:
        path: 带输出的笔记本。
    """
    before = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        after = nbformat.from_dict(before)
        for cell in after.cells:
            if cell.cell_type == "code":
                cell.outputs = []
        blocked = nbformat.v4.new_code_cell(BLOCKER, id="blocker")
        after.cells.insert(0, blocked)
        options = client_options() | {"resources": {"metadata": {"path": folder}}}
        NotebookClient(after, allow_errors=True, **options).execute()
    kept = nbformat.read(path, as_version=4).cells
    for old, new in zip(kept, after.cells[1:], strict=True):
        if old.cell_type == "code" and _said(old) != _said(new):
            yield old.id


def _said(cell: Any) -> list[Any]:
    """一格说了什么：相邻的文字接起来，图不看日期和底色。"""
    said: list[Any] = []
    for output in cell.outputs:
        if output.output_type == "stream" and said and isinstance(said[-1], str):
            said[-1] += output.text
        elif output.output_type == "stream":
            said.append(output.text)
        elif output.output_type == "error":
            said.append([output.ename, output.evalue])
        else:
            said.append(_data(output.data))
    return said


def _data(data: Mapping[str, str]) -> dict[str, str]:
    shown = {kind: text for kind, text in data.items() if kind != "text/plain"}
    if svg := shown.get("image/svg+xml"):
        shown["image/svg+xml"] = re.sub(
            r' style="background: white"|<metadata>.*?</metadata>', "", svg, flags=re.S
        ).strip()
    return shown or dict(data)


def main(*paths: str) -> int:
    """运行各本笔记本，一本一行；缺省是 `site/notebooks/` 里的全部。

    Args:
        paths: 笔记本。

    Returns:
        退出状态：有一本变了就是 1。
    """
    files = [*map(Path, paths)] or sorted(Path("site/notebooks").glob("*.ipynb"))
    changed = 0
    for path in files:
        cells = [*differing(path)]
        changed += bool(cells)
        print(f"{path.name}：{'变了：' + '、'.join(cells) if cells else '一样'}")
    return int(changed > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
