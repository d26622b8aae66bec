"""残差块与公式、与恒等的差，权重衰减对分支的作用，二阶矩的增长，退化。"""

import copy
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from snippets.digits import digits_split, train_classifier
from snippets.residual_block import (
    PlainBlock,
    PreActivationBlock,  # noqa: F401  登记的主张用到
    ResidualBlock,
    deep_classifier,
    scale_branch_,
)


# --8<-- [start:formula_gap]
def formula_gap(block: ResidualBlock, a: Tensor) -> float:
    """返回残差块与公式的最大差，公式只用 torch.nn.functional 逐行重算。

    Args:
        block: 没有 BN 的残差块。
        a: 块的输入 `a^{[l]}`，形状 `(N, D)`，`N >= 1`。

    Returns:
        两份输出之差的绝对值的最大值，单位与 `a` 相同。

    Raises:
        ValueError: 块的参数不是 `W^{[l+1]}, b^{[l+1]}, W^{[l+2]}, b^{[l+2]}` 四个。

    Example:
        >>> formula_gap(ResidualBlock(2, 2), torch.ones(3, 2))
        0.0

    Source:
        He et al. (2016), arXiv:1512.03385, 式 (1)。
    """
    parameters = list(block.parameters())
    if len(parameters) != 4:
        raise ValueError(f"须是没有 BN 的块，共 4 个参数，收到 {len(parameters)} 个")
    w1, b1, w2, b2 = parameters
    z1 = F.linear(a, w1, b1)
    z2 = F.linear(F.relu(z1), w2, b2)
    gap: Tensor = block(a) - F.relu(z2 + a)
    return gap.abs().max().item()


# --8<-- [end:formula_gap]


# --8<-- [start:identity_gap]
def identity_gap(net: Callable[[Tensor], Tensor], a: Tensor) -> float:
    """返回一个函数与恒等映射的最大差 `max|net(a) - a|`。

    Args:
        net: 网络、块或任意函数，输出与输入同形。
        a: 输入，形状任意，不能为空。

    Returns:
        不小于 0 的数，单位与 `a` 相同；0 表示在这些输入上就是恒等。

    Raises:
        ValueError: 输出与输入不同形，或输入为空。

    Example:
        >>> identity_gap(F.relu, torch.tensor([-2.0, 0.0, 3.0]))
        2.0

    Source:
        He et al. (2016), arXiv:1512.03385, §3.1：让恒等成为容易学的解。
    """
    output = net(a)
    if output.shape != a.shape or not a.numel():
        shapes = f"{tuple(a.shape)} 与 {tuple(output.shape)}"
        raise ValueError(f"输入须非空，输出须与它同形，收到 {shapes}")
    return (output - a).abs().max().item()


# --8<-- [end:identity_gap]


