"""Q5 的手撕题：残差块的前向，批量规范化的训练与推理。"""

import math

from snippets.exercises.checking import check, compare, refuses


# --8<-- [start:residual_forward]
def residual_forward(
    a: list[float],
    w1: list[list[float]],
    b1: list[float],
    w2: list[list[float]],
    b2: list[float],
) -> list[float]:
    """给出残差块的输出：两层全连接加一条捷径，激活函数是 ReLU。

    Args:
        a: 输入，D 个数。
        w1: 第一层的权重，每一行是一个输出单元的。
        b1: 第一层的偏置。
        w2: 第二层的权重，有 D 行。
        b2: 第二层的偏置，D 个数。

    Returns:
        D 个数，先加捷径，再激活。

    Raises:
        ValueError: 分支的输出与输入不一样长，加不起来。

    Example:
        >>> residual_forward([1.0], [[2.0]], [0.0], [[3.0]], [0.5])
        [7.5]

    Source:
        He 等（2016），CVPR，arXiv:1512.03385，式 (1)。
    """
    hidden = [
        max(0.0, sum(w * x for w, x in zip(row, a, strict=True)) + b)
        for row, b in zip(w1, b1, strict=True)
    ]
    branch = [
        sum(w * h for w, h in zip(row, hidden, strict=True)) + b
        for row, b in zip(w2, b2, strict=True)
    ]
    if len(branch) != len(a):
        raise ValueError(f"分支给出 {len(branch)} 个数，捷径有 {len(a)} 个，加不起来")
    return [max(0.0, z + x) for z, x in zip(branch, a, strict=True)]


# --8<-- [end:residual_forward]


def test_residual_forward_identity() -> None:
    """分支全零、输入非负：原样通过"""
    zero = [[0.0, 0.0], [0.0, 0.0]]
    check(
        residual_forward,
        [1.0, 2.0],
        zero,
        [0.0, 0.0],
        zero,
        [0.0, 0.0],
        gives=[1.0, 2.0],
        because="捷径把输入原样加到第二层的输出上。",
    )


def test_residual_forward_order() -> None:
    """分支给出 −5、输入是 3：先相加再激活，得 0"""
    check(
        residual_forward,
        [3.0],
        [[0.0]],
        [0.0],
        [[0.0]],
        [-5.0],
        gives=[0.0],
        because="次序是 relu(分支 + 捷径)，不是 relu(分支) + 捷径。",
    )


def test_residual_forward_inner() -> None:
    """第一层之后有 ReLU：负的不传下去"""
    check(
        residual_forward,
        [1.0],
        [[-2.0], [1.0]],
        [0.0, 0.5],
        [[10.0, 2.0]],
        [0.25],
        gives=[4.25],
        because="第一层的输出先过 ReLU：−2 变成 0，只剩 2 × 1.5。",
    )


def test_residual_forward_positive() -> None:
    """输入有负数：分支为零也不是恒等，负的被截成 0"""
    check(
        residual_forward,
        [-1.0],
        [[0.0]],
        [0.0],
        [[0.0]],
        [0.0],
        gives=[0.0],
        because="相加之后还有一个 ReLU。",
    )


def test_residual_forward_refuses() -> None:
    """分支给出两个数、输入是一个：ValueError"""
    refuses(
        ValueError,
        residual_forward,
        [1.0],
        [[1.0]],
        [0.0],
        [[1.0], [1.0]],
        [0.0, 0.0],
    )


# --8<-- [start:batch_norm_train]
def batch_norm_train(
    batch: list[list[float]], gamma: list[float], beta: list[float], eps: float
) -> list[list[float]]:
    """训练时的批量规范化：每个特征在这一批里减均值、除标准差，再乘 γ 加 β。

    Args:
        batch: N 个样本，每个 D 个特征。
        gamma: D 个数。
        beta: D 个数。
        eps: 加在方差上的小数。

    Returns:
        与 `batch` 同样大小。

    Example:
        >>> batch_norm_train([[1.0], [3.0]], [1.0], [0.0], 0.0)
        [[-1.0], [1.0]]

    Source:
        Ioffe & Szegedy (2015), arXiv:1502.03167, Algorithm 1.
    """
    count = len(batch)
    columns = []
    for column, g, b in zip(zip(*batch, strict=True), gamma, beta, strict=True):
        mean = sum(column) / count
        variance = sum((x - mean) ** 2 for x in column) / count
        scale = g / math.sqrt(variance + eps)
        columns.append([(x - mean) * scale + b for x in column])
    return [list(row) for row in zip(*columns, strict=True)]


# --8<-- [end:batch_norm_train]


