"""MkDocs 的一页和它在搜索里的各节：画过的不再画，读过的不再读。

凭什么相同，由调用者给的键说了算；这里只管 MkDocs 与 Material 的东西怎样写成 JSON、
怎样读回来。
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from material.plugins.search.plugin import Parser, SearchIndex
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import AnchorLink, TableOfContents

from pipeline.cache import Cache

BOX = re.compile(
    r'(<details[^>]*?) id="([^"]+)"([^>]*>\s*)<summary>(.*?)</summary>', re.S
)


def dump(page: Page) -> dict[str, Any]:
    """写出渲染好的一页。

    Args:
        page: `render` 刚刚做完的一页。
    """
    return {
        "content": page.content,
        "title": page.title,
        "toc": [*map(_dump_link, page.toc)],
        "anchors": sorted(page.present_anchor_ids or ()),
        "links": {
            file.src_uri: links for file, links in (page.links_to_anchors or {}).items()
        },
    }


def restore(page: Page, saved: dict[str, Any], files: Files) -> None:
    """把写出的一页读回来，与重新渲染的一样。

    Args:
        page: 还没有渲染的一页。
        saved: `dump` 写出的。
        files: 网站的各个文件。
    """
    page.content = saved["content"]
    if page.title != saved["title"]:  # 导航和页首都没有给，标题来自一级标题
        page.title = saved["title"]
    page.toc = TableOfContents([*map(_restore_link, saved["toc"])])
    if page.toc.items:
        page.toc.items[0].active = True  # type: ignore[attr-defined]
    page.present_anchor_ids = set(saved["anchors"])
    page.links_to_anchors = {
        file: links
        for name, links in saved["links"].items()
        if (file := files.get_file_from_path(name)) is not None
    }


def definitions(page: Page, config: MkDocsConfig) -> list[list[Any]]:
    """mkdocstrings 在一页上见到的定义，别处的链接要找它们。

    Args:
        page: `render` 刚刚做完的一页。
        config: MkDocs 的设置。

    Returns:
        各个定义的名字、域、种类、优先的次序、锚；不是 API 参考的页为空。
    """
    if "\n::: " not in (page.markdown or ""):
        return []
    plugin: Any = config.plugins["mkdocstrings"]
    return [
        [item.name, item.domain, item.role, item.priority, anchor]
        for item in plugin.handlers.inventory.values()
        for url, _, anchor in [item.uri.partition("#")]
        if url == page.url
    ]


def register(page: Page, config: MkDocsConfig, found: Iterable[list[Any]]) -> None:
    """把 `definitions` 记下的告诉 mkdocstrings 与 autorefs，如同渲染过。

    Args:
        page: 读回来的一页。
        config: MkDocs 的设置。
        found: 记下的定义。
    """
    titles = {link.id: link.title for link in _walk(page.toc)}
    for name, domain, role, priority, anchor in found:
        plugin: Any = config.plugins["mkdocstrings"]
        autorefs: Any = config.plugins["autorefs"]
        plugin.get_handler("python")  # 它于是写出样式和定义的清单
        own, title = name == anchor, titles.get(anchor)
        autorefs.register_anchor(page, name, anchor, title=title, primary=own)
        plugin.handlers.inventory.register(
            name, domain, role, f"{page.url}#{anchor}", priority
        )


def _walk(links: Iterable[AnchorLink]) -> Iterator[AnchorLink]:
    for link in links:
        yield link
        yield from _walk(link.children)


def _dump_link(link: AnchorLink) -> list[Any]:
    return [link.title, link.id, link.level, [*map(_dump_link, link.children)]]


def _restore_link(saved: list[Any]) -> AnchorLink:
    title, name, level, children = saved
    link = AnchorLink(title, name, level)
    link.children = [*map(_restore_link, children)]
    return link


class Index(SearchIndex):  # type: ignore[misc]
    """搜索的索引：有 id 的折叠框也自成一节，汉字原样，由 search.py 去切。

    Args:
        cache: 读过的各页。
        config: Material 的插件的设置。
    """

    def __init__(self, cache: Cache, config: Iterable[tuple[str, Any]]) -> None:
        super().__init__(**dict(config))
        self.cache = cache

    def add_entry_from_context(self, page: Page) -> None:
        """收下一页的各节。

        Args:
            page: 渲染好的一页。
        """
        key = json.dumps([page.content, page.url, page.title, page.meta], default=str)
        name = f"sections/{page.file.src_uri}"
        self.entries += self.cache.get(name, key, lambda: self._read(page))

    def _read(self, page: Page) -> list[dict[str, Any]]:
        if (page.meta.get("search") or {}).get("exclude"):
            return []
        fresh = Index(self.cache, self.config.items())
        parser = Parser()
        # 框的名字换成标题，Material 才当它是一节
        parser.feed(BOX.sub(r'\1\3<h3 id="\2">\4</h3>', page.content or ""))
        parser.close()
        for section in parser.data:
            if not section.is_excluded():
                fresh.create_entry_for_section(section, page.toc, page.url, page)
        return list(fresh.entries)

    def _segment_chinese(self, data: str) -> str:
        """不切：Material 切了，search.py 还要重切。"""
        return data.strip("\u200b")
