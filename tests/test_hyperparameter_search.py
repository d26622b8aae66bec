"""Q1 的片段与实验：组合、命中率的闭式、真实网络的独立复算。"""

import itertools
import math
import os
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import Parallel, delayed
from numpy.typing import NDArray
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from scipy.stats import f_oneway, loguniform, uniform
from sklearn.model_selection import ParameterGrid
from torch import Tensor, nn

from snippets.experiments.hyperparameter_search import (
    hit_rate,
    main_effects,
    run_worker,
    validation_error,
)
from snippets.hyperparameter_search import (
    best_trial,
    distinct_values,
    grid_points,
    random_points,
)

Data = tuple[Tensor, Tensor, Tensor, Tensor]


# 网格点、随机点


def test_grid_points_agrees_with_scikit_learn() -> None:
    axes = {"a": [1.0, 2.0, 3.0], "b": [0.1, 0.2]}
    assert grid_points(axes) == list(ParameterGrid(axes))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_grid_tries_only_the_listed_values(sizes: list[int]) -> None:
    points = grid_points({f"x{i}": range(n) for i, n in enumerate(sizes)})
    assert len(points) == math.prod(sizes)
    assert len({tuple(point.values()) for point in points}) == len(points)
    assert list(distinct_values(points).values()) == sizes


@pytest.mark.parametrize("axes", [{}, {"lr": []}, {"lr": [0.1], "wd": []}])
def test_grid_points_rejects_an_empty_axis(axes: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match="至少要有一个候选值，收到各维个数"):
        grid_points(axes)


def test_random_points_are_all_distinct_and_in_range() -> None:
    space = {"lr": loguniform(1e-4, 10), "p": uniform(0.2, 0.3)}
    points = random_points(space, 25, np.random.default_rng(0))
    assert distinct_values(points) == {"lr": 25, "p": 25}
    assert all(1e-4 <= q["lr"] <= 10 and 0.2 <= q["p"] <= 0.5 for q in points)


