"""合并两个 1×1 卷积、输入与输出的依赖关系、解释不了的方差、乘加计数。"""

import copy
from types import EllipsisType

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


# --8<-- [start:conv2d_hwio]
def conv2d_hwio(x: Tensor, weight: Tensor) -> Tensor:
    """按 TensorFlow 文档的下标公式计算卷积，步幅 1，不补零。

    Args:
        x: 通道在最后的特征图，形状 `(N, H, W, C_in)`。
        weight: 卷积核，形状 `(kH, kW, C_in, C_out)`。

    Returns:
        形状 `(N, H - kH + 1, W - kW + 1, C_out)`。

    Raises:
        ValueError: `x` 的通道数与 `weight` 的第三维不符。

    Example:
        >>> conv2d_hwio(torch.ones(1, 3, 4, 2), torch.ones(3, 3, 2, 1)).flatten()
        tensor([18., 18.])

    Source:
        `tf.nn.conv2d` 的文档。
    """
    kernel_height, kernel_width, in_channels, _ = weight.shape
    if x.shape[-1] != in_channels:
        raise ValueError(f"x 的通道数须为 {in_channels}，收到 {x.shape[-1]}")
    patches = x.unfold(1, kernel_height, 1).unfold(2, kernel_width, 1)
    return torch.einsum("nhwcij,ijco->nhwo", patches, weight)


# --8<-- [end:conv2d_hwio]


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
        ValueError: 两个权重的 `C_mid` 不同。

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


# --8<-- [start:input_mask]
def input_mask(
    layer: nn.Module,
    shape: tuple[int, ...],
    output: tuple[int, ...] | EllipsisType = ...,
) -> Tensor:
    """标出哪些输入元素会影响指定的输出元素。

    Args:
        layer: 卷积、池化、ReLU 组成的模块；不会被修改。
        shape: 输入的形状，如 `(N, C, H, W)`。
        output: 输出元素的下标；`...` 表示全部输出。

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
    (gradient,) = torch.autograd.grad(layer(x)[output].sum(), x)
    return gradient != 0


# --8<-- [end:input_mask]


# --8<-- [start:counted_multiply_adds]
def counted_multiply_adds(layer: nn.Module, x: Tensor) -> int:
    """让 PyTorch 的计数器数出一次前向的乘加次数。

    Args:
        layer: 任意模块。
        x: 输入，形状由 `layer` 决定。

    Returns:
        乘加次数，即 `FlopCounterMode` 的总数的一半（它把一次乘加计为 2）。

    Example:
        >>> counted_multiply_adds(nn.Conv2d(3, 4, 1), torch.ones(1, 3, 2, 2))
        48

    Source:
        `torch.utils.flop_counter` 的文档。
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        layer(x)
    return int(counter.get_total_flops()) // 2


# --8<-- [end:counted_multiply_adds]


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
