"""旋钮的各个设置怎样运行，接在 rules 后面，也是笔记本的一部分，改了就会重新运行。

每个设置都从同一个状态出发；全部运行之后，一切与只运行过缺省的设置一样。
"""

import json
import random
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np
from IPython import get_ipython
from matplotlib_inline.backend_inline import set_matplotlib_formats

# 有旋钮的图不裁边：留下的地方固定，各个设置的图才一样大，坐标轴不跳
_MARGINS: dict[Any, float] = {
    "figure.subplot.left": 0.17,
    "figure.subplot.right": 0.97,
    "figure.subplot.bottom": 0.2,
    "figure.subplot.top": 0.94,
}
_LAST = {"_", "__", "___"}  # 上一个值，由 IPython 自己管


def _take_state(names: dict[str, Any]) -> Callable[[], None]:
    """记下此刻的名字、随机数和图的样式，给出放回去的办法。"""
    kept = {name: value for name, value in names.items() if name not in _LAST}
    style = {k: v for k, v in mpl.rcParams.copy().items() if k != "backend"}
    undo: list[Callable[[], Any]] = [
        partial(dict.update, mpl.rcParams, style),
        partial(random.setstate, random.getstate()),
        partial(np.random.set_state, np.random.get_state()),  # noqa: NPY002
    ]
    torch = sys.modules.get("torch")
    if torch:
        undo.append(partial(torch.set_rng_state, torch.get_rng_state()))
    for value in kept.values():
        if isinstance(value, random.Random):
            undo.append(partial(value.setstate, value.getstate()))
        elif isinstance(value, np.random.Generator):
            bits = value.bit_generator
            undo.append(partial(setattr, bits, "state", bits.state))
        elif torch and isinstance(value, torch.Generator):
            undo.append(partial(value.set_state, value.get_state()))

    def put_back() -> None:
        for action in undo:
            action()
        for name in [name for name in names if name not in kept | dict.fromkeys(_LAST)]:
            del names[name]
        names.update(kept)

    return put_back


class _Variants:
    """一块的各个设置：`keep`、缺省的、`begin`、各个设置、`end`。"""

    def __init__(self) -> None:
        self.shell: Any = get_ipython()

    def keep(self) -> None:
        """记下运行之前的状态；从这里起，图的大小只由 figsize 定，不随内容变。"""
        self.margins = {name: mpl.rcParams[name] for name in _MARGINS}
        set_matplotlib_formats("svg", bbox_inches=None)
        mpl.rcParams.update(_MARGINS)
        self.before = _take_state(self.shell.user_ns)

    def begin(self, alt: str) -> None:
        """记下缺省的设置运行之后的状态；从这里起，每格运行之后都回到之前。

        Args:
            alt: 图的说明，一个 f 字符串。
        """
        self.after = _take_state(self.shell.user_ns)
        self.alt = alt
        self.alts: list[dict[str, str]] = []
        self.shell.events.register("post_run_cell", self._next)

    def _next(self, _: Any) -> None:
        """写出这个设置的图的说明，回到之前的状态。"""
        try:
            self.alts.append({"text": eval(self.alt, self.shell.user_ns)})
        except Exception as error:
            self.alts.append({"error": f"{type(error).__name__}: {error}"})
        self.before()

    def end(self) -> None:
        """到缺省的设置运行之后的状态去，印出各个设置的图的说明。"""
        self.shell.events.unregister("post_run_cell", self._next)
        self.after()
        mpl.rcParams.update(self.margins)
        set_matplotlib_formats("svg")
        print(json.dumps(self.alts[1:]))  # 头一个是 begin 自己


variants = _Variants()
