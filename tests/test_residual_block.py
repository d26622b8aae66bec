"""残差块与它的实验，对照 torch.nn.functional、逐对循环和闭式解。"""

import math
import statistics
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from snippets.digits import digits_split, train_classifier
from snippets.experiments.residual_block import (
    DepthRun,
    block_moments,
    branch_ratio,
    decay_alone,
    formula_gap,
    gradient_ratio,
    identity_gap,
    mean_cosine,
    mean_loss,
    second_moments,
    train_depth,
    train_from_zero,
)
from snippets.residual_block import (
    PlainBlock,
    PreActivationBlock,
    ProjectionBlock,
    ResidualBlock,
    deep_classifier,
    scale_branch_,
)


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


def linears(module: nn.Module) -> list[nn.Linear]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


def reference_branch(block: PlainBlock, a: Tensor, *, batch_norm: bool) -> Tensor:
    """只用 torch.nn.functional 按公式算 z^{[l+2]}，γ = 1，β = 0。"""
    first, second = linears(block.branch)
    z = F.linear(a, first.weight, first.bias)
    z = F.batch_norm(z, None, None, training=True) if batch_norm else z
    z = F.linear(F.relu(z), second.weight, second.bias)
    return F.batch_norm(z, None, None, training=True) if batch_norm else z


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(0, 5),
    d_in=st.integers(1, 6),
    d_out=st.integers(1, 6),
    seed=st.integers(0, 2**31),
)
def test_blocks_match_the_formula(n: int, d_in: int, d_out: int, seed: int) -> None:
    torch.manual_seed(seed)
    a = torch.randn(n, d_in)
    plain, projection = PlainBlock(d_in, d_out), ProjectionBlock(d_in, d_out)
    residual = ResidualBlock(d_in, d_in)
    z = reference_branch(plain, a, batch_norm=False)
    torch.testing.assert_close(plain(a), F.relu(z))
    z = reference_branch(residual, a, batch_norm=False)
    torch.testing.assert_close(residual(a), F.relu(z + a))
    z = reference_branch(projection, a, batch_norm=False)
    shortcut = F.linear(a, projection.projection.weight)
    torch.testing.assert_close(projection(a), F.relu(z + shortcut))
    assert plain(a).shape == projection(a).shape == (n, d_out)


def test_blocks_with_batch_norm_match_the_formula() -> None:
    torch.manual_seed(0)
    a = torch.randn(16, 5)
    residual = ResidualBlock(5, 5, batch_norm=True)
    z = reference_branch(residual, a, batch_norm=True)
    torch.testing.assert_close(residual(a), F.relu(z + a))
    projection = ProjectionBlock(5, 3, batch_norm=True)
    z = reference_branch(projection, a, batch_norm=True)
    shortcut = F.linear(a, projection.projection.weight)
    torch.testing.assert_close(projection(a), F.relu(z + shortcut))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_pre_activation_matches_the_formula(batch_norm: bool) -> None:
    torch.manual_seed(0)
    a = torch.randn(16, 5)
    block = PreActivationBlock(5, batch_norm=batch_norm)
    z = a
    for linear in linears(block):
        z = F.batch_norm(z, None, None, training=True) if batch_norm else z
        z = F.linear(F.relu(z), linear.weight, linear.bias)
    torch.testing.assert_close(block(a), a + z)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_zero_branch_is_the_identity_only_for_rectified_input(batch_norm: bool) -> None:
    block = scale_branch_(ResidualBlock(8, 8, batch_norm=batch_norm), 0.0)
    x = torch.randn(32, 8, generator=seeded(0))
    assert torch.equal(block(F.relu(x)), F.relu(x))
    assert torch.equal(block(x), F.relu(x))
    assert not torch.equal(block(x), x)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_zero_pre_activation_branch_is_the_identity_for_any_input(
    batch_norm: bool,
) -> None:
    block = scale_branch_(PreActivationBlock(8, batch_norm=batch_norm), 0.0)
    x = torch.randn(32, 8, generator=seeded(0))
    assert torch.equal(block(x), x)


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(-3, 3), batch_norm=st.booleans())
def test_scaling_scales_the_branch_output(factor: float, batch_norm: bool) -> None:
    torch.manual_seed(0)
    block = ResidualBlock(4, 4, batch_norm=batch_norm).double()
    a = torch.randn(9, 4, dtype=torch.float64)
    before, untouched = block.branch(a), linears(block.branch)[0].weight.clone()
    assert scale_branch_(block, factor) is block
    torch.testing.assert_close(block.branch(a), factor * before)
    assert torch.equal(linears(block.branch)[0].weight, untouched)


