"""网格搜索与随机搜索，和连上共享数据库的一个进程。"""

import math
import os
import time
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import MaxTrialsCallback
from optuna.trial import TrialState


# --8<-- [start:grid_points]
def grid_points(axes: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    """列出各维取值的全部组合，每个组合恰好出现一次。

    Args:
        axes: 超参数名到候选值的映射；第 `i` 维有 `n_i` 个候选值。

    Returns:
        `n_1 * n_2 * …` 个点，每个点是超参数名到取值的字典；最后一维变得最快。

    Raises:
        ValueError: 没有任何一维，或某一维没有候选值。

    Example:
        >>> grid_points({"lr": [0.1, 1.0], "wd": [0.0]})
        [{'lr': 0.1, 'wd': 0.0}, {'lr': 1.0, 'wd': 0.0}]
    """
    if not axes or not all(len(values) for values in axes.values()):
        sizes = {name: len(values) for name, values in axes.items()}
        raise ValueError(f"每一维至少要有一个候选值，收到各维个数 {sizes}")
    return [dict(zip(axes, point, strict=True)) for point in product(*axes.values())]


# --8<-- [end:grid_points]


# --8<-- [start:random_points]
def random_points(
    space: Mapping[str, Any], n_trials: int, rng: np.random.Generator
) -> list[dict[str, float]]:
    """从各维的分布里独立地抽出 n_trials 个点。

    Args:
        space: 超参数名到一维分布的映射；分布须有
            `rvs(size, random_state)` 方法，`scipy.stats` 的冻结分布都有。
        n_trials: 点的个数，须 `>= 1`。
        rng: 随机源。

    Returns:
        `n_trials` 个点，每个点是超参数名到取值的字典。

    Raises:
        ValueError: `space` 为空，或 `n_trials < 1`。

    Example:
        >>> from scipy.stats import uniform
        >>> rng = np.random.default_rng(0)
        >>> points = random_points({"x": uniform(), "y": uniform()}, 3, rng)
        >>> len(points), sorted(points[0])
        (3, ['x', 'y'])

    Source:
        Bergstra & Bengio (2012), JMLR 13:281–305.
    """
    if not space or n_trials < 1:
        raise ValueError(f"须有至少一维和一个点，收到 {len(space)} 维 {n_trials} 个点")
    columns = [dist.rvs(n_trials, random_state=rng).tolist() for dist in space.values()]
    rows = zip(*columns, strict=True)
    return [dict(zip(space, row, strict=True)) for row in rows]


# --8<-- [end:random_points]


# --8<-- [start:best_trial]
def best_trial(
    objective: Callable[..., Any], points: Sequence[Mapping[str, float]]
) -> tuple[dict[str, float], float]:
    """逐点求目标值，返回目标值最小的点和它的目标值；nan 永远不会当选。

    Args:
        objective: 以超参数名为关键字参数的函数，返回一个数，越小越好。
        points: 要试的点。

    Returns:
        `(点, 目标值)`；并列时取先试的那个。

    Raises:
        ValueError: 没有一次试验的目标值是数（没有点，或全是 nan）。

    Example:
        >>> best_trial(lambda lr: (lr - 0.3) ** 2, grid_points({"lr": [0.1, 0.3]}))
        ({'lr': 0.3}, 0.0)
    """
    trials = [(dict(point), float(objective(**point))) for point in points]
    finished = [trial for trial in trials if not math.isnan(trial[1])]
    if not finished:
        raise ValueError(f"没有可比较的目标值：{len(trials)} 次试验全是 nan")
    return min(finished, key=lambda trial: trial[1])


# --8<-- [end:best_trial]


# --8<-- [start:open_storage]
def open_storage(url: str, heartbeat: int = 60) -> RDBStorage:
    """连上各台机器共用的数据库；谁断了联系，它正在做的试验就重新排队。

    Args:
        url: 数据库的 URL。
        heartbeat: 每隔几秒记一次心跳，须 `>= 1`；两倍的时间没有心跳，就算断了联系。

    Returns:
        存储；一次试验至多重新排队三次。

    Raises:
        ValueError: `heartbeat < 1`。

    Example:
        >>> open_storage("sqlite://").grace_period  # 秒
        120

    Source:
        Optuna, `optuna.storages.RetryHeartbeatStaleTrialCallback`.
    """
    if heartbeat < 1:
        raise ValueError(f"heartbeat 须 >= 1，收到 {heartbeat}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # 心跳仍属实验功能
        return RDBStorage(
            url,
            heartbeat_interval=heartbeat,
            grace_period=2 * heartbeat,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(3),
        )


# --8<-- [end:open_storage]


# --8<-- [start:run_worker]
def run_worker(
    storage: str | BaseStorage,
    n_trials: int,
    objective: Callable[[optuna.Trial], float],
    team: int = 1,
) -> int:
    """在当前进程里加入共享的研究，等到齐了再一起做，做成 n_trials 次为止。

    Args:
        storage: 共用的存储，或数据库的 URL；里面已有名为 `shared` 的研究。
        n_trials: 全队一共要做成几次，须 `>= 1`；至多多做 `team - 1` 次。
        objective: 以 `optuna.Trial` 为参数的目标函数，越小越好。
        team: 一共几个进程；各自报到，凑齐才开始。

    Returns:
        本进程的编号。

    Raises:
        ValueError: `n_trials < 1`。

    Example:
        >>> storage = optuna.storages.InMemoryStorage()
        >>> study = optuna.create_study(storage=storage, study_name="shared")
        >>> pid = run_worker(storage, 2, lambda trial: trial.suggest_int("n", 1, 9))
        >>> pid == os.getpid(), len(study.trials)  # 没有另开进程
        (True, 2)

    Source:
        Akiba et al. (2019), arXiv:1907.10902.
    """
    if n_trials < 1:
        raise ValueError(f"n_trials 须 >= 1，收到 {n_trials}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(study_name="shared", storage=storage)
    study.set_user_attr(uuid.uuid4().hex, os.getpid())  # 报到；容器里的编号会重复
    while len(study.user_attrs) < team:
        time.sleep(0.05)
    enough = MaxTrialsCallback(n_trials, states=(TrialState.COMPLETE,))
    study.optimize(objective, callbacks=[enough])
    return os.getpid()


# --8<-- [end:run_worker]
