"""二阶矩随深度的增长、初始状态的两个量、退化。"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snippets.digits import train_classifier
from snippets.residual_block import PlainBlock, ResidualBlock, deep_net, scale_branch_


# --8<-- [start:second_moments]
def second_moments(
    blocks: int,
    *,
    features: int = 128,
    batch: int = 64,
    batch_norm: bool = False,
    seed: int = 0,
) -> list[float]:
    """沿 `h ← h + W relu(h)` 逐块记录 h 的二阶矩，W 为 He 初始化。

    Args:
        blocks: 块数，须 `>= 0`。
        features: 特征数 D；W 的方差是 2 / D。
        batch: 样本数，输入取自标准正态。
        batch_norm: 为真时分支换成 `BN(W relu(h))`，BN 用本批统计量，γ = 1，β = 0。
        seed: 输入与权重的随机种子。

    Returns:
        长为 `blocks + 1` 的列表，第 k 项是过了 k 块之后 h 各元素平方的平均。

    Raises:
        ValueError: `blocks < 0`。

    Example:
        >>> [round(moment) for moment in second_moments(3, batch_norm=True)]
        [1, 2, 3, 4]

    Source:
        Zhang, Dauphin & Ma (2019), arXiv:1901.09321 讨论的方差增长。
    """
    if blocks < 0:
        raise ValueError(f"blocks 须 >= 0，收到 {blocks}")
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(batch, features, generator=generator)
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


# --8<-- [start:gradient_ratio]
def gradient_ratio(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """返回各层权重矩阵的梯度范数中最大的与最小的之比。

    Args:
        net: 分类网络，至少有一层 `nn.Linear`。
        x: 输入，形状 `(N, D)`。
        y: 类别，形状 `(N,)`。

    Returns:
        不小于 1 的比值，无单位；1 表示各层一样大。

    Example:
        >>> gradient_ratio(nn.Linear(2, 2), torch.eye(2), torch.tensor([0, 1]))
        1.0

    Source:
        He et al. (2016), CVPR, §4.1 检查梯度范数的做法。
    """
    weights = [m.weight for m in net.modules() if isinstance(m, nn.Linear)]
    gradients = torch.autograd.grad(F.cross_entropy(net(x), y), weights)
    norms = torch.stack([gradient.norm() for gradient in gradients])
    return (norms.max() / norms.min()).item()


# --8<-- [end:gradient_ratio]


# --8<-- [start:mean_cosine]
def mean_cosine(features: Tensor) -> float:
    """返回不同样本的特征两两余弦的平均。

    Args:
        features: 形状 `(N, D)`，须 `N >= 2`，没有全零的行。

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
    n = len(features)
    if n < 2:
        raise ValueError(f"至少要两个样本，收到 {n} 个")
    unit = F.normalize(features)
    return ((unit @ unit.T).sum().item() - n) / (n * (n - 1))


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
        He et al. (2016), CVPR, §4.1：把训练误差与梯度范数放在一起看。
    """

    ratio: float
    cosine: float
    losses: list[float]


# --8<-- [end:DepthRun]


# --8<-- [start:train_depth]
def train_depth(
    block: type[PlainBlock],
    depth: int,
    x: Tensor,
    y: Tensor,
    *,
    batch_norm: bool,
    lr: float,
    steps: int,
    seed: int,
) -> DepthRun:
    """搭一个网络，先量初始状态，再训练，返回两样结果。

    没有 BN 的残差网，分支末层按 1/√块数 缩小，否则二阶矩每块翻倍、训练发散。

    Args:
        block: `PlainBlock` 或 `ResidualBlock`。
        depth: 权重层数，须是 `>= 2` 的偶数。
        x: 训练输入，形状 `(N, 64)`。
        y: 类别，形状 `(N,)`。
        batch_norm: 是否加 BN。
        lr: 学习率。
        steps: 更新次数。
        seed: 权重与抽样的随机种子。

    Returns:
        初始状态与每一步的损失；初始状态在前 256 个样本上量。

    Example:
        >>> x, y = torch.randn(300, 64), torch.zeros(300, dtype=torch.int64)
        >>> run = train_depth(
        ...     PlainBlock, 4, x, y, batch_norm=True, lr=0.1, steps=2, seed=0
        ... )
        >>> len(run.losses)
        2

    Source:
        He et al. (2016), CVPR, §4.2；1/√块数 的缩放见 Radford et al. (2019), GPT-2。
    """
    net = deep_net(block, depth, batch_norm=batch_norm, seed=seed)
    blocks = [layer for layer in net if isinstance(layer, ResidualBlock)]
    if not batch_norm:
        for layer in blocks:
            scale_branch_(layer.branch, len(blocks) ** -0.5)
    probe, labels = x[:256], y[:256]
    cosine = mean_cosine(net[:-1](probe).detach())
    ratio = gradient_ratio(net, probe, labels)
    losses = train_classifier(net, x, y, steps=steps, lr=lr, seed=seed)
    return DepthRun(ratio, cosine, losses)


# --8<-- [end:train_depth]
