"""与 MkDocs 的接线：在哪个时刻做哪一步，步骤本身在别的模块里。

一次构建：on_config 备好扩展；on_files 把每页的代码切成格子；on_nav 取缓存，变了的页
交给 mkdocs-jupyter 并排运行；随后每页照普通 Markdown 渲染，代码块由 format_cell 画出；
on_env 时全部页面已渲染而一个文件都还没写，有错就在这里停下。
"""

import ast
import functools
import html
import logging
import os
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# ruff: noqa: E402
# mkdocs serve 的下次构建要用改过的模块，与 on_config 里的 cache_clear 相配；
# 没有改过就留着，排好的公式和 KaTeX 的进程都在里面
import pipeline

HERE = Path(__file__).parent
_stamp = {
    p.name: p.stat().st_mtime_ns for p in [*HERE.glob("*.py"), *HERE.glob("*.mjs")]
}
if vars(pipeline).setdefault("stamp", _stamp) != _stamp:
    if _old := sys.modules.get("pipeline.maths"):
        _old.stop()
    for _name in [name for name in sys.modules if name.startswith("pipeline.")]:
        del sys.modules[_name]
        vars(pipeline).pop(_name.removeprefix("pipeline."), None)
    vars(pipeline)["stamp"] = _stamp

import click
import mkdocs_jupyter.config
from markdown import Markdown
from mkdocs.config.config_options import Hooks
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort
from mkdocs.plugins import CombinedEvent, event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from mkdocs.utils import CountHandler, get_relative_url
from pymdownx.snippets import SnippetPreprocessor

from pipeline import (
    cells,
    claims,
    drawing,
    execution,
    faults,
    maths,
    runs,
    search,
    shell,
    timings,
    typography,
)
from pipeline.cache import Cache
from pipeline.claims import Claim
from pipeline.runs import Run
from pipeline.staging import Staging

log = logging.getLogger("mkdocs.pipeline")


@dataclass
class Build:
    """一次构建中已知的一切。

    Args:
        cache: 各页输出的缓存。
        claims: 登记的主张。
        sources: 页面路径到页面全文。
        blocks: 页面路径到它的代码块。
        runs: 页面路径到各格的运行结果。
        measures: 主张的 id 到量出的值。
        found: 查出的错误。
        troubles: 环境的问题，各是一句话。
        page: 正在渲染的页面。
        staging: 建网站的临时文件夹；预览时没有。
        warnings: 数 MkDocs 和插件的警告。
        dates: 页面路径到最近一次提交的日期。
        policy: 内容安全策略。
    """

    cache: Cache = field(default_factory=lambda: Cache(Path(".cache")))
    claims: dict[str, Claim] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, list[cells.Cell]] = field(default_factory=dict)
    runs: dict[str, dict[str, Run]] = field(default_factory=dict)
    measures: dict[str, float] = field(default_factory=dict)
    found: set[tuple[str, faults.Fault]] = field(default_factory=set)
    troubles: set[str] = field(default_factory=set)
    page: Page | None = None
    staging: Staging | None = None
    warnings: CountHandler = field(default_factory=CountHandler)
    dates: dict[str, str] = field(default_factory=dict)
    policy: str = ""


build = Build()


def _serving() -> bool:
    """是不是 `mkdocs serve`：预览时有错也不停。"""
    context = click.get_current_context(silent=True)
    return context is not None and context.info_name == "serve"


def _offline(config: MkDocsConfig) -> bool:
    """建的是不是从磁盘打开的网站。"""
    offline = config.plugins.get("material/offline")
    return offline is not None and offline.config.enabled


class _LinkFilter(logging.Filter):
    """把 MkDocs 的死链警告换成带行号的错误。"""

    def filter(self, record: logging.LogRecord) -> bool:
        found = faults.link_fault(record.getMessage(), build.sources)
        if found is not None:
            build.found.add(found)
        return found is None


class _SetupFilter(logging.Filter):
    """环境的问题由 on_build_error 说，MkDocs 不必先说一遍。"""

    def filter(self, record: logging.LogRecord) -> bool:
        del record
        return not isinstance(sys.exception(), OSError | faults.SetupError)


