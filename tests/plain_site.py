"""性能测试的对照：同样的页面、主题、搜索和公式，但一段代码也不运行。

它是 MkDocs 的钩子，顶替 hooks/events.py。
"""

import re
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from hooks import cells, maths, typography


def _ignore(text: str, message: str) -> None:
    del text, message


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """备好公式与排版的扩展。"""
    extensions: list[Any] = config.markdown_extensions
    extensions += [maths.MathsExtension(_ignore), typography.ChineseNewlines()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """加上 KaTeX 的样式与字体。"""
    css = "assets/katex/katex.min.css"
    files.append(File.generated(config, css, content=maths.stylesheet()))
    for font in maths.fonts():
        uri = f"assets/katex/fonts/{font.name}"
        files.append(File.generated(config, uri, abs_src_path=str(font)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """块头的选项 superfences 不认得，去掉。"""
    return re.sub(cells.FENCE.pattern, "```python", markdown, flags=re.M)
