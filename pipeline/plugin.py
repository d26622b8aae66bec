"""MkDocs 的插件：在哪个时刻做哪一步；步骤本身在 book.py 和别的模块里。

一次构建的各个时刻，按先后：

- `on_config` 备好这本书、Markdown 扩展和 mkdocs-jupyter，导航里添上 API 参考；
- `on_files` 读每一页，运行变了的，查错；
- `on_page_markdown`、`on_page_content` 逐页画出来；
- `on_env` 时各页都已渲染，一个文件都还没写：有错就在这里停下；
- `on_post_build` 重写搜索的索引，换上新网站。

`mkdocs serve` 时同一个插件一次又一次地构建，有错也不停：错误写在页首。
"""

import json
import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any, Literal

import click
from click import ClickException
from mkdocs.commands import serve
from mkdocs.config import base, config_options
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort
from mkdocs.livereload import LiveReloadServer
from mkdocs.plugins import BasePlugin, CombinedEvent, event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import CountHandler, get_relative_url

from pipeline import (
    cards,
    contents,
    drawing,
    faults,
    maths,
    notebooks,
    offline_copy,
    pages,
    practice,
    search,
    shell,
    stylesheet,
)
from pipeline.book import Book
from pipeline.citations import Citations
from pipeline.jupyter.executor import MkdocsJupyter
from pipeline.katex import Katex
from pipeline.kernels import KernelServer
from pipeline.progress import Progress
from pipeline.staging import Staging

HERE = Path(__file__).parent
API_STYLE = "assets/_mkdocstrings.css"  # mkdocstrings 写的
log = logging.getLogger("mkdocs.plugins.book")


class Settings(base.Config):
    """`mkdocs.yml` 里的设置。"""

    # 引用从这些文件夹找起
    base_path = config_options.ListOfItems(config_options.Dir(exists=True))
    # 几页都要导入的模块：只导入一次，各页的内核从那里分出来
    preload = config_options.ListOfItems(config_options.Type(str), default=[])
    # 预览时只要这一页，不带 .md；空的是全部
    only = config_options.Type(str, default="")


