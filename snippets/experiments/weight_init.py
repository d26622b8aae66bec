"""对称性、每层的倍数与直方图、无限宽的预测、能否训练得动。"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from snippets.weight_init import (
    he_init,
    layer_signals,
    lecun_init,
    mlp,
    normal_init,
    rms,
    xavier_init,
)


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


# --8<-- [start:digits_run]
def digits_run(
    model: nn.Sequential, generator: Generator, steps: int = 100
) -> dict[str, float]:
    """在 500 张手写数字上训练 model，返回损失、正确率和第一层权重的变化。

    Args:
        model: `mlp` 搭出的网络，输入宽 64，输出宽 10；参数会被改动。
        generator: 抽那 500 张的随机源。
        steps: 全批量梯度下降的步数，须 `>= 1`，学习率 0.5。

    Returns:
        `first`、`last` 是第一步与最后一步的损失，`accuracy` 是训练后在这些图上的
        正确率；`moved` 是第一层权重离初值最远走了多少，`spread` 是它的各行与
        首行之间最大的差，`rank` 是它的秩（相对容差 1e-4）。

    Raises:
        ValueError: `steps < 1`。

    Example:
        >>> model = mlp([64, 10], nn.ReLU(), init=torch.zeros)
        >>> run = digits_run(model, Generator().manual_seed(0))
        >>> round(run["first"], 4), run["accuracy"] > 0.9
        (2.3026, True)

    Source:
        scikit-learn, `sklearn.datasets.load_digits`，像素除以 16。
    """
    if steps < 1:
        raise ValueError(f"steps 须 >= 1，收到 {steps}")
    pixels, digits = load_digits(return_X_y=True)
    chosen = torch.randperm(len(digits), generator=generator)[:500]
    x = torch.from_numpy(pixels / 16).float()[chosen]
    labels = torch.from_numpy(digits)[chosen]
    w = next(model.parameters()).data
    before = w.clone()
    losses = gradient_descent(model, x, labels, nn.CrossEntropyLoss(), 0.5, steps)
    return {
        "first": losses[0],
        "last": losses[-1],
        "accuracy": (model(x).argmax(dim=1) == labels).double().mean().item(),
        "moved": (w - before).abs().max().item(),
        "spread": (w - w[0]).abs().max().item(),
        "rank": torch.linalg.matrix_rank(w, rtol=1e-4).item(),
    }


# --8<-- [end:digits_run]


# --8<-- [start:log_gains]
def _signals(
    sizes: Sequence[int],
    init: Callable[..., Tensor],
    activation: nn.Module,
    generator: Generator,
) -> tuple[list[Tensor], list[Tensor]]:
    if len(sizes) < 2:
        raise ValueError(f"sizes 须至少含输入与一个隐藏层，收到 {list(sizes)}")
    x = torch.randn(1, sizes[0], generator=generator)
    model = mlp([*sizes, 1], activation, partial(init, generator=generator))
    return layer_signals(model, x)


def log_gains(
    sizes: Sequence[int],
    init: Callable[..., Tensor],
    activation: nn.Module,
    seeds: Sequence[int],
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

    Raises:
        ValueError: `sizes` 少于两个。

    Example:
        >>> gains = log_gains([64, 64], he_init, nn.ReLU(), seeds=range(3))
        >>> gains.shape
        torch.Size([3, 2])

    Source:
        He et al. (2015), arXiv:1502.01852, §2.2 的两个条件。
    """
    rows = []
    for seed in seeds:
        generator = Generator().manual_seed(seed)
        activations, gradients = _signals(sizes, init, activation, generator)
        forward = math.log(rms(activations[-1]) / rms(activations[0]))
        backward = math.log(rms(gradients[0]) / rms(gradients[-1]))
        rows.append([forward, backward])
    return torch.tensor(rows) / (len(sizes) - 1)


# --8<-- [end:log_gains]


# --8<-- [start:random_inits]
def random_inits() -> dict[str, Callable[..., Tensor]]:
    """返回要比较的四种随机初始化，从名字到函数，以 `init(shape, generator=…)` 调用。

    Returns:
        `0.01` 是原文的固定标准差，其余三种按层宽定方差。

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> w = random_inits()["LeCun"]((400, 100), generator=generator)
        >>> round(w.std().item(), 2)
        0.1

    Source:
        原文 Q4；LeCun et al. (1998)；Glorot & Bengio (2010)；He et al. (2015)。
    """
    fixed = partial(normal_init, std=0.01)
    return {"0.01": fixed, "LeCun": lecun_init, "Xavier": xavier_init, "He": he_init}


# --8<-- [end:random_inits]


