"""命中率、低有效维度、真实网络、共享存储。"""

import os
from collections.abc import Callable

import numpy as np
import optuna
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from torch import Tensor


# --8<-- [start:hit_rate]
def hit_rate(points: ArrayLike, corners: ArrayLike, side: float) -> float:
    """返回至少有一个点落进目标方块的重复次数占比。

    Args:
        points: 试验点，形状 `(n, D)`（各次重复共用）或 `(R, n, D)`。
        corners: 每次重复的目标方块的最小角，形状 `(R, D)`。
        side: 方块的边长；方块含左边界、不含右边界。

    Returns:
        `R` 次重复里的命中率，在 0 与 1 之间。

    Raises:
        ValueError: 形状不合，或 `side <= 0`。

    Example:
        >>> hit_rate([[0.1], [0.3]], [[0.05], [0.15]], side=0.1)
        0.5
    """
    x, low = np.asarray(points, float), np.asarray(corners, float)
    if low.ndim != 2 or x.ndim not in (2, 3) or x.shape[-1] != low.shape[1]:
        raise ValueError(f"点与方块的维数须相同，收到 {x.shape} 与 {low.shape}")
    if side <= 0:
        raise ValueError(f"side 须 > 0，收到 {side}")
    low = low[:, None, :]  # (R, 1, D)，与 (R, n, D) 的点逐个相比
    inside = ((low <= x) & (x < low + side)).all(axis=-1)
    return float(inside.any(axis=-1).mean())


# --8<-- [end:hit_rate]


# --8<-- [start:validation_error]
def validation_error(
    data: tuple[Tensor, Tensor, Tensor, Tensor],
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    steps: int = 40,
) -> NDArray[np.float32]:
    """用每组超参数各训练一个小网络，返回它们的验证错误率。

    所有网络从同一组初值、用同一串小批量并排训练：宽 32 的 ReLU 隐藏层，
    没有偏置，批量 32，动量 0.9。

    Args:
        data: `(x_train, y_train, x_validation, y_validation)`；`x` 形状 `(N, D)`，
            `y` 形状 `(N,)`，取值 0 到 9。
        learning_rate: 学习率；与 `weight_decay` 按广播规则配成 `T` 组。
        weight_decay: L2 惩罚的系数。
        steps: 训练步数，须 `>= 0`。

    Returns:
        错误率，形状为两个超参数广播后的形状；发散的网络也给出它的错误率。

    Raises:
        ValueError: `steps < 0`。

    Example:
        >>> x, y = torch.eye(10), torch.arange(10)  # 十个样本，每类一个
        >>> validation_error((x, y, x, y), [0.3, 1e9], weight_decay=0.0).round(1)
        array([0. , 0.9], dtype=float32)
    """
    if steps < 0:
        raise ValueError(f"steps 须 >= 0，收到 {steps}")
    x, y, x_validation, y_validation = data
    lr, decay = np.broadcast_arrays(learning_rate, weight_decay)
    rate, l2 = (torch.tensor(v, dtype=x.dtype).view(-1, 1, 1) for v in (lr, decay))
    g = torch.Generator().manual_seed(0)
    weights, velocity = [], []
    for fan_in, fan_out in ((x.shape[1], 32), (32, 10)):
        w = torch.randn(fan_in, fan_out, generator=g) * (2 / fan_in) ** 0.5
        weights.append(w.repeat(lr.size, 1, 1).requires_grad_())  # (T, 入, 出)
        velocity.append(torch.zeros_like(weights[-1]))
    for _ in range(steps):
        i = torch.randint(len(x), (32,), generator=g)
        logits = (x[i] @ weights[0]).relu() @ weights[1]  # (T, 32, 10)
        loss = F.cross_entropy(logits.flatten(0, 1), y[i].repeat(lr.size))
        # 乘 T：各网络的损失相加而不是平均，于是每个网络得到自己的梯度
        grads = torch.autograd.grad(loss * lr.size, weights)
        with torch.no_grad():
            for w, v, grad in zip(weights, velocity, grads, strict=True):
                w -= rate * v.mul_(0.9).add_(grad + l2 * w)
    with torch.no_grad():
        guess = ((x_validation @ weights[0]).relu() @ weights[1]).argmax(-1)
    errors = (guess != y_validation).float().mean(1).view(lr.shape)
    return np.asarray(errors.numpy(), np.float32)


# --8<-- [end:validation_error]


# --8<-- [start:main_effects]
def main_effects(table: ArrayLike) -> tuple[float, float]:
    """返回行因素、列因素各自解释的方差占比，余下的是两者的交互。

    Args:
        table: 网格上的目标值，形状 `(A, B)`：行是第一个超参数，列是第二个。

    Returns:
        `(行的占比, 列的占比)`，两者之和不超过 1。

    Raises:
        ValueError: 不是二维，或全部相等（没有方差可分）。

    Example:
        >>> main_effects([[0.0, 0.0], [1.0, 1.0]])
        (1.0, 0.0)

    Source:
        Hutter, Hoos & Leyton-Brown (2014), PMLR 32:754–762（方差分解的思想）。
    """
    values = np.asarray(table, float)
    if values.ndim != 2 or values.var() == 0:
        raise ValueError(f"须是不全相等的二维表，收到形状 {values.shape}")
    rows, columns = values.mean(axis=1), values.mean(axis=0)
    return float(rows.var() / values.var()), float(columns.var() / values.var())


# --8<-- [end:main_effects]


# --8<-- [start:run_worker]
def run_worker(
    path: str, seed: int, n_trials: int, objective: Callable[[optuna.Trial], float]
) -> int:
    """在当前进程里向共享存储提交 n_trials 次试验，返回本进程的编号。

    Args:
        path: 日志文件的路径；各进程给同一个路径，先到的建立研究，后到的加入。
        seed: 本进程的采样种子；各进程须不同，否则开头会试同样的点。
        n_trials: 试验次数，须 `>= 1`。
        objective: 以 `optuna.Trial` 为参数的目标函数，越小越好。

    Returns:
        执行这些试验的进程号。

    Raises:
        ValueError: `n_trials < 1`。

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     log = f"{folder}/study.log"
        ...     pid = run_worker(log, 0, 2, lambda trial: trial.suggest_int("n", 1, 9))
        >>> pid == os.getpid()  # 没有另开进程
        True

    Source:
        Akiba et al. (2019), arXiv:1907.10902.
    """
    if n_trials < 1:
        raise ValueError(f"n_trials 须 >= 1，收到 {n_trials}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="shared",
        storage=JournalStorage(JournalFileBackend(path)),
        sampler=optuna.samplers.TPESampler(seed=seed),
        load_if_exists=True,
    )
    study.optimize(objective, n_trials=n_trials)
    return os.getpid()


# --8<-- [end:run_worker]
