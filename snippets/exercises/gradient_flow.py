"""Q3 的手撕题：链式法则的连乘，按全局范数裁剪。"""

import math

from snippets.exercises.checking import check, compare, refuses


# --8<-- [start:chain_gradients]
def chain_gradients(weights: list[float], slopes: list[float]) -> list[float]:
    """每层一个神经元的网络：给出输出对各层输入的导数。

    第 l 层算 `a[l] = g(w[l] * a[l-1])`，激活函数在那里的斜率是 `slopes[l]`。

    Args:
        weights: 各层的权重，从第一层起。
        slopes: 各层激活函数的斜率，与 `weights` 一样长。

    Returns:
        第 l 个是输出对第 l 层的**输入**的导数；与 `weights` 一样长。

    Raises:
        ValueError: 两者长度不同。

    Example:
        >>> chain_gradients([2.0, 3.0], [1.0, 0.5])
        [3.0, 1.5]
    """
    if len(weights) != len(slopes):
        raise ValueError(f"长度须相同，收到 {len(weights)} 与 {len(slopes)}")
    gradients = []
    gradient = 1.0
    for weight, slope in zip(reversed(weights), reversed(slopes), strict=True):
        gradient *= weight * slope
        gradients.append(gradient)
    return gradients[::-1]


# --8<-- [end:chain_gradients]


def test_chain_gradients_two_layers() -> None:
    """两层：后一层只乘自己的，前一层再乘一次"""
    check(
        chain_gradients,
        [2.0, 3.0],
        [1.0, 0.5],
        gives=[3.0, 1.5],
        because="从输出往回乘：每过一层乘 权重 × 斜率，那一层自己的也要乘。",
    )


def test_chain_gradients_explodes() -> None:
    """20 层、权重 1.5、没有激活函数：第一层是 1.5 的 20 次方"""
    got = chain_gradients([1.5] * 20, [1.0] * 20)
    compare("第一层的导数", got[0], 1.5**20, "20 层要乘 20 次。")


def test_chain_gradients_vanishes() -> None:
    """同样的权重，sigmoid 的斜率至多 0.25：消失"""
    got = chain_gradients([1.5] * 20, [0.25] * 20)
    compare("第一层的导数", got[0], 0.375**20, "激活函数的斜率也要乘。", within=1e-18)


def test_chain_gradients_edges() -> None:
    """没有层：空列表；长度不同：ValueError"""
    check(chain_gradients, [], [], gives=[])
    refuses(ValueError, chain_gradients, [1.0], [])


# --8<-- [start:clip_by_norm]
def clip_by_norm(
    gradients: list[list[float]], max_norm: float
) -> tuple[list[list[float]], float]:
    """按全局范数裁剪梯度：超过上限才缩，所有梯度乘同一个系数。

    Args:
        gradients: 各个参数的梯度，每个是一列数。
        max_norm: 总范数的上限，须 `> 0`。

    Returns:
        裁剪后的梯度，和裁剪**之前**的总范数。

    Raises:
        ValueError: `max_norm <= 0`。

    Example:
        >>> clip_by_norm([[3.0], [4.0]], 10.0)
        ([[3.0], [4.0]], 5.0)

    Source:
        Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063, Algorithm 1.
    """
    if max_norm <= 0:
        raise ValueError(f"须 max_norm > 0，收到 {max_norm}")
    norm = math.sqrt(sum(g * g for gradient in gradients for g in gradient))
    scale = min(1.0, max_norm / norm) if norm else 1.0
    return [[g * scale for g in gradient] for gradient in gradients], norm


# --8<-- [end:clip_by_norm]


def test_clip_by_norm_global() -> None:
    """两个参数合起来的范数是 5，裁到 1：方向不变"""
    check(
        clip_by_norm,
        [[3.0], [4.0]],
        1.0,
        gives=([[0.6], [0.8]], 5.0),
        because="范数是所有参数合起来的平方和再开方，系数只有一个。",
    )


def test_clip_by_norm_small() -> None:
    """没有超过上限：原样给回"""
    check(
        clip_by_norm,
        [[0.3, 0.0], [0.4]],
        1.0,
        gives=([[0.3, 0.0], [0.4]], 0.5),
        because="裁剪只缩不放：系数至多是 1。",
    )


def test_clip_by_norm_zero() -> None:
    """梯度全是 0：不除以 0"""
    check(clip_by_norm, [[0.0, 0.0]], 1.0, gives=([[0.0, 0.0]], 0.0))


def test_clip_by_norm_refuses() -> None:
    """上限不是正数：ValueError"""
    refuses(ValueError, clip_by_norm, [[1.0]], 0.0)
