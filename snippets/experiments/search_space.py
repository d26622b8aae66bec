"""抽样落在哪里，试几次能中，以及 β 的窗口里有多少权重。"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import optuna
from numpy.typing import ArrayLike, NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from snippets.search_space import (
    averaging_window,
    sample_beta,
    sample_integer,
    sample_log_integer,
    sample_log_uniform,
    sample_uniform,
)


# --8<-- [start:draw_rates]
def draw_rates(
    low: float, high: float, size: int, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """用线性与对数两种尺度，各在 [low, high] 里抽学习率。

    Args:
        low: 下界，须 `> 0`。
        high: 上界，须大于 `low`。
        size: 每种尺度抽的个数。
        rng: 随机源。

    Returns:
        `linear` 与 `log`，形状各 `(size,)`。

    Raises:
        ValueError: 不满足 `0 < low < high`。

    Example:
        >>> rates = draw_rates(1e-3, 1.0, 9999, np.random.default_rng(0))
        >>> {name: round(float(np.mean(lr < 0.1)), 1) for name, lr in rates.items()}
        {'linear': 0.1, 'log': 0.7}
    """
    log = sample_log_uniform(low, high, size, rng)
    return {"linear": sample_uniform(low, high, size, rng), "log": log}


# --8<-- [end:draw_rates]


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


# --8<-- [start:steps_to_shrink]
def steps_to_shrink(lr: float, momentum: float = 0.0, ratio: float = 1e-3) -> int:
    """返回梯度下降要走几步，才把 x²/2 上的 x 从 1 缩到不超过 ratio。

    Args:
        lr: 学习率，须 `0 < lr < 2`，否则不收敛。
        momentum: 动量系数，须 `0 <= momentum < 1`；0 是不用动量。
        ratio: 目标，须 `0 < ratio < 1`。

    Returns:
        步数；没有动量时约为 `ln(ratio) / ln|1 - lr|`。

    Raises:
        ValueError: 参数超出上面的范围。

    Example:
        >>> steps_to_shrink(0.5, ratio=0.2)  # 1, 0.5, 0.25, 0.125
        3

    Source:
        Polyak (1964), USSR Comput. Math. Math. Phys. 4(5):1–17（动量）。
    """
    if not (0 < lr < 2 and 0 <= momentum < 1 and 0 < ratio < 1):
        received = f"{lr}、{momentum} 与 {ratio}"
        raise ValueError(
            f"须 0 < lr < 2、0 <= momentum < 1 且 0 < ratio < 1，收到 {received}"
        )
    x, velocity, steps = 1.0, 0.0, 0
    while abs(x) > ratio:
        velocity = momentum * velocity + x  # x²/2 的梯度是 x
        x -= lr * velocity
        steps += 1
    return steps


# --8<-- [end:steps_to_shrink]


# --8<-- [start:near_best_shares]
def near_best_shares(
    best: float, n_trials: int, repeats: int, rng: np.random.Generator
) -> dict[str, float]:
    """返回在 [0.001, 1] 里试 n_trials 次，至少一次与 best 相差不到一倍的频率。

    Args:
        best: 最好的学习率，须在 `[0.002, 0.5]` 内，使 `[best / 2, 2 * best]` 不出界。
        n_trials: 每次搜索的试验次数，须 `>= 1`。
        repeats: 重复搜索的次数，须 `>= 1`。
        rng: 随机源。

    Returns:
        `linear` 与 `log` 两种尺度各自的命中频率。

    Raises:
        ValueError: `best` 不在 `[0.002, 0.5]` 内，或 `n_trials < 1`，或 `repeats < 1`。

    Example:
        >>> rates = near_best_shares(0.01, 10, 1000, np.random.default_rng(0))
        >>> {name: round(rate, 1) for name, rate in rates.items()}
        {'linear': 0.1, 'log': 0.9}
    """
    if not 0.002 <= best <= 0.5:
        raise ValueError(f"best 须在 [0.002, 0.5] 内，收到 {best}")
    if n_trials < 1 or repeats < 1:
        raise ValueError(
            f"须 n_trials >= 1 且 repeats >= 1，收到 {n_trials} 与 {repeats}"
        )
    rates = {}
    for name, lr in draw_rates(1e-3, 1, repeats * n_trials, rng).items():
        hit = (best / 2 <= lr) & (lr <= best * 2)
        rates[name] = float(hit.reshape(repeats, n_trials).any(axis=1).mean())
    return rates


# --8<-- [end:near_best_shares]


# --8<-- [start:cdf_gap]
def cdf_gap(
    samples: ArrayLike, cdf: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> float:
    """返回样本的经验分布与分布函数 cdf 的最大差距（Kolmogorov–Smirnov 距离）。

    Args:
        samples: 样本，形状任意，不能为空。
        cdf: 连续的分布函数，逐元素地把取值变成概率。

    Returns:
        最大差距，在 0 与 1 之间；样本确实来自 `cdf` 时约为 `0.87 / sqrt(N)`。

    Raises:
        ValueError: 没有样本。

    Example:
        >>> round(cdf_gap([0.1, 0.4, 0.9], lambda x: x), 4)  # [0, 1] 上的均匀分布
        0.2667

    Source:
        Massart (1990), Ann. Probab. 18:1269–1283：差距超过 t 的概率
        `<= 2 * exp(-2 * N * t**2)`。
    """
    x = np.sort(np.ravel(samples))
    if not len(x):
        raise ValueError("至少要有一个样本，收到 0 个")
    theory, steps = cdf(x), np.arange(len(x) + 1) / len(x)
    # 经验分布在每个样本处跳一级：跳之前、跳之后都要比
    return float(max((theory - steps[:-1]).max(), (steps[1:] - theory).max()))


# --8<-- [end:cdf_gap]


# --8<-- [start:draw_windows]
def draw_windows(
    low: float, high: float, size: int, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """在 [low, high] 里抽 β，返回两种抽法得到的平均窗口。

    Args:
        low: β 的下界，须 `>= 0`。
        high: β 的上界，须大于 `low` 且 `< 1`。
        size: 每种抽法抽的个数。
        rng: 随机源。

    Returns:
        `linear`（线性抽 β）与 `log`（1 − β 对数均匀），单位为步，形状各 `(size,)`。

    Raises:
        ValueError: 不满足 `0 <= low < high < 1`。

    Example:
        >>> windows = draw_windows(0.9, 0.999, 1000, np.random.default_rng(0))
        >>> {name: round(float(np.mean(w > 100)), 1) for name, w in windows.items()}
        {'linear': 0.1, 'log': 0.5}
    """
    log = sample_beta(low, high, size, rng)
    linear = sample_uniform(low, high, size, rng)
    return {"linear": averaging_window(linear), "log": averaging_window(log)}


# --8<-- [end:draw_windows]


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


# --8<-- [start:draw_units]
def draw_units(
    low: int, high: int, size: int, rng: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    """用线性与对数两种尺度，各在 [low, high) 里抽隐藏单元数。

    Args:
        low: 最少的单元数，须 `>= 1`。
        high: 上界，取不到，须大于 `low`。
        size: 每种尺度抽的个数。
        rng: 随机源。

    Returns:
        `linear` 与 `log`，形状各 `(size,)`。

    Raises:
        ValueError: 不满足 `1 <= low < high`。

    Example:
        >>> units = draw_units(16, 1024, 1000, np.random.default_rng(0))
        >>> {name: round(float(np.mean(n < 128)), 1) for name, n in units.items()}
        {'linear': 0.1, 'log': 0.5}
    """
    linear = sample_integer(low, high, size, rng)
    return {"linear": linear, "log": sample_log_integer(low, high, size, rng)}


# --8<-- [end:draw_units]


# --8<-- [start:width_errors]
def width_errors(
    widths: Iterable[int], seeds: Sequence[int], epochs: int = 6
) -> NDArray[np.float64]:
    """在手写数字上，每个种子、每种宽度各训练一个单隐藏层网络，返回验证错误率。

    1197 张训练，600 张验证；SGD，学习率 0.1，Nesterov 动量 0.9，批量 64，
    没有权重衰减。

    Args:
        widths: 隐藏单元数，各须 `>= 1`。
        seeds: 随机种子，管数据的划分、初始化和打乱次序。
        epochs: 训练的轮数，须 `>= 1`。

    Returns:
        错误率，在 0 与 1 之间，形状 `(种子数, 宽度数)`。

    Raises:
        ValueError: 有宽度 `< 1`，或 `epochs < 1`。

    Example:
        >>> errors = width_errors([2, 64], seeds=[0])
        >>> errors.shape, bool(errors[0, 0] > 0.2 > errors[0, 1])
        ((1, 2), True)
    """
    sizes = list(widths)
    if min(sizes, default=1) < 1 or epochs < 1:
        raise ValueError(f"须宽度 >= 1 且 epochs >= 1，收到 {sizes} 与 {epochs}")
    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels.astype(np.float32) / 16
    sgd = {"solver": "sgd", "learning_rate_init": 0.1, "batch_size": 64, "alpha": 0.0}
    errors = []
    for seed in seeds:
        x, x_val, y, y_val = train_test_split(
            pixels, labels, test_size=600, stratify=labels, random_state=seed
        )
        for width in sizes:
            net = MLPClassifier([width], random_state=seed, **sgd)
            for _ in range(epochs):
                net.partial_fit(x, y, classes=range(10))
            errors.append(1 - net.score(x_val, y_val))
    return np.reshape(errors, (-1, len(sizes)))


# --8<-- [end:width_errors]


# --8<-- [start:map_exponents]
def map_exponents(
    u: ArrayLike, low: float, high: float, base: float
) -> NDArray[np.float64]:
    """取以 base 为底的对数，把 [0, 1] 里的 u 映射成 [low, high] 里的数。

    Args:
        u: `[0, 1]` 里的数，形状任意。
        low: 下界，须 `> 0`。
        high: 上界，须大于 `low`。
        base: 底数，须 `> 1`。

    Returns:
        与 `u` 形状相同。

    Raises:
        ValueError: 不满足 `0 < low < high` 或 `base > 1`。

    Example:
        >>> map_exponents([0, 0.5, 1], 1.0, 100.0, base=10).tolist()
        [1.0, 10.0, 100.0]
    """
    if not (0 < low < high and base > 1):
        raise ValueError(f"须 0 < low < high 且 base > 1，收到 {low}、{high} 与 {base}")
    a, b = np.log([low, high]) / np.log(base)
    return np.asarray(base ** (a + np.asarray(u) * (b - a)))


# --8<-- [end:map_exponents]


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


# --8<-- [start:optuna_draws]
def optuna_draws(n_trials: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """让 Optuna 随机抽 n_trials 组超参数，返回每个超参数的全部取值。

    Args:
        n_trials: 组数，须 `>= 1`。
        seed: 采样器的随机种子。

    Returns:
        超参数名到取值，形状各 `(n_trials,)`。

    Raises:
        ValueError: `n_trials < 1`。

    Example:
        >>> draws = optuna_draws(50, seed=0)
        >>> np.unique(draws["layers"]).tolist()  # 上界 4 取得到
        [2.0, 3.0, 4.0]

    Source:
        Akiba et al. (2019), arXiv:1907.10902.
    """
    if n_trials < 1:
        raise ValueError(f"n_trials 须 >= 1，收到 {n_trials}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    rows = []
    for _ in range(n_trials):
        trial = study.ask()
        trial.suggest_float("learning_rate", 1e-3, 1, log=True)
        trial.suggest_float("without_log", 1e-3, 1)  # 漏写 log=True
        trial.suggest_int("layers", 2, 4)
        trial.suggest_int("units", 16, 1023, log=True)
        trial.suggest_float("one_minus_beta", 0.001, 0.1, log=True)
        rows.append(trial.params)
    return {name: np.array([row[name] for row in rows], float) for name in rows[0]}


# --8<-- [end:optuna_draws]


# --8<-- [start:powers_as_written]
def powers_as_written(exponents: Iterable[int]) -> list[int]:
    """照原文把 ^ 当乘方，返回各个 10 ^ k。

    Args:
        exponents: 指数，须是整数。

    Returns:
        与指数一一对应的整数。

    Raises:
        TypeError: 有指数不是整数，例如原文最后一行的 `r`。

    Example:
        >>> powers_as_written([1, 2, 3])
        [11, 8, 9]
    """
    return [10 ^ k for k in exponents]


# --8<-- [end:powers_as_written]
