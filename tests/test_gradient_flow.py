"""Q3 的片段与实验，对照 PyTorch 自带的算子、闭式解与暴力枚举。"""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from torch import Generator, Tensor, nn

from snippets.experiments.gradient_flow import (
    Skip,
    deep_net,
    jacobian_gain,
    linear_log_gain,
    normalized_layer,
    norms_by_layer,
    path_gradients,
    unrolled_descent,
)
from snippets.gradient_flow import (
    activation_slope,
    chain_product,
    chain_slopes,
    clip_by_norm,
    clip_by_value,
    gradient_norms,
    saturated_fraction,
)

finite = st.floats(-5, 5, allow_nan=False)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(
        *shape, generator=Generator().manual_seed(seed), dtype=torch.float64
    )


# 单神经元链


@settings(max_examples=50, deadline=None)
@given(st.lists(finite, min_size=1, max_size=8))
def test_activation_slope_matches_closed_forms(values: list[float]) -> None:
    z = torch.tensor(values, dtype=torch.float64)
    s = 1 / (1 + torch.exp(-z))
    torch.testing.assert_close(activation_slope(z, torch.sigmoid), s * (1 - s))
    torch.testing.assert_close(activation_slope(z, torch.tanh), 1 - z.tanh() ** 2)
    torch.testing.assert_close(activation_slope(z, torch.relu), (z > 0).double())


def test_activation_slope_leaves_its_input_alone() -> None:
    z = randn(3)
    activation_slope(z, torch.tanh)
    assert not z.requires_grad


@settings(max_examples=50, deadline=None)
@given(st.lists(finite, min_size=1, max_size=6), finite, finite)
def test_chain_matches_autograd(weights: list[float], x: float, bias: float) -> None:
    w = torch.tensor(weights, dtype=torch.float64)
    start = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    a = start
    for weight in w:
        a = torch.sigmoid(weight * a + bias)
    (expected,) = torch.autograd.grad(a, start)
    got = chain_product(w, chain_slopes(w, x, torch.sigmoid, bias)).item()
    assert got == pytest.approx(expected.item(), rel=1e-9, abs=1e-300)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-4, 4, allow_nan=False), min_size=1, max_size=20), finite, finite
)
def test_sigmoid_chain_needs_weights_above_four(
    weights: list[float], x: float, bias: float
) -> None:
    w = torch.tensor(weights, dtype=torch.float64)
    product = chain_product(w, chain_slopes(w, x, torch.sigmoid, bias))
    assert product.abs() <= 1


def test_numbers_of_the_article() -> None:
    w = torch.full((20,), 1.5, dtype=torch.float64)
    one = torch.ones_like(w)
    assert chain_product(w, one).item() == pytest.approx(3325.2567, rel=1e-7)
    assert chain_product(w / 3, one).item() == pytest.approx(9.5367e-7, rel=1e-4)
    sigmoid = chain_product(w, chain_slopes(w, 0.0, torch.sigmoid)).item()
    assert sigmoid == pytest.approx(1.1537e-11, rel=1e-4)
    assert sigmoid < 0.375**20
    # 偏置把 z 拉回 0 时 σ′ = 1/4，w = 6 的链恰好每层乘 1.5
    centred = chain_slopes(4 * w, 0.5, torch.sigmoid, bias=-3.0)
    assert chain_product(4 * w, centred).item() == pytest.approx(1.5**20)
    # 没有偏置，同样的 w = 6 饱和而消失
    assert chain_product(4 * w, chain_slopes(4 * w, 0.0, torch.sigmoid)) < 1e-30


def test_chain_rejects_bad_shapes() -> None:
    with pytest.raises(ValueError, match=r"非空一维张量，收到形状 \(0,\)"):
        chain_slopes(torch.empty(0), 0.0, torch.sigmoid)
    with pytest.raises(ValueError, match=r"收到形状 \(2, 2\)"):
        chain_slopes(torch.ones(2, 2), 0.0, torch.sigmoid)
    with pytest.raises(ValueError, match=r"须同形，收到 \(3,\)、\(1,\)"):
        chain_product(torch.ones(3), torch.ones(1))
    assert chain_product(torch.empty(0), torch.empty(0)) == 1