class BookPlugin(BasePlugin[Settings]):
    """把 MkDocs 的各个时刻接到这本书的各步上。"""

    def __init__(self) -> None:
        self.serving = False
        self.listens = False
        self.tells = False
        self.katex = Katex()
        self.kernels: KernelServer | None = None
        self.book: Book
        self.files = Files([])
        self.added: list[contents.GeneratedPage] = []
        self.practice: list[contents.GeneratedPage] = []
        self.staging: Staging | None = None
        self.warnings = CountHandler()
        self.dates: dict[str, str] = {}
        self.policy = ""
        self.site = ""
        self.seen: dict[Path, int] = {}
        self.links = _LinkFilter(self)

    def on_startup(
        self, *, command: Literal["build", "gh-deploy", "serve"], dirty: bool
    ) -> None:
        """记下是不是预览：预览时有错也不停。"""
        del dirty
        self.serving = command == "serve"
        if self.serving:  # MkDocs 半秒才看一次文件变没变，看一次只要两毫秒
            serve.LiveReloadServer = partial(LiveReloadServer, polling_interval=0.1)  # type: ignore[assignment, attr-defined]
        logger = logging.getLogger("mkdocs")
        self.tells = logger.level <= logging.INFO and sys.stderr.isatty()
        logging.getLogger("mkdocs.mkdocs-jupyter").setLevel(logging.WARNING)
        # --quiet 瞒下警告，死链就过了
        logger.setLevel(min(logger.level, logging.WARNING))
        logging.getLogger("mkdocs.structure.pages").addFilter(self.links)
        logging.getLogger("mkdocs.commands.build").addFilter(_is_not_setup_error)
        self.warnings.setLevel(logging.WARNING)
        logger.addHandler(self.warnings)

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        """备好这本书、Markdown 扩展和 mkdocs-jupyter。"""
        root = Path(config.config_file_path).parent
        asked = contents.questions(config.nav)
        troubles: list[str] = []
        self.added = []
        if contents.REFERENCE in contents.pages(config.nav):
            self.added = contents.reference_pages(asked, root, troubles.append)
            config.nav = contents.with_reference(config.nav, self.added)
        self.book = Book(
            root,
            Citations([Path(folder) for folder in self.config.base_path], root),
            MkdocsJupyter(config, root, self._kernel_server()),
            self.katex,
            self._link,
            asked,
            self.added,
            Progress(log.info, sys.stderr if self.tells else None),
        )
        self.book.troubles.update(troubles)
        self.practice = contents.practice_pages(asked, self.book.exercises)
        self.seen = self._watched(config)
        if self.config.only:
            config.nav = ["index.md", f"{self.config.only}.md"]
        if self.serving and not self.listens:
            shell.check_port(*config.dev_addr)
            self.listens = True
        if not self.serving:
            self.staging = Staging(Path(config.site_dir))
            config.site_dir = str(self.staging.folder)
        self.dates = shell.last_changes(Path(config.docs_dir))
        if date := shell.commit_time(root):
            os.environ.setdefault("SOURCE_DATE_EPOCH", date)
        if not config.repo_url:
            config.edit_uri = None  # 没有仓库，就没有「编辑这一页」
        if _offline(config):
            config.extra["polyfills"] = [shell.SHIM]  # 插件给的网址在外站
        if "material/search" in config.plugins:
            plugin: Any = config.plugins["material/search"]
            plugin.search_index = pages.Index(self.book.made, plugin.config.items())
        config.theme.dirs.insert(0, str(HERE / "theme"))
        config.markdown_extensions += self.book.extensions()  # type: ignore[arg-type]
        # API 参考里的代码由 mkdocstrings 画，着色与页面上的一样省
        highlight = config.mdx_configs.setdefault("pymdownx.highlight", {})
        highlight["extend_pygments_lang"] = drawing.SPARING_LANGUAGES
        return config

    def _kernel_server(self) -> KernelServer | None:
        """内核从哪里分出来：预览时一直留着，改了设置才换；不是 Linux 就没有。"""
        if self.kernels and self.kernels.preload != self.config.preload:
            self.kernels.close()
            self.kernels = None
        if sys.platform == "linux":  # 别的系统上，导入过的进程不能放心地 fork
            self.kernels = self.kernels or KernelServer(self.config.preload)
        return self.kernels

    def on_serve(
        self, server: LiveReloadServer, config: MkDocsConfig, **_: Any
    ) -> None:
        """预览时除了页面，还看着片段、主张和主题；改了流水线自己，要重新启动。"""
        build = server.builder
        if self.kernels:
            self.kernels.start()  # 第一次改代码，也不必等它导入

        def rebuild() -> None:
            try:
                build()
            except ClickException as error:  # mkdocs.yml 写坏了，还没有轮到插件
                reason = " ".join(error.format_message().split())
                log.error("没有重建，改好再存：%s", reason)

        server.builder = rebuild
        for folder in self._folders():
            server.watch(str(folder))
        while (seen := self._watched(config)) != self.seen:
            self.seen = seen  # 第一次构建时存了文件，还没有人看着
            rebuild()
        if self.config.only:
            log.info("只预览这一页：%s%s/", server.url, self.config.only)

    def _folders(self) -> list[Path]:
        """页面之外，预览时要看着的文件夹。"""
        cited = map(Path, self.config.base_path)
        tests = self.book.root / "tests"
        registers = (tests / name for name in ("claims", "exercises", "quizzes"))
        folders = (*cited, *registers, HERE / "theme")
        return [folder for folder in folders if folder.is_dir()]

    def _watched(self, config: MkDocsConfig) -> dict[Path, int]:
        """预览时看着的各个文件，和各是什么时候存的。"""
        folders = [Path(config.docs_dir), *self._folders()]
        paths = {path for folder in folders for path in folder.rglob("*")}
        made = {"node_modules", "__pycache__"}  # 不是人写的
        kept = [p for p in paths if p.is_file() and not made & {*p.parts}]
        return {p: p.stat().st_mtime_ns for p in [*kept, Path(config.config_file_path)]}

    def _only(self, files: Files) -> list[str]:
        """只预览一页时，去掉别的页；给出要运行的页，空的是全部。"""
        if not (stem := self.config.only):
            return []
        page = f"{stem}.md"
        if not self.serving:
            raise faults.SetupError("只建一页的网站不能发布：ONLY 只用于 make serve")
        if page not in self.book.pages:
            raise faults.SetupError(
                f"没有 docs/{page} 这一页：ONLY 写页面的名字，如 residual_block"
            )
        for file in files.documentation_pages():
            if file.src_uri not in {"index.md", page}:
                files.remove(file)
        return [page]

    def _link(self, page: str, target: str) -> str | None:
        """从一页到另一页的网址。"""
        here, there = (self.files.get_file_from_path(path) for path in (page, target))
        return get_relative_url(there.url, here.url) if here and there else None

    @event_priority(-100)
    def on_files(self, files: Files, config: MkDocsConfig) -> Files:
        """添上生成的文件，读每一页，运行变了的，查错。"""
        self.files = files
        if _offline(config):
            files.append(
                File.generated(config, shell.SHIM, content=shell.worker_shim())
            )
        for added in [*self.added, *self.practice]:
            files.append(File.generated(config, added.page, content=added.text))
        if self.practice and not _offline(config):
            for name, path in practice.files(self.book.root).items():
                uri = f"assets/practice/{name}"
                files.append(File.generated(config, uri, abs_src_path=str(path)))
            content = practice.editor(self.book.made)
            uri = "assets/practice/editor.js"
            files.append(File.generated(config, uri, content=content))
        for file in files.documentation_pages():
            try:
                self.book.read(file.src_uri, file.content_string)
            except UnicodeDecodeError as error:
                file.content_string = ""
                page = self.book.read(file.src_uri, "")
                page.faults.add(faults.encoding_fault(error))
        only = self._only(files)
        self.site = _site_key(config, files)
        self.book.run(*only)
        if self.book.trouble:
            reason = faults.explain_os_error(self.book.trouble)
            # 不用 log.warning：缓存写不进去，严格构建也照样发布
            message = f"WARNING -  缓存写不进去，下次构建要重新运行。{reason}"
            click.echo(message, err=True)
        self.book.check()
        return files

    @event_priority(-100)
    def on_page_markdown(self, markdown: str, page: Page, **_: Any) -> str:
        """给出一页交给 Markdown 的正文。"""
        del markdown
        if date := self.dates.get(page.file.src_uri):
            page.update_date = page.meta["changed"] = date  # 网站地图和页尾各用一个
        return self.book.prepare(page.file.src_uri)

    def on_pre_page(self, page: Page, **_: Any) -> Page:
        """画过的一页不再画。"""
        page.render = partial(self._render, page)  # type: ignore[method-assign]
        return page

    def _render(self, page: Page, config: MkDocsConfig, files: Files) -> None:
        """渲染一页；与上次凭的一样，就用上次的。"""
        name = page.file.src_uri
        key = self.site + self.book.key(name, page.markdown or "")
        if (saved := self.book.made.load(f"pages/{name}", key)) is not None:
            pages.restore(page, saved["page"], files)
            pages.register(page, config, saved["definitions"])
            self.book.pages[name].files = saved["files"]
            return
        warned = self.warnings.get_counts()
        Page.render(page, config, files)
        self.book.check_drawn(name, page.content or "")
        page.content = maths.share_roots(page.content or "")
        drawn = self.book.pages[name]
        if not drawn.faults and self.warnings.get_counts() == warned:
            saved = {
                "page": pages.dump(page),
                "files": drawn.files,
                "definitions": pages.definitions(page, config),
            }
            self.book.made.save(f"pages/{name}", key, saved)

    @event_priority(100)
    def on_env(self, env: Any, config: MkDocsConfig, files: Files) -> Any:
        """有错就停下；加上公式的样式与字体，和模板要用的。"""
        pages = [file.page for file in files.documentation_pages() if file.page]
        for page in pages:
            page.validate_anchor_links(files=files, log_level=logging.WARNING)
        content = "".join(page.content or "" for page in pages)
        for name, data in maths.assets(content, self.book.made).items():
            files.append(File.generated(config, f"assets/katex/{name}", content=data))
        for written in self.book.pages.values():
            for name, text in written.files.items():
                files.append(File.generated(config, name, content=text))
        texts = {page.file.src_uri: page.markdown or "" for page in pages}
        address = partial(self._address, config.site_url)
        taken = notebooks.collect(
            self.book, texts, address, config.site_name, shell.version(self.book.root)
        )
        for name, data in taken.items():
            files.append(File.generated(config, name, content=data))
        if self.book.questions:
            time = int(os.environ.get("SOURCE_DATE_EPOCH") or 1)
            deck = cards.collect(self.book, texts, address, config.site_name, time)
            files.append(File.generated(config, cards.PLACE, content=deck))
        lines = self.book.lines()
        for line in lines:
            log.error(line)
        if lines and not self.serving:
            raise Abort(f"共 {len(lines)} 处错误，没有发布。")
        if API_STYLE in config.extra_css:
            config.extra_css.remove(API_STYLE)  # 由 theme/main.html 加给要它的页
        env.trim_blocks = True  # 网页里不留模板的空行
        env.add_extension(shell.Unindented)
        env.bytecode_cache = shell.Templates(self.book.made)
        env.globals |= {
            "config": config,
            "api_style": API_STYLE,
            "offline": _offline(config),
            "version": shell.version(self.book.root),
            "notebooks": {q.page: notebooks.place(q.stem) for q in self.book.questions},
            "archive": notebooks.ARCHIVE,
            "cards": cards.PLACE,
            "copied": not self.serving and not _offline(config),
            "colab": notebooks.colab(config.repo_url),
        }
        if not self.serving:  # 预览时 MkDocs 要在网页里加自动刷新的脚本
            self.policy = shell.security_policy(env, offline=_offline(config))
        env.globals["content_security_policy"] = self.policy
        return env

    def _address(self, site: str | None, page: str, target: str) -> str:
        """页面上的一个去处的完整网址；网站没有网址，则为空。"""
        name, _, anchor = target.partition("#")
        file = self.files.get_file_from_path(name or page)
        if not site or file is None:
            return ""
        return f"{site}{file.url}" + (f"#{anchor}" if anchor else "")

    def on_page_context(self, context: Any, page: Page, **_: Any) -> Any:
        """预览时把本页的错误写在页首，改好就消失。"""
        page.content = self.book.notice(page.file.src_uri) + (page.content or "")
        return context

    @event_priority(-50)
    def _index(self, config: MkDocsConfig) -> None:
        """Material 的插件写好了搜索的索引，重写一遍。"""
        glossary = self.book.pages.get("glossary.md")
        search.rewrite_files(
            Path(config.site_dir, "search"),
            glossary.text if glossary else "",
            self.book.made,
            offline=_offline(config),
        )

    @event_priority(-100)
    def _publish(self, config: MkDocsConfig) -> None:
        """裁好样式表，写上响应头，换上新网站。

        严格构建有警告时不换，MkDocs 随后自己停下。
        """
        if self.policy:
            stylesheet.trim_theme(Path(config.site_dir), self.book.made)
            headers = shell.headers(self.policy)
            Path(config.site_dir, "_headers").write_text(headers, encoding="utf-8")
            if not _offline(config):
                offline_copy.write(Path(config.site_dir), config.site_name)
        if self.staging and not (config.strict and self.warnings.get_counts()):
            config.site_dir = str(self.staging.target)
            self.staging.publish()

    on_post_build = CombinedEvent(_index, _publish)

    def on_build_error(self, *, error: Exception) -> None:
        """环境的问题用一句话说清，不打印回溯。"""
        if isinstance(error, faults.SetupError):
            raise Abort(f"{error}。没有发布。")
        if isinstance(error, OSError):
            raise Abort(f"{faults.explain_os_error(error)}。没有发布。")

    def on_shutdown(self) -> None:
        """没有建成的网站不留下。"""
        self.katex.close()
        if self.kernels:
            self.kernels.close()
        if self.staging:
            self.staging.discard()


