"""在合适的尺度上抽取超参数。"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


# --8<-- [start:sample_uniform]
def sample_uniform(
    low: float, high: float, size: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """在 [low, high) 上均匀地抽实数。

    Args:
        low: 下界。
        high: 上界，须大于 `low`。
        size: 个数。
        rng: 随机源。

    Returns:
        形状 `(size,)`；乘加的舍入偶尔会凑成 `high` 本身。

    Raises:
        ValueError: 不满足 `low < high`。

    Example:
        >>> x = sample_uniform(2.0, 5.0, 1000, np.random.default_rng(0))
        >>> bool((2 <= x).all() and (x < 5).all())
        True
    """
    if not low < high:
        raise ValueError(f"须 low < high，收到 {low} 与 {high}")
    return rng.random(size) * (high - low) + low


# --8<-- [end:sample_uniform]


# --8<-- [start:sample_log_uniform]
def sample_log_uniform(
    low: float, high: float, size: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """在 [low, high] 上对数均匀地抽：每个数量级被抽到的概率相同。

    Args:
        low: 下界，须 `> 0`。
        high: 上界，须大于 `low`。
        size: 个数。
        rng: 随机源。

    Returns:
        形状 `(size,)`；密度为 `1 / (x * ln(high / low))`。

    Raises:
        ValueError: 不满足 `0 < low < high`。

    Example:
        >>> x = sample_log_uniform(1e-3, 1.0, 3000, np.random.default_rng(0))
        >>> [round(float(np.mean(x < t)), 1) for t in (0.01, 0.1)]
        [0.3, 0.7]
    """
    if not 0 < low < high:
        raise ValueError(f"须 0 < low < high，收到 {low} 与 {high}")
    exponents = rng.uniform(np.log(low), np.log(high), size)
    return np.clip(np.exp(exponents), low, high)  # exp(log(x)) 会差最后一位


# --8<-- [end:sample_log_uniform]


# --8<-- [start:sample_beta]
def sample_beta(
    low: float, high: float, size: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """在 [low, high] 上抽 β，使 1 − β 对数均匀。

    Args:
        low: β 的下界，须 `>= 0`。
        high: β 的上界，须大于 `low` 且 `< 1`。
        size: 个数。
        rng: 随机源。

    Returns:
        形状 `(size,)`。

    Raises:
        ValueError: 不满足 `0 <= low < high < 1`。

    Example:
        >>> beta = sample_beta(0.9, 0.999, 3000, np.random.default_rng(0))
        >>> round(float(np.mean(beta < 0.99)), 1)
        0.5
    """
    if not 0 <= low < high < 1:
        raise ValueError(f"须 0 <= low < high < 1，收到 {low} 与 {high}")
    one_minus_beta = sample_log_uniform(1 - high, 1 - low, size, rng)
    return np.subtract(1, one_minus_beta)


# --8<-- [end:sample_beta]


# --8<-- [start:averaging_window]
def averaging_window(beta: ArrayLike) -> NDArray[np.float64]:
    """返回指数加权平均的有效窗口 1/(1 − β)，单位为步。

    Args:
        beta: 衰减系数，每个都须在 `[0, 1)`；形状任意。

    Returns:
        与 `beta` 形状相同。

    Raises:
        ValueError: 有 β 不在 `[0, 1)`。

    Example:
        >>> averaging_window([0.0, 0.9, 0.999]).round(6).tolist()
        [1.0, 10.0, 1000.0]
    """
    decay = np.asarray(beta, dtype=np.float64)
    if not ((decay >= 0) & (decay < 1)).all():
        raise ValueError(f"β 须在 [0, 1)，收到 {decay}")
    return np.reciprocal(1 - decay)


# --8<-- [end:averaging_window]


# --8<-- [start:sample_integer]
def sample_integer(
    low: int, high: int, size: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """在 [low, high) 的整数里等概率地抽。

    Args:
        low: 最小的整数。
        high: 上界，取不到，须大于 `low`。
        size: 个数。
        rng: 随机源。

    Returns:
        形状 `(size,)`，dtype 为 int64。

    Raises:
        ValueError: 不满足 `low < high`。

    Example:
        >>> np.unique(sample_integer(2, 5, 100, np.random.default_rng(0))).tolist()
        [2, 3, 4]
    """
    if not low < high:
        raise ValueError(f"须 low < high，收到 {low} 与 {high}")
    return rng.integers(low, high, size)


# --8<-- [end:sample_integer]


# --8<-- [start:sample_log_integer]
def sample_log_integer(
    low: int, high: int, size: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """在 [low, high) 的整数里对数均匀地抽：每翻一倍的区间概率相同。

    Args:
        low: 最小的整数，须 `>= 1`。
        high: 上界，取不到，须大于 `low`。
        size: 个数。
        rng: 随机源。

    Returns:
        形状 `(size,)`，dtype 为 int64；抽到 `k` 的概率为
        `ln((k + 1) / k) / ln(high / low)`。

    Raises:
        ValueError: 不满足 `1 <= low < high`。

    Example:
        >>> n = sample_log_integer(16, 1024, 3000, np.random.default_rng(0))
        >>> round(float(np.mean(n < 128)), 1)  # 六次翻倍里的前三次
        0.5
    """
    if not 1 <= low < high:
        raise ValueError(f"须 1 <= low < high，收到 {low} 与 {high}")
    values = sample_log_uniform(low, high, size, rng).astype(np.int64)  # 向下取整
    return np.minimum(values, high - 1)


# --8<-- [end:sample_log_integer]
