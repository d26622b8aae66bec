"""量出 1×1 卷积的主张：等价的写法之差、合并后的秩、读到的位置、代价。"""

import copy
from collections.abc import Callable, Sequence
from types import EllipsisType

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from snippets.experiments.temporal_conv import multiply_adds
from snippets.pointwise_conv import (
    Bottleneck,
    collapse_pointwise,
    conv2d_hwio,
    conv_stack,
    depthwise_separable_conv,
    hwio_to_oihw,
    linear_per_pixel,
    pointwise_conv,
    separable_kernel,
    unexplained_variance,
)


# --8<-- [start:small_integers]
def small_integers(
    generator: Generator, *shapes: tuple[int, ...]
) -> tuple[Tensor, ...]:
    """给出由 -4 到 4 的整数组成的 float64 张量：乘加没有舍入，可以要求逐位相等。

    Args:
        generator: 随机源。
        *shapes: 各个张量的形状，各维须 `>= 0`。

    Returns:
        与 `shapes` 一一对应的张量。

    Raises:
        ValueError: 形状里有负数。

    Example:
        >>> generator = Generator().manual_seed(0)
        >>> x, weight = small_integers(generator, (1, 3, 2, 2), (4, 3))
        >>> x.shape, weight.dtype, bool((x == x.round()).all())
        (torch.Size([1, 3, 2, 2]), torch.float64, True)
    """
    if min((size for shape in shapes for size in shape), default=0) < 0:
        raise ValueError(f"形状的各维须 >= 0，收到 {shapes}")
    return tuple(
        torch.randint(-4, 5, shape, generator=generator).double() for shape in shapes
    )


# --8<-- [end:small_integers]


