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
from scipy.stats import kstest, loguniform, uniform

from snippets.experiments.search_space import bin_shares, ema_weights, value_shares
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
    ],
)
def test_samplers_reject_bad_ranges(
    draw: Sampler, low: float, high: float, rule: str
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


# 原文的代码


def test_caret_is_xor_not_power() -> None:
    a, b = -3, 0
    assert (10 ^ a, 10 ^ b) == (-9, 10)
    with pytest.raises(TypeError, match="bitwise_xor"):
        10 ^ np.float64(0.5)  # type: ignore[operator]
