"""按 fan_in、fan_out 定方差，并逐层测量激活与梯度的大小。"""

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn


# --8<-- [start:constant_init]
def constant_init(shape: Sequence[int], value: float) -> Tensor:
    """返回每个元素都等于 value 的权重，value 为 0 即全零初始化。

    Args:
        shape: 权重的形状。
        value: 填入的常数。

    Returns:
        形状为 `shape` 的张量。

    Example:
        >>> constant_init((2, 3), 0.5).tolist()
        [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]

    Source:
        原文 Q4 的「全零」，以及它的推广。
    """
    return torch.full(tuple(shape), value)


# --8<-- [end:constant_init]


# --8<-- [start:normal_init]
def normal_init(shape: Sequence[int], std: float, generator: Generator) -> Tensor:
    """返回均值为 0、标准差为 std 的正态随机权重。

    Args:
        shape: 权重的形状。
        std: 标准差，须 `>= 0`，与层的宽度无关。
        generator: 随机源。

    Returns:
        形状为 `shape` 的张量。

    Raises:
        ValueError: `std < 0`。

    Example:
        >>> w = normal_init((100, 100), 0.01, torch.Generator().manual_seed(0))
        >>> round(w.std().item(), 3)
        0.01

    Source:
        原文 Q4 的「随机小值（例如 0.01）」。
    """
    if std < 0:
        raise ValueError(f"std 须 >= 0，收到 {std}")
    return std * torch.randn(tuple(shape), generator=generator)


# --8<-- [end:normal_init]


