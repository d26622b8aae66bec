"""链式连乘、五种深层网络、逐层梯度、饱和、裁剪、残差的路径。"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn


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


# --8<-- [start:Skip]
class Skip(nn.Module):
    """残差连接：输出等于输入加分支的输出。

    Args:
        branch: 输出与输入同形状的模块。

    Raises:
        ValueError: 前向时 `branch` 改变了形状。

    Example:
        >>> Skip(nn.Identity())(torch.tensor([1.0, 2.0])).tolist()
        [2.0, 4.0]
    """

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        """返回 x + branch(x)，形状与 `x` 相同。"""
        out: Tensor = self.branch(x)
        if out.shape != x.shape:
            raise ValueError(
                f"分支须保持形状 {tuple(x.shape)}，收到 {tuple(out.shape)}"
            )
        return x + out


# --8<-- [end:Skip]


# --8<-- [start:deep_net]
def deep_net(
    kind: str, width: int, depth: int, generator: Generator, scale: float = 1.0
) -> nn.Sequential:
    """按名字搭一个 depth 层、等宽、无偏置的 float64 网络。

    `sigmoid`、`tanh` 的权重方差为 1/width，其余为 He 的 2/width。

    Args:
        kind: `sigmoid`、`tanh`、`relu`、`batch_norm`（线性、BN、ReLU）或
            `residual`（x + 线性(ReLU(BN(x)))）。
        width: 每层的单元数。
        depth: 层数，也是权重矩阵的个数，须 `>= 1`。
        generator: 随机源。
        scale: 权重的标准差再乘的倍数。

    Returns:
        输入、输出形状都是 `(N, width)` 的网络。

    Raises:
        ValueError: 不认识的 `kind`，或 `width`、`depth` 小于 1。

    Example:
        >>> deep_net("tanh", 4, 2, Generator().manual_seed(0))(
        ...     torch.zeros(3, 4, dtype=torch.float64)
        ... ).shape
        torch.Size([3, 4])
    """

    def linear(gain: float) -> nn.Linear:
        layer = nn.Linear(width, width, bias=False, dtype=torch.float64)
        std = scale * gain / width**0.5
        nn.init.normal_(layer.weight, std=std, generator=generator)
        return layer

    he, norm = 2**0.5, partial(nn.BatchNorm1d, width, affine=False, dtype=torch.float64)
    builders: dict[str, Callable[[], list[nn.Module]]] = {
        "sigmoid": lambda: [linear(1.0), nn.Sigmoid()],
        "tanh": lambda: [linear(1.0), nn.Tanh()],
        "relu": lambda: [linear(he), nn.ReLU()],
        "batch_norm": lambda: [linear(he), norm(), nn.ReLU()],
        "residual": lambda: [Skip(nn.Sequential(norm(), nn.ReLU(), linear(he)))],
    }
    if min(width, depth) < 1:
        raise ValueError(f"width、depth 须 >= 1，收到 {width}、{depth}")
    if kind not in builders:
        raise ValueError(f"kind 须为 {'、'.join(builders)} 之一，收到 {kind!r}")
    return nn.Sequential(*[layer for _ in range(depth) for layer in builders[kind]()])


# --8<-- [end:deep_net]


# --8<-- [start:saturated_fraction]
def saturated_fraction(z: Tensor, activation: Callable[[Tensor], Tensor]) -> float:
    """返回饱和单元的比例：激活函数的导数小于 0.01 的预激活占多少。

    Args:
        z: 预激活，任意形状，非空。
        activation: 逐元素、可求导的激活函数。

    Returns:
        `[0, 1]` 内的比例。

    Raises:
        ValueError: `z` 是空的。

    Example:
        >>> saturated_fraction(torch.tensor([0.0, 9.0, -9.0, 1.0]), torch.sigmoid)
        0.5
    """
    if not z.numel():
        raise ValueError(f"z 须非空，收到形状 {tuple(z.shape)}")
    slopes = activation_slope(z, activation)
    return (slopes.abs() < 0.01).double().mean().item()


# --8<-- [end:saturated_fraction]


# --8<-- [start:gradient_norms]
def gradient_norms(model: nn.Module) -> Tensor:
    """反向传播之后，按从输入到输出的次序返回每个权重矩阵的梯度范数。

    Args:
        model: 已经调用过 `loss.backward()` 的模型；偏置等一维参数不计。

    Returns:
        形状 `(L,)`，第 l 项是第 l 个权重的梯度的 2-范数。

    Raises:
        ValueError: 没有权重矩阵，或有权重还没有梯度。

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
    if not norms:
        raise ValueError(f"须有权重矩阵，收到 {model}")
    return torch.stack(norms)


