"""搜索的索引：有 id 的折叠框也自成一节；Material 的插件只认标题。"""

import re

from material.plugins.search import plugin

BOX = re.compile(
    r'(<details[^>]*?) id="([^"]+)"([^>]*>\s*)<summary>(.*?)</summary>', re.S
)


class BoxParser(plugin.Parser):  # type: ignore[misc]
    """读一页的各节，折叠框也算。"""

    def feed(self, data: str) -> None:
        """框的名字换成标题，再交给 Material。

        Args:
            data: 一页的 HTML。
        """
        super().feed(BOX.sub(r'\1\3<h3 id="\2">\4</h3>', data))


def install() -> None:
    """让 Material 的插件用它读页面。"""
    plugin.Parser = BoxParser