@pytest.mark.parametrize("factor", [math.inf, math.nan])
def test_scaling_rejects_what_is_not_finite(factor: float) -> None:
    with pytest.raises(ValueError, match=f"factor 须有限，收到 {factor}"):
        scale_branch_(PlainBlock(2, 2), factor)


def test_batch_norm_hides_the_scale_of_the_weights() -> None:
    torch.manual_seed(0)
    plain, normed = ResidualBlock(8, 8), ResidualBlock(8, 8, batch_norm=True)
    a = F.relu(torch.randn(64, 8))
    before = [parameter.clone() for parameter in normed.parameters()]
    # 乘 2 的幂没有舍入
    assert branch_ratio(plain, a, 4.0) == 4.0
    # 放大时 ε 的影响更小，只剩 ε / 方差 的量级
    assert branch_ratio(normed, a, 100.0) == pytest.approx(1, abs=1e-2)
    assert all(map(torch.equal, before, normed.parameters()))


@pytest.mark.parametrize("factor", [0.0, -1.0])
def test_branch_ratio_rejects_factors_that_are_not_positive(factor: float) -> None:
    with pytest.raises(ValueError, match=f"factor 须 > 0，收到 {factor}"):
        branch_ratio(PlainBlock(2, 2), torch.ones(3, 2), factor)


def test_formula_gap_is_the_distance_to_the_formula() -> None:
    torch.manual_seed(0)
    block, a = ResidualBlock(5, 5), torch.rand(7, 5)
    assert formula_gap(block, a) == 0
    # 输出层之后再加 3，与公式恰差 3
    block.register_forward_hook(lambda _module, _inputs, output: output + 3)
    assert formula_gap(block, a) == pytest.approx(3, abs=1e-6)
    with pytest.raises(ValueError, match="没有 BN 的块，共 4 个参数，收到 8 个"):
        formula_gap(ResidualBlock(5, 5, batch_norm=True), a)


@given(values=st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=6))
def test_identity_gap_matches_numpy(values: list[float]) -> None:
    a = torch.tensor(values, dtype=torch.float64)
    expected = np.abs(np.tanh(values) - np.array(values)).max()
    assert identity_gap(torch.tanh, a) == pytest.approx(expected, abs=1e-12)
    assert identity_gap(nn.Identity(), a) == 0


def test_identity_gap_needs_one_shape() -> None:
    with pytest.raises(ValueError, match=r"收到 \(2, 3\) 与 \(2, 5\)"):
        identity_gap(PlainBlock(3, 5), torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"收到 \(0, 3\) 与 \(0, 3\)"):
        identity_gap(F.relu, torch.ones(0, 3))


@settings(max_examples=20, deadline=None)
@given(lr=st.floats(0, 1), decay=st.floats(0, 1), steps=st.integers(0, 30))
def test_decay_alone_is_a_power(lr: float, decay: float, steps: int) -> None:
    expected = (1 - lr * decay) ** steps
    # 每步一次乘法的舍入；1 - ηλ 接近 0 时相对误差大，所以另给绝对的容差
    assert decay_alone(lr, decay, steps) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_decay_alone_rejects_negative_steps() -> None:
    with pytest.raises(ValueError, match="steps 须 >= 0，收到 -1"):
        decay_alone(0.1, 0.1, -1)


@pytest.mark.parametrize("block", [PlainBlock, ProjectionBlock])
@pytest.mark.parametrize("sizes", [(0, 3), (3, 0)])
def test_blocks_reject_empty_features(
    block: type[PlainBlock], sizes: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match=f"收到 {sizes[0]} 与 {sizes[1]}"):
        block(*sizes)


def test_identity_shortcut_rejects_a_change_of_shape() -> None:
    with pytest.raises(ValueError, match="恒等捷径要求输入与输出同形，收到 4 与 6"):
        ResidualBlock(4, 6)
    with pytest.raises(ValueError, match="收到 0"):
        PreActivationBlock(0)


@settings(max_examples=10, deadline=None)
@given(blocks=st.integers(0, 6), batch_norm=st.booleans())
def test_depth_counts_the_weight_layers(blocks: int, batch_norm: bool) -> None:
    depth = 2 * blocks + 2
    net = deep_classifier(
        ResidualBlock,
        depth,
        seeded(0),
        features=4,
        in_features=3,
        batch_norm=batch_norm,
    )
    norms = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm1d)]
    assert len(linears(net)) == depth
    assert len(norms) == (depth - 1 if batch_norm else 0)
    assert net(torch.zeros(2, 3)).shape == (2, 10)


