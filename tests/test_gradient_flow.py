"""Q3 的片段与实验，对照 PyTorch 自带的算子、闭式解与暴力枚举。"""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy.stats import binom, norm
from torch import Generator, Tensor, nn

from snippets.digits import digits_split
from snippets.experiments.gradient_flow import (
    batch_norm_ratios,
    chain_gain,
    compare_clipping,
    dead_units,
    gain_and_saturation,
    jacobian_gain,
    linear_gain,
    log_norms_by_layer,
    normalized_layer,
    path_shares,
    pretrained_norms,
    rnn_losses,
    saturation,
    scale_response,
    top_singular_value,
    unrolled_descent,
)
from snippets.gradient_flow import (
    Skip,
    activation_slope,
    chain_product,
    chain_slopes,
    clip_by_norm,
    clip_by_value,
    deep_net,
    first_nonfinite,
    gradient_norms,
    path_gradients,
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
    assert chain_gain(1.5) == pytest.approx(3325.2567, rel=1e-7)
    assert chain_gain(0.5) == pytest.approx(9.5367e-7, rel=1e-4)
    sigmoid = chain_gain(1.5, 20, torch.sigmoid)
    assert sigmoid == pytest.approx(1.1537e-11, rel=1e-4)
    assert sigmoid < 0.375**20
    # 偏置把 z 拉回 0 时 σ′ = 1/4，w = 6 的链恰好每层乘 1.5
    centred = chain_gain(6.0, 20, torch.sigmoid, x=0.5, bias=-3.0)
    assert centred == pytest.approx(1.5**20)
    # 没有偏置，同样的 w = 6 饱和而消失
    assert chain_gain(6.0, 20, torch.sigmoid) < 1e-30


def test_chain_rejects_bad_shapes() -> None:
    with pytest.raises(ValueError, match=r"非空一维张量，收到形状 \(0,\)"):
        chain_slopes(torch.empty(0), 0.0, torch.sigmoid)
    with pytest.raises(ValueError, match=r"收到形状 \(2, 2\)"):
        chain_slopes(torch.ones(2, 2), 0.0, torch.sigmoid)
    with pytest.raises(ValueError, match=r"须同形，收到 \(3,\)、\(1,\)"):
        chain_product(torch.ones(3), torch.ones(1))
    assert chain_product(torch.empty(0), torch.empty(0)) == 1
    with pytest.raises(ValueError, match="depth 须 >= 1，收到 0"):
        chain_gain(1.5, 0)


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
    with pytest.raises(ValueError, match=r"须有权重矩阵，收到 ReLU\(\)"):
        gradient_norms(nn.ReLU())


@pytest.mark.parametrize("scale", [1.0, 3.0, 10.0])
def test_saturated_fraction_matches_the_normal_tail(scale: float) -> None:
    edge = math.log((1 + math.sqrt(0.96)) / (1 - math.sqrt(0.96)))  # σ′(z) = 0.01
    expected = 2 * norm.cdf(-edge / scale)
    n = 40_000
    got = saturated_fraction(scale * randn(n), torch.sigmoid)
    # 二项分布的标准差至多 1/(2√n)，取 5 倍
    assert abs(got - expected) < 5 * 0.5 / math.sqrt(n)


def test_saturation_matches_the_normal_tail_and_an_integral() -> None:
    fraction, slope = saturation(3.0, torch.sigmoid, Generator().manual_seed(0))
    edge = math.log((1 + math.sqrt(0.96)) / (1 - math.sqrt(0.96)))
    expected, _ = integrate.quad(
        lambda z: norm.pdf(z) / (2 + 2 * math.cosh(3 * z)), -9, 9
    )
    # 10 万个样本，标准误至多 0.5/√N，取 5 倍
    assert abs(fraction - 2 * norm.cdf(-edge / 3)) < 5 * 0.5 / math.sqrt(100_000)
    assert abs(slope - expected) < 5 * 0.25 / math.sqrt(100_000)


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
    with pytest.raises(ValueError, match="max_norm > 0，收到 2 个、0"):
        clip_by_norm(grads, 0)
    with pytest.raises(ValueError, match="收到 0 个、1"):
        clip_by_norm([], 1)
    clipped, total = clip_by_norm([torch.full((4,), 1e9)], math.inf)  # 不裁剪
    assert total == 2e9
    assert clipped[0].equal(torch.full((4,), 1e9))


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


def test_compare_clipping_on_a_triangle() -> None:
    result = compare_clipping([torch.tensor([[3.0]]), torch.tensor([4.0])], 2.5)
    assert result["norm"] == pytest.approx((1.0, 0.5), rel=1e-6)
    assert result["value"] == pytest.approx((7 / 50**0.5, 2.5 / 3), rel=1e-6)


# 实验：线性网络、五种网络


def test_linear_gain_matches_the_closed_form() -> None:
    width, depth, seeds = 128, 20, 20
    gains = [
        2 * math.log(linear_gain(width, depth, 0.2, Generator().manual_seed(s)))
        for s in range(seeds)
    ]
    # 每层 ln‖δ‖² 的方差约 2/width，均值偏约 −1/width
    tolerance = 5 * math.sqrt(2 / width / depth / seeds) + 1 / width
    expected = math.log(width * 0.2**2 / 3)
    assert abs(sum(gains) / seeds - expected) < tolerance


def test_linear_gain_of_one_layer_is_the_norm_of_the_product() -> None:
    generator = Generator().manual_seed(5)
    start = torch.randn(6, generator=generator)
    weight = torch.empty(6, 6).uniform_(-0.2, 0.2, generator=generator)
    expected = ((start @ weight).norm() / start.norm()).item()
    got = linear_gain(6, 1, 0.2, Generator().manual_seed(5))
    assert got == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("bound", [0.2, 0.02])
def test_top_singular_value_is_the_largest_stretch(bound: float) -> None:
    weight = torch.empty(128, 128).uniform_(
        -bound, bound, generator=Generator().manual_seed(3)
    )
    v = torch.ones(128)
    for _ in range(300):  # 幂迭代
        v = weight.T @ (weight @ v)
        v = v / v.norm()
    got = top_singular_value(128, bound, Generator().manual_seed(3))
    assert got == pytest.approx((weight @ v).norm().item(), rel=1e-3)
    # 谱边缘的偏移与涨落是相对 n^(−2/3) 的量级，取 1.5 倍
    edge = 2 * bound * math.sqrt(128 / 3)
    assert got == pytest.approx(edge, rel=1.5 * 128 ** (-2 / 3))


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
    with pytest.raises(ValueError, match="width、depth 须 >= 1，收到 8、0"):
        deep_net("relu", 8, 0, Generator())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: linear_gain(6, 0, 0.2, Generator()), ValueError, "收到 6、0"),
        (lambda: linear_gain(0, 6, 0.2, Generator()), ValueError, "收到 0、6"),
        (
            lambda: linear_gain(6, 6, -1, Generator()),
            RuntimeError,
            "from=1 > to=-1",
        ),
        (
            lambda: top_singular_value(6, -1, Generator()),
            RuntimeError,
            "from=1 > to=-1",
        ),
        (lambda: top_singular_value(-6, 1, Generator()), RuntimeError, "dimension -6"),
        (lambda: saturation(-1, torch.tanh, Generator()), RuntimeError, "found std -1"),
        (lambda: saturation(1, torch.tanh, Generator(), 0), ValueError, r"形状 \(0,\)"),
        (lambda: saturated_fraction(randn(0, 2), torch.tanh), ValueError, r"\(0, 2\)"),
        (
            lambda: activation_slope(torch.arange(2), torch.tanh),
            RuntimeError,
            "floating",
        ),
        (lambda: compare_clipping([], 1.0), ValueError, "收到 0 个、1.0"),
        (lambda: compare_clipping([randn(2, 2)], 0), ValueError, "收到 1 个、0"),
        (lambda: Skip(nn.Linear(3, 1))(torch.ones(2, 3)), ValueError, r"收到 \(2, 1\)"),
        (
            lambda: jacobian_gain(nn.Identity(), randn(2, 3), randn(1, 3)),
            RuntimeError,
            r"grad_output\[0\] has a shape of torch.Size\(\[1, 3\]\)",
        ),
        (
            lambda: gain_and_saturation("residual", 1.0, [0]),
            ValueError,
            r"sigmoid、tanh 或 relu，至少一个种子，收到 'residual'、\[0\]",
        ),
        (
            lambda: gain_and_saturation("tanh", 1.0, []),
            ValueError,
            r"收到 'tanh'、\[\]",
        ),
        (lambda: batch_norm_ratios(1, []), ValueError, r"收到 \[\]、1"),
        (lambda: batch_norm_ratios(-1, [0]), ValueError, r"收到 \[0\]、-1"),
        (lambda: dead_units(0.1, []), ValueError, r"收到 \[\]、20"),
        (lambda: dead_units(0.1, [0], -1), ValueError, r"收到 \[0\]、-1"),
        (lambda: dead_units(-0.1, [0]), ValueError, "learning rate: -0.1"),
        (lambda: rnn_losses(0.1, 1.0, [0], -1), RuntimeError, "dimension -1"),
        (lambda: path_shares(-1, 1.0, Generator()), RuntimeError, "dimension -1"),
        (lambda: path_shares(2, 1.0, Generator(), 0), ValueError, "收到 0、64"),
        (lambda: path_shares(2, 1.0, Generator(), 9, 0), ValueError, "收到 9、0"),
    ],
)
def test_bad_arguments_are_named(
    call: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()


def test_skip_with_a_zero_branch_is_the_identity() -> None:
    branch = nn.Linear(3, 3).double()
    nn.init.zeros_(branch.weight)
    nn.init.zeros_(branch.bias)
    x = randn(2, 3)
    assert Skip(branch)(x).equal(x)


def log_norms(kind: str, width: int, depth: int) -> Tensor:
    return log_norms_by_layer(kind, range(20), width=width, depth=depth)[:, 0]


def test_log_norms_of_a_sigmoid_net_by_hand() -> None:
    generator = Generator().manual_seed(7)
    first, second = deep_net("sigmoid", 3, 2, generator, 2.0).parameters()
    x, d = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64)
    h = torch.sigmoid(x @ first.T)
    out = torch.sigmoid(h @ second.T)
    delta = d * out * (1 - out)
    back = delta @ second * h * (1 - h)
    expected = [
        (back.norm() / delta.norm()).log().item(),
        ((back.T @ x).norm() / (delta.T @ h).norm()).log().item(),
    ]
    logs = log_norms_by_layer("sigmoid", [7, 8], 2.0, width=3, depth=2)
    assert logs.shape == (2, 2, 2)
    assert logs[0, :, 0].tolist() == pytest.approx(expected)
    assert logs[0, :, 1].tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match=r"至少一个种子，收到 \[\]"):
        log_norms_by_layer("sigmoid", [])