# --8<-- [start:pointwise_gap]
def pointwise_gap(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> float:
    """给出按定义、逐像素全连接这两种写法与 PyTorch 的 1×1 卷积之间最大的差。

    Args:
        x: 特征图，形状 `(N, C_in, H, W)`。
        weight: 权重，形状 `(C_out, C_in)`。
        bias: 偏置，形状 `(C_out,)`；`None` 表示不加。

    Returns:
        全部输出元素之差的绝对值的最大者。

    Example:
        >>> generator = Generator().manual_seed(0)
        >>> pointwise_gap(*small_integers(generator, (2, 6, 5, 7), (3, 6), (3,)))
        0.0
    """
    library = F.conv2d(x, weight[:, :, None, None], bias)
    ours = pointwise_conv(x, weight, bias), linear_per_pixel(x, weight, bias)
    return max(float((y - library).abs().max()) for y in ours)


# --8<-- [end:pointwise_gap]


# --8<-- [start:layout_gap]
def layout_gap(x: Tensor, kernel: Tensor) -> float:
    """给出 TensorFlow 布局与 PyTorch 布局算出的两个卷积之间最大的差。

    Args:
        x: 特征图，形状 `(N, C_in, H, W)`。
        kernel: TensorFlow 布局的卷积核，形状 `(kH, kW, C_in, C_out)`。

    Returns:
        全部输出元素之差的绝对值的最大者。

    Example:
        >>> generator = Generator().manual_seed(0)
        >>> layout_gap(*small_integers(generator, (2, 6, 5, 7), (3, 3, 6, 4)))
        0.0
    """
    theirs = conv2d_hwio(x.movedim(1, -1), kernel)
    ours = F.conv2d(x, hwio_to_oihw(kernel))
    return float((ours.movedim(1, -1) - theirs).abs().max())


# --8<-- [end:layout_gap]


# --8<-- [start:counted_parameters]
def counted_parameters(layer: nn.Module) -> int:
    """数出一个模块的参数个数。

    Args:
        layer: 任意模块。

    Returns:
        全部参数张量的元素个数之和。

    Example:
        >>> counted_parameters(nn.Conv2d(3, 4, 1))
        16
    """
    return sum(parameter.numel() for parameter in layer.parameters())


# --8<-- [end:counted_parameters]


# --8<-- [start:moved_elements]
def moved_elements(layer: nn.Module, x: Tensor) -> int:
    """数出一次前向至少要搬的元素：每个卷积把输入、权重各读一次，把输出写一次。

    Args:
        layer: 由二维卷积和别的层组成的模块；别的层不计。
        x: 输入，形状由 `layer` 决定。

    Returns:
        元素个数。

    Example:
        >>> moved_elements(nn.Conv2d(3, 4, 1, bias=False), torch.ones(1, 3, 2, 2))
        40
    """
    counts = []

    def count(conv: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        counts.append(sum(t.numel() for t in (*inputs, *conv.parameters(), output)))

    convs = [part for part in layer.modules() if isinstance(part, nn.Conv2d)]
    handles = [conv.register_forward_hook(count) for conv in convs]
    with torch.no_grad():
        layer(x)
    for handle in handles:
        handle.remove()
    return sum(counts)


# --8<-- [end:moved_elements]


# --8<-- [start:stack_cost]
def stack_cost(
    channels: Sequence[int],
    kernel_sizes: Sequence[int],
    side: int,
    groups: Sequence[int] | None = None,
) -> tuple[int, int, int]:
    """数出一串卷积处理一张方形图的代价。

    Args:
        channels: 从输入到输出的各个通道数。
        kernel_sizes: 各层核的边长。
        side: 图的高与宽，单位为像素。
        groups: 各层的分组数；`None` 表示都不分组。

    Returns:
        参数个数、乘加次数、至少要搬的元素个数。

    Example:
        >>> stack_cost((192, 32), (5,), side=28)
        (153600, 120422400, 329216)
    """
    net = conv_stack(channels, kernel_sizes, groups)
    x = torch.zeros(1, channels[0], side, side)
    adds, moved = multiply_adds(net, x), moved_elements(net, x)
    return counted_parameters(net), adds, moved


# --8<-- [end:stack_cost]


# --8<-- [start:collapse_gap]
def collapse_gap(
    x: Tensor, *pair: Tensor, activation: Callable[[Tensor], Tensor] = torch.clone
) -> float:
    """给出前后两个 1×1 卷积与合并成的那一个之间最大的差。

    Args:
        x: 特征图，形状 `(N, C_in, H, W)`。
        *pair: 两个卷积的权重与偏置，同 `collapse_pointwise` 的四个参数。
        activation: 两个卷积之间的激活函数；缺省原样通过。

    Returns:
        全部输出元素之差的绝对值的最大者。

    Example:
        >>> shapes = (1, 8, 3, 3), (2, 8), (2,), (6, 2), (6,)
        >>> collapse_gap(*small_integers(Generator().manual_seed(0), *shapes))
        0.0
    """
    weight1, bias1, weight2, bias2 = pair
    hidden = activation(pointwise_conv(x, weight1, bias1))
    one = pointwise_conv(x, *collapse_pointwise(*pair))
    return float((pointwise_conv(hidden, weight2, bias2) - one).abs().max())


# --8<-- [end:collapse_gap]


# --8<-- [start:lost_directions]
def lost_directions(weight: Tensor) -> int:
    """给出一个矩阵的零空间的维数：输入沿这些方向变化，输出不变。

    Args:
        weight: 权重，形状 `(C_out, C_in)`。

    Returns:
        `C_in` 减去秩。

    Raises:
        ValueError: `weight` 不是矩阵。

    Example:
        >>> lost_directions(torch.eye(3)[:2])
        1
    """
    if weight.ndim != 2:
        raise ValueError(f"weight 须为矩阵，收到形状 {tuple(weight.shape)}")
    return weight.shape[1] - int(torch.linalg.matrix_rank(weight))


# --8<-- [end:lost_directions]


# --8<-- [start:random_pair]
def random_pair(
    generator: Generator, activation: Callable[[Tensor], Tensor] = torch.clone
) -> tuple[float, int]:
    """随机取一对 32→8→32 的 1×1 卷积，问一个 1×1 卷积能替代它多少。

    输入是标准正态的，前一个权重的行两两正交，所以 8 个隐藏单元独立同分布。

    Args:
        generator: 随机源。
        activation: 两个卷积之间的激活函数；缺省原样通过。

    Returns:
        最好的一个 1×1 卷积解释不了的方差的比例，和输出（像素 × 通道）的秩。

    Example:
        >>> share, rank = random_pair(Generator().manual_seed(0), torch.relu)
        >>> 0.2 < share < 0.3, rank
        (True, 8)
    """
    x = torch.randn(16, 32, 16, 16, generator=generator).double()
    weight1, weight2 = torch.randn(2, 32, 8, generator=generator).double()
    weight1 = torch.linalg.qr(weight1).Q.T  # 行两两正交
    y = pointwise_conv(activation(pointwise_conv(x, weight1)), weight2)
    rank = torch.linalg.matrix_rank(y.movedim(1, -1).flatten(0, 2))
    return unexplained_variance(x, y), int(rank)


# --8<-- [end:random_pair]


# --8<-- [start:output_height]
def output_height(layer: nn.Module, shape: tuple[int, ...]) -> int:
    """给出一层的输出有多高。

    Args:
        layer: 二维卷积、池化一类的模块。
        shape: 输入的形状 `(N, C, H, W)`。

    Returns:
        输出的高，单位为像素。

    Example:
        >>> output_height(nn.Conv2d(2, 3, kernel_size=3), (1, 2, 28, 28))
        26
    """
    return int(layer(torch.zeros(shape)).shape[2])


# --8<-- [end:output_height]


# --8<-- [start:input_mask]
def input_mask(
    layer: nn.Module,
    shape: tuple[int, ...],
    index: tuple[int, ...] | EllipsisType = ...,
) -> Tensor:
    """标出哪些输入元素会影响指定的输出元素。

    Args:
        layer: 卷积、池化、ReLU 组成的模块；不会被修改。
        shape: 输入的形状，如 `(N, C, H, W)`。
        index: 输出元素的下标；`...` 表示全部输出。

    Returns:
        布尔张量，形状为 `shape`；`True` 表示该输入元素被读到。

    Raises:
        ValueError: `shape` 里有小于 1 的数。

    Example:
        >>> conv = nn.Conv2d(1, 1, kernel_size=1, stride=2)
        >>> input_mask(conv, (1, 1, 4, 4))[0, 0].int().tolist()
        [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    """
    if min(shape) < 1:
        raise ValueError(f"shape 的各维须 >= 1，收到 {shape}")
    layer = copy.deepcopy(layer)
    for parameter in layer.parameters():
        nn.init.ones_(parameter)  # 全为正：梯度不会相消，ReLU 不会失活
    x = torch.ones(shape, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x)[index].sum(), x)
    return gradient != 0


# --8<-- [end:input_mask]


# --8<-- [start:bottleneck_reads]
def bottleneck_reads(block: Bottleneck, side: int) -> tuple[float, float]:
    """给出瓶颈块的残差分支与捷径各读到输入的多大比例。

    Args:
        block: 瓶颈块。
        side: 输入的高与宽，单位为像素，须 `>= 1`。

    Returns:
        残差分支读到的比例与捷径读到的比例，都在 `[0, 1]` 内。

    Example:
        >>> bottleneck_reads(Bottleneck(4, 2, 8, stride=2), side=6)
        (1.0, 0.25)
    """
    branch = nn.Sequential(block.reduce, block.spatial, block.expand)
    shape = (1, block.reduce.in_channels, side, side)
    branch_mask, shortcut_mask = (
        input_mask(m, shape) for m in (branch, block.shortcut)
    )
    return float(branch_mask.double().mean()), float(shortcut_mask.double().mean())


# --8<-- [end:bottleneck_reads]


# --8<-- [start:sliding_gap]
def sliding_gap(x: Tensor, weight: Tensor) -> float:
    """让一个全连接分类器逐窗滑过特征图，给出与同一组权重的卷积之间最大的差。

    Args:
        x: 特征图，形状 `(N, C, H, W)`。
        weight: 分类器的权重，形状 `(classes, C, K, K)`，`K` 不大于 `H` 与 `W`。

    Returns:
        全部位置的得分之差的绝对值的最大者。

    Raises:
        ValueError: 形状不符，或 `K` 大于 `H` 或 `W`。

    Example:
        >>> generator = Generator().manual_seed(0)
        >>> sliding_gap(*small_integers(generator, (1, 8, 7, 9), (5, 8, 3, 3)))
        0.0

    Source:
        Long, Shelhamer & Darrell (2015), arXiv:1411.4038.
    """
    size, received = weight.shape[-1], (tuple(x.shape), tuple(weight.shape))
    if weight.shape[1:] != (x.shape[1], size, size) or size > min(x.shape[2:]):
        raise ValueError(f"须为 (N, C, H, W) 与 (classes, C, K, K)，收到 {received}")
    windows = F.unfold(x, size).movedim(1, -1)  # (N, 位置数, C·K·K)
    slid = F.linear(windows, weight.flatten(1)).movedim(-1, 1)
    return float((F.conv2d(x, weight).flatten(2) - slid).abs().max())


# --8<-- [end:sliding_gap]


# --8<-- [start:pooling_gap]
def pooling_gap(x: Tensor, weight: Tensor) -> float:
    """给出「全局平均，再全连接」与「1×1 卷积，再全局平均」之间最大的差。

    Args:
        x: 特征图，形状 `(N, C, H, W)`。
        weight: 全连接层的权重，形状 `(classes, C)`。

    Returns:
        全部得分之差的绝对值的最大者。

    Raises:
        ValueError: 形状不符（由 `pointwise_conv` 检查）。

    Example:
        >>> generator = Generator().manual_seed(0)
        >>> pooling_gap(*small_integers(generator, (2, 16, 8, 8), (10, 16)))
        0.0

    Source:
        Zhou et al. (2016), arXiv:1512.04150.
    """
    last = pointwise_conv(x, weight).mean((2, 3))
    first = F.linear(x.mean((2, 3)), weight)
    return float((first - last).abs().max())


# --8<-- [end:pooling_gap]


# --8<-- [start:separable_gap]
def separable_gap(x: Tensor, depthwise: Tensor, pointwise: Tensor) -> float:
    """给出深度可分离卷积与等价的普通卷积之间最大的差。

    Args:
        x: 特征图，形状 `(N, C_in, H, W)`。
        depthwise: 每个通道一个核，形状 `(C_in, K, K)`，`K` 须为奇数。
        pointwise: 1×1 卷积的权重，形状 `(C_out, C_in)`。

    Returns:
        全部输出元素之差的绝对值的最大者。

    Example:
        >>> shapes = (1, 6, 8, 8), (6, 3, 3), (10, 6)
        >>> separable_gap(*small_integers(Generator().manual_seed(0), *shapes))
        0.0
    """
    kernel = separable_kernel(depthwise, pointwise)  # (C_out, C_in, K, K)
    dense = F.conv2d(x, kernel, padding=kernel.shape[-1] // 2)
    ours = depthwise_separable_conv(x, depthwise, pointwise)
    return float((ours - dense).abs().max())


# --8<-- [end:separable_gap]