# 逐层梯度、饱和


def test_gradient_norms_match_the_outer_product() -> None:
    first, second = nn.Linear(3, 4).double(), nn.Linear(4, 2).double()
    x, d = randn(5, 3), randn(5, 2, seed=1)
    (second(first(x)) * d).sum().backward()
    expected = [
        ((d @ second.weight).T @ x).norm().item(),
        (d.T @ first(x)).norm().item(),
    ]
    got = gradient_norms(nn.Sequential(first, second))
    assert got.tolist() == pytest.approx(expected)


def test_gradient_norms_want_a_backward_pass() -> None:
    with pytest.raises(ValueError, match="须先反向传播，weight 还没有梯度"):
        gradient_norms(nn.Linear(2, 2))


@pytest.mark.parametrize("scale", [1.0, 3.0, 10.0])
def test_saturated_fraction_matches_the_normal_tail(scale: float) -> None:
    edge = math.log((1 + math.sqrt(0.96)) / (1 - math.sqrt(0.96)))  # σ′(z) = 0.01
    expected = 2 * norm.cdf(-edge / scale)
    n = 40_000
    got = saturated_fraction(scale * randn(n), torch.sigmoid)
    # 二项分布的标准差至多 1/(2√n)，取 5 倍
    assert abs(got - expected) < 5 * 0.5 / math.sqrt(n)


def test_saturated_fraction_edges() -> None:
    assert saturated_fraction(torch.tensor([[-1.0, 1.0]]), torch.relu) == 0.5
    assert saturated_fraction(torch.zeros(1), torch.sigmoid) == 0
    falling = saturated_fraction(torch.ones(2), torch.neg)  # 导数 −1，不算饱和
    assert falling == 0


# 裁剪


def module_with_gradients(scale: float) -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).double()
    for i, parameter in enumerate(model.parameters()):
        parameter.grad = scale * randn(*parameter.shape, seed=i)
    return model


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(1e-2, 1e2))
def test_clip_by_norm_matches_torch(scale: float, max_norm: float) -> None:
    model = module_with_gradients(scale)
    grads = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    clipped, total = clip_by_norm(grads, max_norm)
    expected = nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    torch.testing.assert_close(total, expected)
    # PyTorch 的分母多 1e-6，相对误差至多 1e-6/total
    for mine, parameter in zip(clipped, model.parameters(), strict=True):
        torch.testing.assert_close(mine, parameter.grad, rtol=1e-3, atol=0)
    flat = torch.cat([g.flatten() for g in grads])
    after = torch.cat([g.flatten() for g in clipped])
    assert after.norm() <= max_norm * (1 + 1e-12)
    torch.testing.assert_close(after / after.norm(), flat / flat.norm())


def test_clipping_edges() -> None:
    grads = [torch.zeros(2), torch.zeros(3, 1)]
    clipped, total = clip_by_norm(grads, 1.0)  # 零梯度不能变成 nan
    assert total == 0
    assert all(g.equal(zero) for g, zero in zip(clipped, grads, strict=True))
    with pytest.raises(ValueError, match="max_norm 须 > 0，收到 0"):
        clip_by_norm(grads, 0)
    clipped, total = clip_by_norm([torch.full((4,), 1e9)], math.inf)  # 不裁剪
    assert total == 2e9
    assert clipped[0].equal(torch.full((4,), 1e9))


# 实验：线性网络、五种网络


