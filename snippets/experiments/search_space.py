"""抽样落在哪里，以及 β 的窗口里有多少权重。"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


# --8<-- [start:value_shares]
def value_shares(samples: ArrayLike) -> dict[float, float]:
    """数出每个不同取值所占的比例。

    Args:
        samples: 样本，形状任意，不能为空。

    Returns:
        取值到占比的字典，按取值从小到大；占比之和为 1。

    Raises:
        ValueError: 没有样本。

    Example:
        >>> value_shares([2, 3, 3, 4])
        {2: 0.25, 3: 0.5, 4: 0.25}
    """
    values, counts = np.unique(np.asarray(samples), return_counts=True)
    if not len(values):
        raise ValueError("至少要有一个样本，收到 0 个")
    return dict(zip(values.tolist(), (counts / counts.sum()).tolist(), strict=True))


# --8<-- [end:value_shares]


# --8<-- [start:bin_shares]
def bin_shares(samples: ArrayLike, edges: ArrayLike) -> NDArray[np.float64]:
    """数出落进每个区间的样本占全部样本的比例。

    Args:
        samples: 样本，形状任意，不能为空。
        edges: 递增的分界点，形状 `(B + 1,)`；末一个区间含右边界，其余不含。

    Returns:
        形状 `(B,)`；全部样本都落在分界点之内时，和为 1。

    Raises:
        ValueError: 没有样本。

    Example:
        >>> bin_shares([0.002, 0.02, 0.2, 0.3], [0.001, 0.01, 0.1, 1]).tolist()
        [0.25, 0.25, 0.5]
    """
    x = np.asarray(samples)
    if not x.size:
        raise ValueError("至少要有一个样本，收到 0 个")
    return np.histogram(x, np.asarray(edges))[0] / x.size


# --8<-- [end:bin_shares]


# --8<-- [start:ema_weights]
def ema_weights(beta: float, length: int) -> NDArray[np.float64]:
    """返回指数加权平均给最近 length 步的权重，最近的一步在前。

    Args:
        beta: 衰减系数，须在 `[0, 1)`。
        length: 步数，须 `>= 0`。

    Returns:
        形状 `(length,)`，第 `k` 个是 `(1 - beta) * beta**k`。

    Raises:
        ValueError: `beta` 不在 `[0, 1)`，或 `length < 0`。

    Example:
        >>> ema_weights(0.5, 3).tolist()
        [0.5, 0.25, 0.125]
    """
    if not (0 <= beta < 1 and length >= 0):
        raise ValueError(f"须 0 <= β < 1 且 length >= 0，收到 {beta} 与 {length}")
    return (1 - beta) * beta ** np.arange(length, dtype=np.float64)


# --8<-- [end:ema_weights]