def test_he_initialisation_of_the_net() -> None:
    net = deep_classifier(PlainBlock, 20, seeded(0), features=64)
    weights = torch.cat([layer.weight.flatten() for layer in linears(net)])
    # 方差 2 / 64；n 个高斯样本的方差的相对标准误是 √(2 / n)，取 5 倍
    tolerance = 5 * math.sqrt(2 / weights.numel())
    assert weights.var().item() == pytest.approx(2 / 64, rel=tolerance)
    assert all(not layer.bias.any() for layer in linears(net))


def test_net_depends_on_its_generator_alone() -> None:
    x = torch.ones(2, 64)
    torch.manual_seed(1)
    first = deep_classifier(PlainBlock, 6, seeded(5))(x)
    torch.manual_seed(2)
    assert torch.equal(first, deep_classifier(ResidualBlock, 2, seeded(5))(x)) is False
    assert torch.equal(first, deep_classifier(PlainBlock, 6, seeded(5))(x))
    assert not torch.equal(first, deep_classifier(PlainBlock, 6, seeded(6))(x))


@pytest.mark.parametrize("depth", [0, 1, 7, -2])
def test_net_rejects_odd_depths(depth: int) -> None:
    with pytest.raises(ValueError, match=f"偶数，收到 {depth}"):
        deep_classifier(PlainBlock, depth, seeded(0))


@pytest.mark.parametrize("widths", [(0, 3, 2), (4, 0, 2), (4, 3, -1)])
def test_net_rejects_empty_widths(widths: tuple[int, int, int]) -> None:
    features, in_features, classes = widths
    with pytest.raises(
        ValueError, match="宽度须 >= 1，收到 {}、{}、{}".format(*widths)
    ):
        deep_classifier(
            PlainBlock,
            2,
            seeded(0),
            features=features,
            in_features=in_features,
            classes=classes,
        )


def test_zero_blocks_deepen_a_net_without_changing_it() -> None:
    x = torch.randn(20, 64, generator=seeded(0))
    net = deep_classifier(ResidualBlock, 6, seeded(0))
    extra = list(deep_classifier(ResidualBlock, 12, seeded(0)))[3:-1]
    for block in extra:
        assert isinstance(block, ResidualBlock)
        scale_branch_(block, 0.0)
    assert torch.equal(nn.Sequential(*list(net)[:-1], *extra, net[-1])(x), net(x))


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("scope", ["branch", "matrices", "net"])
def test_train_from_zero_is_sgd_with_decay_on_its_scope(
    batch_norm: bool, scope: Literal["branch", "matrices", "net"]
) -> None:
    x, y, *_ = digits_split()
    net, batches = (
        deep_classifier(ResidualBlock, 8, seeded(3), batch_norm=batch_norm),
        seeded(3),
    )
    blocks = [scale_branch_(block, 0.0) for block in list(net)[3:-1]]
    inside = {id(p) for block in blocks for p in block.parameters()}
    decayed: list[Tensor] = []
    others: list[Tensor] = []
    for p in net.parameters():  # PyTorch 自己的衰减，分两组
        chosen = id(p) in inside and (scope == "branch" or p.ndim == 2)
        (decayed if chosen or scope == "net" else others).append(p)
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": 0.1},
        {"params": others},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.02, momentum=0.9)
    losses = []
    for _ in range(4):
        batch = torch.randint(len(x), (64,), generator=batches)
        loss = F.cross_entropy(net(x[batch]), y[batch])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    a, norms, ratios = net[:3](x), [], []
    for block in list(net)[3:-1]:
        assert isinstance(block, ResidualBlock)
        norms.append(np.linalg.norm(linears(block)[1].weight.detach().numpy()))
        ratios.append((block.branch(a).norm() / a.norm()).item())
        a = F.relu(block.branch(a) + a)
    _, run = train_from_zero(0.1, [2, 3], scope=scope, batch_norm=batch_norm, steps=4)
    assert run["loss"] == pytest.approx(np.mean(losses))
    assert run["W"] == pytest.approx(np.mean(norms), rel=1e-5)
    # BN 的滑动统计量不影响训练模式的输出
    assert run["branch"] == pytest.approx(np.mean(ratios), rel=1e-4)