def test_relu_weight_gradients_do_not_see_the_variance() -> None:
    small, large = (
        log_norms_by_layer("relu", range(3), scale, width=16, depth=8)
        for scale in (0.5, 2.0)
    )
    torch.testing.assert_close(small[:, 1], large[:, 1])
    steps = (small - large)[:, 0].diff()  # δ 每层差 ln 4
    torch.testing.assert_close(steps, torch.full_like(steps, math.log(4)))


def normal_mean(f: Callable[[float], float], variance: float) -> float:
    std = math.sqrt(variance)
    value: float = integrate.quad(lambda z: norm.pdf(z) * f(std * z), -9, 9)[0]
    return value


@pytest.mark.slow
def test_mean_field_numbers_of_the_claims() -> None:
    def sigmoid(z: float) -> float:
        return 1 / (1 + math.exp(-z))

    q = 0.3
    for _ in range(20):  # 不动点 q = E σ(√q z)²
        q = normal_mean(lambda z: sigmoid(z) ** 2, q)
    chi = normal_mean(lambda z: (sigmoid(z) * (1 - sigmoid(z))) ** 2, q)
    assert math.log(chi) / 2 == pytest.approx(-1.4437, abs=1e-4)
    q = 5.0
    for _ in range(40):  # 权重方差 16/n
        q = 16 * normal_mean(lambda z: sigmoid(z) ** 2, q)
    chi = 16 * normal_mean(lambda z: (sigmoid(z) * (1 - sigmoid(z))) ** 2, q)
    assert math.log(chi) / 2 == pytest.approx(-0.4595, abs=1e-4)
    critical, q = [], 1.0  # tanh，方差 1/n
    for _ in range(25):
        chi = normal_mean(lambda z: (1 - math.tanh(z) ** 2) ** 2, q)
        critical.append(math.log(chi) / 2)
        q = normal_mean(lambda z: math.tanh(z) ** 2, q)
    assert sum(critical[5:]) / 20 == pytest.approx(-0.0391, abs=1e-4)
    gains, saturated, q = [], [], 2.5**2  # tanh，20 层，权重 2.5 倍
    edge = math.atanh(math.sqrt(0.99))  # tanh′ = 0.01
    for _ in range(20):
        chi = normal_mean(lambda z: (1 - math.tanh(z) ** 2) ** 2, q)
        gains.append(math.log(2.5**2 * chi))
        saturated.append(2 * norm.cdf(-edge / math.sqrt(q)))
        q = 2.5**2 * normal_mean(lambda z: math.tanh(z) ** 2, q)
    assert sum(gains) / 20 == pytest.approx(0.4606, abs=1e-4)
    assert sum(saturated) / 20 == pytest.approx(0.1388, abs=1e-4)
    assert binom.cdf(12, 30, 0.2) == pytest.approx(0.99689, abs=1e-5)


