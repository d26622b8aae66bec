"""测出每层的梯度增益，再与闭式解对照。"""

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from snippets.gradient_flow import clip_by_norm, gradient_norms


# --8<-- [start:linear_log_gain]
def linear_log_gain(
    width: int, depth: int, bound: float, generator: Generator
) -> float:
    """把一个随机向量反传过 U(±bound) 的线性网络，返回每层 ln ‖δ‖² 的平均增量。

    期望下每层 ‖δ‖² 乘 width·bound²/3，与前向的方差增益相同。

    Args:
        width: 每层的单元数。
        depth: 层数，须 `>= 1`。
        bound: 权重绝对值的上界。
        generator: 随机数生成器。

    Returns:
        (ln ‖δ_0‖² − ln ‖δ_L‖²) / depth。

    Example:
        >>> gain = linear_log_gain(256, 4, 0.2, Generator().manual_seed(0))
        >>> abs(gain - math.log(256 * 0.2**2 / 3)) < 0.3
        True
    """
    start = delta = torch.randn(width, generator=generator)
    for _ in range(depth):
        weight = torch.empty(width, width).uniform_(-bound, bound, generator=generator)
        delta = weight.T @ delta
    return 2 * math.log(delta.norm() / start.norm()) / depth


# --8<-- [end:linear_log_gain]


# --8<-- [start:Skip]
class Skip(nn.Module):
    """残差连接：输出等于输入加分支的输出。

    Args:
        branch: 输出与输入同形状的模块。

    Example:
        >>> Skip(nn.Identity())(torch.tensor([1.0, 2.0])).tolist()
        [2.0, 4.0]
    """

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        """返回 x + branch(x)，形状与 `x` 相同。"""
        out: Tensor = x + self.branch(x)
        return out


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
        depth: 层数，也是权重矩阵的个数。
        generator: 随机数生成器。
        scale: 权重的标准差再乘的倍数。

    Returns:
        输入、输出形状都是 `(N, width)` 的网络。

    Raises:
        ValueError: 不认识的 `kind`。

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
    if kind not in builders:
        raise ValueError(f"kind 须为 {'、'.join(builders)} 之一，收到 {kind!r}")
    return nn.Sequential(*[layer for _ in range(depth) for layer in builders[kind]()])


# --8<-- [end:deep_net]


# --8<-- [start:norms_by_layer]
def norms_by_layer(kind: str, width: int, depth: int, batch: int, seed: int) -> Tensor:
    """返回刚初始化的网络各层权重的梯度范数，以最后一层为 1。

    损失是输出与一个固定随机方向的内积。

    Args:
        kind: 网络的名字，见 `deep_net`。
        width: 每层的单元数。
        depth: 层数。
        batch: 样本数 N。
        seed: 随机种子。

    Returns:
        形状 `(depth,)` 的相对梯度范数，第 0 项最靠近输入。

    Example:
        >>> norms = norms_by_layer("sigmoid", 16, 4, 8, seed=0)
        >>> bool(norms[0] < 0.1), norms[-1].item()
        (True, 1.0)
    """
    rng = Generator().manual_seed(seed)
    model = deep_net(kind, width, depth, rng)
    x, direction = torch.randn(2, batch, width, generator=rng, dtype=torch.float64)
    (model(x) * direction).sum().backward()
    norms = gradient_norms(model)
    return norms / norms[-1]


# --8<-- [end:norms_by_layer]


# --8<-- [start:jacobian_gain]
def jacobian_gain(model: nn.Module, x: Tensor, direction: Tensor) -> float:
    """返回梯度穿过整个网络后放大的倍数 ‖Jᵀd‖ / ‖d‖。

    Args:
        model: 输入、输出形状相同的网络。
        x: 输入，形状 `(N, D)`。
        direction: 输出端的梯度 d，形状 `(N, D)`。

    Returns:
        输入端梯度的范数除以输出端梯度的范数。

    Example:
        >>> double = nn.Linear(1, 1, bias=False)
        >>> nn.init.constant_(double.weight, 2.0).item()
        2.0
        >>> jacobian_gain(double, torch.ones(1, 1), torch.ones(1, 1))
        2.0
    """
    x = x.detach().requires_grad_()
    (grad,) = torch.autograd.grad((model(x) * direction).sum(), x)
    return float(grad.norm() / direction.norm())


