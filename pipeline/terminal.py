r"""程序写给终端的字：回车、退格、清行、颜色都照做，只留下最后看得见的。"""

import re
from unicodedata import combining

import pyte
from wcwidth import wcwidth

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
EIGHT_BIT = {code: f"\x1b{chr(code - 0x40)}" for code in range(0x80, 0xA0)}
OBEYED = set("\b\t\n\x0b\x0c\r\x1b")
DOWN = re.compile(r"[\n\x0b\x0c]|\x1b[DE]")  # 换到下一行
LINK = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")  # 窗口标题、链接的网址


def settle(text: str) -> str:
    r"""给出终端最后显示的字；没有控制字符的原样给回。

    Args:
        text: 程序写的一切。

    Example:
        >>> settle("1/2\r2/2\n"), settle("\x1b[31m红\x1b[0m"), settle("ab\b\x1b[Kc")
        ('2/2\n', '红', 'ac')
    """
    if not CONTROL.search(text):
        return text
    text = LINK.sub("", text.translate(EIGHT_BIT))
    # pyte 遇到不占格子的字，就丢掉一行里余下的
    text = "".join(c for c in text if c in OBEYED or wcwidth(c) > 0 or combining(c))
    rows = len(DOWN.findall(text)) + 1
    columns = 2 * max(map(len, text.split("\n"))) + 1  # 汉字占两列
    screen = pyte.Screen(columns, rows)
    screen.set_mode(pyte.modes.LNM)
    pyte.Stream(screen).feed(text)
    lines = []
    for number in range(rows):
        row = screen.buffer[number]  # 只有写过的格子；汉字后面的半格是空的
        cells = (row[column].data for column in range(max(row, default=-1) + 1))
        lines.append("".join(cells).rstrip())
    return CONTROL.sub("", "\n".join(lines))