def test_sigmoid_vanishes_by_a_quarter_a_layer() -> None:
    logs = log_norms("sigmoid", 32, 12)
    assert (logs[:, -1] == 0).all()
    per_layer = logs[:, 0].mean().item() / 11
    assert math.log(0.2) < per_layer < math.log(0.25)


def test_batch_norm_rate_matches_the_closed_form() -> None:
    # Yang 等（2019）：宽度无穷、批大小 B 的每层倍数；B 趋于无穷时是 π/(π−1)
    batch = 64
    c = -1 / (batch - 1)  # 减去批均值后，两个样本之间的相关系数
    slope = (math.pi - math.acos(c)) / math.pi
    kernel = math.sqrt(1 - c * c) / math.pi + c * slope
    rate = ((slope + batch - 1) / (1 - kernel) - 1) / (batch - 3)
    logs = log_norms("batch_norm", batch, 24)
    gains = 2 * (logs[:, 4] - logs[:, 20]) / 16  # 去掉两头各几层
    tolerance = 4 * gains.std().item() / math.sqrt(20)  # 20 个种子，标准误的 4 倍
    assert abs(gains.mean().item() - math.log(rate)) < tolerance
    limit = math.log(math.pi / (math.pi - 1))
    assert limit < math.log(rate) < limit * (1 + 5 / batch)


