"""旋钮：块首的一行 `名字 = 字面量  # 说明`，读者可以把字面量换成块头列出的别的值。

各个设置运行的是同一份代码，只换了这几个字面量；网页上显示的也是它。
"""

import ast
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.faults import Fault

MOST = 200  # 一块至多有这么多个设置
LABEL = re.compile(r"\s*# *(\S.*)")
FORM = 'knobs 应写成 {"名字": [值, 值]}，值是数、文字或真假，至少两个，不重复'


@dataclass(frozen=True)
class Knob:
    """一个旋钮。

    Args:
        name: 变量的名字。
        label: 它那一行的注释。
        texts: 各个值在代码里的写法，缺省值照原来的写。
        default: 缺省值是第几个。
        words: 值是文字或真假，而不是数。
    """

    name: str
    label: str
    texts: tuple[str, ...]
    default: int
    words: bool


def read_knobs(
    code: Sequence[str], values: Any, line: int
) -> tuple[list[Knob], list[Fault]]:
    """按块头的选项读出一块的旋钮。

    Args:
        code: 这一块的各行。
        values: 选项 `knobs`，名字到各个值。
        line: 块头的行号。
    """
    if not isinstance(values, dict) or not all(map(_is_choice, values.values())):
        return [], [Fault(line, FORM)]
    knobs: list[Knob] = []
    found = []
    head = {name: rest for name, *rest in _head(code)}
    for name, choice in values.items():
        if name not in head:
            message = f"旋钮 {name} 不在块首；块首要有一行 {name} = 值  # 说明"
            found.append(Fault(line, message))
            continue
        number, value, text, label = head[name]
        same = [kind(v) == kind(value) and v == value for v in choice]
        if not any(same):
            message = f"{name} 的缺省值 {text} 不在块头列出的值里"
            found.append(Fault(line + number, message))
            continue
        texts = [
            text if equal else _write(v) for v, equal in zip(choice, same, strict=True)
        ]
        words = kind(value) is not float
        knobs.append(Knob(name, label, tuple(texts), same.index(True), words))
    count = math.prod(map(len, values.values()))
    if count > MOST:
        found.append(Fault(line, f"共 {count} 个设置，上限 {MOST}，请少列几个值"))
    return knobs, found


def kind(value: Any) -> type | None:
    """一个值属于哪一类：数、文字、真假；别的给 `None`。

    Args:
        value: 值。
    """
    if isinstance(value, bool | str):
        return type(value)
    return float if isinstance(value, int | float) else None


def _is_choice(values: Any) -> bool:
    """一个旋钮的各个值：同一类，不重复，数从小到大。"""
    if not isinstance(values, list) or len(values) < 2:
        return False
    kinds = {kind(value) for value in values}
    numbers = kinds == {float}
    return (
        len(kinds) == 1
        and None not in kinds
        and len(set(values)) == len(values)
        and (not numbers or values == sorted(values))
    )


def _head(code: Sequence[str]) -> Iterator[tuple[str, int, Any, str, str]]:
    """逐行给出块首的赋值：名字、第几行（从 1 数起）、值、写法、说明。"""
    for number, line in enumerate(code, 1):
        try:
            (node,) = ast.parse(line).body
            if not isinstance(node, ast.Assign):
                return
            name = ast.unparse(node.targets[0])
            value = ast.literal_eval(node.value)
        except (SyntaxError, ValueError):
            return
        written = line.encode()[: node.value.end_col_offset].decode()
        label = LABEL.fullmatch(line[len(written) :])
        if label and written.startswith(start := f"{name} = "):
            yield name, number, value, written.removeprefix(start), label[1]


def _write(value: Any) -> str:
    """一个值在代码里的写法，与 ruff 的相同。"""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


def settings(knobs: Sequence[Knob]) -> list[tuple[int, ...]]:
    """给出全部设置：各个旋钮转到第几个值，后面的旋钮转得快。

    Args:
        knobs: 一块的旋钮。

    Example:
        >>> a, b = Knob("a", "", ("1", "2"), 0, False), Knob("b", "", ("3",), 0, False)
        >>> settings([a, b])
        [(0, 0), (1, 0)]
    """
    return [*itertools.product(*(range(len(knob.texts)) for knob in knobs))]


def default(knobs: Sequence[Knob]) -> tuple[int, ...]:
    """给出缺省的设置。

    Args:
        knobs: 一块的旋钮。
    """
    return tuple(knob.default for knob in knobs)


def turn(code: str, knobs: Sequence[Knob], setting: Sequence[int]) -> str:
    r"""给出转到一个设置的代码：只换掉各个旋钮的字面量。

    Args:
        code: 代码。
        knobs: 它的旋钮。
        setting: 设置。

    Example:
        >>> knob = Knob("a", "数", ("1", "2"), 0, False)
        >>> turn("a = 1  # 数\nprint(a)", [knob], [1])
        'a = 2  # 数\nprint(a)'
    """
    for knob, chosen in zip(knobs, setting, strict=True):
        old, new = knob.texts[knob.default], knob.texts[chosen]
        line = re.compile(rf"^{re.escape(f'{knob.name} = {old}')}(?=\s*#)", re.M)
        code = line.sub(lambda _: f"{knob.name} = {new}", code, count=1)  # noqa: B023
    return code


def keys(knobs: Sequence[Knob], earlier: Sequence[str]) -> list[str]:
    """给出各个旋钮在网址里的名字；前面的块用过的，加上序号。

    Args:
        knobs: 一块的旋钮。
        earlier: 同一页前面各块的旋钮的名字。

    Example:
        >>> keys([Knob("a", "数", ("1", "2"), 0, False)], ["a", "b"])
        ['a-2']
    """
    counts = [(knob.name, earlier.count(knob.name)) for knob in knobs]
    return [f"{name}-{count + 1}" if count else name for name, count in counts]


def describe(knobs: Sequence[Knob], setting: Sequence[int]) -> str:
    """说出一个设置，如 `w = 6, bias = -3`。

    Args:
        knobs: 一块的旋钮。
        setting: 设置。
    """
    pairs = zip(knobs, setting, strict=True)
    return ", ".join(f"{knob.name} = {knob.texts[chosen]}" for knob, chosen in pairs)


def script(
    name: str,
    knobs: Sequence[Knob],
    literals: Mapping[str, str],
    outputs: Sequence[str],
) -> str:
    """写出网页要的一切：各个值的写法，和各个设置的输出。

    它是脚本，不是 JSON：从磁盘打开的网页取不到 JSON，脚本可以。

    Args:
        name: 文件的名字。
        knobs: 一块的旋钮。
        literals: 写法到着色的 HTML。
        outputs: 各个设置的输出，HTML，次序同 `settings`。
    """
    content = {
        "texts": [knob.texts for knob in knobs],
        "literals": [[literals[text] for text in knob.texts] for knob in knobs],
        "outputs": outputs,
    }
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return f"(globalThis.variants??={{}})[{json.dumps(name)}]={data}\n"