def on_build_error(error: Exception, **_: Any) -> None:
    """环境的问题用一句话说清，不打印回溯。"""
    if isinstance(error, faults.SetupError):
        raise Abort(f"{error}。没有发布。")
    if isinstance(error, OSError):
        raise Abort(f"{faults.explain_os_error(error)}。没有发布。")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """备好 Markdown 扩展和 mkdocs-jupyter。"""
    global build
    root = Path(config.config_file_path).parent
    registry, errors = claims.read_claims(root / "tests" / "claims")
    build = Build(cache=Cache(root / ".cache"), claims=registry, troubles=set(errors))
    Hooks._load_hook.cache_clear()  # 否则 MkDocs 只加载本文件一次
    logger = logging.getLogger("mkdocs")
    logger.setLevel(min(logger.level, logging.WARNING))  # --quiet 瞒下警告，死链就过了
    logging.getLogger("mkdocs.structure.pages").filters[:] = [_LinkFilter()]
    logging.getLogger("mkdocs.commands.build").filters[:] = [_SetupFilter()]
    if not _serving():
        build.warnings.setLevel(logging.WARNING)
        logger.addHandler(build.warnings)
        build.staging = Staging(Path(config.site_dir))
        config.site_dir = str(build.staging.folder)

    build.dates = shell.last_changes(Path(config.docs_dir))
    if date := shell.commit_time(root):
        os.environ.setdefault("SOURCE_DATE_EPOCH", date)
    execution.time_limit()  # 写错了，在这里就说
    os.environ |= execution.ENVIRONMENT
    os.environ["IPYTHONDIR"] = str(root / ".cache" / "ipython")  # 不用读者自己的设置
    os.environ["JUPYTER_CONFIG_DIR"] = str(HERE / "jupyter")
    mkdocs_jupyter.config.settings.templates_dir = str(HERE / "templates")
    jupyter = config.plugins["mkdocs-jupyter"]
    # 0.27 在 mathjax_version 不为 2 时会往每页写外站的脚本；0.26 没有这个选项
    jupyter.config.data |= {
        "cache": False,  # 缓存由 pipeline/cache.py 管
        "include": ["*.ipynb"],  # 只有 _execute 写的笔记本
        "ignore": ["*.md"],  # 不然它把每一页都读几遍
        "mathjax_version": 2,
    }

    if not config.repo_url:
        config.edit_uri = None  # 没有仓库，就没有「编辑这一页」
    if _offline(config):
        config.extra["polyfills"] = [shell.SHIM]  # 插件给的网址在外站

    config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = [
        {
            "name": "python",
            "class": "cell",
            "validator": _validate_cell,
            "format": format_cell,
        }
    ]
    # API 参考里的代码由 mkdocstrings 画，着色与页面上的一样省
    config.mdx_configs.setdefault("pymdownx.highlight", {})["extend_pygments_lang"] = [
        {"name": name, "lang": name, "options": {"filters": [drawing.Sparing()]}}
        for name in ("python", "pycon")
    ]
    extensions: list[Any] = config.markdown_extensions
    extensions += [
        maths.MathsExtension(_report),
        claims.ClaimMarks(_describe_claim, _report),
        typography.ChineseNewlines(),
        typography.FocusableTables(),
    ]
    return config


def _report(text: str, message: str) -> None:
    """记下当前页里 `text` 处的错误。"""
    assert build.page is not None
    page = build.page.file.src_uri
    first = text.splitlines()[0]
    line = faults.find_line(build.sources[page], f"${text}$", text, first, first[:12])
    build.found.add((page, faults.Fault(line, message)))


def _describe_claim(name: str) -> str | None:
    """主张的标记上的提示。"""
    if (claim := build.claims.get(name)) is None:
        return None
    measured = claim.show(build.measures.get(name))
    return f"预期 {claim.describe()}，实测 {measured}"


@event_priority(-100)
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """把每页的代码切成格子。"""
    if _offline(config):
        files.append(File.generated(config, shell.SHIM, content=shell.worker_shim()))
    source = _snippet_source(config)
    for file in files.documentation_pages():
        page = file.src_uri
        try:
            build.sources[page] = text = file.content_string
        except UnicodeDecodeError as error:
            build.found.add((page, faults.encoding_fault(error)))
            file.content_string = build.sources[page] = ""
            continue
        found = [*faults.front_matter_faults(text), *faults.markup_faults(text)]
        try:
            build.blocks[page] = cells.read_cells(text, source)
        except ExceptionGroup as group:
            found += [e for e in group.exceptions if isinstance(e, faults.Fault)]
        build.found |= {(page, fault) for fault in found}
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


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """取出各页的输出，变了的并排运行；查出错误。"""
    preamble = (HERE / "preamble.py").read_text(encoding="utf-8")
    template = HERE / "templates" / "mkdocs_html" / "notebook.html.j2"
    versions = runs.versions("mkdocs-jupyter")
    versions |= execution.ENVIRONMENT
    versions["template"] = template.read_text(encoding="utf-8")
    stale = {}
    for page, blocks in build.blocks.items():
        if not any(cell.runs for cell in blocks):
            continue
        notebook = runs.make_notebook(blocks, preamble, versions)
        if (entry := build.cache.load(page, notebook)) is not None:
            build.runs[page] = runs.read_runs(entry)
        else:
            stale[page] = notebook
    run = functools.partial(_run_page, config=config, files=files)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(run, stale, stale.values()))
    if build.cache.trouble:
        reason = faults.explain_os_error(build.cache.trouble)
        # 不用 log.warning：缓存写不进去，严格构建也照样发布
        click.echo(f"WARNING -  缓存写不进去，下次构建要重新运行。{reason}", err=True)
    for page, found in build.runs.items():
        if found["preamble"].outputs:
            build.troubles.add("pipeline/preamble.py 运行时有输出或出错，请改正")
        build.measures |= runs.read_measures(found)
        for fault in runs.check_runs(build.blocks[page], found):
            build.found.add((page, fault))
    build.found |= set(claims.check(build.claims, build.measures, build.blocks))
    return nav