# --8<-- [start:gradient_ratio]
def gradient_ratio(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """返回各层权重矩阵的梯度范数中最大的与最小的之比。

    Args:
        net: 分类网络，至少有一层 `nn.Linear`。
        x: 输入，形状 `(N, D)`。
        y: 类别，形状 `(N,)`。

    Returns:
        不小于 1 的比值，无单位；1 表示各层一样大，有一层是 0 则为 inf。

    Raises:
        ValueError: 没有 `nn.Linear`。

    Example:
        >>> gradient_ratio(nn.Linear(2, 2), torch.eye(2), torch.tensor([0, 1]))
        1.0

    Source:
        He et al. (2016), arXiv:1512.03385, §4.1 检查梯度范数的做法。
    """
    weights = [m.weight for m in net.modules() if isinstance(m, nn.Linear)]
    if not weights:
        raise ValueError("至少要一层 nn.Linear，收到 0 层")
    gradients = torch.autograd.grad(F.cross_entropy(net(x), y), weights)
    norms = torch.stack([gradient.norm() for gradient in gradients])
    return (norms.max() / norms.min()).item()


# --8<-- [end:gradient_ratio]


# --8<-- [start:mean_cosine]
def mean_cosine(a: Tensor) -> float:
    """返回不同样本的特征两两余弦的平均。

    Args:
        a: 形状 `(N, D)`，须 `N >= 2`；全零的行与各行的余弦记作 0。

    Returns:
        `[-1, 1]` 内的数；1 表示所有样本的特征同向。

    Raises:
        ValueError: `N < 2`。

    Example:
        >>> mean_cosine(torch.eye(3))
        0.0

    Source:
        Schoenholz et al. (2017), arXiv:1611.01232 跟踪的相关系数。
    """
    n = len(a)
    if n < 2:
        raise ValueError(f"至少要两个样本，收到 {n} 个")
    unit = F.normalize(a)
    pairs = unit @ unit.T
    return ((pairs.sum() - pairs.trace()) / (n * (n - 1))).item()


# --8<-- [end:mean_cosine]


# --8<-- [start:DepthRun]
@dataclass(frozen=True)
class DepthRun:
    """一次训练：初始时的梯度比与样本余弦，和每一步的训练损失。

    Args:
        ratio: 初始时各层梯度范数的最大与最小之比。
        cosine: 初始时不同样本的最后一层特征的平均余弦。
        losses: 每一步的训练损失，单位 nat。

    Example:
        >>> DepthRun(1.0, 0.5, [2.3]).losses
        [2.3]

    Source:
        He et al. (2016), arXiv:1512.03385, §4.1：把训练误差与梯度范数放在一起看。
    """

    ratio: float
    cosine: float
    losses: list[float]


# --8<-- [end:DepthRun]


# --8<-- [start:train_depth]
@cache  # 同样的设置只训练一次
def _depth_run(
    block_type: Callable[..., PlainBlock],
    depth: int,
    seed: int,
    batch_norm: bool,
    lr: float,
    steps: int,
    zero_branch: bool,
) -> DepthRun:
    x, y, *_ = digits_split()
    initial, batches = (Generator().manual_seed(seed) for _ in range(2))
    net = deep_classifier(block_type, depth, initial, batch_norm=batch_norm)
    blocks = [layer for layer in net if isinstance(layer, ResidualBlock)]
    for layer in blocks:
        shrink = 1.0 if batch_norm else len(blocks) ** -0.5
        scale_branch_(layer, 0.0 if zero_branch else shrink)
    cosine = mean_cosine(net[:-1](x[:256]).detach())
    ratio = gradient_ratio(net, x[:256], y[:256])
    losses = train_classifier(net, x, y, batches, steps=steps, lr=lr)
    return DepthRun(ratio, cosine, losses)


def train_depth(
    block_type: Callable[..., PlainBlock],
    depth: int,
    seeds: Sequence[int],
    *,
    batch_norm: bool,
    lr: float,
    steps: int,
    zero_branch: bool = False,
) -> list[DepthRun]:
    """逐个种子搭一个网络，先量初始状态，再用手写数字训练，返回两样结果。

    没有 BN 的残差网络，分支末层按 1/√块数 缩小，否则二阶矩每块乘
    2.4，训练发散。

    Args:
        block_type: `PlainBlock` 或 `ResidualBlock`。
        depth: 权重层数，须是 `>= 2` 的偶数。
        seeds: 权重与抽样的随机种子。
        batch_norm: 是否加 BN。
        lr: 学习率。
        steps: 更新次数，须 `>= 0`。
        zero_branch: 残差网络是否从分支为零出发：末层置零，有 BN 时即 γ = β = 0。

    Returns:
        每个种子的初始状态与每一步的损失；初始状态在前 256 个样本上量。

    Example:
        >>> options = {"batch_norm": True, "lr": 0.1, "steps": 2}
        >>> [len(run.losses) for run in train_depth(PlainBlock, 4, [0, 1], **options)]
        [2, 2]

    Source:
        He et al. (2016), arXiv:1512.03385, §4.2；
        1/√块数 的缩放见 Radford et al. (2019), GPT-2。
    """
    options = batch_norm, lr, steps, zero_branch
    return [_depth_run(block_type, depth, seed, *options) for seed in seeds]


# --8<-- [end:train_depth]


# --8<-- [start:mean_loss]
def mean_loss(runs: Sequence[DepthRun], last: int = 10) -> float:
    """返回几次训练的最后若干步的平均损失。

    Args:
        runs: 训练，至少一次，每次至少一步。
        last: 取最后几步，须 `>= 1`；不足则全取。

    Returns:
        损失的平均，单位 nat。

    Raises:
        ValueError: 一次也没有，或 `last < 1`。

    Example:
        >>> mean_loss([DepthRun(1.0, 0.5, [9.0, 2.0]), DepthRun(1.0, 0.5, [4.0])], 1)
        3.0

    Source:
        He et al. (2016), arXiv:1512.03385, 图 6 以训练误差比较各个深度。
    """
    if not runs or last < 1:
        raise ValueError(f"须至少一次训练且 last >= 1，收到 {len(runs)} 次与 {last}")
    return statistics.mean(statistics.mean(run.losses[-last:]) for run in runs)


# --8<-- [end:mean_loss]


# --8<-- [start:second_moments]
def second_moments(
    blocks: int,
    generator: Generator,
    *,
    features: int = 128,
    batch_size: int = 64,
    batch_norm: bool = False,
) -> list[float]:
    """沿 `h ← h + W relu(h)` 逐块记录 h 的二阶矩，W 为 He 初始化。

    Args:
        blocks: 块数，须 `>= 0`。
        generator: 抽输入与权重的随机源。
        features: 特征数 D，须 `>= 1`；W 的方差是 2 / D。
        batch_size: 样本数，须 `>= 2`；输入取自标准正态。
        batch_norm: 为真时分支换成 `BN(W relu(h))`，BN 用本批统计量，γ = 1，β = 0。

    Returns:
        长为 `blocks + 1` 的列表，第 k 项是过了 k 块之后 h 各元素平方的平均。

    Raises:
        ValueError: `blocks < 0`、`features < 1` 或 `batch_size < 2`。

    Example:
        >>> moments = second_moments(3, Generator().manual_seed(0), batch_norm=True)
        >>> [round(moment) for moment in moments]
        [1, 2, 3, 4]

    Source:
        Zhang, Dauphin & Ma (2019), arXiv:1901.09321 讨论的方差增长。
    """
    if blocks < 0 or features < 1 or batch_size < 2:
        raise ValueError(
            "须 blocks >= 0、features >= 1、batch_size >= 2，"
            f"收到 {blocks}、{features}、{batch_size}"
        )
    h = torch.randn(batch_size, features, generator=generator)
    moments = [h.square().mean().item()]
    for _ in range(blocks):
        weight = torch.randn(features, features, generator=generator)
        branch = F.relu(h) @ weight * (2 / features) ** 0.5
        if batch_norm:
            branch = F.batch_norm(branch, None, None, training=True)
        h = h + branch
        moments.append(h.square().mean().item())
    return moments


# --8<-- [end:second_moments]


# --8<-- [start:block_moments]
def block_moments(
    blocks: int, generator: Generator, *, factor: float = 1.0
) -> list[float]:
    """沿一串没有 BN 的残差块逐块记录信号的二阶矩，每块是两层 He 初始化的权重。

    Args:
        blocks: 块数，须 `>= 0`。
        generator: 抽输入与权重的随机源；输入是标准正态取 ReLU，64 个样本。
        factor: 每个分支的末层乘上去的数，无单位。

    Returns:
        长为 `blocks + 1` 的列表，第 k 项是过了 k 块之后各元素平方的平均；宽 256。

    Raises:
        ValueError: `blocks < 0`，或 `factor` 不是有限的数。

    Example:
        >>> moments = block_moments(3, Generator().manual_seed(0), factor=0.0)
        >>> len(moments), len(set(moments))
        (4, 1)

    Source:
        Zhang, Dauphin & Ma (2019), arXiv:1901.09321 讨论的方差增长。
    """
    if blocks < 0:
        raise ValueError(f"blocks 须 >= 0，收到 {blocks}")
    net = deep_classifier(ResidualBlock, 2 * blocks + 2, generator, features=256)
    a = torch.randn(64, 256, generator=generator).relu()
    moments = [a.square().mean().item()]
    for block in list(net)[3:-1]:
        a = scale_branch_(block, factor)(a)
        moments.append(a.square().mean().item())
    return moments


# --8<-- [end:block_moments]


# --8<-- [start:decay_alone]
def decay_alone(lr: float, weight_decay: float, steps: int) -> float:
    """返回从 1 出发的权重在没有数据梯度时，被权重衰减缩到多少。

    Args:
        lr: SGD 的学习率 η，没有动量。
        weight_decay: 衰减系数 λ。
        steps: 更新次数，须 `>= 0`。

    Returns:
        `steps` 步之后的权重，无单位；闭式是 `(1 - ηλ) ** steps`。

    Raises:
        ValueError: `steps < 0`。

    Example:
        >>> decay_alone(lr=0.5, weight_decay=1.0, steps=2)
        0.25

    Source:
        torch.optim.SGD：梯度加上 `weight_decay * w` 之后更新。
    """
    if steps < 0:
        raise ValueError(f"steps 须 >= 0，收到 {steps}")
    w = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=lr, weight_decay=weight_decay)
    for _ in range(steps):
        w.grad = torch.zeros(1)  # 没有数据给出的梯度
        optimizer.step()
    return w.item()


