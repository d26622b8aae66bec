"""原文：它有哪几题，哪一页答哪一题；不在原文里的题不受它约束。"""

import re

from pipeline.tools.project import STEMS
from tests.sources import DOCS, title_of

# 去掉 front matter 与首尾空行
TEXT = (
    (DOCS / "assets" / "original-article.txt")
    .read_text(encoding="utf-8")
    .split("---\n", 2)[2]
    .strip("\n")
)
# 题号到题目，如 q5 到「Q5：ResNet 起作用的原因。」
TITLES = {
    f"q{number}": f"Q{number}：{title}".replace("`", "")
    for number, title in re.findall(r"^## Q(\d+)：(.+)$", TEXT, re.M)
}
# 题号到答它的页面；标题与原文一字不差的才算
ANSWERED = {
    question: stem
    for question, title in TITLES.items()
    for stem in STEMS
    if title_of(DOCS / f"{stem}.md").replace("`", "") == title
}
