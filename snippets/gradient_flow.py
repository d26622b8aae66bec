"""链式连乘、逐层梯度、饱和、裁剪。"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


# --8<-- [start:activation_slope]
def activation_slope(z: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
    """返回激活函数在每个预激活处的导数 σ′(z)。

    Args:
        z: 预激活，任意形状，浮点数。
        activation: 逐元素、可求导的激活函数。

    Returns:
        与 `z` 同形状、同 dtype 的导数。

    Example:
        >>> activation_slope(torch.tensor([0.0, 10.0]), torch.sigmoid)[0].item()
        0.25
    """
    z = z.detach().requires_grad_()
    (slope,) = torch.autograd.grad(activation(z).sum(), z)
    return slope


# --8<-- [end:activation_slope]


# --8<-- [start:chain_slopes]
def chain_slopes(
    weights: Tensor,
    x: float,
    activation: Callable[[Tensor], Tensor],
    bias: float = 0.0,
) -> Tensor:
    """沿单神经元链前向一遍，返回每层激活函数的导数 σ′(z)。

    第 l 层：z = w_l · a + bias，a ← σ(z)，起点 a = x。

    Args:
        weights: 各层的权重，形状 `(L,)`，`L >= 1`。
        x: 输入。
        activation: 可求导的激活函数。
        bias: 各层共用的偏置。

    Returns:
        形状 `(L,)`，第 l 项是 σ′(z_l)，dtype 与 `weights` 相同。

    Raises:
        ValueError: `weights` 不是一维或为空。

    Example:
        >>> chain_slopes(torch.tensor([2.0]), 0.0, torch.sigmoid).tolist()
        [0.25]
    """
    if weights.ndim != 1 or len(weights) == 0:
        raise ValueError(f"weights 须为非空一维张量，收到形状 {tuple(weights.shape)}")
    a, slopes = torch.as_tensor(x, dtype=weights.dtype), []
    for w in weights:
        z = w * a + bias
        slopes.append(activation_slope(z, activation))
        a = activation(z)
    return torch.stack(slopes)


# --8<-- [end:chain_slopes]


# --8<-- [start:chain_product]
def chain_product(weights: Tensor, slopes: Tensor) -> Tensor:
    """返回单神经元链的导数：各层 σ′(z)·w 的连乘。

    Args:
        weights: 各层的权重，形状 `(L,)`。
        slopes: 各层激活函数的导数，形状 `(L,)`；没有激活函数时全为 1。

    Returns:
        标量张量；`L = 0` 时为 1。

    Raises:
        ValueError: 两者形状不同。

    Example:
        >>> chain_product(torch.tensor([2.0, 3.0]), torch.tensor([1.0, 0.5])).item()
        3.0
    """
    if weights.shape != slopes.shape:
        shapes = f"{tuple(weights.shape)}、{tuple(slopes.shape)}"
        raise ValueError(f"weights 与 slopes 须同形，收到 {shapes}")
    return (slopes * weights).prod()


# --8<-- [end:chain_product]


# --8<-- [start:gradient_norms]
def gradient_norms(model: nn.Module) -> Tensor:
    """反向传播之后，按从输入到输出的次序返回每个权重矩阵的梯度范数。

    Args:
        model: 已经调用过 `loss.backward()` 的模型；偏置等一维参数不计。

    Returns:
        形状 `(L,)`，第 l 项是第 l 个权重的梯度的 2-范数。

    Raises:
        ValueError: 有权重还没有梯度。

    Example:
        >>> model = nn.Linear(2, 1)
        >>> model(torch.tensor([[3.0, 4.0]])).sum().backward()
        >>> gradient_norms(model).tolist()
        [5.0]
    """
    norms = []
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            if parameter.grad is None:
                raise ValueError(f"须先反向传播，{name} 还没有梯度")
            norms.append(parameter.grad.norm())
    return torch.stack(norms)


# --8<-- [end:gradient_norms]


# --8<-- [start:saturated_fraction]
def saturated_fraction(z: Tensor, activation: Callable[[Tensor], Tensor]) -> float:
    """返回饱和单元的比例：激活函数的导数小于 0.01 的预激活占多少。

    Args:
        z: 预激活，任意形状，非空。
        activation: 逐元素、可求导的激活函数。

    Returns:
        `[0, 1]` 内的比例。

    Example:
        >>> saturated_fraction(torch.tensor([0.0, 9.0, -9.0, 1.0]), torch.sigmoid)
        0.5
    """
    slopes = activation_slope(z, activation)
    return (slopes.abs() < 0.01).double().mean().item()


# --8<-- [end:saturated_fraction]


# --8<-- [start:clip_by_norm]
def clip_by_norm(
    grads: Sequence[Tensor], max_norm: float
) -> tuple[list[Tensor], Tensor]:
    """按全局范数裁剪：总范数超过阈值时，所有梯度乘同一个系数。

    Args:
        grads: 各参数的梯度，至少一个，形状任意。
        max_norm: 总范数的上限，须 `> 0`。

    Returns:
        裁剪后的梯度（新张量，形状不变）和裁剪前的总范数。

    Raises:
        ValueError: `max_norm <= 0`。

    Example:
        >>> clipped, total = clip_by_norm([torch.tensor([3.0, 4.0])], max_norm=1.0)
        >>> total.item(), clipped[0].norm().item()
        (5.0, 1.0)

    Source:
        Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063, Algorithm 1.
    """
    if max_norm <= 0:
        raise ValueError(f"max_norm 须 > 0，收到 {max_norm}")
    total = torch.stack([g.norm() for g in grads]).norm()
    scale = (max_norm / total).clamp(max=1.0)
    return [g * scale for g in grads], total


# --8<-- [end:clip_by_norm]


# --8<-- [start:clip_by_value]
def clip_by_value(grads: Sequence[Tensor], clip_value: float) -> list[Tensor]:
    """按值裁剪：梯度的每个分量各自截断到 [-clip_value, clip_value]。

    Args:
        grads: 各参数的梯度，形状任意。
        clip_value: 分量绝对值的上限，须 `> 0`。

    Returns:
        裁剪后的梯度（新张量，形状不变）。

    Raises:
        ValueError: `clip_value <= 0`。

    Example:
        >>> clip_by_value([torch.tensor([-3.0, 0.5])], clip_value=1.0)[0].tolist()
        [-1.0, 0.5]
    """
    if clip_value <= 0:
        raise ValueError(f"clip_value 须 > 0，收到 {clip_value}")
    return [g.clamp(-clip_value, clip_value) for g in grads]


# --8<-- [end:clip_by_value]
