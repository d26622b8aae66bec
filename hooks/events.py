"""与 MkDocs 的接线：在哪个时刻做哪一步，步骤本身在别的模块里。

一次构建：on_config 备好扩展；on_files 把每页的代码切成格子、写成笔记本；on_nav 让
mkdocs-jupyter 并排运行它们；随后每页照普通 Markdown 渲染，代码块由 format_cell 画出；
on_env 时全部页面已渲染而一个文件都还没写，有错就在这里停下。
"""

import functools
import html
import importlib.metadata
import itertools
import json
import logging
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# ruff: noqa: E402
# 让改过的模块在 mkdocs serve 的下次构建时生效，与 on_config 里的 cache_clear 相配
for _name in [name for name in sys.modules if name.partition(".")[0] == "hooks"]:
    del sys.modules[_name]

import click
import jieba
import mkdocs_jupyter.config
from markdown import Markdown
from mkdocs.config.config_options import Hooks
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from mkdocs.utils import CountHandler, get_relative_url
from pymdownx.snippets import SnippetPreprocessor

from hooks import cells, execution, faults, maths, typography
from hooks.staging import Staging

HERE = Path(__file__).parent
log = logging.getLogger("mkdocs.hooks")


@dataclass
class Build:
    """一次构建中已知的一切。

    Args:
        cache: 放笔记本和输出的文件夹。
        sources: 页面路径到页面全文。
        blocks: 页面路径到它的代码块。
        runs: 页面路径到各块的运行结果。
        found: 查出的错误。
        page: 正在渲染的页面。
        staging: 建网站的临时文件夹；预览时没有。
        warnings: 数 MkDocs 和插件的警告。
    """

    cache: Path = Path(".cache")
    sources: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, list[cells.Cell]] = field(default_factory=dict)
    runs: dict[str, list[cells.Run]] = field(default_factory=dict)
    found: list[tuple[str, faults.Fault]] = field(default_factory=list)
    page: Page | None = None
    staging: Staging | None = None
    warnings: CountHandler = field(default_factory=CountHandler)

    def report(self, page: str, fault: faults.Fault) -> None:
        """记下一处错误；同一处只记一次。"""
        if (page, fault) not in self.found:
            self.found.append((page, fault))


build = Build()


def _serving() -> bool:
    """是不是 `mkdocs serve`：预览时有错也不停。"""
    context = click.get_current_context(silent=True)
    return context is not None and context.info_name == "serve"


def _dirty() -> bool:
    """是不是 `mkdocs build --dirty`：它只改旧网站里的几页。"""
    context = click.get_current_context(silent=True)
    return context is not None and not context.params.get("clean", True)


class _LinkFilter(logging.Filter):
    """把 MkDocs 的死链警告换成带行号的错误。"""

    def filter(self, record: logging.LogRecord) -> bool:
        found = faults.link_fault(record.getMessage(), build.sources)
        if found is not None:
            build.report(*found)
        return found is None


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """备好 Markdown 扩展、mkdocs-jupyter 和搜索的词典。"""
    global build
    build = Build(cache=Path(config.config_file_path).parent / ".cache")
    Hooks._load_hook.cache_clear()  # 否则 MkDocs 只加载本文件一次
    logging.getLogger("mkdocs.structure.pages").filters[:] = [_LinkFilter()]
    build.warnings.setLevel(logging.WARNING)
    logging.getLogger("mkdocs").addHandler(build.warnings)
    if not _serving() and not _dirty():
        build.staging = Staging(Path(config.site_dir))
        config.site_dir = str(build.staging.folder)

    os.environ["OMP_NUM_THREADS"] = "1"  # 线程数不同，浮点和的末位就不同
    os.environ["PYTHONHASHSEED"] = "0"
    os.environ["JUPYTER_CONFIG_DIR"] = str(HERE / "jupyter")
    mkdocs_jupyter.config.settings.templates_dir = str(HERE / "templates")
    jupyter = config.plugins["mkdocs-jupyter"]
    # 0.27 在 mathjax_version 不为 2 时会往每页写外站的脚本；0.26 没有这个选项
    jupyter.config.data |= {
        "cache_dir": str(build.cache / "outputs"),
        "include": ["*.ipynb"],  # 只有 on_files 写的笔记本
        "mathjax_version": 2,
    }

    config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = [
        {
            "name": "python",
            "class": "cell",
            "validator": _validate_cell,
            "format": format_cell,
        }
    ]
    extensions: list[Any] = config.markdown_extensions
    extensions += [maths.MathsExtension(_report_maths), typography.ChineseNewlines()]
    jieba.setLogLevel(logging.WARNING)
    for term in _terms(Path(config.docs_dir, "glossary.md")):
        jieba.add_word(term)
    return config