def test_residual_grows_slower_than_batch_norm_alone() -> None:
    residual = log_norms("residual", 32, 20)[:, 0].mean()
    plain = log_norms("batch_norm", 32, 20)[:, 0].mean()
    assert 0 < residual < plain / 2


@pytest.mark.parametrize("depth", [10, 40])
def test_residual_growth_is_a_power_of_the_depth(depth: int) -> None:
    c = 1 - 1 / math.pi  # 每块使残差流的批内方差增加这么多
    squared = math.prod(1 + 1 / (1 + c * block) for block in range(1, depth))
    got = log_norms("residual", 64, depth)[:, 0].mean().item()
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


def test_bad_descents_are_rejected() -> None:
    with pytest.raises(ValueError, match="depth、steps 须 >= 1，收到 0、5"):
        unrolled_descent(1.5, 0, lr=0.1, steps=5)
    with pytest.raises(ValueError, match="depth、steps 须 >= 1，收到 5、0"):
        unrolled_descent(1.5, 5, lr=0.1, steps=0)


def test_rnn_matches_clip_grad_norm_and_sgd() -> None:
    x, y, *_ = digits_split()
    torch.manual_seed(4)
    rnn = nn.RNN(1, 32, nonlinearity="relu", batch_first=True)
    head = nn.Linear(32, 10)
    parameters = [*rnn.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.6)
    expected = []
    for _ in range(6):
        batch = torch.randint(len(x), (64,))
        loss = F.cross_entropy(head(rnn(x[batch].view(64, 64, 1))[0][:, -1]), y[batch])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(parameters, 0.1)
        optimizer.step()
        expected.append(loss.item())
    (got,) = rnn_losses(0.6, 0.1, seeds=[4], steps=6)
    assert got.tolist() == pytest.approx(expected, rel=1e-4)