# --8<-- [end:gradient_norms]


# --8<-- [start:path_gradients]
def path_gradients(jacobians: Tensor, direction: Tensor) -> Tensor:
    """把残差网络的梯度 ∏(I + J_l)ᵀ d 按路径长度拆开。

    Args:
        jacobians: 各残差分支的雅可比矩阵 J_1, …, J_L，形状 `(L, D, D)`。
        direction: 输出端的梯度 d，形状 `(D,)`。

    Returns:
        形状 `(L + 1, D)`，第 k 行是恰好穿过 k 个分支的所有路径的梯度之和；
        各行相加就是输入端的梯度。

    Raises:
        ValueError: 形状不是 `(L, D, D)` 与 `(D,)`。

    Example:
        >>> two = torch.full((2, 1, 1), 0.5)
        >>> path_gradients(two, torch.tensor([1.0])).tolist()
        [[1.0], [1.0], [0.25]]

    Source:
        Veit, Wilber & Belongie (2016), arXiv:1605.06431.
    """
    if jacobians.shape[1:] != 2 * direction.shape:
        shapes = f"{tuple(jacobians.shape)}、{tuple(direction.shape)}"
        raise ValueError(f"形状须为 (L, D, D)、(D,)，收到 {shapes}")
    paths = direction[None]
    for jacobian in jacobians.flip(0):
        longer = F.pad(paths @ jacobian, (0, 0, 1, 0))  # 穿过分支，长度加 1
        paths = F.pad(paths, (0, 0, 0, 1)) + longer  # 走捷径，长度不变
    return paths


# --8<-- [end:path_gradients]


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
        ValueError: `max_norm <= 0` 或没有梯度。

    Example:
        >>> clipped, total = clip_by_norm([torch.tensor([3.0, 4.0])], max_norm=1.0)
        >>> total.item(), clipped[0].norm().item()
        (5.0, 1.0)

    Source:
        Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063, Algorithm 1.
    """
    if max_norm <= 0 or not grads:
        raise ValueError(f"须有梯度且 max_norm > 0，收到 {len(grads)} 个、{max_norm}")
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


# --8<-- [start:first_nonfinite]
def first_nonfinite(model: nn.Module, x: Tensor) -> str | None:
    """前向走一遍，返回最先输出 nan 或 inf 的子模块的名字，没有就返回 None。

    Args:
        model: 由子模块组成的模型；只看每个输出单个张量的最里层子模块。
        x: 输入，形状由 `model` 决定。

    Returns:
        `named_modules` 里的名字，或 None。

    Example:
        >>> model = nn.Sequential(nn.Identity(), nn.Linear(1, 1))
        >>> first_nonfinite(model, torch.tensor([[torch.inf]]))
        '0'
    """
    found: list[str] = []

    def note(name: str, out: Tensor) -> None:
        if not out.isfinite().all():
            found.append(name)

    hooks = [
        module.register_forward_hook(lambda _m, _in, out, name=name: note(name, out))
        for name, module in model.named_modules()
        if not list(module.children())
    ]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return found[0] if found else None


# --8<-- [end:first_nonfinite]