def test_batch_norm_train_two_samples() -> None:
    """两个样本 1 和 3：均值 2，方差 1，得 −1 和 1"""
    check(
        batch_norm_train,
        [[1.0], [3.0]],
        [1.0],
        [0.0],
        0.0,
        gives=[[-1.0], [1.0]],
        because="规范化用的方差除以 N，不是 N − 1。",
    )


def test_batch_norm_train_axis() -> None:
    """两个特征各管各的：沿批量的方向求均值"""
    check(
        batch_norm_train,
        [[0.0, 10.0], [2.0, 30.0], [4.0, 50.0]],
        [1.0, 1.0],
        [0.0, 0.0],
        0.0,
        gives=[[-math.sqrt(1.5), -math.sqrt(1.5)], [0.0, 0.0]]
        + [[math.sqrt(1.5), math.sqrt(1.5)]],
        because="均值和方差沿批量（竖着）求，一个特征一对；横着求的是层规范化。",
    )


def test_batch_norm_train_affine() -> None:
    """乘 γ，加 β，各特征有自己的"""
    check(
        batch_norm_train,
        [[1.0, 1.0], [3.0, 3.0]],
        [2.0, 0.5],
        [10.0, -1.0],
        0.0,
        gives=[[8.0, -1.5], [12.0, -0.5]],
        because="规范化之后是 γ × x̂ + β。",
    )


def test_batch_norm_train_eps() -> None:
    """一个特征全相等：方差 0，靠 eps 不除以 0"""
    check(
        batch_norm_train,
        [[0.0], [2.0]],
        [1.0],
        [0.0],
        3.0,
        gives=[[-0.5], [0.5]],
        because="eps 加在方差上，在根号里面：sqrt(1 + 3) = 2。",
    )
    check(batch_norm_train, [[5.0], [5.0]], [1.0], [0.5], 1e-5, gives=[[0.5], [0.5]])


# --8<-- [start:BatchNorm]
class BatchNorm:
    """一个特征的批量规范化层：训练时用这一批的统计，推理时用攒下的。

    Args:
        momentum: 滑动统计的更新量：新 = (1 − momentum) × 旧 + momentum × 这一批。
        eps: 加在方差上的小数。

    Example:
        >>> norm = BatchNorm(momentum=0.1, eps=0.0)
        >>> norm([1.0, 3.0], training=True)
        [-1.0, 1.0]
        >>> norm.mean, norm.variance
        (0.2, 1.1)

    Source:
        `torch.nn.BatchNorm1d` 的文档。
    """

    def __init__(self, momentum: float, eps: float) -> None:
        self.momentum, self.eps = momentum, eps
        self.mean, self.variance = 0.0, 1.0  # 滑动的均值与方差

    def __call__(self, batch: list[float], training: bool) -> list[float]:
        """规范化一批数；训练时先更新滑动统计，方差用无偏的（除以 N − 1）。"""
        mean, variance = self.mean, self.variance
        if training:
            count = len(batch)
            mean = sum(batch) / count
            total = sum((x - mean) ** 2 for x in batch)
            variance = total / count
            self.mean += self.momentum * (mean - self.mean)
            self.variance += self.momentum * (total / (count - 1) - self.variance)
        return [(x - mean) / math.sqrt(variance + self.eps) for x in batch]


# --8<-- [end:BatchNorm]


def test_BatchNorm_training() -> None:  # noqa: N802
    """训练：用这一批的均值和方差"""
    got = BatchNorm(momentum=0.1, eps=0.0)([1.0, 3.0], training=True)
    compare("输出", got, [-1.0, 1.0], "训练时用这一批的统计，方差除以 N。")


def test_BatchNorm_running() -> None:  # noqa: N802
    """训练一步之后：滑动均值 0.2，滑动方差 1.1"""
    norm = BatchNorm(momentum=0.1, eps=0.0)
    norm([1.0, 3.0], training=True)
    compare("mean", norm.mean, 0.2, "新 = 0.9 × 旧 + 0.1 × 这一批：momentum 乘新的。")
    compare("variance", norm.variance, 1.1, "攒的是无偏方差，除以 N − 1：这里是 2。")


def test_BatchNorm_inference() -> None:  # noqa: N802
    """推理：只用攒下的统计，一个样本也行"""
    norm = BatchNorm(momentum=0.5, eps=0.0)
    norm([2.0, 6.0], training=True)  # mean = 2，variance = 4.5
    got = norm([2.0], training=False)
    compare("输出", got, [0.0], "推理时不看这一批，用滑动统计。")
    other = norm([2.0, 100.0], training=False)
    assert other[0] == got[0], "推理时，同一个样本的输出不该随同批的别人而变。"


def test_BatchNorm_frozen() -> None:  # noqa: N802
    """推理不更新统计"""
    norm = BatchNorm(momentum=0.1, eps=1e-5)
    norm([7.0, 9.0], training=False)
    compare("mean", norm.mean, 0.0, "推理时不更新滑动统计。")
