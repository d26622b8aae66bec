"""量快慢时的对照：同样的页面、主题、搜索和公式，但一段代码也不运行。

它是 MkDocs 的钩子，顶替 pipeline/plugin.py。
"""

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from pipeline import maths, typography
from pipeline.cache import Cache
from pipeline.katex import Katex


def _ignore(text: str, message: str) -> None:
    del text, message


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """备好公式与排版的扩展。"""
    extensions: list[Any] = config.markdown_extensions
    extensions += [maths.MathsExtension(Katex(), _ignore), typography.ChineseNewlines()]
    return config


def on_env(env: Any, config: MkDocsConfig, files: Files) -> Any:
    """加上 KaTeX 的样式与字体。"""
    pages = [file.page for file in files.documentation_pages() if file.page]
    content = "".join(page.content or "" for page in pages)
    for name, data in maths.assets(content, Cache(Path(os.devnull))).items():
        files.append(File.generated(config, f"assets/katex/{name}", content=data))
    return env


def on_page_markdown(markdown: str, **_: Any) -> str:
    """块头的选项 superfences 不认得，去掉。"""
    return re.sub(r"^```python .*$", "```python", markdown, flags=re.M)
