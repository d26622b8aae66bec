"""命中率、真实网络上的搜索、scikit-learn 与 Optuna、共享存储。"""

from collections.abc import Callable, Mapping, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import optuna
import torch
import torch.nn.functional as F
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from scipy.stats import loguniform
from scipy.stats.qmc import Halton
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import (
    GridSearchCV,
    PredefinedSplit,
    RandomizedSearchCV,
)
from torch import Tensor

from snippets.digits import digits_split
from snippets.hyperparameter_search import (
    grid_points,
    random_points,
    run_worker,
)


# --8<-- [start:distinct_values]
def distinct_values(points: Sequence[Mapping[str, float]]) -> dict[str, int]:
    """数出每个超参数一共试了多少个不同的值。

    Args:
        points: 试过的点，名字须彼此相同。

    Returns:
        超参数名到不同取值个数的字典。

    Raises:
        ValueError: 一个点也没有。

    Example:
        >>> distinct_values(grid_points({"lr": [0.1, 1.0], "wd": [0, 1, 2]}))
        {'lr': 2, 'wd': 3}
    """
    if not points:
        raise ValueError("至少要有一个点，收到 0 个")
    return {name: len({point[name] for point in points}) for name in points[0]}


# --8<-- [end:distinct_values]


# --8<-- [start:digits_space]
def digits_space(
    rate_shift: float = 0.0, decay_shift: float = 0.0
) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """给出小网络的两个超参数的 5×5 候选值和分布，两者的范围相同。

    Args:
        rate_shift: 学习率的候选值平移几格，在 `[-0.5, 0.5]` 内。
        decay_shift: 权重衰减的候选值平移几格，在 `[-0.5, 0.5]` 内。

    Returns:
        `(候选值, 分布)`，各是超参数名到取值的字典；不平移时候选值是各格的中心。

    Raises:
        ValueError: 平移超过半格，候选值会越出范围。

    Example:
        >>> axes, space = digits_space()
        >>> [round(rate, 5) for rate in axes["learning_rate"]]
        [0.00032, 0.00316, 0.03162, 0.31623, 3.16228]
    """
    if max(abs(rate_shift), abs(decay_shift)) > 0.5:
        raise ValueError(f"至多平移半格，收到 {rate_shift} 与 {decay_shift}")
    cells = np.arange(5) + 0.5
    axes = {  # 学习率的 5 个数量级、权重衰减的 4 个，各分成 5 格
        "learning_rate": (10 ** (-4 + cells + rate_shift)).tolist(),
        "weight_decay": (10 ** (-6 + 0.8 * (cells + decay_shift))).tolist(),
    }
    space = {
        "learning_rate": loguniform(1e-4, 10),
        "weight_decay": loguniform(1e-6, 1e-2),
    }
    return axes, space


# --8<-- [end:digits_space]


# --8<-- [start:hit_rate]
def hit_rate(points: ArrayLike, corners: ArrayLike, side: ArrayLike) -> float:
    """返回至少有一个点落进目标方块的重复次数占比。

    Args:
        points: 试验点，形状 `(n, D)`（各次重复共用）或 `(R, n, D)`。
        corners: 每次重复的目标方块的最小角，形状 `(R, D)`。
        side: 方块的边长，一个数，或每维一个、形状 `(D,)`；方块含左边界、不含右边界。

    Returns:
        `R` 次重复里的命中率，在 0 与 1 之间。

    Raises:
        ValueError: 形状不合，或有边长 `<= 0`。

    Example:
        >>> hit_rate([[0.1], [0.3]], [[0.05], [0.15]], side=0.1)
        0.5
    """
    x, low = np.asarray(points, float), np.asarray(corners, float)
    if low.ndim != 2 or x.ndim not in (2, 3) or x.shape[-1] != low.shape[1]:
        raise ValueError(f"点与方块的维数须相同，收到 {x.shape} 与 {low.shape}")
    if np.min(side) <= 0:
        raise ValueError(f"side 须 > 0，收到 {side!r}")
    low = low[:, None, :]  # (R, 1, D)，与 (R, n, D) 的点逐个相比
    inside = ((low <= x) & (x < low + np.asarray(side))).all(axis=-1)
    return float(inside.any(axis=-1).mean())


