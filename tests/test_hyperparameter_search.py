"""Q1 的片段与实验：组合、命中率的闭式、真实网络的独立复算。"""

import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState
from scipy.stats import binom, f_oneway, loguniform, uniform
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid
from torch import Tensor, nn

from pipeline.tools.project import ROOT
from snippets.digits import digits_split
from snippets.experiments.hyperparameter_search import (
    SmallNet,
    digits_objective,
    digits_searches,
    digits_space,
    distinct_values,
    good_widths,
    halving_searches,
    hit_rate,
    hit_rates,
    luckiest_accuracy,
    main_effects,
    search_together,
    sklearn_searches,
    tpe_search,
    train_networks,
    validation_error,
)
from snippets.hyperparameter_search import (
    best_trial,
    grid_points,
    open_storage,
    random_points,
    run_worker,
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


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ([0.05], {"grid": 0.25 / 0.95, "random": 1 - 0.95**25}),
        ([0.04], {"grid": 0.2 / 0.96, "Halton": 18 / 32 + 7 * 0.04}),
        ([0.2, 0.2], {"grid": 1, "random": 1 - 0.96**25}),
        ([0.1, 0.1], {"grid": 0.25 / 0.81, "random": 1 - 0.99**25}),
        ([0.02, 0.6], {"grid": 0.1 / 0.98, "random": 1 - 0.988**25}),
    ],
)
def test_hit_rates_agree_with_the_closed_forms(
    sides: list[float], expected: dict[str, float]
) -> None:
    repeats = 20_000
    rates = hit_rates(sides, repeats, np.random.default_rng(0))
    for name, p in expected.items():
        assert rates[name] == pytest.approx(p, abs=binomial_tolerance(p, repeats))


@pytest.mark.parametrize(
    ("sides", "repeats"), [([0.1] * 3, 1), ([], 1), ([0], 1), ([0.1, 1], 1), ([0.1], 0)]
)
def test_hit_rates_rejects_what_it_cannot_place(
    sides: list[float], repeats: int
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"收到 {sides}、{repeats}")):
        hit_rates(sides, repeats, np.random.default_rng(0))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 4), st.integers(1, 9), st.floats(0.01, 0.99))
def test_the_grid_never_loses_on_cubes(dimensions: int, m: int, side: float) -> None:
    # 一维：头尾两点的区间被边界截短
    covered = (m - 2) * side + 2 * min(side, 1 / (2 * m)) if m > 1 else side
    one = min(1.0, min(covered, 1 - side) / (1 - side))
    if side >= 1 / m:
        one = 1.0
    grid = one**dimensions
    random = 1 - (1 - side**dimensions) ** m**dimensions
    assert grid >= random - 1e-12


def test_hit_rate_takes_a_side_for_each_dimension() -> None:
    assert hit_rate([[0.5, 0.5]], [[0.4, 0.1], [0.1, 0.4]], side=[0.2, 0.5]) == 0.5


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