def _run_page(page: str, notebook: str, config: MkDocsConfig, files: Files) -> None:
    """运行一页，记进缓存；中断了就记下原因。"""
    execute = functools.partial(_execute, page, notebook, config, files)
    try:
        found = runs.extract_runs(execution.run(execute))
    except execution.Interrupted as error:
        blocks = [
            cell
            for cell in build.blocks[page]
            for _ in range(cell.runs + bool(cell.claims))
        ]
        cell = blocks[max(error.index - 1, 0)]
        build.found.add((page, faults.Fault(cell.line, str(error))))
        return
    except execution.NoKernel as error:
        build.troubles.add(str(error))
        return
    build.runs[page] = runs.read_runs(found)
    build.cache.save(page, notebook, found)


def _execute(page: str, notebook: str, config: MkDocsConfig, files: Files) -> str:
    """让 mkdocs-jupyter 运行一个笔记本；它把结果渲染成一段 JSON，见 templates。"""
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        path = Path(folder, f"{Path(page).stem}.ipynb")
        path.write_text(notebook, encoding="utf-8")
        file = File.generated(config, f"{page}.ipynb", abs_src_path=str(path))
        shadow = Page(None, file, config)
        plugin = config.plugins["mkdocs-jupyter"]
        plugin.on_pre_page(shadow, config=config, files=files)
        shadow.render(config, files)
    return shadow.content or ""


@event_priority(-100)
def on_pre_page(page: Page, config: MkDocsConfig, files: Files) -> Page:
    """记下正在渲染的页面。"""
    del config, files
    build.page = page
    return page


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """填上证据与时间的表；把块头的选项换成格子的序号，superfences 才认得。"""
    if date := build.dates.get(page.file.src_uri):
        page.update_date = page.meta["changed"] = date  # 网站地图和页尾各用一个
    markdown = re.sub(r"^<!-- claims: (\w+) -->$", _evidence, markdown, flags=re.M)
    times = functools.partial(_times, Path(config.docs_dir, "assets", "timings.json"))
    markdown = re.sub(r"^<!-- timings: (\w+) -->$", times, markdown, flags=re.M)
    if page.file.src_uri not in build.blocks:
        # 有引用展不开，错误已经记下；预览时页面仍要能看
        markdown = re.sub(cells.CITATION.pattern, "（引用有误）", markdown, flags=re.M)
    markdown = re.sub(r"^::: (snippets[\w.]*)$", _reference, markdown, flags=re.M)
    return cells.number_fences(markdown)


def on_page_content(content: str, page: Page, **_: Any) -> str:
    """确认每一块都画出来了：superfences 会悄悄吞掉画图时的异常。"""
    for number, cell in enumerate(build.blocks.get(page.file.src_uri, [])):
        if f'id="cell-{number}"' not in content:
            message = "这一块没有画出来；它若在注释或别的块里，请移到外面"
            build.found.add((page.file.src_uri, faults.Fault(cell.line, message)))
    return content


def _reference(match: re.Match[str]) -> str:
    """给出 API 参考的一个模块；读不成 Python 就说清楚，mkdocstrings 只会中断。"""
    path = Path(*match[1].split(".")).with_suffix(".py")
    try:
        ast.parse(path.read_text(encoding="utf-8"), path.as_posix())
    except (OSError, ValueError, SyntaxError) as error:
        _report(match[0], f"{path.as_posix()} 读不成，请改正：{error}")
        return "（这个模块读不成）"
    return match[0]


def _evidence(match: re.Match[str]) -> str:
    """一题的证据表；外面的 div 离屏幕远就不排版，Material 的脚本动表格也不重排。"""
    listed = [claim for claim in build.claims.values() if claim.stem == match[1]]
    rows = claims.tabulate(listed, build.measures, f"{match[1]}.md")
    return "\n".join(['<div class="evidence" markdown>', "", *rows, "", "</div>"])


