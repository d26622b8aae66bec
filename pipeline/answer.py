"""一句话回答：页首的一块，面试时照着念就行；念不出来的、念不完的，都是错误。

写在页面上是 `/// answer … ///`，画出来是 `<div id="answer">`：一行题目和要念的秒数，
然后是回答的各段。
"""

import math
import re
from collections.abc import Callable
from xml.etree.ElementTree import Element, SubElement

from markdown import Markdown
from pymdownx.blocks import BlocksExtension
from pymdownx.blocks.block import Block

TITLE = "一句话回答"
LIMIT = 125  # 字
PACE = 250  # 一分钟念的字
MARKUP = re.compile(r"\[\[[\w-]+\]\]|(?<=\])\([^)\s]*\)|\{[:#.][^}]*\}|[*`\[\]]")
# 公式、符号和代码；行内代码只能是一个名字或一个数
SILENT = re.compile(r"\$[^$]*\$?|`(?![A-Za-z0-9][\w.-]*`)[^`]*`|[=<>≤≥≈≠^\\√∂∑²³_{}]")
SPOKEN = re.compile(r"[\u3400-\u9fff×]|%|[A-Za-z]+|\d|(?<=\d)\.(?=\d)")


def count_spoken(text: str) -> int:
    """数一段话念出来有几个字。

    汉字、`×`、小数点各一个；数字一位一个，`%` 念「百分之」，三个；英文词有几个相连的
    元音就是几个，全大写的缩写逐个字母念。标点不念。

    Args:
        text: 没有记号的文字。

    Example:
        >>> count_spoken("ResNet 的 25%，用 SGD：0.9")
        15
    """
    return sum(map(_count_word, SPOKEN.findall(text)))


def _count_word(word: str) -> int:
    if word == "%":
        return len("百分之")
    if not word.isascii() or not word.isalpha():
        return 1
    if word.isupper():
        return len(word)
    return len(re.findall(r"[aeiouy]+", word, re.I)) or len(word)


class Answers(BlocksExtension):  # type: ignore[misc]
    """认得 `/// answer` 的扩展。

    Args:
        report: 收错误的函数，参数是出错的原文和说明。
    """

    def __init__(self, report: Callable[[str, str], None]) -> None:
        super().__init__()
        self.report = report

    def extendMarkdownBlocks(self, md: Markdown, block_mgr: object) -> None:  # noqa: N802
        """登记这一种块。"""
        del md
        block_mgr.register(_Answer, {"report": self.report})  # type: ignore[attr-defined]


class _Answer(Block):  # type: ignore[misc]
    NAME = "answer"

    def on_create(self, parent: Element) -> Element:
        panel = SubElement(parent, "div", {"id": "answer", "class": "answer"})
        SubElement(panel, "div", {"class": "answer-title"}).text = TITLE
        return panel

    def on_end(self, block: Element) -> None:
        title, *parts = block
        said = "".join(part.text or "" for part in parts)
        report = self.config["report"]
        for part in parts:
            if part.tag != "p" or "\x02" in (part.text or ""):
                report("/// answer", "回答里只写成段的话，不放列表、代码块和公式")
                return
        for match in SILENT.finditer(said):
            report(match[0].strip("$"), f"「{match[0]}」念不出来：回答里不用公式和符号")
        count = count_spoken(MARKUP.sub("", said))
        if not 0 < count <= LIMIT:
            report("/// answer", f"回答念出来要有 1 到 {LIMIT} 个字，现在有 {count} 个")
        seconds = math.ceil(count * 60 / PACE)
        SubElement(title, "span").text = f"约 {seconds} 秒"
