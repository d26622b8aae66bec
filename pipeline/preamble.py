"""每一页的第一格：图的样式。它的内容是笔记本的一部分，改了就会重新运行。"""

import unicodedata

import matplotlib as mpl
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.mathtext import MathTextParser
from matplotlib.textpath import TextToPath
from matplotlib_inline.backend_inline import set_matplotlib_formats

set_matplotlib_formats("svg")
mpl.rcdefaults()  # 不用读者自己的 matplotlibrc
mpl.rcParams.update(
    {
        "axes.facecolor": "none",
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.unicode_minus": False,
        "figure.facecolor": "none",
        "figure.figsize": (4.5, 3),
        "font.size": 11,
        "legend.frameon": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "figure",
    }
)


def _count_cjk_as_em(renderer: type[TextToPath] | type[RendererAgg]) -> None:
    """没有中文字体也能排版：一个汉字按一个 em（破折号的宽度）计。"""
    measure = renderer.get_text_width_height_descent

    def wrapper(self, s, prop, ismath):  # type: ignore[no-untyped-def]
        wide = "".join("—" if unicodedata.east_asian_width(c) in "WF" else c for c in s)
        width, height, descent = measure(self, wide, prop, ismath)
        if wide != s:
            _, height, descent = measure(self, "Mg", prop, ismath)
        return width, height, descent

    renderer.get_text_width_height_descent = wrapper  # type: ignore[method-assign]


_count_cjk_as_em(TextToPath)
_count_cjk_as_em(RendererAgg)
# 一样的公式只解析一次：每张图各有一个解析器，缓存原是各有一份，画图要多花四成的时间
MathTextParser.__eq__ = lambda one, other: vars(one) == vars(other)  # type: ignore[method-assign]
MathTextParser.__hash__ = lambda _: 0  # type: ignore
