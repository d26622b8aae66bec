"""手写数字：全站唯一的真实数据与训练循环，数据随 scikit-learn 而来，小批量 SGD。"""

from functools import cache

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Generator, Tensor, nn
from torch.nn import functional as F

# --8<-- [start:digits_split]
read_digits = cache(load_digits)  # 解压要 20 毫秒，读一次就够


@cache  # 各处共用同一份，不要就地改
def digits_split(
    validation_size: int = 360, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """返回 1797 张手写数字的训练集与验证集，像素只用训练集的统计量标准化。

    每个像素减去它在训练集上的均值，再除以全体像素共用的一个标准差
    （有些像素恒为 0，不能各除各的）。两个子集里各类数字的比例相同。

    Args:
        validation_size: 验证集的图片数，须在 `[10, 1787]` 内（十类各至少一张）。
        seed: 划分的随机种子，scikit-learn 只收整数。

    Returns:
        `(x_train, y_train, x_validation, y_validation)`；
        `x` 形状 `(N, 64)`，dtype float32，一行是一张 8×8 的图；
        `y` 形状 `(N,)`，dtype int64，取值 0 到 9。

    Raises:
        ValueError: `validation_size` 不在 `[10, 1787]` 内。

    Example:
        >>> x, y, x_validation, y_validation = digits_split()
        >>> x.shape, y.shape, x_validation.shape
        (torch.Size([1437, 64]), torch.Size([1437]), torch.Size([360, 64]))

    Source:
        scikit-learn, `sklearn.datasets.load_digits`.
    """
    if not 10 <= validation_size <= 1787:
        raise ValueError(f"validation_size 须在 [10, 1787] 内，收到 {validation_size}")
    pixels, labels = read_digits(return_X_y=True)
    x, x_validation, y, y_validation = (
        torch.from_numpy(part)
        for part in train_test_split(
            pixels,
            labels,
            test_size=validation_size,
            stratify=labels,
            random_state=seed,
        )
    )
    mean = x.mean(dim=0)
    scale = (x - mean).std()
    x, x_validation = ((part - mean) / scale for part in (x, x_validation))
    return x.float(), y, x_validation.float(), y_validation


# --8<-- [end:digits_split]


# --8<-- [start:train_classifier]
def train_classifier(
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    generator: Generator,
    *,
    steps: int,
    lr: float,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    batch_size: int = 128,
) -> list[float]:
    """用小批量 SGD 就地训练分类网络，返回每一步更新前的小批量交叉熵。

    Args:
        net: 输入 `(N, D)`、输出 `(N, classes)` 的网络；参数被就地修改。
        x: 训练输入，形状 `(N, D)`。
        y: 类别，形状 `(N,)`，dtype int64。
        generator: 抽小批量的随机源。
        steps: 更新次数，须 `>= 0`。
        lr: 学习率。
        momentum: 动量系数，0 表示不用动量。
        weight_decay: 权重衰减系数，作用于 `net` 的全部参数。
        batch_size: 小批量的样本数，须 `>= 1`；有放回抽样。

    Returns:
        长为 `steps` 的列表，单位是 nat。

    Raises:
        ValueError: `steps < 0` 或 `batch_size < 1`。

    Example:
        >>> x, y, *_ = digits_split()
        >>> _ = torch.manual_seed(0)
        >>> net, generator = nn.Linear(64, 10), Generator().manual_seed(0)
        >>> losses = train_classifier(net, x, y, generator, steps=100, lr=0.1)
        >>> len(losses), losses[-1] < 0.3 < losses[0]
        (100, True)

    Source:
        Robbins & Monro (1951), A Stochastic Approximation Method,
        Ann. Math. Statist. 22:400–407, doi:10.1214/aoms/1177729586.
    """
    if steps < 0 or batch_size < 1:
        raise ValueError(
            f"须 steps >= 0 且 batch_size >= 1，收到 {steps} 与 {batch_size}"
        )
    optimizer = torch.optim.SGD(
        net.parameters(), lr, momentum, weight_decay=weight_decay, fused=True
    )
    losses = []
    for _ in range(steps):
        batch = torch.randint(len(x), (batch_size,), generator=generator)
        loss = F.cross_entropy(net(x[batch]), y[batch])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    return losses


# --8<-- [end:train_classifier]