# --8<-- [start:hidden_activations]
def hidden_activations(
    sizes: Sequence[int],
    init: Callable[..., Tensor],
    activation: nn.Module,
    seeds: Sequence[int],
) -> list[Tensor]:
    """返回各隐藏层的激活，每个种子各抽一份输入与权重，结果合在一起。

    Args:
        sizes: 输入与各隐藏层的宽度，至少两个；输出层另加，宽度为 1。
        init: 初始化函数，以 `init(shape, generator=…)` 调用。
        activation: 隐藏层的激活函数。
        seeds: S 个随机种子，不能为空。

    Returns:
        每个隐藏层一个张量，形状 `(S, D)`，`D` 是该层的宽度。

    Raises:
        ValueError: `sizes` 少于两个，或 `seeds` 为空。

    Example:
        >>> layers = hidden_activations([8, 4, 2], torch.randn, nn.ReLU(), range(3))
        >>> [tuple(layer.shape) for layer in layers]
        [(3, 4), (3, 2)]

    Source:
        Glorot & Bengio (2010) 逐层画的激活直方图。
    """
    generators = [Generator().manual_seed(seed) for seed in seeds]
    rows = [_signals(sizes, init, activation, g)[0][1:] for g in generators]
    if not rows:
        raise ValueError("seeds 须至少有一个种子，收到 0 个")
    return [torch.cat(layer) for layer in zip(*rows, strict=True)]


# --8<-- [end:hidden_activations]


# --8<-- [start:mean_field_rms]
def mean_field_rms(variance: float, activation: nn.Module, depth: int) -> list[float]:
    """返回无限宽网络各层激活的 RMS，输入的 RMS 为 1。

    Args:
        variance: `fan_in * Var[w]`，每层相同，须 `>= 0`。
        activation: 隐藏层的激活函数。
        depth: 隐藏层数，须 `>= 0`。

    Returns:
        `depth + 1` 个数，下标 0 是输入。

    Raises:
        ValueError: `variance < 0` 或 `depth < 0`。

    Example:
        >>> [round(v, 3) for v in mean_field_rms(1.0, nn.ReLU(), 2)]
        [1.0, 0.707, 0.5]

    Source:
        Poole et al. (2016), arXiv:1606.05340 的长度递推；期望用 Gauss–Hermite 求积。
    """
    if variance < 0 or depth < 0:
        raise ValueError(f"variance 与 depth 须 >= 0，收到 {variance}、{depth}")
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)  # 偶数个点，避开折点 0
    z, p = torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())
    squares = [1.0]
    for _ in range(depth):
        pre_activation = math.sqrt(variance * squares[-1]) * z
        squares.append((p @ activation(pre_activation).square()).item())
    return [math.sqrt(q) for q in squares]


# --8<-- [end:mean_field_rms]


# --8<-- [start:mean_field_slopes]
def mean_field_slopes(
    variance: float, activation: nn.Module, depth: int
) -> list[float]:
    """返回无限宽网络里，梯度反传过各隐藏层乘的倍数，输入的 RMS 为 1。

    Args:
        variance: `fan_in * Var[w]`，每层相同，须 `>= 0`。
        activation: 隐藏层的激活函数。
        depth: 隐藏层数，须 `>= 0`。

    Returns:
        `depth` 个数，下标 0 是第一个隐藏层。

    Raises:
        ValueError: `variance < 0` 或 `depth < 0`（由 `mean_field_rms` 检查）。

    Example:
        >>> [round(v, 3) for v in mean_field_slopes(1.0, nn.ReLU(), 2)]
        [0.707, 0.707]

    Source:
        Schoenholz et al. (2017), arXiv:1611.01232；期望用 Gauss–Hermite 求积。
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    p, slopes = torch.from_numpy(weights / weights.sum()), []
    for signal in mean_field_rms(variance, activation, depth)[:-1]:
        z = math.sqrt(variance) * signal * torch.from_numpy(nodes)
        (slope,) = torch.autograd.grad(activation(z.requires_grad_()).sum(), z)
        slopes.append(math.sqrt(variance * (p @ slope.square()).item()))
    return slopes


# --8<-- [end:mean_field_slopes]


# --8<-- [start:sign_of_product]
def sign_of_product(count: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """生成「两数之积是否为正」的二分类数据，四个象限的点数相等。

    Args:
        count: 样本数 N，须是 4 的正整数倍。
        generator: 随机源。

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