# --8<-- [start:mlp]
def mlp(
    sizes: Sequence[int], activation: nn.Module, init: Callable[[Sequence[int]], Tensor]
) -> nn.Sequential:
    """搭一个多层感知机：权重由 init 给出，偏置为 0，最后一层不加激活。

    Args:
        sizes: 各层的宽度，从输入到输出，至少两个。
        activation: 隐藏层共用的激活函数。
        init: 由权重的形状 `(fan_out, fan_in)` 得到权重。

    Returns:
        把 `(N, sizes[0])` 映到 `(N, sizes[-1])` 的网络。

    Raises:
        ValueError: `sizes` 少于两个。

    Example:
        >>> net = mlp([2, 8, 1], nn.ReLU(), init=torch.ones)
        >>> net(torch.ones(4, 2)).shape
        torch.Size([4, 1])

    Source:
        He et al. (2015), arXiv:1502.01852：权重随机，偏置为 0。
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes 须至少含输入与输出两个宽度，收到 {list(sizes)}")
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        linear = nn.Linear(fan_in, fan_out, device="meta")  # 不抽默认权重，随即换掉
        linear.weight = nn.Parameter(init((fan_out, fan_in)))
        linear.bias = nn.Parameter(linear.weight.new_zeros(fan_out))
        layers += [linear, activation]
    return nn.Sequential(*layers[:-1])


# --8<-- [end:mlp]


# --8<-- [start:fan_in_and_out]
def fan_in_and_out(shape: Sequence[int]) -> tuple[int, int]:
    """返回权重的 fan_in 与 fan_out：每个输出连着几个输入，每个输入连着几个输出。

    Args:
        shape: 权重的形状，全连接层 `(D_out, D_in)`，卷积层 `(C_out, C_in, K, …)`。

    Returns:
        `(fan_in, fan_out)`，单位为连接数。

    Raises:
        ValueError: `shape` 少于两维，例如偏置的形状。

    Example:
        >>> fan_in_and_out((10, 784)), fan_in_and_out((64, 3, 7, 7))
        ((784, 10), (147, 3136))

    Source:
        He et al. (2015), arXiv:1502.01852, §2.2.
    """
    if len(shape) < 2:
        raise ValueError(f"权重须至少有两维才有 fan_in，收到形状 {tuple(shape)}")
    kernel_area = math.prod(shape[2:])  # 全连接层没有空间维，空积为 1
    return shape[1] * kernel_area, shape[0] * kernel_area


# --8<-- [end:fan_in_and_out]


# --8<-- [start:lecun_init]
def lecun_init(shape: Sequence[int], generator: Generator) -> Tensor:
    """返回方差为 1 / fan_in 的正态权重，使线性层的前向方差不变。

    Args:
        shape: 权重的形状，至少两维。
        generator: 随机源。

    Returns:
        形状为 `shape` 的张量。

    Example:
        >>> w = lecun_init((400, 100), torch.Generator().manual_seed(0))
        >>> round(w.std().item(), 2)
        0.1

    Source:
        LeCun, Bottou, Orr & Müller (1998), doi:10.1007/3-540-49430-8_2.
    """
    fan_in, _ = fan_in_and_out(shape)
    return normal_init(shape, math.sqrt(1 / fan_in), generator)


# --8<-- [end:lecun_init]


# --8<-- [start:xavier_init]
def xavier_init(shape: Sequence[int], generator: Generator) -> Tensor:
    """返回方差为 2 / (fan_in + fan_out) 的正态权重，在前向与反向之间取折中。

    Args:
        shape: 权重的形状，至少两维。
        generator: 随机源。

    Returns:
        形状为 `shape` 的张量。

    Example:
        >>> w = xavier_init((150, 50), torch.Generator().manual_seed(0))
        >>> round(w.std().item(), 2)
        0.1

    Source:
        Glorot & Bengio (2010), PMLR 9:249–256.
    """
    fan_in, fan_out = fan_in_and_out(shape)
    return normal_init(shape, math.sqrt(2 / (fan_in + fan_out)), generator)


# --8<-- [end:xavier_init]


# --8<-- [start:he_init]
def he_init(shape: Sequence[int], generator: Generator) -> Tensor:
    """返回方差为 2 / fan_in 的正态权重，使 ReLU 层的前向方差不变。

    Args:
        shape: 权重的形状，至少两维。
        generator: 随机源。

    Returns:
        形状为 `shape` 的张量。

    Example:
        >>> w = he_init((400, 200), torch.Generator().manual_seed(0))
        >>> round(w.std().item(), 2)
        0.1

    Source:
        He et al. (2015), arXiv:1502.01852, §2.2.
    """
    fan_in, _ = fan_in_and_out(shape)
    return normal_init(shape, math.sqrt(2 / fan_in), generator)


# --8<-- [end:he_init]


# --8<-- [start:rms]
def rms(x: Tensor) -> float:
    """返回张量的均方根，即二阶矩的平方根。

    Args:
        x: 任意形状的非空张量。

    Returns:
        均方根，单位与 `x` 相同。

    Raises:
        ValueError: `x` 是空的。

    Example:
        >>> rms(torch.tensor([3.0, -3.0]))
        3.0

    Source:
        He et al. (2015) 用的二阶矩 E[x²]；ReLU 的输出均值不为 0，不能换成方差。
    """
    if not x.numel():
        raise ValueError(f"x 须非空，收到形状 {tuple(x.shape)}")
    return x.square().mean().sqrt().item()


# --8<-- [end:rms]


# --8<-- [start:layer_signals]
def layer_signals(model: nn.Sequential, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """返回输入与各隐藏层的激活，以及输出之和对它们的梯度。

    Args:
        model: `mlp` 搭出的网络，有 L 个隐藏层。
        x: 输入，形状 `(N, D)`。

    Returns:
        `(activations, gradients)`，各有 L + 1 个张量，下标 0 是输入，
        两个列表同一位置的形状相同。

    Example:
        >>> net = mlp([2, 3, 1], nn.ReLU(), init=torch.ones)
        >>> activations, gradients = layer_signals(net, torch.tensor([[1.0, 2.0]]))
        >>> activations[1].tolist(), gradients[0].tolist()
        ([[3.0, 3.0, 3.0]], [[3.0, 3.0]])

    Source:
        Glorot & Bengio (2010) 逐层比较激活与反传梯度的做法。
    """
    h = x.detach().requires_grad_()
    activations = [h]
    for layer in model:
        h = layer(h)
        if not isinstance(layer, nn.Linear):
            activations.append(h)
    gradients = torch.autograd.grad(h.sum(), activations)
    return [a.detach() for a in activations], list(gradients)


# --8<-- [end:layer_signals]


# --8<-- [start:orthogonal_init]
def orthogonal_init(shape: Sequence[int], generator: Generator) -> Tensor:
    """返回随机的正交矩阵：奇异值全是 1。

    Args:
        shape: 权重的形状，至少两维。
        generator: 随机源。

    Returns:
        形状为 `shape` 的张量。

    Raises:
        ValueError: `shape` 少于两维（由 PyTorch 检查）。

    Example:
        >>> w = orthogonal_init((3, 3), torch.Generator().manual_seed(0))
        >>> torch.allclose(w @ w.T, torch.eye(3), atol=1e-6)
        True

    Source:
        Saxe, McClelland & Ganguli (2014), arXiv:1312.6120.
    """
    return nn.init.orthogonal_(torch.empty(tuple(shape)), generator=generator)


# --8<-- [end:orthogonal_init]
