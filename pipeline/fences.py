r"""一页的围栏：从上到下走一遍，给出最外层的各个；别的模块都问它哪里是代码、哪里是正文。

围栏由三个以上的反引号或波浪号开头，由同样的一行结束。里面要写围栏的，外面多用一个。
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

OPENING = re.compile(r"^(?P<indent>[ \t>]*)(?P<ticks>`{3,}|~{3,})(?P<info>[^`]*)$")


@dataclass(frozen=True)
class Fence:
    """页面上的一个围栏。

    Args:
        line: 开头一行的行号，从 1 数起。
        indent: 开头一行的缩进，也可以有引用的 `>`。
        ticks: 反引号或波浪号。
        info: 它们后面的字，如 `python tags=["hide-input"]`。
        body: 里面的各行。
        closed: 有没有结束的一行。
    """

    line: int
    indent: str
    ticks: str
    info: str
    body: tuple[str, ...]
    closed: bool

    @property
    def end(self) -> int:
        """最后一行的行号。"""
        return self.line + len(self.body) + self.closed


def walk(lines: Sequence[str]) -> Iterator[Fence]:
    r"""逐个给出最外层的围栏。

    没有结束的围栏，到下一个围栏的开头或页尾为止。

    Args:
        lines: 一页的各行。

    Example:
        >>> [outer] = walk(["````text", "```python", "1", "```", "````"])
        >>> outer.info, outer.line, outer.end, outer.body
        ('text', 1, 5, ('```python', '1', '```'))
    """
    number = 0
    while number < len(lines):
        start = number
        number += 1
        if (opening := OPENING.match(lines[start])) is None:
            continue
        indent, ticks = opening["indent"], opening["ticks"]
        closed = False
        while number < len(lines) and not closed:
            line = lines[number]
            closed = line.startswith(indent) and line[len(indent) :].rstrip() == ticks
            if not closed and _opens_alike(line, opening):
                break
            number += 1
        yield Fence(
            line=start + 1,
            indent=indent,
            ticks=ticks,
            info=opening["info"].strip(),
            body=tuple(lines[start + 1 : number - closed]),
            closed=closed,
        )


def _opens_alike(line: str, opening: re.Match[str]) -> bool:
    """是不是又一个同样的开头：前一个于是没有结束。"""
    other = OPENING.match(line)
    return (
        other is not None
        and bool(other["info"].strip())
        and (other["indent"], other["ticks"]) == (opening["indent"], opening["ticks"])
    )


def prose(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """逐行给出围栏之外的行号与文字。

    Args:
        lines: 一页的各行。
    """
    inside = {n for fence in walk(lines) for n in range(fence.line, fence.end + 1)}
    for number, line in enumerate(lines, 1):
        if number not in inside:
            yield number, line
