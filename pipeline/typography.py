"""版面：源文件里的换行不在汉字之间变成空格；表格在自己的框里横向滚动。"""

import re
from xml.etree.ElementTree import Element, SubElement

from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from markdown.treeprocessors import Treeprocessor

PUNCTUATION = "、。，；：？！）」』》…"  # 后面的换行总可以去掉
WIDE = r"\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"  # 两个之间的换行可以去掉
NEWLINE = rf"(?<=[{PUNCTUATION}])\n(?=\S)|(?<=[{WIDE}])\n(?=[{WIDE}])"


class _DropNewline(InlineProcessor):
    def handleMatch(  # type: ignore[override]  # noqa: N802
        self, m: re.Match[str], data: str
    ) -> tuple[str, int, int]:
        del data
        return "", m.start(), m.end()


class ChineseNewlines(Extension):
    """去掉汉字和全角标点之间的换行。"""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """登记行内规则：在行内代码和公式之后，其余各条之前。"""
        md.inlinePatterns.register(_DropNewline(NEWLINE, md), "newline", 189)


class _WrapTables(Treeprocessor):
    def run(self, root: Element) -> None:
        for parent in list(root.iter()):
            for at, table in enumerate(parent):
                if table.tag == "table":
                    table.set("class", "table")
                    box = Element("div", {"class": "md-typeset__scrollwrap"})
                    box.set("tabindex", "0")
                    SubElement(box, "div", {"class": "md-typeset__table"}).append(table)
                    box.tail, table.tail = table.tail, None
                    parent[at] = box


class ScrollableTables(Extension):
    """表格放在框里：窄屏上放不下时框里滚动，不用鼠标也行。

    Material 的脚本也会这样包，只是要等到网页已经画出来，整页于是又排一遍。
    """

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """登记树处理器。"""
        md.treeprocessors.register(_WrapTables(md), "wrap-tables", 5)