def test_another_seed_is_another_network(data: Data) -> None:
    x, y, *_ = data
    first, again, other = (
        train_networks(x, y, 0.1, 0.0, torch.Generator().manual_seed(seed), 0)
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(v, w) for v, w in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize("bad", [(0.1, 0.0, -1), (-0.1, 0.0, 1), (0.1, -0.5, 1)])
def test_training_rejects_negative_numbers(
    data: Data, bad: tuple[float, float, int]
) -> None:
    lr, decay, steps = bad
    message = f"须 >= 0，收到 {steps}、{lr}、{decay}"
    with pytest.raises(ValueError, match=message):
        train_networks(*data[:2], lr, decay, torch.Generator(), steps)
    with pytest.raises(ValueError, match=message):
        validation_error(data, lr, decay, steps)


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


# 手写数字上的搜索


def test_candidates_are_the_centres_of_the_cells() -> None:
    axes, space = digits_space()
    for name, values in axes.items():
        low, high = np.log10(space[name].support())
        centres = low + (high - low) * (np.arange(5) + 0.5) / 5
        np.testing.assert_allclose(np.log10(values), centres)


def test_shifted_candidates_stay_in_range() -> None:
    axes, space = digits_space(0.5, -0.5)
    assert max(axes["learning_rate"]) == pytest.approx(space["learning_rate"].b)
    assert min(axes["weight_decay"]) == pytest.approx(space["weight_decay"].a)
    with pytest.raises(ValueError, match=r"至多平移半格，收到 0 与 -0\.6"):
        digits_space(0, -0.6)


def test_both_searches_see_the_same_networks() -> None:
    grid, random = digits_searches([3])[:, 0]
    assert [len(set(grid[:, i])) for i in (0, 1)] == [5, 5]
    assert [len(set(random[:, i])) for i in (0, 1)] == [25, 25]
    data = digits_split(600, seed=3)
    for lr, decay, error in (grid[12], random[0]):
        # 单独训练与并排训练的求和次序不同：容许 600 个里差 1 个
        alone = validation_error(data, lr, decay, seed=3)
        assert error == pytest.approx(float(alone), abs=1 / 600 + 1e-6)


def test_good_widths_grow_with_the_bound() -> None:
    narrow, wide = good_widths([0], [0.08, 0.3])[0]
    assert 0 < narrow < wide < 5


@pytest.mark.parametrize(
    "measure", [digits_searches, partial(good_widths, thresholds=[0.1])]
)
def test_searches_need_a_seed(measure: Callable[[list[int]], object]) -> None:
    with pytest.raises(ValueError, match="至少要有一个种子，收到 0 个"):
        measure([])


def test_halving_never_beats_the_full_search(data: Data) -> None:
    steps, (few, halved, full) = halving_searches(data, 5, np.random.default_rng(0))
    assert steps == [540, 18 * 10 + 6 * 30 + 2 * 90, 1620]
    # 留下的网络单独再训练，求和次序不同：容许 80 个里差 1 个
    assert (halved >= full - 1 / 80 - 1e-6).all()
    assert (few >= full).all()


def test_halving_rejects_no_searches(data: Data) -> None:
    with pytest.raises(ValueError, match="n_searches 须 >= 1，收到 0"):
        halving_searches(data, 0, np.random.default_rng(0))


@pytest.mark.parametrize("n_trials", [1, 25])
def test_luckiest_accuracy_agrees_with_the_exact_maximum(n_trials: int) -> None:
    k = np.arange(601)
    weights = np.diff(binom.cdf(k, 600, 0.9) ** n_trials, prepend=0)
    mean = (k * weights).sum() / 600
    spread = math.sqrt((k**2 * weights).sum() / 600**2 - mean**2)
    got = luckiest_accuracy(0.9, 600, n_trials, 5000, np.random.default_rng(0))
    assert got == pytest.approx(mean, abs=4 * spread / math.sqrt(5000))


@pytest.mark.parametrize("bad", [(1.1, 1, 1, 1), (0.5, 0, 1, 1), (0.5, 1, 1, 0)])
def test_luckiest_accuracy_rejects(bad: tuple[float, int, int, int]) -> None:
    with pytest.raises(ValueError, match="收到 " + "、".join(map(str, bad))):
        luckiest_accuracy(*bad, np.random.default_rng(0))


# scikit-learn 与 Optuna


def test_small_net_is_the_same_network(data: Data) -> None:
    x, y, x_validation, y_validation = (part.numpy() for part in data)
    net = clone(SmallNet(learning_rate=0.1, weight_decay=0.01, seed=2)).fit(x, y)
    expected = validation_error(data, 0.1, 0.01, seed=2)
    assert 1 - net.score(x_validation, y_validation) == pytest.approx(float(expected))


def test_sklearn_tries_what_the_loop_tries(data: Data) -> None:
    axes = {"learning_rate": [1e-3, 0.1, 0.5], "weight_decay": [0.0, 0.1]}
    space = {"learning_rate": loguniform(1e-4, 10)}
    found = sklearn_searches(data, axes, space, seed=1)
    results = found["grid"].cv_results_
    points = grid_points(axes)
    assert results["params"] == points
    lr, decay = np.array([list(point.values()) for point in points]).T
    expected = [
        validation_error(data, a, b, seed=1) for a, b in zip(lr, decay, strict=True)
    ]
    np.testing.assert_allclose(1 - results["mean_test_score"], expected, atol=1e-6)
    assert distinct_values(found["random"].cv_results_["params"]) == {
        "learning_rate": 25
    }


def square(trial: optuna.Trial) -> float:
    return trial.suggest_float("x", -1, 1) ** 2


def test_searches_pass_on_what_is_wrong(data: Data) -> None:
    x, y = data[0].numpy(), data[1].numpy()
    with pytest.raises(ValueError, match=r"收到 40、-1\.0、0\.0"):
        SmallNet(learning_rate=-1.0).fit(x, y)
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        sklearn_searches(data, {"depth": [1.0]}, {})
    with pytest.raises(ValueError, match="'learning_rate' is not found"):
        digits_objective(data, 0, optuna.trial.FixedTrial({}))


def test_digits_objective_is_the_validation_error(data: Data) -> None:
    point = {"learning_rate": 0.1, "weight_decay": 1e-3}
    got = digits_objective(data, 4, optuna.trial.FixedTrial(point))
    assert got == float(validation_error(data, 0.1, 1e-3, seed=4))


def test_tpe_repeats_with_the_seed_and_homes_in() -> None:
    table = tpe_search(square, 40, seed=0)
    assert (table == tpe_search(square, 40, seed=0)).all()
    np.testing.assert_allclose(table[:, 1], table[:, 0] ** 2)
    # 随机点的 |x| 平均 0.5，30 个的标准误 0.05
    assert np.abs(table[10:, 0]).mean() < 0.5 - 4 * 0.05


def test_tpe_rejects_no_trials() -> None:
    with pytest.raises(ValueError, match="n_trials 须 >= 1，收到 0"):
        tpe_search(square, 0, seed=0)


# 共享存储


def start_worker(url: str, action: str) -> subprocess.Popen[bytes]:
    """另起一个 Python 进程加入研究，取到 x 之后做 action。"""
    script = (
        "import os, sys, time\n"
        "from snippets.hyperparameter_search import open_storage, run_worker\n"
        "def objective(trial):\n"
        "    x = trial.suggest_float('x', 0, 1)\n"
        f"    {action}\n"
        "    return x\n"
        "run_worker(open_storage(sys.argv[1], 1), 3, objective)\n"
    )
    return subprocess.Popen([sys.executable, "-c", script, url], cwd=ROOT)


@pytest.mark.slow
def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    study = optuna.create_study(storage=open_storage(url, 1), study_name="shared")
    for x in (0.1, 0.2, 0.3):
        study.enqueue_trial({"x": x})
    with start_worker(url, "time.sleep(600)") as victim:
        try:
            while not any(trial.params for trial in study.trials):
                time.sleep(0.1)
            time.sleep(2)  # 至少记过一次心跳
        finally:
            victim.kill()
    assert study.trials[0].state.name == "RUNNING"  # 没有人知道它死了
    time.sleep(3)
    with start_worker(url, "pass") as second:
        assert second.wait() == 0
    done = {t.value for t in study.trials if t.state == TrialState.COMPLETE}
    assert study.trials[0].state.name == "FAIL"
    assert done == {0.1, 0.2, 0.3}


@pytest.mark.slow
def test_two_processes_try_each_point_once() -> None:
    points = grid_points({"x": np.linspace(-1, 1, 9).tolist()})
    values, pids = search_together(points, square)
    assert values.tolist() == [point["x"] ** 2 for point in points]
    assert len(pids - {os.getpid()}) == 2


def test_worker_stops_when_the_team_has_done_enough(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    study = optuna.create_study(storage=url, study_name="shared")
    study.enqueue_trial({"x": 0.5})
    assert run_worker(url, 3, square) == os.getpid()
    assert len(study.trials) == 3
    assert study.trials[0].value == 0.25
    run_worker(url, 4, square)  # 三次已经做成，只差一次
    assert len(study.trials) == 4


def test_worker_waits_for_the_whole_team() -> None:
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="shared")
    with ThreadPoolExecutor() as pool:
        # 编号相同，像两个容器里的 1 号进程：报到的名字不同，就不会互相覆盖
        first = pool.submit(run_worker, storage, 1, square, team=2)
        while not study.user_attrs:
            time.sleep(0.01)
        time.sleep(0.2)  # 已报到的一个只等着
        begun = len(study.trials)
        second = pool.submit(run_worker, storage, 1, square, team=2)
        assert first.result(timeout=60) == second.result(timeout=60) == os.getpid()
    assert begun == 0
    assert len(study.user_attrs) == 2
    assert 1 <= len(study.trials) <= 2


def test_storage_counts_two_heartbeats_as_lost() -> None:
    storage = open_storage("sqlite://", 5)
    assert (storage.heartbeat_interval, storage.grace_period) == (5, 10)
    with pytest.raises(ValueError, match="heartbeat 须 >= 1，收到 0"):
        open_storage("sqlite://", 0)


@pytest.mark.parametrize("team", [0, 2])
def test_team_is_no_larger_than_the_queue(team: int) -> None:
    with pytest.raises(ValueError, match=f"收到 {team} 与 1 个点"):
        search_together([{"x": 0.5}], square, team)


def test_run_worker_rejects_no_trials() -> None:
    with pytest.raises(ValueError, match="n_trials 须 >= 1，收到 0"):
        run_worker("sqlite://", 0, square)
