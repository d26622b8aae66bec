"""Q4 的手撕题：初始化的标准差，信号逐层的 RMS。"""

import math

from snippets.exercises.checking import check, compare, refuses


# --8<-- [start:init_std]
def init_std(shape: tuple[int, ...], activation: str) -> float:
    """按扇入给出权重的标准差：ReLU 用 He，别的用 LeCun。

    Args:
        shape: 权重的形状；全连接是 `(输出, 输入)`，卷积是
            `(输出通道, 输入通道, 核高, 核宽)`。
        activation: `"relu"` 或 `"linear"`。

    Raises:
        ValueError: 形状少于两维，或激活函数不是这两种。

    Example:
        >>> init_std((10, 50), "relu")
        0.2

    Source:
        He 等（2015），arXiv:1502.01852，式 (10)。
    """
    if len(shape) < 2 or activation not in ("relu", "linear"):
        raise ValueError(f"收到 {shape}、{activation}")
    fan_in = math.prod(shape[1:])
    gain = 2.0 if activation == "relu" else 1.0
    return math.sqrt(gain / fan_in)


# --8<-- [end:init_std]


def test_init_std_relu() -> None:
    """全连接，ReLU：扇入 50，标准差 0.2"""
    check(
        init_std,
        (10, 50),
        "relu",
        gives=0.2,
        because="扇入是输入的个数，即形状的第二维；He 的方差是 2 / 扇入，再开方。",
    )


def test_init_std_linear() -> None:
    """全连接，没有激活函数：扇入 100，标准差 0.1"""
    check(
        init_std,
        (10, 100),
        "linear",
        gives=0.1,
        because="2 是补偿 ReLU 砍掉的一半；没有 ReLU，方差是 1 / 扇入。",
    )


def test_init_std_conv() -> None:
    """卷积 3×3，16 个输入通道：扇入 16 × 3 × 3"""
    check(
        init_std,
        (32, 16, 3, 3),
        "relu",
        gives=math.sqrt(2 / 144),
        because="一个输出像素读 输入通道 × 核高 × 核宽 个数，都算在扇入里。",
    )


def test_init_std_refuses() -> None:
    """形状少于两维、不认得的激活函数：ValueError"""
    refuses(ValueError, init_std, (10,), "relu")
    refuses(ValueError, init_std, (10, 10), "relux")


# --8<-- [start:layer_rms]
def layer_rms(x: list[float], weights: list[list[list[float]]]) -> list[float]:
    """信号过一个 ReLU 网络，给出每一层激活的 RMS。

    Args:
        x: 输入。
        weights: 各层的矩阵；矩阵的每一行是一个输出单元的权重。没有偏置。

    Returns:
        每层一个数：激活（ReLU 之后）的均方根 `sqrt(平方的平均)`。

    Example:
        >>> layer_rms([1.0, -1.0], [[[3.0, 0.0], [0.0, 4.0]]])
        [2.1213203435596424]
    """
    found = []
    for matrix in weights:
        x = [
            max(0.0, sum(w * a for w, a in zip(row, x, strict=True))) for row in matrix
        ]
        found.append(math.sqrt(sum(a * a for a in x) / len(x)))
    return found


# --8<-- [end:layer_rms]


def test_layer_rms_one_layer() -> None:
    """一层，没有负的：激活是 3 和 4，RMS 是 sqrt(12.5)"""
    check(
        layer_rms,
        [1.0, 1.0],
        [[[3.0, 0.0], [0.0, 4.0]]],
        gives=[math.sqrt(12.5)],
        because="RMS 是平方的平均再开方，不减均值。",
    )


def test_layer_rms_relu() -> None:
    """负的先变成 0 再量"""
    check(
        layer_rms,
        [1.0, -1.0],
        [[[3.0, 0.0], [0.0, 4.0]]],
        gives=[math.sqrt(4.5)],
        because="量的是激活，即 ReLU 之后的：−4 要先变成 0。",
    )


def test_layer_rms_two_layers() -> None:
    """两层，矩阵不是方的：上一层的激活是下一层的输入"""
    check(
        layer_rms,
        [1.0, 2.0],
        [[[1.0, 1.0], [0.0, -1.0], [2.0, 0.0]], [[1.0, 5.0, 1.0]]],
        gives=[math.sqrt(13 / 3), 5.0],
        because="一行是一个输出单元：输出 i 是第 i 行与输入的内积。",
    )


def test_layer_rms_he() -> None:
    """He 的尺度：正负对半的两个输入单元，标准差 1，RMS 保持 1"""
    matrix = [[1.0, -1.0], [1.0, -1.0]]
    got = layer_rms([1.0, 0.0], [matrix])
    compare("RMS", got, [1.0])