def _site_key(config: MkDocsConfig, files: Files) -> str:
    """每一页画成什么样都要看的：设置，和有哪些文件、各在哪里。"""
    settings = Path(config.config_file_path).read_text(encoding="utf-8")
    return json.dumps([settings, [[file.src_uri, file.url] for file in files]])


def _offline(config: MkDocsConfig) -> bool:
    """建的是不是从磁盘打开的网站。"""
    offline = config.plugins.get("material/offline")
    return offline is not None and bool(offline.config["enabled"])


class _LinkFilter(logging.Filter):
    """把 MkDocs 的死链警告换成带行号的错误。"""

    def __init__(self, plugin: BookPlugin) -> None:
        super().__init__()
        self.plugin = plugin

    def filter(self, record: logging.LogRecord) -> bool:
        pages = self.plugin.book.pages
        sources = {name: page.text for name, page in pages.items()}
        found = faults.link_fault(record.getMessage(), sources)
        if found is not None:
            name, fault = found
            if not self.plugin.config.only:  # 别的页没有建
                pages[name].faults.add(fault)
        return found is None


def _is_not_setup_error(record: logging.LogRecord) -> bool:
    """环境的问题由 on_build_error 说，MkDocs 不必先说一遍。"""
    del record
    return not isinstance(sys.exception(), OSError | faults.SetupError)