def _terms(glossary: Path) -> list[str]:
    """术语表里每张表第一列的中文词；以别的词结尾的不要，否则搜「网络」找不到「残差网络」。"""
    text = glossary.read_text(encoding="utf-8") if glossary.is_file() else ""
    terms = re.findall(r"^\|\s*([\u4e00-\u9fff]+)\s*\|", text, re.M)
    return [
        term
        for term in terms
        if not any(term != other and term.endswith(other) for other in terms)
    ]


def _report_maths(text: str, message: str) -> None:
    """记下当前页的公式错误。"""
    assert build.page is not None
    page = build.page.file.src_uri
    first = text.splitlines()[0]
    line = faults.find_line(build.sources[page], f"${text}$", text, first, first[:12])
    build.report(page, faults.Fault(line, message))


@event_priority(-100)
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """加上 KaTeX 的样式与字体；把每页的代码写成笔记本，供 mkdocs-jupyter 运行。"""
    files.append(
        File.generated(config, "assets/katex/katex.min.css", content=maths.stylesheet())
    )
    for font in maths.fonts():
        uri = f"assets/katex/fonts/{font.name}"
        files.append(File.generated(config, uri, abs_src_path=str(font)))
    source = _snippet_source(config)
    preamble = (HERE / "preamble.py").read_text(encoding="utf-8")
    versions = _versions()
    for file in files.documentation_pages():
        page = file.src_uri
        try:
            build.sources[page] = text = file.content_string
        except UnicodeDecodeError as error:
            build.report(page, faults.encoding_fault(error))
            file.content_string = ""
            continue
        for fault in faults.front_matter_faults(text):
            build.report(page, fault)
        for fault in faults.markup_faults(text):
            build.report(page, fault)
        try:
            found = cells.read_cells(text, source)
        except faults.Fault as fault:
            build.report(page, fault)
            continue
        if any("skip-execution" not in cell.tags for cell in found):
            notebook = build.cache / "notebooks" / f"{page}.ipynb"
            _write(notebook, cells.make_notebook(found, preamble, versions))
            file.content_string = text
            file.abs_src_path = str(notebook)
        build.blocks[page] = found
    return files


def _snippet_source(config: MkDocsConfig) -> cells.Source:
    """引用的去处，与 pymdownx.snippets 的设置一致。"""
    settings = config.mdx_configs["pymdownx.snippets"]
    md = Markdown(
        extensions=["pymdownx.snippets"],
        extension_configs={"pymdownx.snippets": settings},
    )
    preprocessor = md.preprocessors["snippet"]
    assert isinstance(preprocessor, SnippetPreprocessor)
    return cells.Source([Path(p) for p in settings["base_path"]], preprocessor.run)


def _versions() -> dict[str, str]:
    """凡能改变输出的包的版本：项目的依赖、内核和本流水线的模板。"""
    requirements = importlib.metadata.requires("deep-learning-qa") or []
    names = {re.split(r"[^\w.-]", r)[0] for r in requirements if "extra ==" not in r}
    names |= {"ipykernel", "ipython", "matplotlib-inline", "mkdocs-jupyter", "nbclient"}
    installed = {d.name: d.version for d in importlib.metadata.distributions()}
    template = HERE / "templates" / "mkdocs_html" / "notebook.html.j2"
    return {name: installed.get(name, "") for name in sorted(names)} | {
        "python": sys.version,
        "template": template.read_text(encoding="utf-8"),
    }


def _write(path: Path, text: str) -> None:
    """写文件；中途被打断时，旧文件原样留着。"""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """并排运行各页的代码，收下输出，查出错误。"""
    for entry in (build.cache / "outputs").glob("*.json"):
        try:
            json.loads(entry.read_text(encoding="utf-8"))
        except ValueError:
            entry.unlink()  # 写到一半就断了的缓存
    run = functools.partial(_run_page, config=config, files=files)
    live = [
        file.page or Page(None, file, config)
        for file in files.documentation_pages()
        if str(file.abs_src_path).endswith(".ipynb")
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(run, live))
    return nav