# --8<-- [end:hit_rate]


# --8<-- [start:hit_rates]
def hit_rates(
    sides: Sequence[float], repeats: int, rng: np.random.Generator
) -> dict[str, float]:
    """在单位正方形里用三种办法各布 25 个点，返回命中目标的重复次数占比。

    网格取 5×5 个格子的中心，每次重复都一样；随机每次另抽；Halton 是准随机点，
    每次整体平移一个随机的量，越界的从另一边绕回。

    Args:
        sides: 目标在各个重要的维上的边长，一个或两个，各须在 `(0, 1)` 内；
            位置均匀，另外的维不限。
        repeats: 重复次数，须 `>= 1`。
        rng: 随机源。

    Returns:
        `grid`、`random`、`Halton` 到命中率的字典。

    Raises:
        ValueError: 参数超出上面的范围。

    Example:
        >>> hit_rates([0.2, 0.2], 9, np.random.default_rng(0))["grid"]  # 间距也是 0.2
        1.0

    Source:
        Bergstra & Bengio (2012), JMLR 13:281–305.
    """
    if len(sides) not in (1, 2) or not all(0 < w < 1 for w in sides) or repeats < 1:
        raise ValueError(
            "须有一两个边长、各在 (0, 1) 内，repeats >= 1，"
            f"收到 {list(sides)}、{repeats}"
        )
    centers = (np.arange(5) + 0.5) / 5
    halton = Halton(2, scramble=False).random(25)
    points = {
        "grid": np.stack(np.meshgrid(centers, centers), axis=-1).reshape(25, 2),
        "random": rng.random((repeats, 25, 2)),
        "Halton": (halton + rng.random((repeats, 1, 2))) % 1,  # 整体平移
    }
    corners = rng.uniform(0, 1 - np.asarray(sides), (repeats, len(sides)))
    return {
        name: hit_rate(p[..., : len(sides)], corners, sides)
        for name, p in points.items()
    }


# --8<-- [end:hit_rates]


# --8<-- [start:train_networks]
def train_networks(
    x: Tensor,
    y: Tensor,
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    generator: torch.Generator,
    steps: int = 40,
) -> list[Tensor]:
    """用每组超参数各训练一个小网络，并排训练，返回全部权重。

    所有网络从同一组初值、用同一串小批量训练：宽 32 的 ReLU 隐藏层，没有偏置，
    批量 32，动量 0.9。

    Args:
        x: 训练输入，形状 `(N, D)`。
        y: 类别，形状 `(N,)`，取值 0 到 9。
        learning_rate: 学习率，须 `>= 0`；与 `weight_decay` 按广播规则配成 `T` 组。
        weight_decay: L2 惩罚的系数，须 `>= 0`。
        generator: 抽初值与小批量的随机源。
        steps: 训练步数，须 `>= 0`。

    Returns:
        两层的权重，形状 `(T, D, 32)` 与 `(T, 32, 10)`。

    Raises:
        ValueError: 参数超出上面的范围，或形状不能广播。

    Example:
        >>> x, y = torch.eye(10), torch.arange(10)  # 十个样本，每类一个
        >>> generator = torch.Generator().manual_seed(0)
        >>> [w.shape for w in train_networks(x, y, [0.1, 0.3], 0.0, generator)]
        [torch.Size([2, 10, 32]), torch.Size([2, 32, 10])]
    """
    lr, decay = np.broadcast_arrays(learning_rate, weight_decay)
    if min(steps, lr.min(), decay.min()) < 0:
        received = f"{steps}、{lr.min()}、{decay.min()}"
        raise ValueError(f"steps、学习率、权重衰减须 >= 0，收到 {received}")
    rate, l2 = (torch.tensor(v, dtype=x.dtype).view(-1, 1, 1) for v in (lr, decay))
    weights, velocity = [], []
    for fan_in, fan_out in ((x.shape[1], 32), (32, 10)):
        w = torch.randn(fan_in, fan_out, generator=generator) * (2 / fan_in) ** 0.5
        weights.append(w.repeat(lr.size, 1, 1).requires_grad_())  # (T, 入, 出)
        velocity.append(torch.zeros_like(weights[-1]))
    for _ in range(steps):
        i = torch.randint(len(x), (32,), generator=generator)
        logits = (x[i] @ weights[0]).relu() @ weights[1]  # (T, 32, 10)
        # 各网络的损失相加而不是平均，于是每个网络得到自己的梯度
        loss = F.cross_entropy(
            logits.flatten(0, 1), y[i].repeat(lr.size), reduction="sum"
        )
        grads = torch.autograd.grad(loss / 32, weights)
        with torch.no_grad():
            for w, v, grad in zip(weights, velocity, grads, strict=True):
                w -= rate * v.mul_(0.9).add_(grad + l2 * w)
    return [w.detach() for w in weights]


