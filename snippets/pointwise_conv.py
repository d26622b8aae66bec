"""1×1 卷积的定义与合并、权重布局、参数与乘加次数、瓶颈块、深度可分离卷积。"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


# --8<-- [start:pointwise_conv]
def pointwise_conv(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1
) -> Tensor:
    """按定义计算 1×1 卷积：每个位置的输出只是该位置各通道的线性组合。

    Args:
        x: 特征图，形状 `(N, C_in, H, W)`。
        weight: 卷积核去掉两个长度为 1 的空间轴，形状 `(C_out, C_in)`。
        bias: 偏置，形状 `(C_out,)`；`None` 表示不加。
        stride: 步幅，单位为像素，须 `>= 1`。

    Returns:
        形状 `(N, C_out, ceil(H / stride), ceil(W / stride))`。

    Raises:
        ValueError: `x` 不是四维、通道数与 `weight` 不符，或 `stride < 1`。

    Example:
        >>> x = torch.arange(8.0).reshape(1, 2, 2, 2)
        >>> pointwise_conv(x, torch.tensor([[1.0, 1.0]])).tolist()
        [[[[4.0, 6.0], [8.0, 10.0]]]]

    Source:
        Lin, Chen & Yan (2013), arXiv:1312.4400.
    """
    if x.ndim != 4 or x.shape[1] != weight.shape[1]:
        raise ValueError(f"x 须为 (N, {weight.shape[1]}, H, W)，收到 {tuple(x.shape)}")
    if stride < 1:
        raise ValueError(f"stride 须 >= 1，收到 {stride}")
    y = torch.einsum("oc,nchw->nohw", weight, x[:, :, ::stride, ::stride])
    return y if bias is None else y + bias[:, None, None]


# --8<-- [end:pointwise_conv]


# --8<-- [start:linear_per_pixel]
def linear_per_pixel(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """对每个像素的通道向量施加同一个全连接层，像素之间互不影响。

    Args:
        x: 特征图，形状 `(N, C_in, H, W)`。
        weight: 全连接层的权重，形状 `(C_out, C_in)`。
        bias: 偏置，形状 `(C_out,)`；`None` 表示不加。

    Returns:
        形状 `(N, C_out, H, W)`。

    Raises:
        ValueError: `x` 不是四维，或通道数与 `weight` 不符。

    Example:
        >>> linear_per_pixel(torch.ones(1, 3, 2, 5), torch.ones(4, 3)).shape
        torch.Size([1, 4, 2, 5])

    Source:
        Long, Shelhamer & Darrell (2015), arXiv:1411.4038.
    """
    if x.ndim != 4 or x.shape[1] != weight.shape[1]:
        raise ValueError(f"x 须为 (N, {weight.shape[1]}, H, W)，收到 {tuple(x.shape)}")
    pixels = x.movedim(1, -1)  # (N, H, W, C_in)
    return F.linear(pixels, weight, bias).movedim(-1, 1)


# --8<-- [end:linear_per_pixel]


# --8<-- [start:conv2d_hwio]
def conv2d_hwio(x: Tensor, weight: Tensor) -> Tensor:
    """按 TensorFlow 文档的下标公式计算卷积，步幅 1，不补零。

    Args:
        x: 通道在最后的特征图，形状 `(N, H, W, C_in)`。
        weight: 卷积核，形状 `(kH, kW, C_in, C_out)`。

    Returns:
        形状 `(N, H - kH + 1, W - kW + 1, C_out)`。

    Raises:
        ValueError: `x` 或 `weight` 不是四维，通道数不符，或核大于 `x`。

    Example:
        >>> conv2d_hwio(torch.ones(1, 3, 4, 2), torch.ones(3, 3, 2, 1)).flatten()
        tensor([18., 18.])

    Source:
        `tf.nn.conv2d` 的文档。
    """
    shapes = tuple(x.shape), tuple(weight.shape)
    if x.ndim != 4 or weight.ndim != 4 or x.shape[3] != weight.shape[2]:
        raise ValueError(f"须为 (N, H, W, C) 与 (kH, kW, C, C_out)，收到 {shapes}")
    if x.shape[1] < weight.shape[0] or x.shape[2] < weight.shape[1]:
        raise ValueError(f"核的高宽不能大于 x 的高宽，收到 {shapes}")
    patches = x.unfold(1, weight.shape[0], 1).unfold(2, weight.shape[1], 1)
    return torch.einsum("nhwcij,ijco->nhwo", patches, weight)


# --8<-- [end:conv2d_hwio]


# --8<-- [start:hwio_to_oihw]
def hwio_to_oihw(weight: Tensor) -> Tensor:
    """把 TensorFlow 布局的卷积核换成 PyTorch 布局，数值不变。

    Args:
        weight: TensorFlow 的卷积核，形状 `(kH, kW, C_in, C_out)`。

    Returns:
        PyTorch 的卷积核，形状 `(C_out, C_in, kH, kW)`，与 `weight` 共享内存。

    Raises:
        ValueError: `weight` 不是四维。

    Example:
        >>> hwio_to_oihw(torch.zeros(5, 5, 192, 32)).shape
        torch.Size([32, 192, 5, 5])

    Source:
        `tf.nn.conv2d` 与 `torch.nn.Conv2d` 的文档。
    """
    if weight.ndim != 4:
        raise ValueError(f"weight 须为四维，收到形状 {tuple(weight.shape)}")
    return weight.permute(3, 2, 0, 1)


# --8<-- [end:hwio_to_oihw]


# --8<-- [start:conv_parameters]
def conv_parameters(
    in_channels: int, out_channels: int, kernel_size: int, groups: int = 1
) -> int:
    """给出二维卷积层的权重个数，不含偏置。

    Args:
        in_channels: 输入通道数，须能被 `groups` 整除。
        out_channels: 输出通道数，须能被 `groups` 整除。
        kernel_size: 方形核的边长，单位为像素。
        groups: 分组数；等于 `in_channels` 时为深度卷积。

    Returns:
        `out_channels · (in_channels / groups) · kernel_size²`。

    Raises:
        ValueError: 有参数小于 1，或通道数不能被 `groups` 整除。

    Example:
        >>> conv_parameters(256, 64, kernel_size=1)
        16384

    Source:
        `torch.nn.Conv2d` 的文档：`weight` 的形状。
    """
    if min(in_channels, out_channels, kernel_size, groups) < 1:
        received = (in_channels, out_channels, kernel_size, groups)
        raise ValueError(f"通道数、核边长与分组数须 >= 1，收到 {received}")
    if in_channels % groups or out_channels % groups:
        raise ValueError(
            f"通道数须能被 groups 整除，收到 {(in_channels, out_channels, groups)}"
        )
    return out_channels * (in_channels // groups) * kernel_size**2


# --8<-- [end:conv_parameters]


# --8<-- [start:conv_multiply_adds]
def conv_multiply_adds(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    positions: int,
    groups: int = 1,
) -> int:
    """给出二维卷积层处理一张图的乘加次数：每个输出位置用每个权重一次。

    Args:
        in_channels: 输入通道数。
        out_channels: 输出通道数。
        kernel_size: 方形核的边长，单位为像素。
        positions: 输出特征图的位置数 `H_out · W_out`，须 `>= 0`。
        groups: 分组数。

    Returns:
        乘加次数（一次乘法与一次加法合计为一次）；填充处的零也计入。

    Raises:
        ValueError: `positions < 0`，或 `conv_parameters` 拒绝其余参数。

    Example:
        >>> conv_multiply_adds(192, 32, kernel_size=5, positions=28 * 28)
        120422400

    Source:
        Howard et al. (2017), arXiv:1704.04861.
    """
    if positions < 0:
        raise ValueError(f"positions 须 >= 0，收到 {positions}")
    return conv_parameters(in_channels, out_channels, kernel_size, groups) * positions


# --8<-- [end:conv_multiply_adds]


# --8<-- [start:Bottleneck]
class Bottleneck(nn.Module):
    """瓶颈残差块：1×1 降维，3×3 卷积，1×1 升维，再与捷径相加。

    与论文的不同：不含批量规范化；步幅放在 3×3 上（同 torchvision）。

    Args:
        in_channels: 输入通道数。
        width: 瓶颈的通道数，即 3×3 卷积的宽度。
        out_channels: 输出通道数。
        stride: 3×3 卷积与投影捷径的步幅，单位为像素，须 `>= 1`。

    Returns:
        模块；`(N, in_channels, H, W)` 映到
        `(N, out_channels, ceil(H / stride), ceil(W / stride))`。

    Raises:
        ValueError: 有参数小于 1。

    Example:
        >>> block = Bottleneck(256, 64, 256)
        >>> sum(p.numel() for p in block.parameters())
        69632

    Source:
        He et al. (2016), arXiv:1512.03385.
    """

    def __init__(
        self, in_channels: int, width: int, out_channels: int, stride: int = 1
    ) -> None:
        super().__init__()
        if min(in_channels, width, out_channels, stride) < 1:
            received = (in_channels, width, out_channels, stride)
            raise ValueError(f"通道数与步幅须 >= 1，收到 {received}")
        self.reduce = nn.Conv2d(in_channels, width, 1, bias=False)
        self.spatial = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.expand = nn.Conv2d(width, out_channels, 1, bias=False)
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels or stride != 1:  # 形状变了：投影捷径
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """返回 `relu(分支(x) + 捷径(x))`。"""
        branch = F.relu(self.spatial(F.relu(self.reduce(x))))
        return F.relu(self.expand(branch) + self.shortcut(x))


# --8<-- [end:Bottleneck]


# --8<-- [start:conv_stack]
def conv_stack(
    channels: Sequence[int],
    kernel_sizes: Sequence[int],
    groups: Sequence[int] | None = None,
) -> nn.Sequential:
    """把几个保持尺寸、不带偏置的卷积连成一串，中间接 ReLU。

    Args:
        channels: 从输入到输出的各个通道数，比 `kernel_sizes` 多一个。
        kernel_sizes: 各层方形核的边长，须为正奇数。
        groups: 各层的分组数；`None` 表示都不分组。

    Returns:
        模块；`(N, channels[0], H, W)` 映到 `(N, channels[-1], H, W)`。

    Raises:
        ValueError: 个数对不上，或边长不是正奇数。

    Example:
        >>> conv_stack((192, 16, 32), (1, 5))(torch.zeros(1, 192, 9, 9)).shape
        torch.Size([1, 32, 9, 9])
    """
    groups = [1] * len(kernel_sizes) if groups is None else groups
    if not len(channels) - 1 == len(kernel_sizes) == len(groups):
        received = (len(channels), len(kernel_sizes), len(groups))
        raise ValueError(
            f"channels 须比 kernel_sizes、groups 多一个，收到个数 {received}"
        )
    if any(size < 1 or size % 2 == 0 for size in kernel_sizes):
        raise ValueError(f"kernel_sizes 须为正奇数，收到 {tuple(kernel_sizes)}")
    layers: list[nn.Module] = []
    for c_in, c_out, k, g in zip(
        channels, channels[1:], kernel_sizes, groups, strict=False
    ):
        conv = nn.Conv2d(c_in, c_out, k, padding=k // 2, groups=g, bias=False)
        layers += [conv, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


# --8<-- [end:conv_stack]


# --8<-- [start:collapse_pointwise]
def collapse_pointwise(
    weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor
) -> tuple[Tensor, Tensor]:
    """把前后两个、中间没有激活函数的 1×1 卷积合并成一个，输出不变。

    Args:
        weight1: 先作用的权重，形状 `(C_mid, C_in)`。
        bias1: 先作用的偏置，形状 `(C_mid,)`。
        weight2: 后作用的权重，形状 `(C_out, C_mid)`。
        bias2: 后作用的偏置，形状 `(C_out,)`。

    Returns:
        合并后的权重 `(C_out, C_in)`（秩不超过 `C_mid`）与偏置 `(C_out,)`。

    Raises:
        ValueError: 两个权重的 `C_mid` 不同，或偏置的长度与权重不符。

    Example:
        >>> weight, bias = collapse_pointwise(
        ...     torch.ones(2, 8), torch.zeros(2), torch.ones(6, 2), torch.ones(6)
        ... )
        >>> weight.shape, bias.shape
        (torch.Size([6, 8]), torch.Size([6]))
    """
    if weight2.shape[1] != weight1.shape[0]:
        received = (weight1.shape[0], weight2.shape[1])
        raise ValueError(f"前一个的输出通道数须等于后一个的输入通道数，收到 {received}")
    if (len(bias1), len(bias2)) != (len(weight1), len(weight2)):
        lengths = tuple(map(len, (weight1, bias1, weight2, bias2)))
        raise ValueError(f"偏置的长度须等于输出通道数，收到 {lengths}")
    return weight2 @ weight1, weight2 @ bias1 + bias2


# --8<-- [end:collapse_pointwise]


# --8<-- [start:unexplained_variance]
def unexplained_variance(x: Tensor, y: Tensor) -> float:
    """给出用最好的一个带偏置的 1×1 卷积从 `x` 拟合 `y` 之后剩下的方差比例。

    Args:
        x: 输入特征图，形状 `(N, C_in, H, W)`。
        y: 输出特征图，形状 `(N, C_out, H, W)`，不能是常数。

    Returns:
        `[0, 1]` 内的数；0 表示 `y` 就是 `x` 的仿射函数。

    Raises:
        ValueError: `x` 与 `y` 除通道外形状不同，或 `y` 是常数。

    Example:
        >>> x = torch.arange(8.0).reshape(1, 1, 2, 4)
        >>> round(unexplained_variance(x, 3 * x + 1), 6)
        0.0
    """
    if x[:, :1].shape != y[:, :1].shape:
        raise ValueError(f"N、H、W 须相同，收到 {tuple(x.shape)} 与 {tuple(y.shape)}")
    inputs = x.movedim(1, -1).flatten(0, 2).double()
    targets = y.movedim(1, -1).flatten(0, 2).double()
    inputs, targets = inputs - inputs.mean(0), targets - targets.mean(0)  # 最好的偏置
    if not targets.any():
        raise ValueError("y 是常数，没有方差可解释")
    fitted = inputs @ torch.linalg.lstsq(inputs, targets, driver="gelsd").solution
    return float((targets - fitted).square().sum() / targets.square().sum())


# --8<-- [end:unexplained_variance]


# --8<-- [start:depthwise_separable_conv]
def depthwise_separable_conv(x: Tensor, depthwise: Tensor, pointwise: Tensor) -> Tensor:
    """深度可分离卷积：先逐通道做 K×K 卷积，再用 1×1 卷积混合通道。

    Args:
        x: 特征图，形状 `(N, C_in, H, W)`。
        depthwise: 每个通道一个核，形状 `(C_in, K, K)`，`K` 须为奇数。
        pointwise: 1×1 卷积的权重，形状 `(C_out, C_in)`。

    Returns:
        形状 `(N, C_out, H, W)`；步幅为 1，四周补零，两步之间没有激活函数。

    Raises:
        ValueError: `x` 不是四维，`depthwise` 的形状不是 `(C_in, K, K)`，`K` 是偶数，
            或 `pointwise` 的形状不是 `(C_out, C_in)`。

    Example:
        >>> x = torch.ones(1, 2, 3, 3)
        >>> y = depthwise_separable_conv(x, torch.ones(2, 3, 3), torch.ones(1, 2))
        >>> y[0, 0].tolist()
        [[8.0, 12.0, 8.0], [12.0, 18.0, 12.0], [8.0, 12.0, 8.0]]

    Source:
        Chollet (2017), arXiv:1610.02357.
    """
    if x.ndim != 4 or pointwise.shape[1:] != x.shape[1:2]:
        received = tuple(x.shape), tuple(pointwise.shape)
        raise ValueError(f"须为 (N, C, H, W) 与 (C_out, C)，收到 {received}")
    channels, size = x.shape[1], depthwise.shape[-1]
    if depthwise.shape != (channels, size, size) or size % 2 == 0:
        raise ValueError(
            f"depthwise 须为 ({channels}, K, K) 且 K 为奇数，"
            f"收到 {tuple(depthwise.shape)}"
        )
    filtered = F.conv2d(x, depthwise[:, None], padding=size // 2, groups=channels)
    return F.conv2d(filtered, pointwise[:, :, None, None])


# --8<-- [end:depthwise_separable_conv]


# --8<-- [start:separable_kernel]
def separable_kernel(depthwise: Tensor, pointwise: Tensor) -> Tensor:
    """把深度可分离卷积的两组权重乘成一个等价的普通卷积核。

    Args:
        depthwise: 每个通道一个核，形状 `(C_in, K, K)`。
        pointwise: 1×1 卷积的权重，形状 `(C_out, C_in)`。

    Returns:
        形状 `(C_out, C_in, K, K)`；每个输入通道对应的 `C_out × K²` 矩阵秩不超过 1。

    Raises:
        ValueError: 两组权重的 `C_in` 不同。

    Example:
        >>> separable_kernel(torch.ones(3, 5, 5), torch.ones(8, 3)).shape
        torch.Size([8, 3, 5, 5])

    Source:
        Chollet (2017), arXiv:1610.02357.
    """
    if depthwise.shape[0] != pointwise.shape[1]:
        received = (depthwise.shape[0], pointwise.shape[1])
        raise ValueError(f"两组权重的输入通道数须相同，收到 {received}")
    return torch.einsum("oc,cij->ocij", pointwise, depthwise)


# --8<-- [end:separable_kernel]