@settings(max_examples=50, deadline=None)
@given(st.lists(finite, max_size=6), st.floats(0.01, 10))
def test_clip_by_value_matches_torch(values: list[float], limit: float) -> None:
    gradient = torch.tensor(values, dtype=torch.float64)
    parameter = nn.Parameter(torch.zeros_like(gradient))
    parameter.grad = gradient.clone()
    nn.utils.clip_grad_value_([parameter], limit)
    (clipped,) = clip_by_value([gradient], limit)
    assert torch.equal(clipped, parameter.grad)
    assert clip_by_value([], limit) == []
    with pytest.raises(ValueError, match="clip_value 须 > 0，收到 0"):
        clip_by_value([gradient], 0)


def test_linear_gain_matches_the_closed_form() -> None:
    width, depth, seeds = 128, 20, 20
    gains = [
        linear_log_gain(width, depth, 0.2, Generator().manual_seed(s))
        for s in range(seeds)
    ]
    # 每层 ln‖δ‖² 的方差约 2/width，均值偏约 −1/width
    tolerance = 5 * math.sqrt(2 / width / depth / seeds) + 1 / width
    expected = math.log(width * 0.2**2 / 3)
    assert abs(sum(gains) / seeds - expected) < tolerance


def test_linear_gain_of_one_layer_is_the_norm_of_the_product() -> None:
    rng = Generator().manual_seed(5)
    start = torch.randn(6, generator=rng)
    weight = torch.empty(6, 6).uniform_(-0.2, 0.2, generator=rng)
    expected = 2 * math.log((start @ weight).norm() / start.norm())
    got = linear_log_gain(6, 1, 0.2, Generator().manual_seed(5))
    assert got == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["sigmoid", "tanh", "relu", "batch_norm", "residual"])
def test_deep_net_has_one_weight_a_layer(kind: str) -> None:
    model = deep_net(kind, 8, 3, Generator().manual_seed(0), scale=2.0)
    weights = list(model.parameters())
    assert [w.shape for w in weights] == [(8, 8)] * 3
    assert model(randn(4, 8)).shape == (4, 8)
    plain = deep_net(kind, 8, 3, Generator().manual_seed(0))
    for doubled, weight in zip(weights, plain.parameters(), strict=True):
        torch.testing.assert_close(doubled, 2 * weight)


@pytest.mark.parametrize(
    ("kind", "variance"),
    [("sigmoid", 1), ("tanh", 1), ("relu", 2), ("batch_norm", 2), ("residual", 2)],
)
def test_deep_net_weight_variance(kind: str, variance: float) -> None:
    (weight,) = deep_net(kind, 200, 1, Generator().manual_seed(0)).parameters()
    # 40 000 个样本的方差，相对标准差 √(2/40000)，取 5 倍
    assert 200 * weight.var().item() == pytest.approx(variance, rel=0.036)


def test_deep_net_rejects_unknown_kinds() -> None:
    with pytest.raises(ValueError, match=r"sigmoid、tanh.*之一，收到 'gelu'"):
        deep_net("gelu", 8, 3, Generator())


def test_skip_with_a_zero_branch_is_the_identity() -> None:
    branch = nn.Linear(3, 3).double()
    nn.init.zeros_(branch.weight)
    nn.init.zeros_(branch.bias)
    x = randn(2, 3)
    assert Skip(branch)(x).equal(x)


def log_norms(kind: str, width: int, depth: int, batch: int) -> Tensor:
    return torch.stack(
        [norms_by_layer(kind, width, depth, batch, seed) for seed in range(20)]
    ).log()


def test_sigmoid_vanishes_by_a_quarter_a_layer() -> None:
    logs = log_norms("sigmoid", 32, 12, 32)
    assert (logs[:, -1] == 0).all()
    per_layer = logs[:, 0].mean().item() / 11
    assert math.log(0.2) < per_layer < math.log(0.25)