def test_random_points_depend_only_on_the_generator() -> None:
    space = {"x": uniform(), "y": uniform()}
    first, again, other = (
        random_points(space, 3, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_random_dimensions_are_uncorrelated() -> None:
    points = random_points(
        {"x": uniform(), "y": uniform()}, 10_000, np.random.default_rng(0)
    )
    table = np.array([list(point.values()) for point in points])
    # 独立时相关系数的标准差约 1/√n = 0.01，取 4 倍
    assert abs(np.corrcoef(table.T)[0, 1]) < 0.04


@pytest.mark.parametrize(("space", "n"), [({}, 3), ({"x": uniform()}, 0)])
def test_random_points_rejects_nothing_to_draw(
    space: dict[str, object], n: int
) -> None:
    with pytest.raises(ValueError, match="须有至少一维和一个点"):
        random_points(space, n, np.random.default_rng(0))


def test_distinct_values_rejects_no_points() -> None:
    with pytest.raises(ValueError, match="收到 0 个"):
        distinct_values([])


# 最好的试验


def test_best_trial_is_the_minimum_and_earliest_on_ties() -> None:
    points = grid_points({"x": [-2.0, -1.0, 1.0, 2.0]})
    assert best_trial(lambda x: x * x, points) == ({"x": -1.0}, 1.0)


def test_best_trial_never_picks_nan() -> None:
    losses = {1.0: math.nan, 2.0: 5.0, 3.0: math.inf}
    point, loss = best_trial(lambda lr: losses[lr], grid_points({"lr": list(losses)}))
    assert (point, loss) == ({"lr": 2.0}, 5.0)


@pytest.mark.parametrize("points", [[], [{"x": 1.0}]])
def test_best_trial_needs_one_number(points: list[dict[str, float]]) -> None:
    with pytest.raises(ValueError, match=f"{len(points)} 次试验全是 nan"):
        best_trial(lambda x: math.nan * x, points)


# 命中率


def centres() -> NDArray[np.float64]:
    values = (np.arange(5) + 0.5) / 5
    return np.array(list(itertools.product(values, values)))


def binomial_tolerance(p: float, repeats: int) -> float:
    """四倍标准误：误报的概率约 6e-5。"""
    return 4 * math.sqrt(p * (1 - p) / repeats)


def test_hit_rate_agrees_with_brute_force() -> None:
    rng = np.random.default_rng(0)
    points, corners, side = rng.random((40, 7, 2)), rng.random((40, 2)), 0.4
    hits = [
        any(
            all(low <= value < low + side for low, value in zip(c, p, strict=True))
            for p in trial
        )
        for trial, c in zip(points, corners, strict=True)
    ]
    assert 0 < sum(hits) < 40
    assert hit_rate(points, corners, side) == pytest.approx(sum(hits) / 40)


def test_hit_rate_includes_the_left_edge_only() -> None:
    assert hit_rate([[0.5]], [[0.5], [0.25]], side=0.25) == 0.5


def test_one_relevant_dimension_random_beats_grid() -> None:
    rng, repeats = np.random.default_rng(0), 20_000
    strips = rng.uniform(0, 0.95, (repeats, 1))
    grid, random = 0.05 * 5 / 0.95, 1 - 0.95**25
    assert hit_rate(centres()[:, :1], strips, 0.05) == pytest.approx(
        grid, abs=binomial_tolerance(grid, repeats)
    )
    points = rng.random((repeats, 25, 1))
    assert hit_rate(points, strips, 0.05) == pytest.approx(
        random, abs=binomial_tolerance(random, repeats)
    )


def test_two_relevant_dimensions_grid_always_hits() -> None:
    rng, repeats = np.random.default_rng(0), 20_000
    squares = rng.uniform(0, 0.8, (repeats, 2))
    random = 1 - 0.96**25
    assert hit_rate(centres(), squares, 0.2) == 1
    points = rng.random((repeats, 25, 2))
    assert hit_rate(points, squares, 0.2) == pytest.approx(
        random, abs=binomial_tolerance(random, repeats)
    )


def test_sixty_trials_reach_the_top_five_percent() -> None:
    repeats, expected = 20_000, 1 - 0.95**60
    trials = np.random.default_rng(0).random((repeats, 60, 1))
    rate = hit_rate(trials, np.zeros((repeats, 1)), 0.05)
    assert rate == pytest.approx(expected, abs=binomial_tolerance(expected, repeats))


@pytest.mark.parametrize(
    ("points", "corners"), [([[0.1]], [[0.0, 0.0]]), ([[0.1]], [0.0]), ([0.1], [[0.0]])]
)
def test_hit_rate_rejects_mismatched_shapes(points: object, corners: object) -> None:
    with pytest.raises(ValueError, match="点与方块的维数须相同"):
        hit_rate(points, corners, 0.1)  # type: ignore[arg-type]


def test_hit_rate_rejects_an_empty_square() -> None:
    with pytest.raises(ValueError, match="side 须 > 0，收到 0"):
        hit_rate([[0.1]], [[0.0]], 0)


# 并排训练的网络


@pytest.fixture(scope="module")
def data() -> Data:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(200, 6, generator=g)
    y = (x @ torch.randn(6, 10, generator=g)).argmax(1)
    return x[:120], y[:120], x[120:], y[120:]


def reference_error(data: Data, lr: float, weight_decay: float, steps: int) -> float:
    """同样的训练，一次一个网络，用 nn.Linear 与 torch.optim.SGD。"""
    x, y, x_validation, y_validation = data
    g = torch.Generator().manual_seed(0)
    net = nn.Sequential(
        nn.Linear(x.shape[1], 32, bias=False), nn.ReLU(), nn.Linear(32, 10, bias=False)
    )
    with torch.no_grad():
        for w in net.parameters():
            fan_out, fan_in = w.shape
            w.copy_((torch.randn(fan_in, fan_out, generator=g) * (2 / fan_in) ** 0.5).T)
    optimizer = torch.optim.SGD(
        net.parameters(), lr=lr, momentum=0.9, weight_decay=weight_decay
    )
    for _ in range(steps):
        i = torch.randint(len(x), (32,), generator=g)
        loss = nn.functional.cross_entropy(net(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return float((net(x_validation).argmax(1) != y_validation).float().mean())


def test_parallel_networks_agree_with_one_at_a_time(data: Data) -> None:
    lr = np.array([[1e-3], [0.1], [0.5]])
    decay = np.array([0.0, 0.05])
    got = validation_error(data, lr, decay, steps=30)
    expected = [[reference_error(data, a, b, 30) for b in decay] for a in lr[:, 0]]
    assert got.shape == (3, 2)
    # 求和次序不同会差最后一位，最多让个别样本翻转：容许 80 个里差 1 个
    np.testing.assert_allclose(got, expected, atol=1 / 80 + 1e-6)
    assert got.min() < 0.5 < got.max()  # 学会了的和没学会的都有


def test_a_network_does_not_depend_on_its_neighbours(data: Data) -> None:
    alone = validation_error(data, 0.1, 1e-3)
    together = validation_error(data, [1e-3, 0.1, 1e9], 1e-3)
    assert alone.shape == ()
    assert together[1] == pytest.approx(float(alone), abs=1 / 80 + 1e-6)


def test_no_steps_and_zero_rate_leave_the_initial_network(data: Data) -> None:
    untouched = validation_error(data, 0.1, 0.0, steps=0)
    assert validation_error(data, 0.0, 0.0, steps=10) == untouched


def test_validation_error_rejects_negative_steps(data: Data) -> None:
    with pytest.raises(ValueError, match="steps 须 >= 0，收到 -1"):
        validation_error(data, 0.1, 0.0, steps=-1)


# 方差分解


def test_main_effects_of_a_sum_add_up_to_one() -> None:
    rng = np.random.default_rng(0)
    rows, columns = rng.normal(size=6), rng.normal(size=4)
    got = main_effects(rows[:, None] + columns)
    total = rows.var() + columns.var()
    assert got == pytest.approx((rows.var() / total, columns.var() / total))


def test_main_effect_agrees_with_one_way_anova() -> None:
    table = np.random.default_rng(0).normal(size=(4, 5)) + np.arange(4)[:, None]
    share, _ = main_effects(table)
    # F = (组间/(A−1)) / (组内/(A(B−1)))，由占比反算
    f = share / (1 - share) * (4 * 4) / 3
    assert f == pytest.approx(f_oneway(*table).statistic)


def test_pure_interaction_has_no_main_effect() -> None:
    assert main_effects([[1, -1], [-1, 1]]) == (0, 0)


@pytest.mark.parametrize("table", [[1.0, 2.0], [[3.0, 3.0]]])
def test_main_effects_needs_a_varying_table(table: list[object]) -> None:
    with pytest.raises(ValueError, match="须是不全相等的二维表"):
        main_effects(table)  # type: ignore[arg-type]


# 共享存储


def square(trial: optuna.Trial) -> float:
    return trial.suggest_float("x", -1, 1) ** 2


def load(path: Path) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.load_study(study_name="shared", storage=storage)


def test_workers_in_two_processes_share_one_study(tmp_path: Path) -> None:
    path = tmp_path / "study.log"
    pids = Parallel(n_jobs=2)(
        delayed(run_worker)(str(path), seed, 4, square) for seed in (0, 1)
    )
    trials = load(path).trials
    assert os.getpid() not in pids
    assert [trial.number for trial in trials] == list(range(8))
    assert len({trial.params["x"] for trial in trials}) == 8


def test_same_seed_repeats_the_same_points(tmp_path: Path) -> None:
    for _ in range(2):
        run_worker(str(tmp_path / "study.log"), 0, 2, square)
    x = [trial.params["x"] for trial in load(tmp_path / "study.log").trials]
    assert x[:2] == x[2:]


def test_run_worker_rejects_no_trials(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="n_trials 须 >= 1，收到 0"):
        run_worker(str(tmp_path / "study.log"), 0, 0, square)