# --8<-- [end:jacobian_gain]


# --8<-- [start:unrolled_descent]
def unrolled_descent(
    w: float, depth: int, lr: float, steps: int, max_norm: float = math.inf
) -> Tensor:
    """在损失 ½(w^depth − 1)² 上做梯度下降，可选按范数裁剪。

    w^depth 是各层共用一个权重的线性链，也就是展开 depth 步的 RNN。

    Args:
        w: 权重的起点。
        depth: 层数。
        lr: 学习率。
        steps: 步数。
        max_norm: 梯度范数的上限；默认不裁剪。

    Returns:
        形状 `(steps, 2)`，每行是更新前的 w 和裁剪前的梯度范数。

    Example:
        >>> unrolled_descent(1.5, 20, lr=0.002, steps=60, max_norm=10.0)[-1, 0].item()
        1.0
    """
    weight, rows = torch.tensor(w, dtype=torch.float64), []
    for _ in range(steps):
        gradient = depth * weight ** (depth - 1) * (weight**depth - 1)
        (update,), norm = clip_by_norm([gradient], max_norm)
        rows.append(torch.stack([weight, norm]))
        weight = weight - lr * update
    return torch.stack(rows)


# --8<-- [end:unrolled_descent]


# --8<-- [start:normalized_layer]
def normalized_layer(weight: Tensor, u: Tensor) -> Tensor:
    """返回 BN(Wu)：线性层的输出逐单元减批均值、除以批标准差，不加 ε、γ、β。

    Args:
        weight: 权重 W，形状 `(D_out, D_in)`。
        u: 输入，形状 `(N, D_in)`，`N >= 2`。

    Returns:
        形状 `(N, D_out)`，每列均值为 0、方差为 1。

    Raises:
        ValueError: 批里不足两个样本。

    Example:
        >>> normalized_layer(torch.tensor([[3.0]]), torch.tensor([[1.0], [3.0]]))
        tensor([[-1.],
                [ 1.]])

    Source:
        Ioffe & Szegedy (2015), arXiv:1502.03167.
    """
    if len(u) < 2:
        raise ValueError(f"批量规范化须至少两个样本，收到 {len(u)} 个")
    z = u @ weight.T
    z = z - z.mean(dim=0)
    return z / z.std(dim=0, correction=0)


# --8<-- [end:normalized_layer]


# --8<-- [start:path_gradients]
def path_gradients(jacobians: Tensor, direction: Tensor) -> Tensor:
    """把残差网络的梯度 ∏(I + J_l)ᵀ d 按路径长度拆开。

    Args:
        jacobians: 各残差分支的雅可比矩阵 J_1, …, J_L，形状 `(L, D, D)`。
        direction: 输出端的梯度 d，形状 `(D,)`。

    Returns:
        形状 `(L + 1, D)`，第 k 行是恰好穿过 k 个分支的所有路径的梯度之和；
        各行相加就是输入端的梯度。

    Example:
        >>> two = torch.full((2, 1, 1), 0.5)
        >>> path_gradients(two, torch.tensor([1.0])).tolist()
        [[1.0], [1.0], [0.25]]

    Source:
        Veit, Wilber & Belongie (2016), arXiv:1605.06431.
    """
    paths = direction[None]
    for jacobian in jacobians.flip(0):
        longer = F.pad(paths @ jacobian, (0, 0, 1, 0))  # 穿过分支，长度加 1
        paths = F.pad(paths, (0, 0, 0, 1)) + longer  # 走捷径，长度不变
    return paths


# --8<-- [end:path_gradients]
