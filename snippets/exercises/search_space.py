"""Q2 的手撕题：对数均匀，对 1 − β 取对数。"""

import random

from snippets.exercises.checking import compare, refuses


# --8<-- [start:sample_log_uniform]
def sample_log_uniform(low: float, high: float, rng: random.Random) -> float:
    """在 [low, high] 里对数均匀地抽一个数：每个数量级的机会相同。

    Args:
        low: 下界，须 `> 0`。
        high: 上界，须 `> low`。
        rng: 随机源；用一次 `rng.random()`，越大抽出的数越大。

    Raises:
        ValueError: 不满足 `0 < low < high`。

    Example:
        >>> 1e-4 <= sample_log_uniform(1e-4, 1.0, random.Random(0)) <= 1.0
        True
    """
    if not 0 < low < high:
        raise ValueError(f"须 0 < low < high，收到 {low} 与 {high}")
    ratio: float = (high / low) ** rng.random()
    return low * ratio


# --8<-- [end:sample_log_uniform]


class _Fixed(random.Random):
    """总给同一个数的随机源。"""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def random(self) -> float:
        return self.value


def test_sample_log_uniform_exact() -> None:
    """[0.0001, 1]：u = 0、0.25、0.5 处应是 0.0001、0.001、0.01"""
    for u, want in (0.0, 1e-4), (0.25, 1e-3), (0.5, 1e-2):
        compare(
            f"u = {u} 时",
            sample_log_uniform(1e-4, 1.0, _Fixed(u)),
            want,
            "均匀的是指数：先在 log(low) 与 log(high) 之间均匀地取，再取指数。",
        )


def test_sample_log_uniform_base_free() -> None:
    """上下界不是 10 的幂也行：[2, 32] 的中点是 8"""
    compare(
        "u = 0.5 时",
        sample_log_uniform(2.0, 32.0, _Fixed(0.5)),
        8.0,
        "对数均匀的中点是几何平均 sqrt(low * high)；给的是上下界，不是指数。",
    )


def test_sample_log_uniform_share() -> None:
    """[0.001, 1] 抽 3000 次：三分之二小于 0.1"""
    rng = random.Random(0)
    share = sum(sample_log_uniform(1e-3, 1.0, rng) < 0.1 for _ in range(3000)) / 3000
    assert abs(share - 2 / 3) < 0.035, (  # 4 倍标准误
        f"小于 0.1 的应占 0.667 左右，得到 {share:.3f}：三个数量级里占两个。"
    )


def test_sample_log_uniform_refuses() -> None:
    """下界是 0、上下界颠倒：ValueError"""
    refuses(ValueError, sample_log_uniform, 0.0, 1.0, _Fixed(0.5))
    refuses(ValueError, sample_log_uniform, 1.0, 0.1, _Fixed(0.5))


# --8<-- [start:sample_beta]
def sample_beta(low: float, high: float, rng: random.Random) -> float:
    """抽一个动量系数 β：对 1 − β 取对数，再均匀地抽。

    Args:
        low: β 的下界，如 0.9。
        high: β 的上界，如 0.999，须 `low < high < 1`。
        rng: 随机源；用一次 `rng.random()`，它是 0 时给 `low`，越大 β 越大。

    Raises:
        ValueError: 不满足 `0 <= low < high < 1`。

    Example:
        >>> 0.9 <= sample_beta(0.9, 0.999, random.Random(0)) <= 0.999
        True
    """
    if not 0 <= low < high < 1:
        raise ValueError(f"须 0 <= low < high < 1，收到 {low} 与 {high}")
    shrink: float = ((1 - high) / (1 - low)) ** rng.random()
    return 1 - (1 - low) * shrink


# --8<-- [end:sample_beta]


def test_sample_beta_ends() -> None:
    """u = 0 给下界，u = 1 给上界"""
    for u, want in (0.0, 0.9), (1.0, 0.999):
        got = sample_beta(0.9, 0.999, _Fixed(u))
        compare(f"u = {u} 时", got, want, "抽的是 1 − β，最后要换回 β。")


def test_sample_beta_middle() -> None:
    """[0.9, 0.999] 的中点是 0.99：窗口 10、100、1000 步等间隔"""
    compare(
        "u = 0.5 时",
        sample_beta(0.9, 0.999, _Fixed(0.5)),
        0.99,
        "要均匀的是窗口 1/(1 − β) 的数量级，所以对 1 − β 取对数，不是对 β。",
    )


def test_sample_beta_share() -> None:
    """抽 2000 次：一半大于 0.99"""
    rng = random.Random(0)
    share = sum(sample_beta(0.9, 0.999, rng) > 0.99 for _ in range(2000)) / 2000
    assert abs(share - 0.5) < 0.045, (  # 4 倍标准误
        f"大于 0.99 的应占一半左右，得到 {share:.3f}。"
    )


def test_sample_beta_refuses() -> None:
    """上界是 1：1 − β 是 0，取不了对数，ValueError"""
    refuses(ValueError, sample_beta, 0.9, 1.0, _Fixed(0.5))