# --8<-- [end:train_networks]


# --8<-- [start:validation_error]
def validation_error(
    data: tuple[Tensor, Tensor, Tensor, Tensor],
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    steps: int = 40,
    seed: int = 0,
) -> NDArray[np.float32]:
    """用每组超参数各训练一个小网络，返回它们的验证错误率。

    Args:
        data: `(x_train, y_train, x_validation, y_validation)`；`x` 形状 `(N, D)`，
            `y` 形状 `(N,)`，取值 0 到 9。
        learning_rate: 学习率；与 `weight_decay` 按广播规则配成 `T` 组。
        weight_decay: L2 惩罚的系数。
        steps: 训练步数，须 `>= 0`。
        seed: 初值与小批量的种子；各次试验用同一个，差别才只来自超参数。

    Returns:
        错误率，形状为两个超参数广播后的形状；发散的网络也给出它的错误率。

    Example:
        >>> x, y = torch.eye(10), torch.arange(10)  # 十个样本，每类一个
        >>> validation_error((x, y, x, y), [0.3, 1e9], weight_decay=0.0).round(1)
        array([0. , 0.9], dtype=float32)
    """
    x, y, x_validation, y_validation = data
    point, generator = (learning_rate, weight_decay), torch.Generator()
    first, second = train_networks(x, y, *point, generator.manual_seed(seed), steps)
    guess = ((x_validation @ first).relu() @ second).argmax(-1)
    errors = (guess != y_validation).float().mean(1)
    shape = np.broadcast_shapes(np.shape(learning_rate), np.shape(weight_decay))
    return np.asarray(errors.view(shape).numpy(), np.float32)


# --8<-- [end:validation_error]


# --8<-- [start:digits_searches]
def digits_searches(seeds: Sequence[int]) -> NDArray[np.float64]:
    """每个种子各做一次网格搜索与随机搜索，各 25 次试验，返回全部试验。

    种子决定数据的划分、网络的初值与小批量、网格的平移和随机点；
    同一个种子的两种搜索用同样的数据、初值与小批量。

    Args:
        seeds: 种子，至少一个。

    Returns:
        形状 `(2, S, 25, 3)`：先网格后随机；最后一维依次是学习率、权重衰减、
        验证错误率，网格的权重衰减变得最快。

    Raises:
        ValueError: 一个种子也没有。

    Example:
        >>> grid, random = digits_searches([0])
        >>> [len(set(table[0, :, 0])) for table in (grid, random)]  # 各几个学习率
        [5, 25]
    """
    tables = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        axes, space = digits_space(*rng.uniform(-0.5, 0.5, 2))
        points = grid_points(axes) + random_points(space, 25, rng)
        lr, decay = np.array([list(point.values()) for point in points]).T
        error = validation_error(digits_split(600, seed), lr, decay, seed=seed)
        tables.append(np.column_stack([lr, decay, error]).reshape(2, 25, 3))
    if not tables:
        raise ValueError("至少要有一个种子，收到 0 个")
    return np.stack(tables, axis=1)


# --8<-- [end:digits_searches]


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


