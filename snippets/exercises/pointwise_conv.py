"""Q7 的手撕题：1×1 卷积，卷积层的参数与乘加。"""

from snippets.exercises.checking import check, refuses


# --8<-- [start:pointwise_conv]
def pointwise_conv(
    image: list[list[list[float]]], weight: list[list[float]], bias: list[float]
) -> list[list[list[float]]]:
    """1×1 卷积：每个像素上，用同一个矩阵把各通道混合一次。

    Args:
        image: `image[c][i][j]`，C_in 个通道，每个 H 行 W 列。
        weight: `weight[o][c]`，C_out 行 C_in 列。
        bias: C_out 个数。

    Returns:
        `[o][i][j]`，C_out 个通道，高宽不变。

    Raises:
        ValueError: `weight` 的列数不是输入的通道数。

    Example:
        >>> pointwise_conv([[[1.0, 2.0]], [[3.0, 4.0]]], [[1.0, 10.0]], [0.5])
        [[[31.5, 42.5]]]

    Source:
        Lin, Chen & Yan (2014), arXiv:1312.4400, §3.
    """
    if any(len(row) != len(image) for row in weight):
        raise ValueError(f"weight 的每一行须有 {len(image)} 个数")
    height, width = len(image[0]), len(image[0][0])
    return [
        [
            [
                b
                + sum(w * channel[i][j] for w, channel in zip(row, image, strict=True))
                for j in range(width)
            ]
            for i in range(height)
        ]
        for row, b in zip(weight, bias, strict=True)
    ]


# --8<-- [end:pointwise_conv]


def test_pointwise_conv_one_pixel() -> None:
    """一个像素：就是矩阵乘向量，再加偏置"""
    check(
        pointwise_conv,
        [[[1.0]], [[2.0]]],
        [[1.0, 10.0], [3.0, 0.0]],
        [0.0, 0.5],
        gives=[[[21.0]], [[3.5]]],
        because="输出通道 o 是第 o 行与各输入通道的内积；偏置一个输出通道加一次。",
    )


def test_pointwise_conv_shapes() -> None:
    """3 个通道变 2 个，2 × 4 的图：高宽不变"""
    image = [[[float(c + i + j) for j in range(4)] for i in range(2)] for c in range(3)]
    check(
        pointwise_conv,
        image,
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
        [0.0, 0.0],
        gives=[image[0], image[2]],
        because="通道数从 C_in 变成 C_out，行数、列数都不变；weight 是 [输出][输入]。",
    )


def test_pointwise_conv_no_neighbours() -> None:
    """不看邻居：改一个像素，别的像素不变"""
    one = pointwise_conv([[[0.0, 0.0, 0.0]]], [[2.0]], [1.0])
    two = pointwise_conv([[[0.0, 7.0, 0.0]]], [[2.0]], [1.0])
    assert one[0][0][0] == two[0][0][0], "改了中间的像素，左边的也变了：核只有 1×1。"
    assert two[0][0][1] == 15.0, f"中间的像素应是 15，得到 {two[0][0][1]}。"


def test_pointwise_conv_refuses() -> None:
    """通道数对不上：ValueError"""
    refuses(ValueError, pointwise_conv, [[[1.0]]], [[1.0, 2.0]], [0.0])


# --8<-- [start:conv_cost]
def conv_cost(
    in_channels: int, out_channels: int, kernel_size: int, height: int, width: int
) -> tuple[int, int]:
    """给出一个卷积层的参数个数和乘加次数。

    步幅为 1，补零使高宽不变，有偏置。

    Args:
        in_channels: 输入通道数。
        out_channels: 输出通道数。
        kernel_size: 方形核的边长。
        height: 输出的高。
        width: 输出的宽。

    Returns:
        参数个数（含偏置）；乘加次数（一乘一加算一次，不计偏置，补的零也算）。

    Raises:
        ValueError: 有一个参数小于 1。

    Example:
        >>> conv_cost(256, 64, 1, 28, 28)
        (16448, 12845056)
    """
    if min(in_channels, out_channels, kernel_size, height, width) < 1:
        raise ValueError("每个参数都须 >= 1")
    weights = kernel_size**2 * in_channels * out_channels
    return weights + out_channels, weights * height * width


# --8<-- [end:conv_cost]


def test_conv_cost_pointwise() -> None:
    """1×1，256 → 64，28 × 28 的图"""
    check(
        conv_cost,
        256,
        64,
        1,
        28,
        28,
        gives=(16448, 12845056),
        because="偏置一个输出通道一个；乘加是每个输出位置把全部权重用一遍。",
    )


def test_conv_cost_square_kernel() -> None:
    """5×5，192 → 32：核是方的，有 25 个抽头"""
    check(
        conv_cost,
        192,
        32,
        5,
        28,
        28,
        gives=(153632, 120422400),
        because="权重有 核长的平方 × 输入通道 × 输出通道 个。",
    )


def test_conv_cost_bottleneck() -> None:
    """先用 1×1 降到 16 个通道，再做 5×5：乘加约为直接做的十分之一"""
    direct = conv_cost(192, 32, 5, 28, 28)[1]
    squeezed = conv_cost(192, 16, 1, 28, 28)[1] + conv_cost(16, 32, 5, 28, 28)[1]
    assert (direct, squeezed) == (120422400, 12443648), (
        f"应是 120422400 与 12443648 次，得到 {direct} 与 {squeezed}。"
    )


def test_conv_cost_refuses() -> None:
    """通道数是 0：ValueError"""
    refuses(ValueError, conv_cost, 0, 1, 1, 1, 1)
