"""由 mkdocs-jupyter 运行笔记本：与它有关的一切都在这个文件夹里，换成别的只动这里。

它把运行好的笔记本交给 nbconvert 的模板；`templates/` 里的模板只写出一段 JSON，画成
什么样由 `pipeline/drawing.py` 决定。它不给人改 nbclient 的设置，所以设置写在 nbconvert
的配置文件里，经环境变量找到。
"""

import contextlib
import importlib.metadata
import json
import os
import re
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mkdocs_jupyter.config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs_jupyter.convert import nb2html

from pipeline import execution
from pipeline.kernels import KernelServer

HERE = Path(__file__).parent
TEMPLATE = HERE / "templates" / "mkdocs_html" / "notebook.html.j2"
RESULT = re.compile(r'<script type="application/json">(.*?)</script>', re.S)
running = threading.local()  # 各线程运行各的笔记本，配置文件却只有一份


class MkdocsJupyter:
    """运行一个笔记本。

    Args:
        config: MkDocs 的设置；mkdocs-jupyter 自己不再处理任何页面。
        root: 项目的文件夹。
        server: 内核从哪里分出来；`None` 是各自从头启动。
    """

    def __init__(
        self, config: MkDocsConfig, root: Path, server: KernelServer | None = None
    ) -> None:
        self.server = server
        name = "mkdocs-jupyter"
        self.versions: Mapping[str, str] = {
            name: importlib.metadata.version(name),
            "template": TEMPLATE.read_text(encoding="utf-8"),
            "preload": " ".join(server.preload) if server else "",
        }
        plugin = config.plugins[name]
        plugin.config["ignore"] = ["*"]  # 页面由 pipeline/book.py 读
        plugin.config["cache"] = False  # 缓存由 pipeline/cache.py 管
        self.allow_errors = plugin.config["allow_errors"]
        mkdocs_jupyter.config.settings.templates_dir = str(HERE / "templates")
        ipython = root / ".cache" / "ipython"  # 不用读者自己的设置
        with contextlib.suppress(OSError):
            ipython.mkdir(parents=True, exist_ok=True)
        os.environ |= {"IPYTHONDIR": str(ipython), "JUPYTER_CONFIG_DIR": str(HERE)}

    def __call__(
        self, page: str, notebook: str, remember: Callable[[int], None], /
    ) -> list[dict[str, Any]]:
        """运行一个笔记本，各参数见 `execution.Executor`。

        Raises:
            ValueError: mkdocs-jupyter 没有用 `templates/` 里的模板。
        """
        running.settings = execution.client_options(self.server) | {
            "on_cell_execute": lambda cell, cell_index: remember(cell_index)  # noqa: ARG005
        }
        with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
            path = Path(folder, f"{Path(page).stem}.ipynb")
            path.write_text(notebook, encoding="utf-8")
            content = nb2html(str(path), execute=True, allow_errors=self.allow_errors)
        if (found := RESULT.search(content)) is None:
            raise ValueError(
                "mkdocs-jupyter 没有用 pipeline/jupyter/templates 里的模板"
            )
        runs: list[dict[str, Any]] = json.loads(found[1])
        return runs