def _run_page(page: Page, config: MkDocsConfig, files: Files) -> None:
    """运行一页（或取缓存）；mkdocs-jupyter 把输出渲染成一段 JSON，见 templates。"""
    name = page.file.src_uri
    found = build.blocks[name]
    config.plugins["mkdocs-jupyter"].on_pre_page(page, config=config, files=files)
    try:
        execution.run(functools.partial(page.render, config, files))
    except Exception as error:
        reason = execution.explain(error)
        if reason is None:
            raise
        index, message = reason
        build.report(name, faults.Fault(found[max(index - 1, 0)].line, message))
        return
    build.runs[name] = runs = cells.read_runs(page.content or "")
    for fault in cells.check_runs(found, runs):
        build.report(name, fault)


@event_priority(-100)
def on_pre_page(page: Page, config: MkDocsConfig, files: Files) -> Page:
    """页面交还给 MkDocs 自己渲染：mkdocs-jupyter 的活已在 on_nav 干完。"""
    del config, files
    vars(page).pop("render", None)
    page.content = None
    build.page = page
    return page


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """把块头的选项换成格子的序号，superfences 才认得；行数不变。"""
    if page.file.src_uri not in build.blocks:
        # 有引用展不开，错误已经记下；预览时页面仍要能看
        markdown = re.sub(cells.CITATION.pattern, "（引用有误）", markdown, flags=re.M)
    number = itertools.count()
    return re.sub(
        cells.FENCE.pattern,
        lambda _: f'```python cell="{next(number)}"',
        markdown,
        flags=re.M,
    )


def _validate_cell(
    language: str, inputs: dict[str, str], options: dict[str, Any], *_: Any
) -> bool:
    """块头只有格子的序号。"""
    del language
    options |= inputs
    return set(inputs) == {"cell"}


def format_cell(
    source: str,
    language: str,
    class_name: str,
    options: dict[str, Any],
    md: Markdown,
    **_: Any,
) -> str:
    """画出一格：代码、定义的出处、输出。superfences 遇到 python 块时调用。"""
    del source, language, md
    assert build.page is not None
    page = build.page.file.src_uri
    number = int(options["cell"])
    if page not in build.blocks:
        return ""  # 这一页的代码没有读成，错误已经记下
    cell = build.blocks[page][number]
    code = cells.render_code(cell)
    if "hide-input" in cell.tags:
        summary = "作图代码" if cell.caption else "准备代码"
        code = f"<details><summary>{summary}</summary>{code}</details>"
    parts = [code, _sources(cell, build.page)]
    if "skip-execution" in cell.tags:
        parts.append('<p class="cell-note">这一段不运行。</p>')
    else:
        runs = build.runs.get(page, [])
        outputs = runs[number].outputs if number < len(runs) else []
        output = cells.render_outputs(cell, outputs, f"f{number}")
        parts.append(f'<div class="output no-copy">{output}</div>')
    return f'<div class="{class_name}" id="cell-{number}">{"".join(parts)}</div>'


def _sources(cell: cells.Cell, page: Page) -> str:
    """被引用的定义在 API 参考里的链接。"""
    links = []
    for path, section in cell.citations:
        module = path.removesuffix(".py").replace("/", ".")
        url = get_relative_url("reference/", page.url)
        links.append(
            f'<a href="{url}#snippets.{module}.{section}">'
            f"<code>{module}.{section}</code></a>"
        )
    return f'<p class="cell-note">完整说明：{"，".join(links)}</p>' if links else ""


@event_priority(100)
def on_env(env: Any, config: MkDocsConfig, files: Files) -> Any:
    """此时各页都已渲染，一个文件都还没写：有错就在这里停下。"""
    del config
    for file in files.documentation_pages():
        if file.page is not None:
            file.page.validate_anchor_links(files=files, log_level=logging.WARNING)
    for page, fault in sorted(build.found):
        log.error(fault.at(page))
    if build.found and not _serving():
        raise Abort(f"共 {len(build.found)} 处错误，没有发布。")
    return env


@event_priority(-100)
def on_post_build(config: MkDocsConfig) -> None:
    """换上新网站；严格构建有警告时不换，MkDocs 随后自己停下。"""
    if build.staging and not (config.strict and build.warnings.get_counts()):
        config.site_dir = str(build.staging.target)
        build.staging.publish()


def on_shutdown() -> None:
    """没有建成的网站不留下。"""
    if build.staging:
        build.staging.discard()


def on_page_context(context: Any, page: Page, **_: Any) -> Any:
    """预览时把本页的错误写在页首，改好就消失。"""
    lines = [f.at(p) for p, f in sorted(build.found) if p == page.file.src_uri]
    if lines:
        items = "".join(f"<li><code>{html.escape(line)}</code></li>" for line in lines)
        page.content = (
            f'<div class="admonition failure"><p class="admonition-title">本页有错</p>'
            f"<ul>{items}</ul></div>{page.content}"
        )
    return context