# --8<-- [end:decay_alone]


# --8<-- [start:train_from_zero]
def train_from_zero(
    weight_decay: float,
    seeds: Sequence[int],
    *,
    scope: Literal["branch", "matrices", "net"] = "branch",
    batch_norm: bool = False,
    steps: int = 100,
) -> list[dict[str, float]]:
    """从分支为零出发训练 8 层的残差网络，返回训练损失与分支此时的大小。

    数据是手写数字，学习率 0.02，每批 64 个样本；出发时每块只剩捷径。

    Args:
        weight_decay: 衰减系数 λ，须 `>= 0`。
        seeds: 权重与抽样的随机种子。
        scope: 哪些参数衰减：`branch` 是分支的全部参数，`matrices` 是分支的权重矩阵
            （不含偏置、γ 与 β），`net` 是整个网络。
        batch_norm: 是否加 BN；有 BN 时置零的是每个分支末个 BN 的 γ 与 β。
        steps: 更新次数，须 `>= 1`。

    Returns:
        一个种子一项：`loss` 是最后 20 步的平均损失，单位 nat；
        `W` 是 `W^{[l+2]}` 的范数，`branch` 是分支与捷径的输出的范数之比，
        这两个取三块的平均。

    Raises:
        ValueError: `weight_decay < 0` 或 `steps < 1`。

    Example:
        >>> [run] = train_from_zero(0.1, seeds=[0], steps=1)
        >>> sorted(run)
        ['W', 'branch', 'loss']

    Source:
        Goyal et al. (2017), arXiv:1706.02677, §5.1 的零 γ 起步。
    """
    if weight_decay < 0 or steps < 1:
        raise ValueError(
            f"须 weight_decay >= 0、steps >= 1，收到 {weight_decay} 与 {steps}"
        )
    x, y, *_ = digits_split()
    runs = []
    for seed in seeds:
        initial, batches = (Generator().manual_seed(seed) for _ in range(2))
        net = deep_classifier(ResidualBlock, 8, initial, batch_norm=batch_norm)
        blocks = [scale_branch_(b, 0.0) for b in net if isinstance(b, ResidualBlock)]
        branches = [p for block in blocks for p in block.parameters()]
        matrices = [p for p in branches if p.ndim == 2]
        scopes = {"branch": branches, "matrices": matrices, "net": [*net.parameters()]}
        for p in scopes[scope]:  # 梯度加上 λw
            decay = partial(torch.add, other=p.detach(), alpha=weight_decay)
            p.register_hook(decay)  # type: ignore[no-untyped-call]
        losses = train_classifier(
            net, x, y, batches, steps=steps, lr=0.02, batch_size=64
        )
        a, weights, ratios = net[:3](x), [], []
        for block in blocks:
            weights.append(block.get_parameter("branch.3.weight").norm().item())
            branch = block.get_submodule("branch")(a)
            ratios.append((branch.norm() / a.norm()).item())
            a = block(a)
        values = (statistics.mean(v) for v in (losses[-20:], weights, ratios))
        runs.append(dict(zip(("loss", "W", "branch"), values, strict=True)))
    return runs