@pytest.mark.parametrize(("decay", "steps"), [(-0.1, 5), (0.1, 0)])
def test_train_from_zero_rejects(decay: float, steps: int) -> None:
    with pytest.raises(ValueError, match=f"收到 {decay} 与 {steps}"):
        train_from_zero(decay, [0], steps=steps)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_second_moments_match_numpy(batch_norm: bool) -> None:
    generator = seeded(3)
    h = torch.randn(32, 16, generator=generator).double().numpy()
    expected = [(h**2).mean()]
    for _ in range(4):
        weight = torch.randn(16, 16, generator=generator).double().numpy()
        branch = np.maximum(h, 0) @ weight * np.sqrt(2 / 16)
        if batch_norm:
            branch = (branch - branch.mean(0)) / np.sqrt(branch.var(0) + 1e-5)
        h = h + branch
        expected.append((h**2).mean())
    measured = second_moments(
        4, seeded(3), features=16, batch_size=32, batch_norm=batch_norm
    )
    np.testing.assert_allclose(measured, expected, rtol=1e-4)


def test_second_moments_grow_as_the_closed_forms() -> None:
    gains, ends = [], []
    for seed in range(24):
        moments = second_moments(20, seeded(seed))
        gains.append(math.log2(moments[-1] / moments[0]) / 20)
        ends.append(second_moments(20, seeded(seed), batch_norm=True)[-1])
    # 每块的对数增益标准差约 0.04，24 个种子的标准误约 0.008；另有 log 的凹性，
    # 偏低约 0.02（对数的平均小于平均的对数）：容差取 5 倍标准误加偏差
    assert np.mean(gains) == pytest.approx(1, abs=0.06)
    # 有 BN 时标准差约 0.5，标准误约 0.1
    assert np.mean(ends) == pytest.approx(21, abs=0.5)


def test_second_moments_boundary_and_error() -> None:
    assert len(second_moments(0, seeded(0))) == 1
    for wrong in ((-1, 8, 2), (1, 0, 2), (1, 8, 1)):
        with pytest.raises(ValueError, match="、".join(map(str, wrong))):
            second_moments(wrong[0], seeded(0), features=wrong[1], batch_size=wrong[2])


def test_block_moments_match_numpy() -> None:
    generator = seeded(3)
    net = deep_classifier(ResidualBlock, 6, generator, features=256)
    a = torch.randn(64, 256, generator=generator).relu().double().numpy()
    expected = [(a**2).mean()]
    for block in list(net)[3:-1]:
        first, second = (w.weight.detach().double().numpy() for w in linears(block))
        a = np.maximum(a + 0.5 * np.maximum(a @ first.T, 0) @ second.T, 0)
        expected.append((a**2).mean())
    measured = block_moments(2, seeded(3), factor=0.5)
    np.testing.assert_allclose(measured, expected, rtol=1e-4)
    assert len(block_moments(0, seeded(0))) == 1
    with pytest.raises(ValueError, match="blocks 须 >= 0，收到 -1"):
        block_moments(-1, seeded(0))


def test_gradient_ratio_matches_backward() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    x, y = torch.randn(10, 6).double(), torch.randint(3, (10,))
    F.cross_entropy(net(x), y).backward()  # type: ignore[no-untyped-call]
    norms = []
    for layer in linears(net):
        assert layer.weight.grad is not None
        norms.append(layer.weight.grad.norm().item())
    assert gradient_ratio(net, x, y) == pytest.approx(max(norms) / min(norms))
    assert max(norms) / min(norms) > 1


def test_gradient_ratio_of_a_dead_branch_is_infinite() -> None:
    net = nn.Sequential(ResidualBlock(6, 6), nn.Linear(6, 3))
    scale_branch_(net[0], 0.0)
    assert gradient_ratio(net, torch.rand(4, 6), torch.arange(4) % 3) == math.inf
    with pytest.raises(ValueError, match=r"至少要一层 nn\.Linear，收到 0 层"):
        gradient_ratio(nn.ReLU(), torch.rand(4, 6), torch.arange(4))


