"""指令：页面上独占一行的 `<!-- 名字: 参数 -->`，构建时换成生成的 Markdown。"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from pipeline.faults import Fault

FORM = re.compile(r"^<!-- (?P<name>[a-z-]+): (?P<argument>\S+) -->$")
LIKE = re.compile(r"^\s*<!--\s*(?P<name>[a-z-]+)\s*:.*-->\s*$")

Table = Mapping[str, Callable[[str], str]]


class DirectiveError(ValueError):
    """参数有误，或要的数据没有：信息是一句话，说清怎么改。"""


def find_faults(
    lines: Iterable[tuple[int, str]], names: Sequence[str]
) -> Iterator[Fault]:
    """逐个给出写错的指令。

    Args:
        lines: 页面上围栏之外的行号与文字。
        names: 已知的名字。
    """
    known = "、".join(f"<!-- {name}: … -->" for name in names)
    for number, line in lines:
        if (like := LIKE.match(line)) is None:
            continue
        if like["name"] not in names:
            yield Fault(number, f"{like['name']} 不是已知的指令；可用 {known}")
        elif FORM.match(line) is None:
            yield Fault(
                number,
                f"指令应写成 <!-- {like['name']}: 参数 -->，独占一行，前后不留空格",
            )


def expand(line: str, table: Table, report: Callable[[str], None]) -> str:
    """换掉一行里的指令；不是指令的原样给回。

    Args:
        line: 一行正文。
        table: 名字到函数，函数由参数给出 Markdown，参数不对就抛出 `DirectiveError`。
        report: 收错误的函数。

    Example:
        >>> expand("<!-- hi: 甲 -->", {"hi": "你好，{}".format}, print)
        '你好，甲'
    """
    match = FORM.match(line)
    if match is None or match["name"] not in table:
        return line
    try:
        return table[match["name"]](match["argument"])
    except DirectiveError as error:
        report(str(error))
        return line
