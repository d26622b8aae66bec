"""版面：源文件里的换行不在汉字之间变成空格；表格可以用键盘横向滚动。"""

import re
from xml.etree.ElementTree import Element

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


class _FocusTables(Treeprocessor):
    def run(self, root: Element) -> None:
        for table in root.iter("table"):
            table.set("tabindex", "0")


class FocusableTables(Extension):
    """表格能得到焦点：窄屏上放不下时，不用鼠标也能滚动。"""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """登记树处理器。"""
        md.treeprocessors.register(_FocusTables(md), "focus-tables", 5)
