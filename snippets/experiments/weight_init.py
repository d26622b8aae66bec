"""每层的对数增益、无限宽的预测、能否训练得动。"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Generator, Tensor, nn

from snippets.weight_init import layer_signals, mlp, rms


# --8<-- [start:log_gains]
def log_gains(
    sizes: Sequence[int],
    init: Callable[..., Tensor],
    activation: nn.Module,
    seeds: Iterable[int],
) -> Tensor:
    """返回每个种子下，信号每过一个隐藏层的对数增益：前向一列，反向一列。

    Args:
        sizes: 输入与各隐藏层的宽度，至少两个；输出层另加，宽度为 1。
        init: 初始化函数，以 `init(shape, generator=…)` 调用。
        activation: 隐藏层的激活函数。
        seeds: 随机种子，每个种子各抽一份输入与权重。

    Returns:
        形状 `(S, 2)`：RMS 之比的自然对数除以隐藏层数。第 0 列是激活从输入到
        末层，第 1 列是梯度从末层回到输入；0 表示不变，负数表示衰减。

    Example:
        >>> from snippets.weight_init import he_init
        >>> gains = log_gains([64, 64], he_init, nn.ReLU(), seeds=range(3))
        >>> gains.shape
        torch.Size([3, 2])

    Source:
        He et al. (2015), arXiv:1502.01852, §2.2 的两个条件。
    """
    rows = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(1, sizes[0], generator=generator)
        model = mlp([*sizes, 1], activation, partial(init, generator=generator))
        activations, gradients = layer_signals(model, x)
        forward = math.log(rms(activations[-1]) / rms(activations[0]))
        backward = math.log(rms(gradients[0]) / rms(gradients[-1]))
        rows.append([forward, backward])
    return torch.tensor(rows) / (len(sizes) - 1)


# --8<-- [end:log_gains]


# --8<-- [start:mean_field_rms]
def mean_field_rms(scale: float, activation: nn.Module, depth: int) -> list[float]:
    """返回无限宽网络各层激活的 RMS，输入的 RMS 为 1。

    Args:
        scale: `fan_in * Var[w]`，每层相同，须 `>= 0`。
        activation: 隐藏层的激活函数。
        depth: 隐藏层数，须 `>= 0`。

    Returns:
        `depth + 1` 个数，下标 0 是输入。

    Raises:
        ValueError: `scale < 0` 或 `depth < 0`。

    Example:
        >>> [round(v, 3) for v in mean_field_rms(1.0, nn.ReLU(), 2)]
        [1.0, 0.707, 0.5]

    Source:
        Poole et al. (2016), arXiv:1606.05340 的长度递推；期望用 Gauss–Hermite 求积。
    """
    if scale < 0 or depth < 0:
        raise ValueError(f"scale 与 depth 须 >= 0，收到 {scale}、{depth}")
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)  # 偶数个点，避开折点 0
    z, p = torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())
    second_moments = [1.0]
    for _ in range(depth):
        pre_activation = math.sqrt(scale * second_moments[-1]) * z
        second_moments.append((p @ activation(pre_activation).square()).item())
    return [math.sqrt(q) for q in second_moments]


# --8<-- [end:mean_field_rms]


# --8<-- [start:sign_of_product]
def sign_of_product(count: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """生成「两数之积是否为正」的二分类数据，四个象限的点数相等。

    Args:
        count: 样本数 N，须是 4 的正整数倍。
        generator: 随机数来源。

    Returns:
        `(x, y)`：`x` 形状 `(N, 2)`，取值在 [−1, 1]，不为 0；`y` 形状 `(N, 1)`，
        取值 0 或 1。

    Raises:
        ValueError: `count` 不是 4 的正整数倍。

    Example:
        >>> x, y = sign_of_product(8, torch.Generator().manual_seed(0))
        >>> bool(((x[:, :1] * x[:, 1:] > 0) == (y > 0)).all()), y.mean().item()
        (True, 0.5)

    Source:
        异或（XOR）问题的连续版，线性模型学不会。
    """
    if count <= 0 or count % 4:
        raise ValueError(f"count 须是 4 的正整数倍，收到 {count}")
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]])
    signs = signs.repeat(count // 4, 1)
    size = 1 - torch.rand(count, 2, generator=generator)  # (0, 1]，不取 0
    return size * signs, (signs.prod(dim=1, keepdim=True) > 0).float()


# --8<-- [end:sign_of_product]


# --8<-- [start:gradient_descent]
def gradient_descent(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    loss_function: nn.Module,
    lr: float,
    steps: int,
) -> list[float]:
    """用全批量梯度下降原地训练 model，返回每一步更新前的损失。

    Args:
        model: 待训练的模型，参数会被改动。
        x: 输入，形状 `(N, D)`。
        y: 标签，形状由 `loss_function` 决定。
        loss_function: 以 `(model(x), y)` 调用、返回标量的损失。
        lr: 学习率，须 `> 0`。
        steps: 更新步数，须 `>= 0`。

    Returns:
        `steps` 个损失。

    Raises:
        ValueError: `lr <= 0` 或 `steps < 0`。

    Example:
        >>> model = nn.Linear(1, 1)
        >>> x = torch.tensor([[0.0], [1.0]])
        >>> losses = gradient_descent(model, x, 2 * x, nn.MSELoss(), lr=0.5, steps=200)
        >>> losses[-1] < 1e-6
        True

    Source:
        最速下降法，不带动量；与 `torch.optim.SGD(lr=lr)` 的更新相同。
    """
    if lr <= 0 or steps < 0:
        raise ValueError(f"须 lr > 0、steps >= 0，收到 {lr}、{steps}")
    parameters = list(model.parameters())
    losses = []
    for _ in range(steps):
        loss = loss_function(model(x), y)
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.data -= lr * gradient
        losses.append(loss.item())
    return losses


# --8<-- [end:gradient_descent]