# --8<-- [start:deep_runs]
def deep_runs(
    init: Callable[..., Tensor],
    seeds: Sequence[int],
    steps: int = 160,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.SGD,
    lr: float = 0.05,
) -> list[tuple[list[float], float, list[float]]]:
    """训练一个 11 层的 ReLU 网络判断两数之积的正负，返回损失、正确率和各处动了多少。

    用 float64 算：float32 的舍入会把很小的移动抹成 0。

    Args:
        init: 初始化函数，以 `init(shape, generator=…)` 调用。
        seeds: 随机种子，决定数据与权重。
        steps: 全批量训练的步数，须 `>= 1`。
        optimizer: 优化器的类，以 `optimizer(parameters, lr=lr)` 调用。
        lr: 学习率。

    Returns:
        一个种子一项 `(losses, accuracy, moved)`：每一步更新前的损失，
        在 1024 个新点上的正确率，离初值最远走了多少——依次是各权重、
        第 10 个隐藏层的偏置、输出层的偏置。

    Raises:
        ValueError: `steps < 1`。

    Example:
        >>> small = random_inits()["0.01"]
        >>> [(losses, _, moved)] = deep_runs(small, seeds=[0], steps=20)
        >>> round(losses[-1], 4), moved[0] < 1e-9
        (0.6931, True)

    Source:
        He et al. (2015), arXiv:1502.01852, §2.2：固定的 0.01 使深网络难以收敛。
    """
    if steps < 1:
        raise ValueError(f"steps 须 >= 1，收到 {steps}")
    runs = []
    for seed in seeds:
        generator = Generator().manual_seed(seed)
        x, y = (part.double() for part in sign_of_product(256, generator))
        sizes = [2] + [32] * 10 + [1]
        net = mlp(sizes, nn.ReLU(), partial(init, generator=generator)).double()
        parameters, losses = list(net.parameters()), []
        before = [p.detach().clone() for p in parameters]
        update = optimizer(parameters, lr=lr)
        for _ in range(steps):
            update.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(x), y)
            torch.autograd.backward(loss)
            update.step()
            losses.append(loss.item())
        moves = [
            (p - b).abs().max().item() for p, b in zip(parameters, before, strict=True)
        ]
        x, y = (part.double() for part in sign_of_product(1024, generator))
        accuracy = ((net(x) > 0) == (y > 0)).double().mean().item()
        runs.append((losses, accuracy, [max(moves[::2]), moves[-3], moves[-1]]))
    return runs


# --8<-- [end:deep_runs]


# --8<-- [start:jacobian_spectrum]
def jacobian_spectrum(
    init: Callable[..., Tensor],
    activation: nn.Module,
    seeds: Sequence[int],
    width: int = 64,
    depth: int = 20,
) -> Tensor:
    """返回等宽网络末层预激活对输入的雅可比矩阵的奇异值，从大到小。

    Args:
        init: 初始化函数，以 `init(shape, generator=…)` 调用。
        activation: 隐藏层的激活函数。
        seeds: S 个随机种子，不能为空。
        width: 每层的宽度 D。
        depth: 隐藏层数。

    Returns:
        形状 `(S, D)`，dtype float64。

    Example:
        >>> jacobian_spectrum(he_init, nn.ReLU(), seeds=[0, 1], width=8).shape
        torch.Size([2, 8])

    Raises:
        ValueError: `seeds` 为空。

    Source:
        Pennington, Schoenholz & Ganguli (2017), arXiv:1711.04735.
    """
    if not seeds:
        raise ValueError("seeds 须至少有一个种子，收到 0 个")
    rows = []
    for seed in seeds:
        generator = Generator().manual_seed(seed)
        x = torch.randn(width, generator=generator).double()
        sizes = [width] * (depth + 2)
        model = mlp(sizes, activation, partial(init, generator=generator)).double()
        rows.append(torch.linalg.svdvals(torch.func.jacrev(model)(x)).detach())
    return torch.stack(rows)


# --8<-- [end:jacobian_spectrum]


# --8<-- [start:residual_starts]
def residual_starts(
    gamma: float, seeds: Sequence[int]
) -> list[tuple[float, list[tuple[float, float]]]]:
    """返回 10 个残差分支使二阶矩变成几倍，以及头两步里梯度的 RMS。

    分支是 Linear-BN-ReLU-Linear-BN，宽 64，末尾的 BN 的 γ 都取初值 gamma。

    Args:
        gamma: 各分支末尾的 γ 的初值。
        seeds: 随机种子，决定输入、目标与权重。

    Returns:
        一个种子一项 `(growth, gradients)`：初始时输出与输入的二阶矩之比；
        训练头两步里，首个分支的 γ 与其第一个权重的梯度的 RMS，一步一对。

    Example:
        >>> [(growth, [(_, first), (_, second)])] = residual_starts(0.0, seeds=[0])
        >>> growth, first, second > 0
        (1.0, 0.0, True)

    Source:
        Goyal et al. (2017), arXiv:1706.02677, §5.1.
    """
    runs = []
    for seed in seeds:
        generator = Generator().manual_seed(seed)
        x, target = torch.randn(2, 256, 64, generator=generator)
        inner = [he_init((64, 64), generator).requires_grad_() for _ in range(10)]
        outer = [he_init((64, 64), generator).requires_grad_() for _ in range(10)]
        gammas = [torch.full((64,), gamma, requires_grad=True) for _ in range(10)]
        parameters = gammas + inner + outer
        growths, gradients = [], []
        for _ in range(2):
            h = x
            for w, v, g in zip(inner, outer, gammas, strict=True):
                z = F.relu(F.batch_norm(h @ w.T, None, None, training=True))
                h = h + F.batch_norm(z @ v.T, None, None, weight=g, training=True)
            grads = torch.autograd.grad(F.mse_loss(h, target), parameters)
            for parameter, grad in zip(parameters, grads, strict=True):
                parameter.data -= 0.1 * grad
            growths.append((h.square().mean() / x.square().mean()).item())
            gradients.append((rms(grads[0]), rms(grads[10])))
        runs.append((growths[0], gradients))
    return runs


# --8<-- [end:residual_starts]