# --8<-- [end:train_from_zero]


# --8<-- [start:branch_ratio]
def branch_ratio(block: PlainBlock, a: Tensor, factor: float) -> float:
    """返回 `W^{[l+2]}, b^{[l+2]}` 乘以 factor 之后，分支的输出变为原来的几倍。

    Args:
        block: 有两层权重的块，不被修改。
        a: 块的输入，形状 `(N, D)`；有 BN 时须 `N >= 2`。
        factor: 乘上去的数，无单位，须 `> 0`。

    Returns:
        分支的输出的范数之比，无单位。

    Raises:
        ValueError: `factor <= 0`。

    Example:
        >>> branch_ratio(PlainBlock(2, 2), torch.ones(3, 2), 0.5)
        0.5

    Source:
        Ioffe & Szegedy (2015), arXiv:1502.03167, §3.3：BN 的输出与权重的大小无关。
    """
    if factor <= 0:
        raise ValueError(f"factor 须 > 0，收到 {factor}")
    scaled = copy.deepcopy(block.branch)
    with torch.no_grad():
        for parameter in scaled[3].parameters():
            parameter.mul_(factor)
    ratio: Tensor = scaled(a).norm() / block.branch(a).norm()
    return ratio.item()


# --8<-- [end:branch_ratio]
