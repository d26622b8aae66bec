"""Q1 的手撕题：网格上的点，随机的点。"""

import random

from snippets.exercises.checking import check, refuses


# --8<-- [start:grid_points]
def grid_points(axes: dict[str, list[float]]) -> list[dict[str, float]]:
    """列出网格搜索的全部点：各维取值的每一种组合恰好一次。

    Args:
        axes: 超参数名到候选值。

    Returns:
        每个点是一个字典；最后一维变得最快。

    Raises:
        ValueError: 一维也没有，或有一维没有候选值。

    Example:
        >>> grid_points({"lr": [0.1, 1.0], "wd": [0.0]})
        [{'lr': 0.1, 'wd': 0.0}, {'lr': 1.0, 'wd': 0.0}]
    """
    if not axes or not all(axes.values()):
        raise ValueError(f"每一维至少要有一个候选值，收到 {axes}")
    points: list[dict[str, float]] = [{}]
    for name, values in axes.items():
        points = [{**point, name: value} for point in points for value in values]
    return points


# --8<-- [end:grid_points]


def test_grid_points_two_axes() -> None:
    """两维：2 × 3 = 6 个点，最后一维变得最快"""
    check(
        grid_points,
        {"lr": [0.1, 1.0], "wd": [0.0, 0.5, 1.0]},
        gives=[{"lr": a, "wd": b} for a in (0.1, 1.0) for b in (0.0, 0.5, 1.0)],
        because="网格是全部组合，先固定前面的维，让最后一维走一遍。",
    )


def test_grid_points_three_axes() -> None:
    """三维，候选值的个数各不相同：个数相乘"""
    axes = {"a": [1.0], "b": [1.0, 2.0], "c": [1.0, 2.0, 3.0, 4.0]}
    count = len(grid_points(axes))
    assert count == 8, f"1 × 2 × 4 = 8 个点，得到 {count} 个：维数不一定是 2。"


def test_grid_points_independent() -> None:
    """各个点是各自的字典，改一个不牵动别的"""
    points = grid_points({"lr": [0.1, 1.0]})
    points[0]["lr"] = 9.0
    assert points[1]["lr"] == 1.0, (
        "改了第一个点，第二个也变了：它们是同一个字典，每个点要新建一个。"
    )


def test_grid_points_empty() -> None:
    """一维也没有、有一维是空的：ValueError"""
    refuses(ValueError, grid_points, {})
    refuses(ValueError, grid_points, {"lr": [0.1], "wd": []})


# --8<-- [start:random_points]
def random_points(
    ranges: dict[str, tuple[float, float]], count: int, rng: random.Random
) -> list[dict[str, float]]:
    """随机搜索的点：每个点的每一维都在自己的范围里独立地均匀抽取。

    Args:
        ranges: 超参数名到 `(下界, 上界)`。
        count: 抽几个点，须 `>= 1`。
        rng: 随机源；每个数用一次 `rng.random()`，它在 [0, 1) 里。先抽完一个点的
            各维，再抽下一个点。

    Returns:
        `count` 个点，每个是一个字典。

    Raises:
        ValueError: 一维也没有，或 `count < 1`。

    Example:
        >>> len(random_points({"x": (0.0, 1.0)}, 25, random.Random(0)))
        25

    Source:
        Bergstra & Bengio (2012), JMLR 13:281–305.
    """
    if not ranges or count < 1:
        raise ValueError(f"须有至少一维和一个点，收到 {len(ranges)} 维 {count} 个点")
    return [
        {
            name: low + (high - low) * rng.random()
            for name, (low, high) in ranges.items()
        }
        for _ in range(count)
    ]


# --8<-- [end:random_points]


class _Listed(random.Random):
    """照单子给数的随机源。"""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.values = iter(values)

    def random(self) -> float:
        return next(self.values)


def test_random_points_exact() -> None:
    """随机数依次是 0、0.5、0.25、0.75：算得出每个点"""
    got = random_points(
        {"x": (0.0, 1.0), "y": (2.0, 4.0)}, 2, _Listed(0, 0.5, 0.25, 0.75)
    )
    want = [{"x": 0.0, "y": 3.0}, {"x": 0.25, "y": 3.5}]
    assert got == want, (
        f"应是 {want}，得到 {got}。[0, 1) 里的 u 换到 [a, b)：a + (b - a) * u。"
    )


def test_random_points_all_different() -> None:
    """25 个点，第一维上是 25 个不同的值：网格只有 5 个"""
    points = random_points({"x": (0.0, 1.0), "y": (0.0, 1.0)}, 25, random.Random(1))
    values = len({point["x"] for point in points})
    assert values == 25, f"第一维上只有 {values} 个不同的值：每个点都要重新抽。"


def test_random_points_axes_independent() -> None:
    """两维各抽各的，不共用一个随机数"""
    points = random_points({"x": (0.0, 1.0), "y": (0.0, 1.0)}, 5, random.Random(2))
    assert any(point["x"] != point["y"] for point in points), (
        "x 与 y 总相等，点都落在对角线上：每一维要各抽一个随机数。"
    )


def test_random_points_refuses() -> None:
    """没有维、个数小于 1：ValueError"""
    refuses(ValueError, random_points, {}, 3, random.Random(0))
    refuses(ValueError, random_points, {"x": (0.0, 1.0)}, 0, random.Random(0))