# --8<-- [start:good_widths]
def good_widths(seeds: Sequence[int], thresholds: ArrayLike) -> NDArray[np.float64]:
    """量出错误率低于各个界的学习率共占多少个数量级。

    权重衰减取 1e-4；学习率从 1e-4 到 10，每个数量级取 10 个值。

    Args:
        seeds: 种子，至少一个；决定数据的划分、初值与小批量。
        thresholds: 错误率的界，形状 `(B,)`。

    Returns:
        宽度，形状 `(S, B)`，在 0 与 5 之间。

    Raises:
        ValueError: 一个种子也没有。

    Example:
        >>> good_widths([0], [0.0, 1.1]).tolist()  # 没有比 0 低的，都比 1.1 低
        [[0.0, 5.0]]
    """
    scan = 10 ** (-4 + (np.arange(50) + 0.5) / 10)
    errors = [validation_error(digits_split(600, s), scan, 1e-4, seed=s) for s in seeds]
    if not errors:
        raise ValueError("至少要有一个种子，收到 0 个")
    good = np.array(errors)[..., None] < np.asarray(thresholds)  # (S, 50, B)
    return np.asarray(good.sum(axis=1) / 10)


# --8<-- [end:good_widths]


# --8<-- [start:halving_searches]
def halving_searches(
    data: tuple[Tensor, Tensor, Tensor, Tensor],
    n_searches: int,
    rng: np.random.Generator,
) -> tuple[list[int], NDArray[np.float32]]:
    """把逐轮淘汰与训练到底相比，各搜 n_searches 次，返回步数与最低错误率。

    逐轮淘汰：18 个网络训练 10 步，留最好的 6 个训练 30 步，再留 2 个训练 90 步；
    每一轮从头训练。

    Args:
        data: `(x_train, y_train, x_validation, y_validation)`。
        n_searches: 搜索的次数，须 `>= 1`。
        rng: 抽超参数用的随机源。

    Returns:
        `(每次搜索的训练步数, 最低错误率)`，各依次是三种办法：6 个训练到底、
        18 个逐轮淘汰、18 个训练到底；错误率的形状 `(3, n_searches)`。

    Raises:
        ValueError: `n_searches < 1`。

    Example:
        >>> x, y = torch.eye(10), torch.arange(10)
        >>> steps, best = halving_searches((x, y, x, y), 2, np.random.default_rng(0))
        >>> steps, best.shape
        ([540, 540, 1620], (3, 2))

    Source:
        Jamieson & Talwalkar (2016), arXiv:1502.07943.
    """
    if n_searches < 1:
        raise ValueError(f"n_searches 须 >= 1，收到 {n_searches}")
    shape = (n_searches, 18)
    rates = loguniform(1e-4, 10).rvs(shape, random_state=rng)
    decays = loguniform(1e-6, 1e-2).rvs(shape, random_state=rng)
    full = validation_error(data, rates, decays, steps=90)
    spent = 0
    for steps in (10, 30, 90):
        rung = validation_error(data, rates, decays, steps)
        spent += rung.shape[1] * steps
        keep = rung.argsort(axis=1)[:, : rung.shape[1] // 3]
        rates = np.take_along_axis(rates, keep, axis=1)
        decays = np.take_along_axis(decays, keep, axis=1)
    best = [table.min(axis=1) for table in (full[:, :6], rung, full)]
    return [6 * 90, spent, 18 * 90], np.array(best)


# --8<-- [end:halving_searches]


# --8<-- [start:luckiest_accuracy]
def luckiest_accuracy(
    accuracy: float,
    n_samples: int,
    n_trials: int,
    repeats: int,
    rng: np.random.Generator,
) -> float:
    """n_trials 组超参数一样好时，返回验证成绩最好的一组看上去的准确率。

    Args:
        accuracy: 每一组真实的准确率，在 `[0, 1]` 内。
        n_samples: 验证集的样本数，须 `>= 1`。
        n_trials: 试了几组，须 `>= 1`。
        repeats: 取平均的重复次数，须 `>= 1`。
        rng: 随机源。

    Returns:
        `repeats` 次重复的平均。

    Raises:
        ValueError: 参数超出上面的范围。

    Example:
        >>> luckiest_accuracy(1.0, 600, 25, 2, np.random.default_rng(0))
        1.0

    Source:
        Cawley & Talbot (2010), JMLR 11:2079–2107（选择偏差）。
    """
    if not 0 <= accuracy <= 1 or min(n_samples, n_trials, repeats) < 1:
        raise ValueError(
            "须 accuracy 在 [0, 1] 内、其余 >= 1，"
            f"收到 {accuracy}、{n_samples}、{n_trials}、{repeats}"
        )
    right = rng.binomial(n_samples, accuracy, (repeats, n_trials))
    return float(right.max(axis=1).mean() / n_samples)


# --8<-- [end:luckiest_accuracy]


# --8<-- [start:SmallNet]
class SmallNet(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """把小网络包成 scikit-learn 的分类器，好放进它的搜索。

    Args:
        learning_rate: 学习率。
        weight_decay: L2 惩罚的系数。
        seed: 初值与小批量的种子。

    Example:
        >>> x, y = np.eye(10, dtype=np.float32), np.arange(10)
        >>> SmallNet(learning_rate=0.3).fit(x, y).score(x, y)
        1.0

    Source:
        scikit-learn, "Developing scikit-learn estimators".
    """

    def __init__(
        self, learning_rate: float = 0.1, weight_decay: float = 0.0, seed: int = 0
    ) -> None:
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.seed = seed

    def fit(self, x: NDArray[np.float32], y: NDArray[np.int64]) -> "SmallNet":
        """从头训练 40 步。"""
        data = torch.from_numpy(x), torch.from_numpy(y)
        point = self.learning_rate, self.weight_decay
        generator = torch.Generator().manual_seed(self.seed)
        self.weights_ = train_networks(*data, *point, generator)
        return self

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.int64]:
        """给出每个样本的类别。"""
        first, second = self.weights_
        guess = ((torch.from_numpy(x) @ first).relu() @ second).argmax(-1)
        return np.asarray(guess[0].numpy(), np.int64)


# --8<-- [end:SmallNet]


# --8<-- [start:sklearn_searches]
def sklearn_searches(
    data: tuple[Tensor, Tensor, Tensor, Tensor],
    axes: Mapping[str, Sequence[float]],
    space: Mapping[str, Any],
    seed: int = 0,
) -> dict[str, Any]:
    """用 scikit-learn 的两种搜索调小网络，返回搜完的对象。

    Args:
        data: `(x_train, y_train, x_validation, y_validation)`。
        axes: 超参数名到候选值，给网格搜索。
        space: 超参数名到分布，给随机搜索；试 25 次。
        seed: 随机点、初值与小批量的种子。

    Returns:
        `grid` 与 `random` 到搜索对象的字典；`best_score_` 是最好的验证准确率。

    Example:
        >>> x, y = torch.eye(10), torch.arange(10)  # 验证集就用训练集
        >>> axes = {"learning_rate": [1e-4, 0.3]}
        >>> space = {"learning_rate": loguniform(1e-4, 10)}
        >>> sklearn_searches((x, y, x, y), axes, space)["grid"].best_params_
        {'learning_rate': 0.3}

    Source:
        scikit-learn, "Tuning the hyper-parameters of an estimator".
    """
    x, y = torch.cat(data[::2]).numpy(), torch.cat(data[1::2]).numpy()
    fold = PredefinedSplit(np.repeat([-1, 0], [len(part) for part in data[1::2]]))
    net = SmallNet(seed=seed)
    searches = {
        "grid": GridSearchCV(net, axes, cv=fold, refit=False),
        "random": RandomizedSearchCV(
            net, space, n_iter=25, cv=fold, refit=False, random_state=seed
        ),
    }
    return {name: search.fit(x, y) for name, search in searches.items()}


# --8<-- [end:sklearn_searches]


# --8<-- [start:digits_objective]
def digits_objective(
    data: tuple[Tensor, Tensor, Tensor, Tensor],
    seed: int,
    trial: optuna.trial.BaseTrial,
) -> float:
    """Optuna 的目标函数：向 trial 要两个超参数，返回小网络的验证错误率。

    Args:
        data: `(x_train, y_train, x_validation, y_validation)`。
        seed: 初值与小批量的种子。
        trial: Optuna 的一次试验。

    Returns:
        错误率，在 0 与 1 之间。

    Example:
        >>> x, y = torch.eye(10), torch.arange(10)
        >>> point = {"learning_rate": 0.3, "weight_decay": 1e-6}
        >>> digits_objective((x, y, x, y), 0, optuna.trial.FixedTrial(point))
        0.0
    """
    lr = trial.suggest_float("learning_rate", 1e-4, 10, log=True)
    decay = trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True)
    return float(validation_error(data, lr, decay, seed=seed))