@pytest.mark.parametrize("batch", [8, 64])
def test_batch_norm_rate_matches_the_closed_form(batch: int) -> None:
    # Yang 等（2019）：宽度无穷、批大小 B 的每层倍数；B 趋于无穷时是 π/(π−1)
    c = -1 / (batch - 1)  # 减去批均值后，两个样本之间的相关系数
    slope = (math.pi - math.acos(c)) / math.pi
    kernel = math.sqrt(1 - c * c) / math.pi + c * slope
    rate = ((slope + batch - 1) / (1 - kernel) - 1) / (batch - 3)
    logs = log_norms("batch_norm", 64, 24, batch)
    gains = 2 * (logs[:, 4] - logs[:, 20]) / 16  # 去掉两头各几层
    tolerance = 4 * gains.std().item() / math.sqrt(20)  # 20 个种子，标准误的 4 倍
    assert abs(gains.mean().item() - math.log(rate)) < tolerance
    limit = math.log(math.pi / (math.pi - 1))
    assert limit < math.log(rate) < limit * (1 + 5 / batch)


def test_residual_grows_slower_than_batch_norm_alone() -> None:
    residual = log_norms("residual", 32, 20, 32)[:, 0].mean()
    plain = log_norms("batch_norm", 32, 20, 32)[:, 0].mean()
    assert 0 < residual < plain / 2


@pytest.mark.parametrize("depth", [10, 40])
def test_residual_growth_is_a_power_of_the_depth(depth: int) -> None:
    c = 1 - 1 / math.pi  # 每块使残差流的批内方差增加这么多
    squared = math.prod(1 + 1 / (1 + c * block) for block in range(1, depth))
    got = log_norms("residual", 64, depth, 64)[:, 0].mean().item()
    # 宽度与批有限，又略去了块间的相关，放宽到 15%
    assert got == pytest.approx(math.log(squared) / 2, abs=0.15)


def test_jacobian_gain_matches_the_explicit_matrix() -> None:
    model = deep_net("tanh", 5, 3, Generator().manual_seed(0))
    x, d = randn(1, 5), randn(1, 5, seed=1)
    jacobian = torch.func.jacrev(model)(x).reshape(5, 5)
    expected = (d @ jacobian).norm() / d.norm()
    assert jacobian_gain(model, x, d) == pytest.approx(expected.item())


# 实验：六种办法


def test_unclipped_step_explodes_and_clipped_step_converges() -> None:
    free = unrolled_descent(1.5, 20, lr=0.002, steps=4)
    gradient = 20 * 1.5**19 * (1.5**20 - 1)
    assert free[0].tolist() == pytest.approx([1.5, gradient])
    assert free[1, 0].item() == pytest.approx(1.5 - 0.002 * gradient)
    assert free[-1].isnan().all()
    clipped = unrolled_descent(1.5, 20, lr=0.002, steps=60, max_norm=10.0)
    assert clipped[-1, 0].item() == pytest.approx(1.0)
    moves = clipped[:, 0].diff().abs()
    assert (moves <= 0.002 * 10 * (1 + 1e-9)).all()


def test_one_exploding_step_can_land_on_the_plateau() -> None:
    rows = unrolled_descent(1.1, 20, lr=0.002, steps=30)
    assert (rows[1:, 0].abs() ** 20 < 1e-9).all()  # 损失停在 ½
    assert (rows[1:, 1] < 1e-8).all()


@settings(max_examples=25, deadline=None)
@given(st.floats(0.5, 1.5), st.integers(1, 12))
def test_unrolled_gradient_matches_autograd(w: float, depth: int) -> None:
    weight = torch.tensor(w, dtype=torch.float64, requires_grad=True)
    torch.autograd.backward((weight**depth - 1) ** 2 / 2)
    ((start, norm),) = unrolled_descent(w, depth, lr=0.1, steps=1)
    assert weight.grad is not None
    assert start.item() == w
    assert norm.item() == pytest.approx(weight.grad.abs().item())


