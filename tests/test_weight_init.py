"""weight_init：各种初始化的方差、对称性、逐层增益，与独立的算法对照。"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from torch import Generator, Tensor, nn

from snippets.experiments.weight_init import (
    deep_runs,
    digits_run,
    gradient_descent,
    hidden_activations,
    jacobian_spectrum,
    log_gains,
    mean_field_rms,
    mean_field_slopes,
    random_inits,
    residual_starts,
    sign_of_product,
)
from snippets.weight_init import (
    constant_init,
    fan_in_and_out,
    he_init,
    layer_signals,
    lecun_init,
    mlp,
    normal_init,
    orthogonal_init,
    rms,
    xavier_init,
)

LN2 = math.log(2)
# 种子间的标准差（单个输入、宽 n、深 L、S 个种子）：一层使均方乘上 1 + ε，线性层
# Var[ε] = 2/n，ReLU 层 Var[ε] = 5/n；对数增益是 L 个 ½ln(1 + ε) 的平均，
# 所以标准差为 √(Var[ε] / (4LS))，均值偏低 Var[ε] / 4。


def seeded(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def first_weight(model: nn.Module) -> Tensor:
    return next(model.parameters()).detach()


def three_classes() -> tuple[Tensor, Tensor]:
    """三个高斯团，类别数不等，使零初始化时偏置与输出权重都有梯度。"""
    y = torch.tensor([0] * 40 + [1] * 20 + [2] * 20)
    centers = torch.tensor([[2.0, 0.0, 1.0], [0.0, 2.0, 0.0], [-2.0, -1.0, 0.0]])
    return centers[y] + 0.3 * torch.randn(80, 3, generator=seeded(9)), y


# fan_in 与 fan_out


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_fans_agree_with_torch(shape: list[int]) -> None:
    expected = nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert fan_in_and_out(shape) == expected


@pytest.mark.parametrize("shape", [(), (5,)])
def test_fans_need_two_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"至少有两维.*收到形状"):
        fan_in_and_out(shape)


# 初始化


def test_constant_init_agrees_with_torch() -> None:
    expected = nn.init.constant_(torch.empty(3, 4), -0.25)
    torch.testing.assert_close(constant_init((3, 4), -0.25), expected, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (8, 4, 3, 3), (40, 1)])
@pytest.mark.parametrize(
    ("init", "reference"),
    [
        (partial(normal_init, std=0.01), partial(nn.init.normal_, std=0.01)),
        (lecun_init, partial(nn.init.kaiming_normal_, nonlinearity="linear")),
        (xavier_init, nn.init.xavier_normal_),
        (he_init, partial(nn.init.kaiming_normal_, nonlinearity="relu")),
    ],
)
def test_random_inits_draw_what_torch_draws(
    init: Callable[..., Tensor], reference: Callable[..., Tensor], shape: list[int]
) -> None:
    expected = reference(torch.empty(shape), generator=seeded(3))
    torch.testing.assert_close(init(shape, generator=seeded(3)), expected)


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        (partial(normal_init, std=0.01), 1e-4),
        (lecun_init, 1 / 300),
        (xavier_init, 2 / 700),
        (he_init, 2 / 300),
    ],
)
def test_random_inits_have_the_stated_variance(
    init: Callable[..., Tensor], variance: float
) -> None:
    w = init((400, 300), generator=seeded(1)).double()
    # m 个正态样本：均值的标准误 σ/√m，样本方差的相对标准误 √(2/m)；取 5 倍
    m = w.numel()
    assert abs(w.mean().item()) < 5 * math.sqrt(variance / m)
    assert w.var().item() == pytest.approx(variance, rel=5 * math.sqrt(2 / m))


def test_normal_init_is_reproducible_and_allows_zero_std() -> None:
    once, again = (normal_init((3, 3), 1, seeded()) for _ in range(2))
    assert torch.equal(once, again)
    assert torch.equal(normal_init((3, 3), 0, seeded()), torch.zeros(3, 3))


def test_normal_init_rejects_negative_std() -> None:
    with pytest.raises(ValueError, match=r"std 须 >= 0，收到 -0.1"):
        normal_init((2, 2), -0.1, seeded())


# 网络与逐层信号


def test_mlp_is_linear_layers_with_zero_bias_and_a_linear_head() -> None:
    model = mlp([3, 5, 4, 2], nn.Tanh(), partial(he_init, generator=seeded())).double()
    x = torch.randn(6, 3, dtype=torch.float64, generator=seeded(1))
    weights = [p for p in model.parameters() if p.ndim == 2]
    biases = [p for p in model.parameters() if p.ndim == 1]
    h = torch.tanh(F.linear(torch.tanh(F.linear(x, weights[0])), weights[1]))
    torch.testing.assert_close(model(x), F.linear(h, weights[2]))
    assert [tuple(w.shape) for w in weights] == [(5, 3), (4, 5), (2, 4)]
    assert all(b.requires_grad and not b.any() for b in biases)


def test_mlp_without_hidden_layer_is_one_linear_layer() -> None:
    model = mlp([3, 2], nn.ReLU(), torch.ones)
    assert model(torch.ones(1, 3)).tolist() == [[3.0, 3.0]]


def test_mlp_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    mlp([3, 4, 1], nn.ReLU(), partial(he_init, generator=seeded()))
    assert torch.equal(before, torch.get_rng_state())


def test_mlp_needs_two_sizes() -> None:
    with pytest.raises(ValueError, match=r"至少含输入与输出.*\[7\]"):
        mlp([7], nn.ReLU(), torch.ones)


def test_layer_signals_agree_with_hooks_and_finite_differences() -> None:
    init = partial(xavier_init, generator=seeded(2))
    model = mlp([4, 6, 5, 3], nn.Tanh(), init).double()
    x = torch.randn(2, 4, dtype=torch.float64, generator=seeded(3))
    activations, gradients = layer_signals(model, x)
    assert torch.equal(activations[0], x)
    assert not x.requires_grad
    for i in (1, 2):  # 前 2i 个模块恰是前 i 个隐藏层
        head, tail = model[: 2 * i], model[2 * i :]
        torch.testing.assert_close(activations[i], head(x).detach())
        step = 1e-6 * torch.randn(gradients[i].shape, generator=seeded(4)).double()
        difference = tail(activations[i] + step) - tail(activations[i] - step)
        slope = (gradients[i] * step).sum().item() * 2
        assert difference.sum().item() == pytest.approx(slope, rel=1e-6)


def test_layer_signals_of_a_linear_net_are_matrix_products() -> None:
    model = mlp([3, 4, 2, 1], nn.Identity(), partial(lecun_init, generator=seeded()))
    w1, w2, w3 = (p.detach() for p in model.parameters() if p.ndim == 2)
    activations, gradients = layer_signals(model, torch.eye(3))
    torch.testing.assert_close(activations[2], (w2 @ w1).T)
    torch.testing.assert_close(gradients[0], (w3 @ w2 @ w1).expand(3, 3))
    torch.testing.assert_close(gradients[2], w3.expand(3, 2))


def test_layer_signals_without_hidden_layer() -> None:
    model = mlp([2, 1], nn.ReLU(), torch.ones)
    activations, gradients = layer_signals(model, torch.ones(1, 2))
    assert [a.tolist() for a in activations + gradients] == [[[1.0, 1.0]]] * 2


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20), st.floats(-3, 3))
def test_rms_agrees_with_numpy_and_scales(values: list[float], a: float) -> None:
    x = torch.tensor(values, dtype=torch.float64)
    assert rms(x) == pytest.approx(np.sqrt(np.mean(np.square(values))))
    assert rms(a * x) == pytest.approx(abs(a) * rms(x), abs=1e-9)


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r"x 须非空，收到形状 \(0, 3\)"):
        rms(torch.empty(0, 3))
    with pytest.raises(RuntimeError, match=r"negative dimension -1: \[-1, 2\]"):
        constant_init((-1, 2), 1.0)
    for init in (lecun_init, xavier_init, he_init):
        with pytest.raises(ValueError, match=r"至少有两维.*收到形状 \(5,\)"):
            init((5,), seeded())
    with pytest.raises(RuntimeError, match=r"cannot be multiplied \(2x4 and 3x1\)"):
        layer_signals(mlp([3, 1], nn.ReLU(), torch.ones), torch.ones(2, 4))


# 对数增益与平均场预测


def test_random_inits_are_the_named_ones() -> None:
    stds = {"0.01": 0.01, "LeCun": 300**-0.5, "Xavier": 200**-0.5, "He": 150**-0.5}
    drawn = {
        name: init((100, 300), generator=seeded()).std().item()
        for name, init in random_inits().items()
    }
    # 3 万个样本，标准差的相对标准误 1/√60000，取 5 倍
    assert drawn == pytest.approx(stds, rel=5 / math.sqrt(60_000))


def test_log_gains_of_unit_weights_are_exact() -> None:
    # 权重全是 1：首层的输出是输入之和，次层再乘 3；各层的激活处处相等
    zeros = partial(normal_init, std=0)
    gains = log_gains(
        [4, 3, 2],
        lambda s, generator: 1 + zeros(s, generator=generator),
        nn.Identity(),
        [5],
    )
    x = torch.randn(1, 4, generator=seeded(5))
    forward = math.log(abs(3 * x.sum().item()) / rms(x)) / 2
    assert gains.tolist() == [pytest.approx([forward, math.log(6) / 2], rel=1e-5)]


@pytest.mark.parametrize("measure", [log_gains, hidden_activations])
@pytest.mark.parametrize("sizes", [[], [8]])
def test_signals_need_a_hidden_layer(
    measure: Callable[..., object], sizes: list[int]
) -> None:
    with pytest.raises(ValueError, match=rf"至少含输入与一个隐藏层，收到 \{sizes}"):
        measure(sizes, he_init, nn.ReLU(), range(1))


def test_hidden_activations_agree_with_a_plain_forward_pass() -> None:
    layers = hidden_activations([5, 4, 3], xavier_init, nn.Tanh(), [7, 8])
    for row, seed in enumerate([7, 8]):
        generator = seeded(seed)
        h = torch.randn(1, 5, generator=generator)
        for layer, shape in zip(layers, [(4, 5), (3, 4)], strict=True):
            h = torch.tanh(h @ xavier_init(shape, generator).T)
            torch.testing.assert_close(layer[row], h[0])


def test_hidden_activations_need_a_seed() -> None:
    with pytest.raises(ValueError, match=r"至少有一个种子，收到 0 个"):
        hidden_activations([2, 2], he_init, nn.ReLU(), [])


@pytest.mark.parametrize(
    ("init", "expected"),
    [
        (partial(normal_init, std=0.01), 0.5 * math.log(200 * 1e-4 / 2)),
        (lecun_init, -0.5 * LN2),
        (xavier_init, -0.5 * LN2),
        (he_init, 0.0),
    ],
)
def test_relu_gains_match_the_closed_form(
    init: Callable[..., Tensor], expected: float
) -> None:
    n, depth, seeds = 200, 6, 20
    forward, backward = log_gains([n] * (depth + 1), init, nn.ReLU(), range(seeds)).T
    sd = math.sqrt(5 / n / (4 * depth * seeds))
    assert forward.mean().item() == pytest.approx(expected - 5 / (4 * n), abs=4 * sd)
    assert backward.mean().item() == pytest.approx(expected, abs=4 * sd + 5 / (4 * n))


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        (lecun_init, lambda fan_in, _: 1 / fan_in),
        (xavier_init, lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
    ],
)
def test_forward_counts_fan_in_and_backward_counts_fan_out(
    init: Callable[..., Tensor], variance: Callable[[int, int], float]
) -> None:
    sizes, seeds = [400, 200, 100], 20
    var = [variance(a, b) for a, b in pairwise(sizes)]
    forward = 0.25 * sum(math.log(a * v) for a, v in zip(sizes, var, strict=False))
    backward = 0.25 * sum(math.log(b * v) for b, v in zip(sizes[1:], var, strict=True))
    gains = log_gains(sizes, init, nn.Identity(), range(seeds)).mean(dim=0)
    # 线性层：均方的相对方差为 2/fan_out（前向）与 2/fan_in（反向），两层相加，
    # 最窄处是 2/200 + 2/100；取 4 倍标准误，再留出均值的偏差 ¼·(2/100)
    tolerance = 4 * math.sqrt(0.03 / (4 * 2 * 2 * seeds)) + 0.005
    assert gains.tolist() == pytest.approx([forward, backward], abs=tolerance)


def test_tanh_gain_matches_the_mean_field() -> None:
    n, depth, seeds = 300, 10, 20
    for init, scale in [(xavier_init, 1.0), (he_init, 2.0)]:
        gains = log_gains([n] * (depth + 1), init, nn.Tanh(), range(seeds))[:, 0]
        expected = math.log(mean_field_rms(scale, nn.Tanh(), depth)[-1]) / depth
        # tanh 压缩信号，种子间的散布不超过线性层的 √(2/n / 4L)；取 4 倍标准误
        sd = math.sqrt(2 / n / (4 * depth * seeds))
        assert gains.mean().item() == pytest.approx(expected, abs=4 * sd)


def test_figures_of_500_units_and_ten_layers() -> None:
    scale = 500 * 0.01**2
    assert math.sqrt(scale) ** 10 == pytest.approx(3.125e-7, rel=1e-3)
    tanh = mean_field_rms(scale, nn.Tanh(), 10)[-1]
    assert 0.94 < tanh / math.sqrt(scale) ** 10 < 0.97  # 线性化约高估 5 %
    relu = mean_field_rms(scale, nn.ReLU(), 10)[-1]
    assert relu == pytest.approx(9.77e-9, rel=1e-3)
    assert mean_field_rms(1.0, nn.ReLU(), 10)[-1] == pytest.approx(2**-5)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 4), st.sampled_from([nn.Tanh(), nn.ReLU(), nn.Sigmoid()]))
def test_mean_field_agrees_with_adaptive_quadrature(
    scale: float, activation: nn.Module
) -> None:
    def integrand(z: float) -> float:
        h = activation(torch.tensor(math.sqrt(scale) * z, dtype=torch.float64)).item()
        return float(h * h * math.exp(-z * z / 2) / math.sqrt(2 * math.pi))

    second_moment, _ = integrate.quad(integrand, -12, 12, points=[0], limit=100)
    result = mean_field_rms(scale, activation, 1)[1]
    # tanh 在复平面上有极点，64 点求积在 scale = 4 时相对误差约 7e-5
    assert result == pytest.approx(math.sqrt(second_moment), rel=1e-4)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_mean_field_slopes_agree_with_adaptive_quadrature(scale: float) -> None:
    first, second = mean_field_slopes(scale, nn.Tanh(), 2)
    for slope, signal in (
        (first, 1.0),
        (second, mean_field_rms(scale, nn.Tanh(), 1)[1]),
    ):
        z_std = math.sqrt(scale) * signal
        second_moment, _ = integrate.quad(
            lambda z, s=z_std: (
                math.cosh(s * z) ** -4 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
            ),
            -12,
            12,
        )
        assert slope == pytest.approx(math.sqrt(scale * second_moment), rel=1e-3)
    assert mean_field_slopes(2.0, nn.ReLU(), 3) == pytest.approx([1.0] * 3)
    assert mean_field_slopes(1.0, nn.Tanh(), 0) == []
    with pytest.raises(ValueError, match=r"须 >= 0，收到 -1.0、2"):
        mean_field_slopes(-1.0, nn.Tanh(), 2)


def test_mean_field_boundaries() -> None:
    assert mean_field_rms(2.0, nn.ReLU(), 0) == [1.0]
    assert mean_field_rms(0.0, nn.Tanh(), 2) == [1.0, 0.0, 0.0]
    assert mean_field_rms(2.0, nn.ReLU(), 30) == pytest.approx([1.0] * 31)
    for scale, depth in [(-1.0, 2), (1.0, -2)]:
        with pytest.raises(ValueError, match=rf"须 >= 0，收到 {scale}、{depth}"):
            mean_field_rms(scale, nn.ReLU(), depth)


# 数据与训练


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.integers(0, 99))
def test_sign_of_product_fills_the_quadrants_equally(quarter: int, seed: int) -> None:
    x, y = sign_of_product(4 * quarter, seeded(seed))
    assert x.abs().max() <= 1
    assert torch.equal(y, (x[:, :1] * x[:, 1:] > 0).float())
    for signs in ([1, 1], [1, -1], [-1, 1], [-1, -1]):
        assert (x.sign() == torch.tensor(signs)).all(dim=1).sum() == quarter


@pytest.mark.parametrize("count", [0, -4, 6])
def test_sign_of_product_rejects_other_counts(count: int) -> None:
    with pytest.raises(ValueError, match=rf"4 的正整数倍，收到 {count}"):
        sign_of_product(count, seeded())


def test_gradient_descent_follows_the_closed_form() -> None:
    # 损失 (w − 3)²，每步误差乘以 1 − 2·lr
    model = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    nn.init.zeros_(model.weight)
    one = torch.ones(1, 1, dtype=torch.float64)
    losses = gradient_descent(model, one, 3 * one, nn.MSELoss(), lr=0.1, steps=5)
    assert losses == pytest.approx([9 * 0.8 ** (2 * k) for k in range(5)])
    assert model.weight.item() == pytest.approx(3 * (1 - 0.8**5))


def test_gradient_descent_of_zero_steps_changes_nothing() -> None:
    model = mlp([1, 1], nn.ReLU(), torch.ones)
    x = torch.ones(1, 1)
    assert gradient_descent(model, x, x, nn.MSELoss(), lr=0.1, steps=0) == []
    assert first_weight(model).item() == 1


def test_gradient_descent_agrees_with_torch_sgd() -> None:
    x, y = three_classes()
    ours, theirs = (
        mlp([3, 4, 3], nn.Tanh(), partial(xavier_init, generator=seeded()))
        for _ in range(2)
    )
    gradient_descent(ours, x, y, nn.CrossEntropyLoss(), 0.3, 10)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.3)
    for _ in range(10):
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(theirs(x), y))
        optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("lr", "steps"), [(0.0, 1), (-1.0, 1), (0.1, -1)])
def test_gradient_descent_rejects_bad_settings(lr: float, steps: int) -> None:
    x = torch.ones(1, 1)
    with pytest.raises(ValueError, match=rf"lr > 0、steps >= 0，收到 {lr}、{steps}"):
        gradient_descent(nn.Linear(1, 1), x, x, nn.MSELoss(), lr, steps)


def test_digits_run_measures_the_first_layer() -> None:
    model = mlp([64, 6, 10], nn.Tanh(), partial(xavier_init, generator=seeded()))
    before = first_weight(model).clone()
    run = digits_run(model, seeded(3), steps=5)
    after = first_weight(model).numpy()
    assert run["moved"] == pytest.approx(np.abs(after - before.numpy()).max())
    assert run["spread"] == pytest.approx(np.abs(after - after[:1]).max())
    assert run["rank"] == np.linalg.matrix_rank(after) == 6
    assert run["last"] < run["first"]
    assert (run["accuracy"] * 500) % 1 == pytest.approx(0, abs=1e-9)


def test_digits_run_draws_by_its_seed() -> None:
    once, again, other = (
        digits_run(mlp([64, 10], nn.ReLU(), torch.zeros), seeded(seed), steps=2)["last"]
        for seed in (0, 0, 1)
    )
    assert once == again != other


def test_deep_run_trains_eleven_layers_on_the_same_data() -> None:
    _, (losses, accuracy, moved) = deep_runs(he_init, seeds=[3, 4], steps=3)
    generator = seeded(4)
    x, y = (part.double() for part in sign_of_product(256, generator))
    init = partial(he_init, generator=generator)
    model = mlp([2, *[32] * 10, 1], nn.ReLU(), init).double()
    before = [p.detach().clone() for p in model.parameters()]
    expected = gradient_descent(model, x, y, nn.BCEWithLogitsLoss(), 0.05, 3)
    assert losses == pytest.approx(expected)
    after = [p.detach() for p in model.parameters()]
    distances = [(a - b).abs().max().item() for a, b in zip(after, before, strict=True)]
    assert moved == pytest.approx([max(distances[::2]), distances[-3], distances[-1]])
    assert 0 <= accuracy <= 1


def test_deep_runs_take_another_optimizer() -> None:
    [(sgd, _, _)], [(adam, _, moved)] = (
        deep_runs(he_init, [3], 3, optimizer, 0.01)
        for optimizer in (torch.optim.SGD, torch.optim.Adam)
    )
    assert sgd[0] == adam[0]
    assert sgd[-1] != adam[-1]
    assert max(moved) == pytest.approx(0.03, rel=0.2)  # 每步约走一个学习率


def test_jacobian_spectrum_is_that_of_the_product() -> None:
    generator = seeded(2)
    torch.randn(5, generator=generator)
    product = torch.eye(5)
    for _ in range(3):
        product = xavier_init((5, 5), generator) @ product
    expected = torch.linalg.svdvals(product)
    _, got = jacobian_spectrum(xavier_init, nn.Identity(), [1, 2], width=5, depth=2)
    assert got.tolist() == pytest.approx(expected.tolist(), rel=1e-4)
    with pytest.raises(ValueError, match=r"至少有一个种子，收到 0 个"):
        jacobian_spectrum(xavier_init, nn.Identity(), [])


@pytest.mark.parametrize("shape", [(4, 4), (3, 5)])
def test_orthogonal_init_has_unit_singular_values(shape: tuple[int, int]) -> None:
    values = torch.linalg.svdvals(orthogonal_init(shape, seeded(1)))
    torch.testing.assert_close(values, torch.ones(min(shape)))
    with pytest.raises(ValueError, match="2 or more dimensions"):
        orthogonal_init((3,), seeded())


@pytest.mark.parametrize("steps", [0, -2])
def test_runs_reject_no_steps(steps: int) -> None:
    with pytest.raises(ValueError, match=rf"steps 须 >= 1，收到 {steps}"):
        digits_run(mlp([64, 10], nn.ReLU(), torch.zeros), seeded(), steps)
    with pytest.raises(ValueError, match=rf"steps 须 >= 1，收到 {steps}"):
        deep_runs(he_init, [0], steps)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 0.5])
def test_residual_start_agrees_with_modules(gamma: float) -> None:
    generator = seeded(6)
    x, target = torch.randn(2, 256, 64, generator=generator)
    weights = [he_init((64, 64), generator) for _ in range(20)]
    branches = nn.ModuleList(
        nn.Sequential(
            nn.Linear(64, 64, bias=False),
            nn.BatchNorm1d(64),
            nn.ReLU(),
            nn.Linear(64, 64, bias=False),
            nn.BatchNorm1d(64),
        )
        for _ in range(10)
    )
    for i, branch in enumerate(branches):
        assert isinstance(branch, nn.Sequential)
        branch.load_state_dict(
            {
                "0.weight": weights[i],
                "3.weight": weights[10 + i],
                "4.weight": torch.full((64,), gamma),
            },
            strict=False,
        )
    # 只训练权重与末尾的 γ，与被测的函数一样
    named = dict(branches.named_parameters())
    trained = [named[f"{i}.{n}.weight"] for i in range(10) for n in (0, 3, 4)]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    expected = []
    growths = []
    for _ in range(2):
        h = x
        for branch in branches:
            h = h + branch(h)
        growths.append((rms(h) / rms(x)) ** 2)
        optimizer.zero_grad()
        torch.autograd.backward(F.mse_loss(h, target))
        first = named["0.4.weight"].grad, named["0.0.weight"].grad
        expected.append([rms(g) for g in first if g is not None])
        optimizer.step()
    _, (growth, gradients) = residual_starts(gamma, seeds=[5, 6])
    assert growth == pytest.approx(growths[0], rel=1e-4)
    for pair, other in zip(gradients, expected, strict=True):
        assert list(pair) == pytest.approx(other, rel=1e-3)


# 页面上的结论


@pytest.mark.parametrize("activation", [nn.Tanh(), nn.ReLU()])
def test_zero_init_never_moves_hidden_weights(activation: nn.Module) -> None:
    x, y = three_classes()
    model = mlp([3, 8, 3], activation, torch.zeros)
    gradient_descent(model, x, y, nn.CrossEntropyLoss(), 0.5, 50)
    assert not first_weight(model).any()


@pytest.mark.parametrize("value", [0.0, 0.1, -0.5])
@pytest.mark.parametrize("activation", [nn.Tanh(), nn.ReLU(), nn.Sigmoid()])
def test_constant_init_keeps_rows_equal(activation: nn.Module, value: float) -> None:
    x, y = three_classes()
    model = mlp([3, 8, 3], activation, partial(constant_init, value=value))
    gradient_descent(model, x, y, nn.CrossEntropyLoss(), 0.5, 200)
    w = first_weight(model)
    assert (w - w[0]).abs().max() < 1e-5  # float32 求和次序的舍入
    if isinstance(activation, nn.Sigmoid):
        assert (w - value).abs().max() > 1e-3  # 动了，只是一起动


def test_random_init_breaks_the_symmetry() -> None:
    x, y = three_classes()
    model = mlp([3, 8, 3], nn.Tanh(), partial(xavier_init, generator=seeded()))
    losses = gradient_descent(model, x, y, nn.CrossEntropyLoss(), 0.5, 200)
    assert losses[-1] < 0.02
    assert torch.linalg.matrix_rank(first_weight(model), rtol=1e-4) == 3


def test_zero_softmax_layer_learns() -> None:
    x, y = three_classes()
    model = mlp([3, 3], nn.ReLU(), torch.zeros)
    losses = gradient_descent(model, x, y, nn.CrossEntropyLoss(), 0.5, 100)
    assert losses[0] == pytest.approx(math.log(3))
    assert losses[-1] < 0.05


@pytest.mark.parametrize(
    ("activation", "learns"), [(nn.Tanh(), True), (nn.ReLU(), False)]
)
def test_zero_first_layer_under_a_random_head(
    activation: nn.Module, learns: bool
) -> None:
    x, y = three_classes()
    model = mlp([3, 8, 3], activation, partial(xavier_init, generator=seeded()))
    nn.init.zeros_(next(model.parameters()))
    losses = gradient_descent(model, x, y, nn.CrossEntropyLoss(), 0.5, 200)
    assert (losses[-1] < 0.05) is learns
    assert bool(first_weight(model).any()) is learns