# --8<-- [end:digits_objective]


# --8<-- [start:tpe_search]
def tpe_search(
    objective: Callable[[optuna.Trial], float], n_trials: int, seed: int
) -> NDArray[np.float64]:
    """用 Optuna 的 TPE 搜索，返回各次试验的超参数与目标值。

    Args:
        objective: 以 `optuna.Trial` 为参数的目标函数，越小越好。
        n_trials: 试验次数，须 `>= 1`；前 10 次是随机的。
        seed: 采样的种子。

    Returns:
        形状 `(n_trials, P + 1)`：前 P 列是超参数，按 `objective` 索取的先后，
        最后一列是目标值。

    Raises:
        ValueError: `n_trials < 1`。

    Example:
        >>> tpe_search(lambda trial: trial.suggest_float("x", 0, 1), 3, 0).shape
        (3, 2)

    Source:
        Bergstra et al. (2011), NeurIPS 24:2546–2554;
        Akiba et al. (2019), arXiv:1907.10902.
    """
    if n_trials < 1:
        raise ValueError(f"n_trials 须 >= 1，收到 {n_trials}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(direction="minimize", sampler=sampler)
    study.optimize(objective, n_trials=n_trials)
    return np.array([[*t.params.values(), t.value] for t in study.trials], float)


# --8<-- [end:tpe_search]


# --8<-- [start:search_together]
def search_together(
    points: Sequence[Mapping[str, float]],
    objective: Callable[[optuna.Trial], float],
    team: int = 2,
) -> tuple[NDArray[np.float64], set[int]]:
    """让几个进程经由一份共用的日志文件，分着试完给定的点。

    Args:
        points: 要试的点，须不少于进程数。
        objective: 以 `optuna.Trial` 为参数的目标函数，能传给别的进程。
        team: 进程数，须 `>= 1`。

    Returns:
        `(各点的目标值, 各进程的编号)`；目标值的次序与 `points` 相同，
        与哪个进程试了哪个点无关。

    Raises:
        ValueError: `team < 1`，或点比进程少。

    Example:
        >>> points = [{"x": 0.5}, {"x": 0.25}]
        >>> values, pids = search_together(
        ...     points, lambda trial: trial.suggest_float("x", 0, 1), team=1
        ... )
        >>> values.tolist()
        [0.5, 0.25]

    Source:
        Akiba et al. (2019), arXiv:1907.10902.
    """
    if not 1 <= team <= len(points):
        raise ValueError(f"进程数须在 1 与点数之间，收到 {team} 与 {len(points)} 个点")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with TemporaryDirectory() as folder:
        log = f"{folder}/study.log"
        storage = JournalStorage(JournalFileBackend(log, JournalFileOpenLock(log)))
        study = optuna.create_study(storage=storage, study_name="shared")
        for point in points:
            study.enqueue_trial(dict(point))  # 排队，谁空谁取
        job = delayed(run_worker)(storage, len(points), objective, team)
        pids = Parallel(n_jobs=team, idle_worker_timeout=5)([job] * team)
        done = study.trials[: len(points)]  # 最后一刻还没停的，会多做一次
        return np.array([trial.value for trial in done], float), set(pids)


# --8<-- [end:search_together]
