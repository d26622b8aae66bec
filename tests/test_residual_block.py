"""残差块与它的实验，对照 torch.nn.functional、逐对循环和闭式解。"""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from snippets.digits import digits_split, train_classifier
from snippets.experiments.residual_block import (
    DepthRun,
    gradient_ratio,
    mean_cosine,
    second_moments,
    train_depth,
)
from snippets.residual_block import (
    PlainBlock,
    PreActivationBlock,
    ProjectionBlock,
    ResidualBlock,
    deep_net,
    scale_branch_,
)


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
    block = ResidualBlock(8, 8, batch_norm=batch_norm)
    scale_branch_(block.branch, 0.0)
    x = torch.randn(32, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(F.relu(x)), F.relu(x))
    assert torch.equal(block(x), F.relu(x))
    assert not torch.equal(block(x), x)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_zero_pre_activation_branch_is_the_identity_for_any_input(
    batch_norm: bool,
) -> None:
    block = PreActivationBlock(8, batch_norm=batch_norm)
    scale_branch_(block.branch, 0.0)
    x = torch.randn(32, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(x), x)


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(-3, 3), batch_norm=st.booleans())
def test_scaling_scales_the_branch_output(factor: float, batch_norm: bool) -> None:
    torch.manual_seed(0)
    block = ResidualBlock(4, 4, batch_norm=batch_norm).double()
    a = torch.randn(9, 4, dtype=torch.float64)
    before, untouched = block.branch(a), linears(block.branch)[0].weight.clone()
    scale_branch_(block.branch, factor)
    torch.testing.assert_close(block.branch(a), factor * before)
    assert torch.equal(linears(block.branch)[0].weight, untouched)


def test_batch_norm_hides_the_scale_of_the_weights() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(8, 8, batch_norm=True)
    a = F.relu(torch.randn(64, 8))
    before = block(a)
    with torch.no_grad():
        linears(block.branch)[1].weight.mul_(100)
    # 放大时 ε 的影响更小，只剩 ε / 方差 的量级
    torch.testing.assert_close(block(a), before, atol=1e-2, rtol=0)


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
    net = deep_net(
        ResidualBlock, depth, features=4, in_features=3, batch_norm=batch_norm
    )
    norms = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm1d)]
    assert len(linears(net)) == depth
    assert len(norms) == (depth - 1 if batch_norm else 0)
    assert net(torch.zeros(2, 3)).shape == (2, 10)


def test_he_initialisation_of_the_net() -> None:
    net = deep_net(PlainBlock, 20, features=64)
    weights = torch.cat([layer.weight.flatten() for layer in linears(net)])
    # 方差 2 / 64；n 个高斯样本的方差的相对标准误是 √(2 / n)，取 5 倍
    tolerance = 5 * math.sqrt(2 / weights.numel())
    assert weights.var().item() == pytest.approx(2 / 64, rel=tolerance)
    assert all(not layer.bias.any() for layer in linears(net))


def test_net_depends_on_its_seed_alone() -> None:
    x = torch.ones(2, 64)
    torch.manual_seed(1)
    first = deep_net(PlainBlock, 6, seed=5)(x)
    torch.manual_seed(2)
    assert torch.equal(first, deep_net(ResidualBlock, 2, seed=5)(x)) is False
    assert torch.equal(first, deep_net(PlainBlock, 6, seed=5)(x))
    assert not torch.equal(first, deep_net(PlainBlock, 6, seed=6)(x))


@pytest.mark.parametrize("depth", [0, 1, 7, -2])
def test_net_rejects_odd_depths(depth: int) -> None:
    with pytest.raises(ValueError, match=f"偶数，收到 {depth}"):
        deep_net(PlainBlock, depth)


def test_zero_blocks_deepen_a_net_without_changing_it() -> None:
    x = torch.randn(20, 64, generator=torch.Generator().manual_seed(0))
    net = deep_net(ResidualBlock, 6)
    extra = list(deep_net(ResidualBlock, 12))[3:-1]
    for block in extra:
        assert isinstance(block, ResidualBlock)
        scale_branch_(block.branch, 0.0)
    assert torch.equal(nn.Sequential(*list(net)[:-1], *extra, net[-1])(x), net(x))


def test_weight_decay_does_not_hold_the_branch_at_zero() -> None:
    x, y, *_ = digits_split()
    norms = {}
    for decay in (1e-4, 0.3):
        net = deep_net(ResidualBlock, 4)
        block = net[3]
        assert isinstance(block, ResidualBlock)
        scale_branch_(block.branch, 0.0)
        train_classifier(net, x, y, steps=100, lr=0.02, weight_decay=decay)
        norms[decay] = linears(block)[1].weight.norm().item()
    # 常用的 1e-4 留不住 0；大 3000 倍才压得住
    assert norms[1e-4] > 1
    assert norms[0.3] < 0.1