def _times(data: Path, match: re.Match[str]) -> str:
    """一题的时间之比；读不出就记下错误。"""
    try:
        return timings.tabulate(timings.read_timings(data), match[1])
    except timings.TimingsError as error:
        _report(match[0], str(error))
        return match[0]


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
    del language, md
    assert build.page is not None
    page = build.page.file.src_uri
    number = int(options["cell"])
    if page not in build.blocks:
        # 这一页的代码没有读成，错误已经记下
        return f"<pre><code>{html.escape(source)}</code></pre>"
    cell = build.blocks[page][number]
    code = drawing.render_code(cell, f"cell-{number}")
    if "hide-input" in cell.tags:
        summary = "作图代码" if cell.caption else "准备代码"
        summary = f'<summary data-search-exclude="true">{summary}</summary>'
        code = f"<details>{summary}{code}</details>"
    parts = [code, _sources(cell, build.page)]
    if cell.runs:
        run = build.runs.get(page, {}).get(f"cell-{number}")
        output = drawing.render_outputs(cell, run.outputs if run else [], f"f{number}")
        parts.append(f'<div class="output">{output}</div>')
    else:
        parts.append('<p class="cell-note">这一段不运行。</p>')
    parts += [
        f'<p class="cell-fault">{html.escape(fault.at(page))}</p>'
        for where, fault in sorted(build.found)
        if where == page and cell.lines[0] <= fault.line <= cell.lines[-1]
    ]
    return f'<div class="{class_name}" id="cell-{number}">{"".join(parts)}</div>'


def _sources(cell: cells.Cell, page: Page) -> str:
    """被引用的定义在 API 参考里的链接。"""
    links = []
    for path, section in cell.citations:
        name = f"{path.removesuffix('.py').replace('/', '.')}.{section}"
        if name.startswith("snippets."):
            suffix = "/" if page.file.use_directory_urls else ".html"
            url = get_relative_url(f"reference/{Path(path).stem}{suffix}", page.url)
            text = name.removeprefix("snippets.")
            links.append(f'<a href="{url}#{name}"><code>{text}</code></a>')
    return f'<p class="cell-note">完整说明：{"，".join(links)}</p>' if links else ""


@event_priority(100)
def on_env(env: Any, config: MkDocsConfig, files: Files) -> Any:
    """此时各页都已渲染，一个文件都还没写：有错就停下；加上公式的样式与字体。"""
    pages = [file.page for file in files.documentation_pages() if file.page]
    for page in pages:
        page.validate_anchor_links(files=files, log_level=logging.WARNING)
    content = "".join(page.content or "" for page in pages)
    for name, data in maths.assets(content).items():
        files.append(File.generated(config, f"assets/katex/{name}", content=data))
    lines = sorted(build.troubles)
    lines += [fault.at(page) for page, fault in sorted(build.found)]
    for line in lines:
        log.error(line)
    if lines and not _serving():
        raise Abort(f"共 {len(lines)} 处错误，没有发布。")
    env.trim_blocks = env.lstrip_blocks = True  # 网页里不留模板的空行
    env.globals |= {"config": config, "offline": _offline(config)}
    if not _serving():  # 预览时 MkDocs 要在网页里加自动刷新的脚本
        build.policy = shell.security_policy(env, offline=_offline(config))
    env.globals["content_security_policy"] = build.policy
    return env


@event_priority(-50)
def _index(config: MkDocsConfig) -> None:
    """Material 的插件写好了搜索的索引，重写一遍。"""
    path = Path(config.site_dir, "search", "search_index.json")
    glossary = build.sources.get("glossary.md", "")
    text = search.rewrite_index(path.read_text(encoding="utf-8"), glossary)
    if not _offline(config):
        path.with_name("documents.json").write_text(text, encoding="utf-8")
        text = search.empty_index(text)  # 正文等到要搜时才取，见 workers/lazy.js
    path.write_text(text, encoding="utf-8")


@event_priority(-100)
def _publish(config: MkDocsConfig) -> None:
    """写上响应头，换上新网站；严格构建有警告时不换，MkDocs 随后自己停下。"""
    if build.policy:
        headers = shell.headers(build.policy)
        Path(config.site_dir, "_headers").write_text(headers, encoding="utf-8")
    if build.staging and not (config.strict and build.warnings.get_counts()):
        config.site_dir = str(build.staging.target)
        build.staging.publish()


on_post_build = CombinedEvent(_index, _publish)


def on_shutdown() -> None:
    """没有建成的网站不留下。"""
    if build.staging:
        build.staging.discard()


def on_page_context(context: Any, page: Page, **_: Any) -> Any:
    """预览时把本页的错误写在页首，改好就消失。"""
    lines = sorted(build.troubles)
    lines += [f.at(p) for p, f in sorted(build.found) if p == page.file.src_uri]
    if lines:
        items = "".join(f"<li><code>{html.escape(line)}</code></li>" for line in lines)
        page.content = (
            f'<div class="admonition failure"><p class="admonition-title">本页有错</p>'
            f"<ul>{items}</ul></div>{page.content}"
        )
    return context