def test_shrinking_the_weights_has_two_sides() -> None:
    for seed in range(3):
        gains, saturated = [], []
        for scale in (2.5, 1.5, 0.7):
            rng = Generator().manual_seed(seed)
            model = deep_net("tanh", 32, 20, rng, scale=scale)
            x, d = torch.randn(2, 32, 32, generator=rng, dtype=torch.float64)
            z = torch.cat([model[: i + 1](x) for i in range(0, 40, 2)])
            gains.append(jacobian_gain(model, x, d))
            saturated.append(saturated_fraction(z, torch.tanh))
        assert gains[0] > 10 * gains[1] > 10  # 过大：爆炸减轻
        assert gains[2] < 0.01 < gains[1]  # 再小：消失
        assert saturated[0] > 10 * saturated[1]


# 实验：BN 的尺度不变性


def test_normalized_layer_matches_torch() -> None:
    w, u = randn(4, 3), randn(6, 3, seed=1)
    expected = F.batch_norm(u @ w.T, None, None, training=True, eps=1e-14)
    torch.testing.assert_close(normalized_layer(w, u), expected)
    with pytest.raises(ValueError, match="至少两个样本，收到 1 个"):
        normalized_layer(w, u[:1])


@settings(max_examples=25, deadline=None)
@given(st.floats(0.1, 100), st.integers(0, 1000))
def test_batch_norm_ignores_the_scale_of_the_weight(scale: float, seed: int) -> None:
    w, u, d = randn(4, 3, seed=seed), randn(8, 3, seed=seed + 1), randn(8, 4)
    grads: list[Tensor] = []
    for weight in (w.requires_grad_(), (scale * w).detach().requires_grad_()):
        out = normalized_layer(weight, u)
        grads += torch.autograd.grad((out * d).sum(), weight)
        torch.testing.assert_close(out, normalized_layer(w, u))
    torch.testing.assert_close(grads[0], scale * grads[1], rtol=1e-6, atol=1e-9)
    # 欧拉齐次函数定理：每一行的梯度与这一行的权重正交
    inner = (grads[0] * w).sum(dim=1).abs()
    assert (inner <= 1e-9 * (1 + grads[0].norm(dim=1) * w.norm(dim=1))).all()


# 实验：残差网络的路径


def test_path_gradients_match_brute_force() -> None:
    jacobians, d = randn(4, 3, 3), randn(3, seed=9)
    expected = torch.zeros(5, 3, dtype=torch.float64)
    for choice in itertools.product([False, True], repeat=4):
        v = d
        for taken, jacobian in zip(reversed(choice), jacobians.flip(0), strict=True):
            v = jacobian.T @ v if taken else v
        expected[sum(choice)] += v
    torch.testing.assert_close(path_gradients(jacobians, d), expected)


def test_paths_sum_to_the_gradient_of_the_network() -> None:
    weights, d = 0.3 * randn(5, 6, 6), randn(6)
    h = randn(6, seed=1).requires_grad_()
    out, jacobians = h, []
    for weight in weights:
        jacobians.append(weight * (out > 0))  # W·ReLU(h) 的雅可比
        out = out + weight @ out.relu()
    (expected,) = torch.autograd.grad(out @ d, h)
    got = path_gradients(torch.stack(jacobians), d)
    torch.testing.assert_close(got.sum(dim=0), expected)
    assert path_gradients(torch.empty(0, 6, 6), d).equal(d[None])


def test_path_lengths_are_binomial_on_average() -> None:
    depth, gain, seeds = 10, 0.5, 60
    energy = torch.zeros(depth + 1, dtype=torch.float64)
    for seed in range(seeds):
        jacobians = gain / 8 * randn(depth, 64, 64, seed=seed)
        paths = path_gradients(jacobians, randn(64, seed=seed + seeds))
        energy += paths.square().sum(dim=1) / seeds
    p = gain**2 / (1 + gain**2)
    expected = [
        math.comb(depth, k) * p**k * (1 - p) ** (depth - k) for k in range(depth + 1)
    ]
    # 60 次平均后每项的相对误差约 √(depth/(60·64)) ≈ 5%，占比至多 0.3，取 3 倍
    share = (energy / energy.sum()).tolist()
    assert share == pytest.approx(expected, abs=3 * 0.05 * 0.3)