@pytest.mark.parametrize("batch_norm", [False, True])
def test_second_moments_match_numpy(batch_norm: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    h = torch.randn(32, 16, generator=generator).double().numpy()
    expected = [(h**2).mean()]
    for _ in range(4):
        weight = torch.randn(16, 16, generator=generator).double().numpy()
        branch = np.maximum(h, 0) @ weight * np.sqrt(2 / 16)
        if batch_norm:
            branch = (branch - branch.mean(0)) / np.sqrt(branch.var(0) + 1e-5)
        h = h + branch
        expected.append((h**2).mean())
    measured = second_moments(4, features=16, batch=32, batch_norm=batch_norm, seed=3)
    np.testing.assert_allclose(measured, expected, rtol=1e-4)


def test_second_moments_grow_as_the_closed_forms() -> None:
    gains, ends = [], []
    for seed in range(24):
        moments = second_moments(20, seed=seed)
        gains.append(math.log2(moments[-1] / moments[0]) / 20)
        ends.append(second_moments(20, batch_norm=True, seed=seed)[-1])
    # 每块的对数增益标准差约 0.04，24 个种子的标准误约 0.008；另有 log 的凹性，
    # 偏低约 0.02（对数的平均小于平均的对数）：容差取 5 倍标准误加偏差
    assert np.mean(gains) == pytest.approx(1, abs=0.06)
    # 有 BN 时标准差约 0.5，标准误约 0.1
    assert np.mean(ends) == pytest.approx(21, abs=0.5)


def test_second_moments_boundary_and_error() -> None:
    assert len(second_moments(0)) == 1
    with pytest.raises(ValueError, match="blocks 须 >= 0，收到 -1"):
        second_moments(-1)


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


@settings(max_examples=20, deadline=None)
@given(n=st.integers(2, 6), d=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_mean_cosine_matches_pairs(n: int, d: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, d, generator=generator, dtype=torch.float64)
    pairs = [
        F.cosine_similarity(a, b, dim=0).item() for a, b in combinations(features, 2)
    ]
    assert mean_cosine(features) == pytest.approx(np.mean(pairs), abs=1e-9)
    assert mean_cosine(features[:1].expand(3, d)) == pytest.approx(1)


def test_mean_cosine_needs_two_samples() -> None:
    with pytest.raises(ValueError, match="至少要两个样本，收到 1 个"):
        mean_cosine(torch.ones(1, 3))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_depth_run_is_the_sum_of_its_parts(batch_norm: bool) -> None:
    x, y, *_ = digits_split()
    run = train_depth(
        ResidualBlock, 8, x, y, batch_norm=batch_norm, lr=0.01, steps=3, seed=4
    )
    net = deep_net(ResidualBlock, 8, batch_norm=batch_norm, seed=4)
    if not batch_norm:
        with torch.no_grad():
            for block in list(net)[3:-1]:
                linears(block)[1].weight.div_(math.sqrt(3))
    features = net[:-1](x[:256]).detach()
    expected = DepthRun(
        ratio=gradient_ratio(net, x[:256], y[:256]),
        cosine=mean_cosine(features),
        losses=train_classifier(net, x, y, steps=3, lr=0.01, seed=4),
    )
    assert run.ratio == pytest.approx(expected.ratio, rel=1e-4)
    assert run.cosine == pytest.approx(expected.cosine, rel=1e-4)
    assert run.losses == pytest.approx(expected.losses, rel=1e-4)


@pytest.mark.parametrize(("lr", "steps"), [(0.001, 200), (0.01, 80)])
def test_plain_net_degrades_with_healthy_gradients(lr: float, steps: int) -> None:
    # 页上用 0.003 与 70 步；学习率小就多走几步，结论不变：加深只使普通网络变差
    x, y, *_ = digits_split()
    runs = {
        (block, depth): train_depth(
            block, depth, x, y, batch_norm=False, lr=lr, steps=steps, seed=0
        )
        for block in (PlainBlock, ResidualBlock)
        for depth in (20, 56)
    }
    loss = {key: np.mean(run.losses[-20:]) for key, run in runs.items()}
    assert loss[PlainBlock, 56] > loss[PlainBlock, 20] + 0.2
    assert loss[ResidualBlock, 56] < loss[PlainBlock, 20]
    assert runs[PlainBlock, 56].ratio < 20
    assert runs[PlainBlock, 56].ratio < runs[ResidualBlock, 56].ratio
    assert runs[PlainBlock, 56].cosine > runs[ResidualBlock, 56].cosine + 0.03


def test_batch_norm_explodes_without_a_shortcut() -> None:
    x, y, *_ = digits_split()
    ratio = {
        block: train_depth(
            block, 56, x, y, batch_norm=True, lr=0.01, steps=0, seed=0
        ).ratio
        for block in (PlainBlock, ResidualBlock)
    }
    # 宽网络的理论值是 (π / (π - 1))^27，约 3.1e4；宽 64 的一次抽样在 10 倍之内
    theory = (math.pi / (math.pi - 1)) ** 27
    assert theory / 10 < ratio[PlainBlock] < theory * 10
    assert ratio[ResidualBlock] < 100