@settings(max_examples=20, deadline=None)
@given(n=st.integers(2, 6), d=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_mean_cosine_matches_pairs(n: int, d: int, seed: int) -> None:
    generator = seeded(seed)
    features = torch.randn(n, d, generator=generator, dtype=torch.float64)
    pairs = [
        F.cosine_similarity(a, b, dim=0).item() for a, b in combinations(features, 2)
    ]
    assert mean_cosine(features) == pytest.approx(np.mean(pairs), abs=1e-9)
    assert mean_cosine(features[:1].expand(3, d)) == pytest.approx(1)
    dead = torch.cat([features, torch.zeros(1, d, dtype=torch.float64)])
    expected = np.sum(pairs) / math.comb(n + 1, 2)
    assert mean_cosine(dead) == pytest.approx(expected, abs=1e-9)


def test_mean_cosine_needs_two_samples() -> None:
    with pytest.raises(ValueError, match="至少要两个样本，收到 1 个"):
        mean_cosine(torch.ones(1, 3))


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("zero_branch", [False, True])
def test_depth_run_is_the_sum_of_its_parts(batch_norm: bool, zero_branch: bool) -> None:
    x, y, *_ = digits_split()
    *_, run = train_depth(
        ResidualBlock,
        8,
        [3, 4],
        batch_norm=batch_norm,
        lr=0.01,
        steps=3,
        zero_branch=zero_branch,
    )
    net = deep_classifier(ResidualBlock, 8, seeded(4), batch_norm=batch_norm)
    shrink = 1 if batch_norm else 1 / math.sqrt(3)
    for block in list(net)[3:-1]:
        assert isinstance(block, ResidualBlock)
        last = block.get_parameter(f"branch.{4 if batch_norm else 3}.weight")
        with torch.no_grad():
            last.mul_(0 if zero_branch else shrink)
    features = net[:-1](x[:256]).detach()
    expected = DepthRun(
        ratio=gradient_ratio(net, x[:256], y[:256]),
        cosine=mean_cosine(features),
        losses=train_classifier(net, x, y, seeded(4), steps=3, lr=0.01),
    )
    assert run.ratio == pytest.approx(expected.ratio, rel=1e-4)
    assert run.cosine == pytest.approx(expected.cosine, rel=1e-4)
    assert run.losses == pytest.approx(expected.losses, rel=1e-4)


def test_plain_nets_have_no_branch_to_shrink() -> None:
    zero, one = (
        train_depth(
            PlainBlock, 4, [0], batch_norm=False, lr=0.01, steps=0, zero_branch=z
        )
        for z in (True, False)
    )
    assert zero == one


@pytest.mark.parametrize(
    ("depth", "steps", "message"), [(3, 1, "偶数，收到 3"), (4, -1, "收到 -1 与 128")]
)
def test_train_depth_passes_on_what_is_wrong(
    depth: int, steps: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train_depth(PlainBlock, depth, [0], batch_norm=False, lr=0.01, steps=steps)


def test_mean_loss_averages_the_last_steps() -> None:
    runs = [DepthRun(1.0, 0.0, [9.0, 1.0, 2.0]), DepthRun(1.0, 0.0, [5.0])]
    assert mean_loss(runs, 2) == (1.5 + 5) / 2
    assert mean_loss(runs) == (4 + 5) / 2
    for wrong, last in (([], 10), (runs, 0)):
        with pytest.raises(ValueError, match=f"收到 {len(wrong)} 次与 {last}"):
            mean_loss(wrong, last)


@pytest.mark.slow
@pytest.mark.parametrize(("lr", "steps"), [(0.001, 200), (0.01, 80)])
def test_plain_net_degrades_with_healthy_gradients(lr: float, steps: int) -> None:
    # 页上用 0.003 与 70 步；学习率小就多走几步，结论不变：加深只使普通网络变差
    runs = {
        (block, depth): train_depth(
            block, depth, [0], batch_norm=False, lr=lr, steps=steps
        )
        for block in (PlainBlock, ResidualBlock)
        for depth in (20, 56)
    }
    loss = {key: mean_loss(run, 20) for key, run in runs.items()}
    plain, residual = runs[PlainBlock, 56][0], runs[ResidualBlock, 56][0]
    assert loss[PlainBlock, 56] > loss[PlainBlock, 20] + 0.2
    assert loss[ResidualBlock, 56] < loss[PlainBlock, 20]
    assert plain.ratio < 20
    assert plain.ratio < residual.ratio
    assert plain.cosine > residual.cosine + 0.03


@pytest.mark.slow
def test_plain_net_is_slow_but_does_train() -> None:
    # 页上说：70 步内几乎不动，1000 步里曾降到 1 以下；跳回去的时候，各台机器不同
    (run,) = train_depth(PlainBlock, 56, [0], batch_norm=False, lr=0.003, steps=1000)
    assert mean_loss([DepthRun(1.0, 0.0, run.losses[:70])]) > 1.8
    means = [statistics.mean(run.losses[i : i + 20]) for i in range(0, 1000, 20)]
    assert min(means) < 0.8
