"""Q2 的片段与实验：分布对照 SciPy，占比对照闭式。"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import expon, kstest, loguniform, uniform

from snippets.experiments.search_space import (
    bin_shares,
    cdf_gap,
    draw_rates,
    draw_units,
    draw_windows,
    ema_weights,
    map_exponents,
    near_best_shares,
    optuna_draws,
    powers_as_written,
    steps_to_shrink,
    value_shares,
    width_errors,
)
from snippets.search_space import (
    averaging_window,
    sample_beta,
    sample_integer,
    sample_log_integer,
    sample_log_uniform,
    sample_uniform,
)

N = 20_000
Sampler = Callable[[Any, Any, int, np.random.Generator], NDArray[Any]]


def share_tolerance(p: float) -> float:
    """N 次抽样里占比的四倍标准误：误报的概率约 6e-5。"""
    return 4 * math.sqrt(p * (1 - p) / N)


# 分布：种子固定；p 值低于 1e-3 的种子只有千分之一


def test_uniform_follows_scipy() -> None:
    x = sample_uniform(2, 5, N, np.random.default_rng(0))
    assert kstest(x, uniform(2, 3).cdf).pvalue > 1e-3


def test_log_uniform_follows_scipy() -> None:
    x = sample_log_uniform(1e-3, 1, N, np.random.default_rng(0))
    assert kstest(x, loguniform(1e-3, 1).cdf).pvalue > 1e-3


def test_one_minus_beta_is_log_uniform() -> None:
    beta = sample_beta(0.9, 0.999, N, np.random.default_rng(0))
    assert kstest(1 - beta, loguniform(1e-3, 0.1).cdf).pvalue > 1e-3


def test_learning_rate_below_a_tenth() -> None:
    rng = np.random.default_rng(0)
    linear = np.mean(sample_uniform(1e-3, 1, N, rng) < 0.1)
    log = np.mean(sample_log_uniform(1e-3, 1, N, rng) < 0.1)
    assert linear == pytest.approx(0.099 / 0.999, abs=share_tolerance(0.099 / 0.999))
    assert log == pytest.approx(2 / 3, abs=share_tolerance(2 / 3))


def test_log_uniform_mean() -> None:
    x = sample_log_uniform(1e-3, 1, N, np.random.default_rng(0))
    mean, variance = loguniform(1e-3, 1).stats()
    assert mean == pytest.approx(0.999 / math.log(1000))
    assert x.mean() == pytest.approx(mean, abs=4 * math.sqrt(variance / N))


def test_integers_are_equally_likely() -> None:
    shares = value_shares(sample_integer(2, 5, N, np.random.default_rng(0)))
    assert list(shares) == [2, 3, 4]
    assert list(shares.values()) == pytest.approx(
        [1 / 3] * 3, abs=share_tolerance(1 / 3)
    )


def test_log_integer_probabilities() -> None:
    shares = value_shares(sample_log_integer(1, 8, N, np.random.default_rng(0)))
    assert list(shares) == list(range(1, 8))
    for k, share in shares.items():
        expected = math.log((k + 1) / k) / math.log(8)
        assert share == pytest.approx(expected, abs=share_tolerance(expected))


def test_rounding_favours_the_middle_and_leaks() -> None:
    real = sample_uniform(2, 5, N, np.random.default_rng(0))
    rounded = value_shares(np.rint(real).astype(int))
    floored = value_shares(np.floor(real).astype(int))
    assert list(rounded) == [2, 3, 4, 5]
    assert list(rounded.values()) == pytest.approx(
        [1 / 6, 1 / 3, 1 / 3, 1 / 6], abs=share_tolerance(1 / 3)
    )
    assert list(floored) == [2, 3, 4]
    assert list(floored.values()) == pytest.approx(
        [1 / 3] * 3, abs=share_tolerance(1 / 3)
    )


# 边界与不变量


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-8, 1e8), st.floats(1.0001, 1e8), st.integers(0, 2**32))
def test_log_uniform_stays_inside_and_scales(
    low: float, ratio: float, seed: int
) -> None:
    x = sample_log_uniform(low, low * ratio, 50, np.random.default_rng(seed))
    assert ((low <= x) & (x <= low * ratio)).all()
    # 范围乘 2，样本也乘 2：对数均匀没有固有的单位
    twice = sample_log_uniform(
        2 * low, 2 * low * ratio, 50, np.random.default_rng(seed)
    )
    np.testing.assert_allclose(twice, 2 * x, rtol=1e-12)


@pytest.mark.parametrize("low", [1e-4, 1e6])
def test_log_uniform_does_not_leak_by_rounding(low: float) -> None:
    high = float(np.nextafter(low, math.inf))  # exp(log(x)) 在这两处偏出好几位
    x = sample_log_uniform(low, high, 20, np.random.default_rng(0))
    assert set(x.tolist()) <= {low, high}


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(0, 2**32))
def test_integer_samples_stay_inside(low: int, width: int, seed: int) -> None:
    for draw in (sample_integer, sample_log_integer):
        x = draw(low, low + width, 50, np.random.default_rng(seed))
        assert x.dtype == np.int64
        assert ((low <= x) & (x < low + width)).all()


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 0.99), st.floats(0.001, 0.999), st.integers(0, 2**32))
def test_beta_stays_inside(low: float, part: float, seed: int) -> None:
    high = low + part * (0.9999 - low)
    beta = sample_beta(low, high, 50, np.random.default_rng(seed))
    # 1 − (1 − β) 的舍入误差不超过 2^-53
    assert ((low - 2**-53 <= beta) & (beta <= high + 2**-53)).all()


@pytest.mark.parametrize(
    ("draw", "low", "high"),
    [
        (sample_uniform, -1.0, 1.0),
        (sample_integer, 0, 2),
        (sample_log_uniform, 0.1, 1.0),
        (sample_log_integer, 1, 2),
        (sample_beta, 0.0, 0.9),
    ],
)
def test_size_zero_and_reproducible(draw: Sampler, low: float, high: float) -> None:
    assert draw(low, high, 0, np.random.default_rng(0)).shape == (0,)
    first, again = (draw(low, high, 9, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("draw", "low", "high", "rule"),
    [
        (sample_uniform, 1.0, 1.0, "须 low < high，收到 1.0 与 1.0"),
        (sample_integer, 5, 2, "须 low < high，收到 5 与 2"),
        (sample_log_uniform, 0.0, 1.0, "须 0 < low < high，收到 0.0 与 1.0"),
        (sample_log_uniform, 1.0, 0.1, "须 0 < low < high"),
        (sample_log_integer, 0, 8, "须 1 <= low < high，收到 0 与 8"),
        (sample_log_integer, 8, 8, "须 1 <= low < high"),
        (sample_beta, 0.9, 1.0, "须 0 <= low < high < 1，收到 0.9 与 1.0"),
        (sample_beta, -0.1, 0.9, "须 0 <= low < high < 1"),
        (sample_beta, 0.9, 0.9, "须 0 <= low < high < 1"),
        (draw_rates, 0.0, 1.0, "须 0 < low < high，收到 0.0 与 1.0"),
        (draw_units, 0, 8, "须 1 <= low < high，收到 0 与 8"),
        (draw_units, 8, 8, "须 low < high，收到 8 与 8"),
        (draw_windows, 0.9, 1.0, "须 0 <= low < high < 1，收到 0.9 与 1.0"),
    ],
)
def test_bad_ranges_are_rejected(
    draw: Callable[..., object], low: float, high: float, rule: str
) -> None:
    with pytest.raises(ValueError, match=rule):
        draw(low, high, 1, np.random.default_rng(0))


# 窗口与权重


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 0.999))
def test_window_is_the_sum_of_the_decay_powers(beta: float) -> None:
    powers = beta ** np.arange(40_000)  # 0.999**40000 ≈ 4e-18，余下的可略
    assert averaging_window(beta) == pytest.approx(powers.sum(), rel=1e-9)


def test_window_keeps_the_shape() -> None:
    assert averaging_window(np.zeros((2, 3))).tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize("beta", [1.0, -0.1, [0.5, 1.0], math.nan])
def test_window_rejects_beta_outside(beta: float) -> None:
    with pytest.raises(ValueError, match=r"β 须在 \[0, 1\)，收到"):
        averaging_window(beta)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.99])
def test_ema_weights_are_the_impulse_response(beta: float) -> None:
    impulse = np.eye(1, 200)[0]
    recursion = lfilter([1 - beta], [1, -beta], impulse)  # v = βv + (1−β)x
    np.testing.assert_allclose(
        ema_weights(beta, 200), recursion, rtol=1e-12, atol=1e-300
    )


def test_ema_weights_inside_the_window() -> None:
    # 前 n 个权重之和是 1 − βⁿ；n = 1/(1−β) → ∞ 时趋于 1 − 1/e
    assert ema_weights(0.9, 10).sum() == pytest.approx(1 - 0.9**10)
    assert ema_weights(0.99999, 100_000).sum() == pytest.approx(
        1 - 1 / math.e, abs=1e-5
    )
    assert ema_weights(0.9, 0).shape == (0,)


@pytest.mark.parametrize(("beta", "length"), [(1.0, 3), (-0.1, 3), (0.9, -1)])
def test_ema_weights_rejects(beta: float, length: int) -> None:
    with pytest.raises(ValueError, match="须 0 <= β < 1 且 length >= 0"):
        ema_weights(beta, length)


# 占比


def test_bin_shares_counts_the_last_edge_and_drops_the_outside() -> None:
    shares = bin_shares([0, 1, 2, 2.5, 9], [0, 1, 2])
    np.testing.assert_allclose(shares, [0.2, 0.4])


def test_log_uniform_fills_every_decade_alike() -> None:
    x = sample_log_uniform(1e-3, 1, N, np.random.default_rng(0))
    shares = bin_shares(x, [1e-3, 1e-2, 1e-1, 1])
    np.testing.assert_allclose(shares, 1 / 3, atol=share_tolerance(1 / 3))


@pytest.mark.parametrize("count", [value_shares, lambda x: bin_shares(x, [0, 1])])
def test_shares_reject_no_samples(count: Callable[[list[float]], object]) -> None:
    with pytest.raises(ValueError, match="至少要有一个样本，收到 0 个"):
        count([])


# 与分布函数比


@pytest.mark.parametrize("theory", [loguniform(1e-3, 1), expon(scale=0.15)])
def test_cdf_gap_is_the_kolmogorov_smirnov_statistic(theory: Any) -> None:
    x = sample_log_uniform(1e-3, 1, 500, np.random.default_rng(0))
    expected = kstest(x, theory.cdf).statistic
    assert cdf_gap(x.reshape(20, 25), theory.cdf) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("point", "gap"), [(0.0, 1.0), (0.5, 0.5), (1.0, 1.0)])
def test_cdf_gap_of_one_sample_looks_at_both_sides_of_the_jump(
    point: float, gap: float
) -> None:
    assert cdf_gap([point], uniform(0, 1).cdf) == gap


def test_cdf_gap_rejects_no_samples() -> None:
    with pytest.raises(ValueError, match="至少要有一个样本，收到 0 个"):
        cdf_gap([], uniform(0, 1).cdf)


# 两种尺度成对地抽


@pytest.mark.parametrize(
    ("draw", "low", "high"), [(draw_rates, 1e-3, 1.0), (draw_units, 16, 1024)]
)
def test_both_scales_span_the_range_and_differ(
    draw: Callable[..., dict[str, NDArray[Any]]], low: float, high: float
) -> None:
    samples = draw(low, high, N, np.random.default_rng(0))
    assert list(samples) == ["linear", "log"]
    for x in samples.values():
        assert x.shape == (N,)
        assert low <= x.min() < 1.01 * low + 2
        assert 0.98 * high < x.max() <= high
    middle = (low + high) / 2  # 线性均匀的中点；对数均匀有九成在它以下
    linear, log = (np.mean(x < middle) for x in samples.values())
    assert linear == pytest.approx(0.5, abs=share_tolerance(0.5) + 1e-3)
    expected = math.log(middle / low) / math.log(high / low)
    assert log == pytest.approx(expected, abs=share_tolerance(expected))


def test_windows_are_those_of_the_drawn_betas() -> None:
    windows = draw_windows(0.9, 0.999, N, np.random.default_rng(0))
    assert kstest(1 - 1 / windows["linear"], uniform(0.9, 0.099).cdf).pvalue > 1e-3
    assert kstest(1 / windows["log"], loguniform(1e-3, 0.1).cdf).pvalue > 1e-3


# 为什么看倍数


@pytest.mark.parametrize("lr", [0.01, 0.3, 0.7, 1.7])
def test_steps_follow_the_closed_form(lr: float) -> None:
    exact = math.log(1e-3) / math.log(abs(1 - lr))
    assert steps_to_shrink(lr) == math.ceil(exact)


def test_newton_needs_one_step() -> None:
    assert steps_to_shrink(1.0) == 1  # 曲率为 1，学习率 1 就是牛顿法


@pytest.mark.parametrize(("lr", "momentum"), [(1e-3, 0.9), (1e-2, 0.5), (1e-4, 0.9)])
def test_momentum_shrinks_at_the_larger_root(lr: float, momentum: float) -> None:
    roots = np.roots([1, -(1 + momentum - lr), momentum])
    # 特征方程的大根管后来的速度；系数由 x_0 = 1、x_1 = 1 - lr 定
    slow, fast = max(roots), min(roots)
    share = (1 - lr - fast) / (slow - fast)
    exact = math.log(1e-3 / share) / math.log(slow)
    assert steps_to_shrink(lr, momentum) == math.ceil(exact)


@pytest.mark.parametrize(
    ("lr", "momentum", "ratio"),
    [(0.0, 0, 0.1), (2.0, 0, 0.1), (0.1, 0, 0.0), (0.1, 0, 1.0), (0.1, 1, 0.1)]
    + [(0.1, -0.5, 0.1)],
)
def test_steps_reject(lr: float, momentum: float, ratio: float) -> None:
    rule = "须 0 < lr < 2、0 <= momentum < 1 且 0 < ratio < 1"
    with pytest.raises(ValueError, match=f"{rule}，收到 {lr}、{momentum} 与 {ratio}"):
        steps_to_shrink(lr, momentum, ratio)


@pytest.mark.parametrize("best", [0.002, 0.05, 0.5])
@pytest.mark.parametrize("trials", [1, 3])
def test_near_best_shares_follow_the_closed_form(best: float, trials: int) -> None:
    rates = near_best_shares(best, trials, N, np.random.default_rng(0))
    chances = {"linear": 1.5 * best / 0.999, "log": math.log(4) / math.log(1000)}
    for name, p in chances.items():
        expected = 1 - (1 - p) ** trials
        assert rates[name] == pytest.approx(expected, abs=share_tolerance(expected))


@pytest.mark.parametrize(
    ("best", "trials", "repeats", "rule"),
    [
        (0.001, 1, 1, r"best 须在 \[0.002, 0.5\] 内，收到 0.001"),
        (0.6, 1, 1, r"best 须在 \[0.002, 0.5\] 内，收到 0.6"),
        (0.1, 0, 1, "须 n_trials >= 1 且 repeats >= 1，收到 0 与 1"),
        (0.1, 1, 0, "须 n_trials >= 1 且 repeats >= 1，收到 1 与 0"),
    ],
)
def test_near_best_shares_reject(
    best: float, trials: int, repeats: int, rule: str
) -> None:
    with pytest.raises(ValueError, match=rule):
        near_best_shares(best, trials, repeats, np.random.default_rng(0))


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.floats(1e-6, 1), st.floats(1.1, 1e4), st.floats(1.5, 100))
def test_the_base_of_the_logarithm_does_not_matter(
    u: float, low: float, ratio: float, base: float
) -> None:
    expected = low ** (1 - u) * (low * ratio) ** u
    mapped = map_exponents(u, low, low * ratio, base)
    assert mapped == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("low", "high", "base"), [(0.0, 1.0, 2.0), (1.0, 1.0, 2.0), (0.1, 1.0, 1.0)]
)
def test_map_exponents_rejects(low: float, high: float, base: float) -> None:
    rule = f"须 0 < low < high 且 base > 1，收到 {low}、{high} 与 {base}"
    with pytest.raises(ValueError, match=rule):
        map_exponents([0.5], low, high, base)


# 宽度


def test_wider_is_better_until_it_is_wide_enough() -> None:
    errors = width_errors([1, 32], seeds=[0, 1])
    assert errors.shape == (2, 2)
    assert (errors[:, 0] > 0.5).all()  # 一个单元分不开十类
    assert (errors[:, 1] < 0.1).all()


def test_width_errors_repeat_and_follow_the_seed() -> None:
    first, again, other = (width_errors([8], [seed], epochs=1) for seed in (0, 0, 1))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("widths", "epochs"), [([4, 0], 1), ([4], 0)])
def test_width_errors_reject(widths: list[int], epochs: int) -> None:
    with pytest.raises(ValueError, match="须宽度 >= 1 且 epochs >= 1，收到"):
        width_errors(widths, [0], epochs)


# Optuna


def test_optuna_ranges_include_both_ends() -> None:
    draws = optuna_draws(60, seed=0)
    assert {name: len(values) for name, values in draws.items()} == {
        "learning_rate": 60,
        "without_log": 60,
        "layers": 60,
        "units": 60,
        "one_minus_beta": 60,
    }
    assert np.unique(draws["layers"]).tolist() == [2, 3, 4]
    assert (draws["units"] % 1 == 0).all()
    np.testing.assert_array_equal(draws["units"], optuna_draws(60, seed=0)["units"])


def test_optuna_draws_rejects_no_trials() -> None:
    with pytest.raises(ValueError, match="n_trials 须 >= 1，收到 0"):
        optuna_draws(0, seed=0)


# 原文的代码


def test_caret_is_xor_not_power() -> None:
    # 加减法写出的异或：10 = 0b1010，−3 = ~0b0010
    assert powers_as_written([-3, 0, 2, 5]) == [~(10 - 2), 10 + 0, 10 - 2, 10 + 5]
    with pytest.raises(TypeError, match="bitwise_xor"):
        powers_as_written([np.float64(0.5)])  # type: ignore[list-item]