def test_rnn_stops_at_the_first_loss_that_is_not_finite() -> None:
    (losses,) = rnn_losses(1e6, math.inf, seeds=[0], steps=8)
    finite_steps = losses.isfinite()
    assert 0 < finite_steps.sum() < 8
    assert finite_steps[: finite_steps.sum()].all()
    with pytest.raises(ValueError, match="max_norm > 0，收到 6 个、0"):
        rnn_losses(0.6, 0, seeds=[0], steps=1)


def test_pretrained_gradients_match_the_chain_rule() -> None:
    x, y, *_ = digits_split()
    torch.manual_seed(2)
    layers = []
    for inputs in (64, 32):
        layers.append(nn.Linear(inputs, 32))
        nn.Linear(32, inputs)  # 解码器也取随机数
    head = nn.Linear(32, 10)
    hidden = torch.sigmoid(layers[0](x))
    top = torch.sigmoid(layers[1](hidden))
    delta = (head(top).softmax(dim=1) - F.one_hot(y, 10)) / len(x)
    second = delta @ head.weight * top * (1 - top)
    first = second @ layers[1].weight * hidden * (1 - hidden)
    expected = [
        (first.T @ x).norm(),
        (second.T @ hidden).norm(),
        (delta.T @ top).norm(),
    ]
    got, again = pretrained_norms(0, seeds=[2, 2], depth=2)
    assert torch.equal(got, again)
    assert got.tolist() == pytest.approx([e.item() for e in expected], rel=1e-4)
    with pytest.raises(ValueError, match=r"steps >= 0，收到 \[0\]、-1"):
        pretrained_norms(-1, seeds=[0])
    with pytest.raises(ValueError, match=r"至少一个种子，steps >= 0，收到 \[\]、1"):
        pretrained_norms(1, seeds=[])


def test_shrinking_the_weights_has_two_sides() -> None:
    big, middle, small = (
        gain_and_saturation("tanh", scale, range(3), width=32).mean(dim=0)
        for scale in (2.5, 1.5, 0.7)
    )
    assert big[0] > middle[0] + 0.1 > 1.1  # 过大：爆炸减轻
    assert small[0] < 0.7 < middle[0]  # 再小：消失
    assert big[1] > 10 * middle[1]


