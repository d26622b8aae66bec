"""原文公式的残差块、无捷径的对照、投影捷径、预激活，以及由块搭成的网络。"""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F


# --8<-- [start:PlainBlock]
class PlainBlock(nn.Module):
    """两层权重、没有捷径的块：从 `a^{[l]}` 算出 `g(z^{[l+2]})`，g 为 ReLU。

    `batch_norm=True` 时在每层权重之后、激活之前做规范化。

    Args:
        in_features: 输入特征数，须 `>= 1`。
        out_features: 输出特征数，须 `>= 1`。
        batch_norm: 是否在两层权重之后各加一层 BN。

    Raises:
        ValueError: `in_features < 1` 或 `out_features < 1`。

    Example:
        >>> PlainBlock(3, 5)(torch.zeros(2, 3)).shape
        torch.Size([2, 5])

    Source:
        He et al. (2016), arXiv:1512.03385, §3.3–3.4 的 plain network，卷积换成全连接。
    """

    def __init__(
        self, in_features: int, out_features: int, *, batch_norm: bool = False
    ) -> None:
        super().__init__()
        if min(in_features, out_features) < 1:
            raise ValueError(f"特征数须 >= 1，收到 {in_features} 与 {out_features}")
        norm = nn.BatchNorm1d if batch_norm else nn.Identity
        self.branch = nn.Sequential(
            nn.Linear(in_features, out_features),  # z[l+1] = W[l+1] a[l] + b[l+1]
            norm(out_features),
            nn.ReLU(),  # a[l+1] = g(z[l+1])
            nn.Linear(out_features, out_features),  # z[l+2] = W[l+2] a[l+1] + b[l+2]
            norm(out_features),
        )

    def forward(self, a: Tensor) -> Tensor:
        """从 `(N, in_features)` 的 `a^{[l]}` 算出 `(N, out_features)` 的输出。"""
        return F.relu(self.branch(a))


# --8<-- [end:PlainBlock]


# --8<-- [start:ResidualBlock]
class ResidualBlock(PlainBlock):
    """恒等捷径的残差块：`a^{[l+2]} = g(z^{[l+2]} + a^{[l]})`，先求和，后激活。

    Args:
        in_features: 输入特征数，须 `>= 1`。
        out_features: 输出特征数，须等于 `in_features`，否则加不起来。
        batch_norm: 是否在两层权重之后各加一层 BN。

    Raises:
        ValueError: `in_features != out_features`，或小于 1。

    Example:
        >>> block = scale_branch_(ResidualBlock(2, 2), 0.0)
        >>> block(torch.tensor([[3.0, 0.0]])).tolist()
        [[3.0, 0.0]]

    Source:
        He et al. (2016), arXiv:1512.03385, 式 (1)。
    """

    def __init__(
        self, in_features: int, out_features: int, *, batch_norm: bool = False
    ) -> None:
        super().__init__(in_features, out_features, batch_norm=batch_norm)
        if in_features != out_features:
            raise ValueError(
                f"恒等捷径要求输入与输出同形，收到 {in_features} 与 {out_features}"
            )

    def forward(self, a: Tensor) -> Tensor:
        """从 `a^{[l]}` 算出 `a^{[l+2]}`，形状都是 `(N, in_features)`。"""
        return F.relu(self.branch(a) + a)


# --8<-- [end:ResidualBlock]


# --8<-- [start:scale_branch_]
def scale_branch_(block: nn.Module, factor: float) -> nn.Module:
    """就地把分支末层的 weight 与 bias 乘以同一个数，返回这个块；0 即关掉分支。

    末层指分支里最后一个有参数的层：没有 BN 时是 `W^{[l+2]}, b^{[l+2]}`；
    BN 在权重之后时是它的 γ 与 β。

    Args:
        block: 有分支 `branch` 的块，参数被就地修改。
        factor: 乘上去的数，无单位，须有限。

    Raises:
        ValueError: `factor` 不是有限的数。

    Example:
        >>> block = scale_branch_(PreActivationBlock(2), 0.0)
        >>> block(torch.tensor([[3.0, -4.0]])).tolist()
        [[3.0, -4.0]]

    Source:
        Goyal et al. (2017), arXiv:1706.02677, §5.1（γ = 0）。
    """
    if not math.isfinite(factor):
        raise ValueError(f"factor 须有限，收到 {factor}")
    layers = block.get_submodule("branch").children()
    *_, last = (layer for layer in layers if list(layer.parameters()))
    with torch.no_grad():
        for parameter in last.parameters():
            parameter.mul_(factor)
    return block


# --8<-- [end:scale_branch_]


# --8<-- [start:ProjectionBlock]
class ProjectionBlock(PlainBlock):
    """投影捷径的残差块：`a^{[l+2]} = g(z^{[l+2]} + W_s a^{[l]})`，形状可以改变。

    Args:
        in_features: 输入特征数，须 `>= 1`。
        out_features: 输出特征数，须 `>= 1`。
        batch_norm: 是否在两层权重之后各加一层 BN。

    Raises:
        ValueError: `in_features < 1` 或 `out_features < 1`。

    Example:
        >>> ProjectionBlock(3, 5)(torch.zeros(2, 3)).shape
        torch.Size([2, 5])

    Source:
        He et al. (2016), arXiv:1512.03385, 式 (2)。
    """

    def __init__(
        self, in_features: int, out_features: int, *, batch_norm: bool = False
    ) -> None:
        super().__init__(in_features, out_features, batch_norm=batch_norm)
        self.projection = nn.Linear(in_features, out_features, bias=False)  # W_s

    def forward(self, a: Tensor) -> Tensor:
        """从 `(N, in_features)` 的 `a^{[l]}` 算 `(N, out_features)` 的 `a^{[l+2]}`。"""
        return F.relu(self.branch(a) + self.projection(a))


# --8<-- [end:ProjectionBlock]


# --8<-- [start:deep_classifier]
def deep_classifier(
    block_type: Callable[..., PlainBlock],
    depth: int,
    generator: Generator,
    *,
    features: int = 64,
    in_features: int = 64,
    classes: int = 10,
    batch_norm: bool = False,
) -> nn.Sequential:
    """用同一种块搭一个有 depth 层权重的分类网络，权重 He 初始化，偏置为 0。

    Args:
        block_type: `PlainBlock` 或 `ResidualBlock`；每块两层权重。
        depth: 权重层数，含首尾两层，须是 `>= 2` 的偶数。
        generator: 抽权重的随机源。
        features: 隐藏层宽度，须 `>= 1`。
        in_features: 输入特征数，须 `>= 1`。
        classes: 类别数，须 `>= 1`。
        batch_norm: 是否在块内外的隐藏层都加 BN。

    Returns:
        输入 `(N, in_features)`、输出 `(N, classes)` 的 `nn.Sequential`，
        最后一项是输出层。

    Raises:
        ValueError: `depth` 不是 `>= 2` 的偶数，或宽度小于 1。

    Example:
        >>> net = deep_classifier(ResidualBlock, 20, Generator().manual_seed(0))
        >>> sum(isinstance(layer, nn.Linear) for layer in net.modules())
        20

    Source:
        He et al. (2016), arXiv:1512.03385, §4.2 的 6n + 2 层；
        He et al. (2015), arXiv:1502.01852 的初始化。
    """
    if depth < 2 or depth % 2:
        raise ValueError(f"depth 须是 >= 2 的偶数，收到 {depth}")
    if min(features, in_features, classes) < 1:
        raise ValueError(f"宽度须 >= 1，收到 {features}、{in_features}、{classes}")
    norm = nn.BatchNorm1d if batch_norm else nn.Identity
    net = nn.Sequential(
        *(nn.Linear(in_features, features), norm(features), nn.ReLU()),
        *(
            block_type(features, features, batch_norm=batch_norm)
            for _ in range(depth // 2 - 1)
        ),
        nn.Linear(features, classes),
    )
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(
                layer.weight, nonlinearity="relu", generator=generator
            )
            nn.init.zeros_(layer.bias)
    return net


# --8<-- [end:deep_classifier]


# --8<-- [start:PreActivationBlock]
class PreActivationBlock(nn.Module):
    """预激活残差块：BN 与 ReLU 挪到权重之前，求和之后什么都不做。

    Args:
        features: 输入与输出的特征数，须 `>= 1`。
        batch_norm: 是否在两次激活之前各加一层 BN。

    Raises:
        ValueError: `features < 1`。

    Example:
        >>> block = scale_branch_(PreActivationBlock(2), 0.0)
        >>> block(torch.tensor([[3.0, -4.0]])).tolist()
        [[3.0, -4.0]]

    Source:
        He et al. (2016), arXiv:1603.05027, 图 1(b)。
    """

    def __init__(self, features: int, *, batch_norm: bool = False) -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"特征数须 >= 1，收到 {features}")
        norm = nn.BatchNorm1d if batch_norm else nn.Identity
        self.branch = nn.Sequential(
            *(norm(features), nn.ReLU(), nn.Linear(features, features)),
            *(norm(features), nn.ReLU(), nn.Linear(features, features)),
        )

    def forward(self, a: Tensor) -> Tensor:
        """返回 `a + F(a)`，形状与 `a` 相同，为 `(N, features)`。"""
        branch: Tensor = self.branch(a)
        return a + branch


# --8<-- [end:PreActivationBlock]