def test_gain_and_saturation_of_one_layer_by_hand() -> None:
    generator = Generator().manual_seed(3)
    weight = torch.randn(4, 4, generator=generator, dtype=torch.float64)  # 2 倍的 1/√4
    x, d = torch.randn(2, 4, 4, generator=generator, dtype=torch.float64)
    z = x @ weight.T
    slope = 1 - z.tanh() ** 2
    gain = (((d * slope) @ weight).norm() / d.norm()).item()
    expected = [gain, (slope < 0.01).double().mean().item()]
    (got,) = gain_and_saturation("tanh", 2.0, [3], width=4, depth=1)
    assert got.tolist() == pytest.approx(expected)


def test_dead_units_die_with_the_learning_rate_and_get_no_gradient() -> None:
    start, slow, fast = (
        dead_units(lr, range(6), steps)
        for lr, steps in ((0.1, 0), (0.1, 20), (1.5, 20))
    )
    assert start[:, 0].max() < 0.2
    assert slow[:, 0].mean() < 0.15 < fast[:, 0].mean()
    assert (fast[:, 1] == 0).all()
    assert (fast[:, 2] <= fast[:, 0]).all()
    assert 0 < fast[:, 2].mean() < fast[:, 0].mean() / 2  # 复活的是少数


def test_batch_norm_ratios_are_those_of_the_gradient_norms() -> None:
    x, y = (part[:256] for part in digits_split()[:2])
    torch.manual_seed(1)
    body = deep_net("batch_norm", 64, 3, Generator().manual_seed(1)).float()
    head = nn.Linear(64, 10)
    optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.05)
    expected = []
    for _ in range(3):
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(head(body(x)), y))
        first, _, last = (
            p.grad.norm() for p in body.parameters() if p.grad is not None
        )
        expected.append((first / last).item())
        optimizer.step()
    got, again = batch_norm_ratios(2, [1, 1], depth=3)
    assert got.tolist() == pytest.approx(expected, rel=1e-4)
    assert torch.equal(got, again)


# 找最先坏的一层


def test_first_nonfinite_names_the_layer_that_breaks_first() -> None:
    first, last = nn.Linear(2, 2), nn.Linear(2, 1)
    model = nn.Sequential(first, nn.Sequential(nn.ReLU(), last))
    x = torch.ones(1, 2)
    assert first_nonfinite(model, x) is None
    nn.init.constant_(last.weight, math.nan)
    assert first_nonfinite(model, x) == "1.1"
    nn.init.constant_(first.weight, math.inf)
    assert first_nonfinite(model, x) == "0"
    assert all(not module._forward_hooks for module in model.modules())


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


@pytest.mark.parametrize("scale", [0.5, 1.0, 30.0])
def test_scale_response_matches_the_theorem(scale: float) -> None:
    gap, ratio, cosine, growth = scale_response(scale, Generator().manual_seed(1), 9)
    assert gap < 1e-11
    assert ratio == pytest.approx(scale)
    assert cosine < 1e-11
    assert growth == pytest.approx(1.0)
    with pytest.raises(ValueError, match="scale 须 > 0，收到 0"):
        scale_response(0, Generator())


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


def test_path_gradients_reject_bad_shapes() -> None:
    with pytest.raises(
        ValueError, match=r"\(L, D, D\)、\(D,\)，收到 \(2, 3, 4\)、\(3,\)"
    ):
        path_gradients(torch.ones(2, 3, 4), torch.ones(3))


def test_path_lengths_are_binomial_on_average() -> None:
    depth, gain, draws = 10, 0.5, 60
    share = path_shares(depth, gain, Generator().manual_seed(0), draws)
    expected = binom.pmf(range(depth + 1), depth, gain**2 / (1 + gain**2))
    # 60 次平均后每项的相对误差约 √(depth/(60·64)) ≈ 5%，占比至多 0.3，取 3 倍
    assert share.sum().item() == pytest.approx(1)
    assert share.tolist() == pytest.approx(expected.tolist(), abs=3 * 0.05 * 0.3)
