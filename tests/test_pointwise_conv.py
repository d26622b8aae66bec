"""Q7 的代码对照独立的参照：PyTorch 自己的算子、闭式解与逐点穷举。"""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pipeline.timings import read_timings
from pipeline.tools.measure import DATA
from snippets.experiments.pointwise_conv import (
    bottleneck_reads,
    collapse_gap,
    counted_parameters,
    input_mask,
    layout_gap,
    lost_directions,
    moved_elements,
    output_height,
    pointwise_gap,
    pooling_gap,
    random_pair,
    separable_gap,
    sliding_gap,
    small_integers,
    stack_cost,
)
from snippets.experiments.temporal_conv import multiply_adds
from snippets.pointwise_conv import (
    Bottleneck,
    collapse_pointwise,
    conv2d_hwio,
    conv_multiply_adds,
    conv_parameters,
    conv_stack,
    depthwise_separable_conv,
    hwio_to_oihw,
    linear_per_pixel,
    pointwise_conv,
    separable_kernel,
    unexplained_variance,
)


def integers(*shape: int, seed: int = 0) -> Tensor:
    """小整数组成的 float64 张量：乘加没有舍入，可以要求逐位相等。"""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-4, 5, shape, generator=generator).double()


def normals(*shape: int, seed: int = 0) -> Tensor:
    """标准正态的 float64 张量。"""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


# 整数张量 ------------------------------------------------------------------


def test_small_integers_are_small_integers_and_differ_by_seed() -> None:
    x, y = small_integers(torch.Generator().manual_seed(0), (3, 40), (0, 2))
    assert (x.shape, y.shape, x.dtype) == ((3, 40), (0, 2), torch.float64)
    assert set(x.flatten().tolist()) == set(range(-4, 5))
    assert torch.equal(x, small_integers(torch.Generator().manual_seed(0), (3, 40))[0])
    assert not torch.equal(
        x, small_integers(torch.Generator().manual_seed(1), (3, 40))[0]
    )
    assert small_integers(torch.Generator().manual_seed(0)) == ()
    with pytest.raises(ValueError, match=r"须 >= 0，收到 \(\(2, -1\),\)"):
        small_integers(torch.Generator().manual_seed(0), (2, -1))


# 1×1 卷积 ------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(0, 3),
    c_in=st.integers(1, 5),
    c_out=st.integers(1, 5),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    stride=st.integers(1, 3),
    with_bias=st.booleans(),
)
def test_pointwise_conv_equals_torch_exactly(
    n: int, c_in: int, c_out: int, height: int, width: int, stride: int, with_bias: bool
) -> None:
    x, weight = integers(n, c_in, height, width), integers(c_out, c_in, seed=1)
    bias = integers(c_out, seed=2) if with_bias else None
    expected = F.conv2d(x, weight[:, :, None, None], bias, stride=stride)
    assert torch.equal(pointwise_conv(x, weight, bias, stride), expected)


def test_linear_per_pixel_equals_a_loop_over_pixels() -> None:
    x, weight, bias = integers(2, 3, 4, 5), integers(6, 3, seed=1), integers(6, seed=2)
    y = linear_per_pixel(x, weight, bias)
    for n in range(2):
        for h in range(4):
            for w in range(5):
                assert torch.equal(y[n, :, h, w], weight @ x[n, :, h, w] + bias)
    assert torch.equal(y, pointwise_conv(x, weight, bias))


def test_pointwise_conv_commutes_with_any_permutation_of_pixels() -> None:
    x, weight = integers(2, 3, 4, 5), integers(6, 3, seed=1)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    shuffled = x.flatten(2)[:, :, order].reshape(x.shape)
    expected = pointwise_conv(x, weight).flatten(2)[:, :, order]
    assert torch.equal(pointwise_conv(shuffled, weight).flatten(2), expected)


def test_pointwise_conv_rejects_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\)，收到 \(1, 2, 4, 4\)"):
        pointwise_conv(torch.ones(1, 2, 4, 4), torch.ones(5, 3))
    with pytest.raises(ValueError, match=r"收到 \(3, 4, 4\)"):
        pointwise_conv(torch.ones(3, 4, 4), torch.ones(5, 3))
    with pytest.raises(ValueError, match="stride 须 >= 1，收到 0"):
        pointwise_conv(torch.ones(1, 3, 4, 4), torch.ones(5, 3), stride=0)
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\)，收到 \(1, 2, 4, 4\)"):
        linear_per_pixel(torch.ones(1, 2, 4, 4), torch.ones(5, 3))


def test_pointwise_gap_sees_a_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, bias = small_integers(
        torch.Generator().manual_seed(0), (2, 3, 4, 5), (6, 3), (6,)
    )
    assert pointwise_gap(x, weight, bias) == pointwise_gap(x, weight) == 0
    path = "snippets.experiments.pointwise_conv.linear_per_pixel"
    monkeypatch.setattr(path, lambda *given: pointwise_conv(*given) + 0.5)
    assert pointwise_gap(x, weight, bias) == 0.5


# 布局 ----------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (2, 5)])
def test_tensorflow_layout_gives_the_same_convolution(kernel: tuple[int, int]) -> None:
    x, weight = integers(2, 6, 7, 3), integers(*kernel, 3, 4, seed=1)
    theirs = conv2d_hwio(x, weight)
    ours = F.conv2d(x.permute(0, 3, 1, 2), hwio_to_oihw(weight))
    assert torch.equal(ours.permute(0, 2, 3, 1), theirs)


def test_conv2d_hwio_follows_the_documented_index_formula() -> None:
    x, weight = integers(1, 3, 3, 2), integers(2, 2, 2, 2, seed=1)
    y = conv2d_hwio(x, weight)
    assert y.shape == (1, 2, 2, 2)
    for i in range(2):
        for j in range(2):
            for k in range(2):
                total = sum(
                    x[0, i + di, j + dj, q] * weight[di, dj, q, k]
                    for di in range(2)
                    for dj in range(2)
                    for q in range(2)
                )
                assert y[0, i, j, k] == total


def test_layout_functions_reject_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"须为四维，收到形状 \(3, 4\)"):
        hwio_to_oihw(torch.ones(3, 4))
    with pytest.raises(ValueError, match=r"收到 \(\(1, 4, 4, 2\), \(1, 1, 3, 5\)\)"):
        conv2d_hwio(torch.ones(1, 4, 4, 2), torch.ones(1, 1, 3, 5))
    with pytest.raises(ValueError, match=r"核的高宽不能大于 x 的高宽，收到 .*5, 1"):
        conv2d_hwio(torch.ones(1, 4, 4, 3), torch.ones(5, 1, 3, 5))


def test_layout_gap_sees_a_transposed_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    x, kernel = small_integers(
        torch.Generator().manual_seed(0), (1, 2, 5, 5), (3, 3, 2, 4)
    )
    assert layout_gap(x, kernel) == 0
    path = "snippets.experiments.pointwise_conv.hwio_to_oihw"
    monkeypatch.setattr(path, lambda weight: hwio_to_oihw(weight).mT)
    expected = F.conv2d(x, hwio_to_oihw(kernel)) - F.conv2d(x, hwio_to_oihw(kernel).mT)
    assert layout_gap(x, kernel) == expected.abs().max() > 0


# 计数 ----------------------------------------------------------------------


@pytest.mark.slow
def test_counts_of_the_bottleneck_and_of_its_rivals() -> None:
    bottleneck = (
        conv_parameters(256, 64, 1)
        + conv_parameters(64, 64, 3)
        + conv_parameters(64, 256, 1)
    )
    assert bottleneck == counted_parameters(Bottleneck(256, 64, 256)) == 69_632
    assert stack_cost((256, 64, 64, 256), (1, 3, 1), 4)[0] == 69_632
    assert stack_cost((256, 256, 256), (3, 3), 4)[0] == 1_179_648
    assert stack_cost((64, 64, 64), (3, 3), 4)[0] == 73_728
    assert round(1_179_648 / bottleneck, 2) == 16.94


def test_counts_of_the_inception_branch() -> None:
    direct = conv_multiply_adds(192, 32, 5, positions=28 * 28)
    reduced = conv_multiply_adds(192, 16, 1, positions=28 * 28)
    reduced += conv_multiply_adds(16, 32, 5, positions=28 * 28)
    assert (direct, reduced) == (120_422_400, 12_443_648)
    assert stack_cost((192, 32), (5,), 28)[1] == direct
    assert stack_cost((192, 16, 32), (1, 5), 28)[1] == reduced
    assert round(direct / reduced, 2) == 9.68


@pytest.mark.parametrize("size", [1, 4])
def test_moved_elements_are_each_inputs_weights_and_outputs(size: int) -> None:
    expected = (3 + 6) * size**2 + 3 * 6 * 9 + (6 + 6) * size**2 + 6 * 9 + 6
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, padding=1, groups=6),  # 带偏置
    )
    x = torch.zeros(1, 3, size, size)
    assert moved_elements(net, x) == expected
    assert not any(layer._forward_hooks for layer in net)  # 没有留下钩子
    assert moved_elements(nn.ReLU(), x) == 0


def test_conv_stack_is_what_it_says() -> None:
    net = conv_stack((4, 4, 6), (3, 1), groups=(4, 1))
    assert [type(layer) for layer in net] == [nn.Conv2d, nn.ReLU, nn.Conv2d]
    x, (depthwise, pointwise) = torch.randn(2, 4, 5, 7), net.parameters()
    hidden = F.relu(F.conv2d(x, depthwise, padding=1, groups=4))
    torch.testing.assert_close(net(x), F.conv2d(hidden, pointwise))
    assert output_height(net, (1, 4, 5, 7)) == 5
    with pytest.raises(ValueError, match=r"多一个，收到个数 \(3, 1, 1\)"):
        conv_stack((4, 4, 6), (3,))
    with pytest.raises(ValueError, match=r"多一个，收到个数 \(2, 1, 2\)"):
        conv_stack((4, 4), (3,), groups=(1, 1))
    with pytest.raises(ValueError, match=r"须为正奇数，收到 \(3, 2\)"):
        conv_stack((4, 4, 6), (3, 2))


def test_measured_times_bear_out_what_the_page_says() -> None:
    # 页面说：前三行的时间之比小于乘加之比，后两行大于。重测后若不再如此，要改的是页面
    rows = [row for row in read_timings(DATA).rows if row.stem == "pointwise_conv"]
    work = [9.677, 16.941, 8.694, 0.240, 0.0352]
    for row, expected in zip(rows, work, strict=True):
        assert f"{expected:.3g}" in row.what or f"{expected:.2f}" in row.what, row.what
    assert all(row.high < adds for row, adds in zip(rows[:3], work[:3], strict=True))
    assert all(row.low > adds for row, adds in zip(rows[3:], work[3:], strict=True))


@settings(max_examples=25, deadline=None)
@given(
    multiples=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    groups=st.integers(1, 4),
    kernel_size=st.integers(1, 5),
    size=st.integers(1, 6),
    stride=st.integers(1, 2),
)
def test_counts_agree_with_pytorch(
    multiples: tuple[int, int], groups: int, kernel_size: int, size: int, stride: int
) -> None:
    c_in, c_out = multiples[0] * groups, multiples[1] * groups
    conv = nn.Conv2d(
        c_in, c_out, kernel_size, stride, kernel_size // 2, groups=groups, bias=False
    )
    x = torch.ones(1, c_in, size, size)
    positions = math.prod(conv(x).shape[2:])
    expected = conv_multiply_adds(c_in, c_out, kernel_size, positions, groups)
    assert conv_parameters(c_in, c_out, kernel_size, groups) == conv.weight.numel()
    assert multiply_adds(conv, x) == expected
    assert multiply_adds(conv, torch.cat([x, x])) == 2 * expected


def test_counting_functions_reject_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r">= 1，收到 \(0, 4, 1, 1\)"):
        conv_parameters(0, 4, 1)
    with pytest.raises(ValueError, match=r"被 groups 整除，收到 \(6, 4, 4\)"):
        conv_parameters(6, 4, 3, groups=4)
    with pytest.raises(ValueError, match="positions 须 >= 0，收到 -1"):
        conv_multiply_adds(4, 4, 1, positions=-1)


# 瓶颈块 --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_channels", "out_channels", "stride"), [(8, 8, 1), (8, 12, 1), (8, 8, 2)]
)
def test_bottleneck_equals_the_same_weights_through_functional(
    in_channels: int, out_channels: int, stride: int
) -> None:
    torch.manual_seed(0)
    block = Bottleneck(in_channels, 4, out_channels, stride).double()
    weights = dict(block.named_parameters())
    x = normals(2, in_channels, 5, 6)
    h = F.relu(F.conv2d(x, weights["reduce.weight"]))
    h = F.relu(F.conv2d(h, weights["spatial.weight"], stride=stride, padding=1))
    skip = x
    if "shortcut.weight" in weights:
        skip = F.conv2d(x, weights["shortcut.weight"], stride=stride)
    expected = F.relu(F.conv2d(h, weights["expand.weight"]) + skip)
    torch.testing.assert_close(block(x), expected)
    assert ("shortcut.weight" in weights) == (in_channels != out_channels or stride > 1)
    assert block(x).shape == (2, out_channels, -(-5 // stride), -(-6 // stride))


def test_bottleneck_has_the_counted_parameters() -> None:
    assert sum(p.numel() for p in Bottleneck(256, 64, 256).parameters()) == 69_632


def test_bottleneck_rejects_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"须 >= 1，收到 \(8, 4, 8, 0\)"):
        Bottleneck(8, 4, 8, stride=0)


# 深度可分离卷积 --------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 5])
def test_depthwise_separable_conv_equals_modules_and_its_dense_kernel(
    size: int,
) -> None:
    x, depthwise = normals(2, 4, 6, 5), normals(4, size, size, seed=1)
    pointwise = normals(7, 4, seed=2)
    filters = nn.Conv2d(4, 4, size, padding=size // 2, groups=4, bias=False).double()
    mixing = nn.Conv2d(4, 7, 1, bias=False).double()
    filters.weight.data, mixing.weight.data = (
        depthwise[:, None],
        pointwise[..., None, None],
    )
    y = depthwise_separable_conv(x, depthwise, pointwise)
    torch.testing.assert_close(y, mixing(filters(x)))
    kernel = separable_kernel(depthwise, pointwise)
    torch.testing.assert_close(y, F.conv2d(x, kernel, padding=size // 2))
    for channel in range(4):
        assert torch.linalg.matrix_rank(kernel[:, channel].flatten(1)) == 1
    assert separable_gap(x, depthwise, pointwise) < 1e-13
    wrong = F.conv2d(x, 2 * kernel, padding=size // 2) - y
    assert separable_gap(x, 2 * depthwise, pointwise) < 1e-13 < wrong.abs().max()


def test_separable_functions_reject_bad_arguments() -> None:
    x = torch.ones(1, 2, 4, 4)
    with pytest.raises(ValueError, match=r"\(2, K, K\) 且 K 为奇数，收到 \(2, 2, 2\)"):
        depthwise_separable_conv(x, torch.ones(2, 2, 2), torch.ones(3, 2))
    with pytest.raises(ValueError, match=r"收到 \(3, 3, 3\)"):
        depthwise_separable_conv(x, torch.ones(3, 3, 3), torch.ones(3, 2))
    with pytest.raises(ValueError, match=r"\(C_out, C\)，收到 .*\(3, 5\)"):
        depthwise_separable_conv(x, torch.ones(2, 3, 3), torch.ones(3, 5))
    with pytest.raises(ValueError, match=r"须相同，收到 \(3, 2\)"):
        separable_kernel(torch.ones(3, 3, 3), torch.ones(5, 2))


# 合并与非线性 ----------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(c_in=st.integers(1, 8), c_mid=st.integers(1, 8), c_out=st.integers(1, 8))
def test_two_pointwise_convs_collapse_to_one(c_in: int, c_mid: int, c_out: int) -> None:
    x = integers(2, c_in, 3, 4)
    weight1, bias1 = integers(c_mid, c_in, seed=1), integers(c_mid, seed=2)
    weight2, bias2 = integers(c_out, c_mid, seed=3), integers(c_out, seed=4)
    pair = pointwise_conv(pointwise_conv(x, weight1, bias1), weight2, bias2)
    weight, bias = collapse_pointwise(weight1, bias1, weight2, bias2)
    assert torch.equal(pointwise_conv(x, weight, bias), pair)
    assert torch.linalg.matrix_rank(weight) <= min(c_in, c_mid, c_out)


def test_collapse_rejects_mismatched_weights() -> None:
    with pytest.raises(ValueError, match=r"收到 \(2, 3\)"):
        collapse_pointwise(
            torch.ones(2, 4), torch.ones(2), torch.ones(5, 3), torch.ones(5)
        )
    with pytest.raises(ValueError, match=r"等于输出通道数，收到 \(2, 3, 5, 5\)"):
        collapse_pointwise(
            torch.ones(2, 4), torch.ones(3), torch.ones(5, 2), torch.ones(5)
        )


def test_collapse_gap_is_what_the_relu_changes() -> None:
    x = torch.tensor([1.0, -3.0]).view(1, 1, 1, 2)
    pair = torch.ones(1, 1), torch.zeros(1), torch.full((1, 1), 2.0), torch.ones(1)
    assert collapse_gap(x, *pair) == 0
    assert collapse_gap(x, *pair, activation=F.relu) == 6  # −3 变成 0，乘 2


def test_lost_directions_of_known_matrices() -> None:
    assert lost_directions(torch.eye(5)[:2]) == 3
    assert lost_directions(torch.zeros(4, 3)) == 3
    assert lost_directions(torch.eye(3)) == 0
    with pytest.raises(ValueError, match=r"须为矩阵，收到形状 \(3,\)"):
        lost_directions(torch.ones(3))


def test_random_pair_without_and_with_relu() -> None:
    share, rank = random_pair(torch.Generator().manual_seed(5))
    assert share < 1e-25
    assert rank == 8
    share, rank = random_pair(torch.Generator().manual_seed(5), F.relu)
    assert 0.25 < share < 0.28  # 闭式见下一个测试
    assert rank == 8


def test_affine_maps_leave_no_variance_unexplained() -> None:
    x = normals(4, 6, 8, 8)
    y = pointwise_conv(x, normals(3, 6, seed=1), normals(3, seed=2))
    assert unexplained_variance(x, y) < 1e-25
    noise = normals(4, 3, 8, 8, seed=3)
    # 与输入无关的目标：256 个像素、6 个自由度，剩下的比例约为 1 − 6/256；
    # 三个目标平均后标准差约 √(2·6/3)/256 ≈ 0.008，取 0.03
    assert unexplained_variance(x, noise) == pytest.approx(1 - 6 / 256, abs=0.03)


def test_relu_leaves_the_closed_form_share_unexplained() -> None:
    # W1 的行两两正交，故各隐藏单元独立同分布；每单元 Var(|z|)/4 : Var(relu z)
    # = (1 − 2/π) : (2 − 2/π)，比例为 (π − 2)/(2π − 2)，与 W2 无关。
    expected = (math.pi - 2) / (2 * math.pi - 2)
    weight1 = torch.linalg.qr(normals(32, 8, seed=1)).Q.T
    x = normals(16, 32, 16, 16)
    hidden = pointwise_conv(x, weight1)
    # 4096 个像素、8 个单元，4 阶矩有限：比例的标准差约 0.5 / √(4096 · 8) ≈ 0.003，
    # 另有 32/4096 ≈ 0.8 % 的相对下偏；取 0.015，约 5 个标准差。
    for seed in (2, 3):
        y = pointwise_conv(F.relu(hidden), normals(32, 8, seed=seed))
        assert unexplained_variance(x, y) == pytest.approx(expected, abs=0.015)
        assert torch.linalg.matrix_rank(y.movedim(1, -1).flatten(0, 2)) == 8


def test_unexplained_variance_rejects_bad_arguments() -> None:
    x = torch.ones(1, 2, 3, 3)
    with pytest.raises(ValueError, match=r"须相同，收到 \(1, 2, 3, 3\) 与"):
        unexplained_variance(x, torch.ones(1, 2, 3, 4))
    with pytest.raises(ValueError, match="y 是常数"):
        unexplained_variance(x, torch.ones(1, 4, 3, 3))


# 哪些输入被读到 --------------------------------------------------------------


def poked_mask(layer: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """逐个改动输入元素，看输出变不变：与自动求导无关的参照。"""
    with torch.no_grad():
        for parameter in layer.parameters():
            nn.init.ones_(parameter)
        x = torch.ones(shape)
        before, mask = layer(x), torch.zeros(shape, dtype=torch.bool)
        for index in range(x.numel()):
            changed = x.clone().flatten()
            changed[index] += 1
            mask.view(-1)[index] = not torch.equal(layer(changed.view(shape)), before)
    return mask


@pytest.mark.parametrize(
    ("layer", "share"),
    [
        (nn.Conv2d(2, 3, 1, stride=1), 1.0),
        (nn.Conv2d(2, 3, 1, stride=2), 0.25),
        (nn.Conv2d(2, 3, 1, stride=3), 1 / 9),
        (nn.Conv2d(2, 3, 3, stride=2, padding=1), 1.0),
        (nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(2, 3, 1), nn.ReLU()), 1.0),
    ],
)
def test_input_mask_agrees_with_poking(layer: nn.Module, share: float) -> None:
    before = [parameter.clone() for parameter in layer.parameters()]
    mask = input_mask(layer, (1, 2, 6, 6))
    assert all(map(torch.equal, layer.parameters(), before))
    assert torch.equal(mask, poked_mask(layer, (1, 2, 6, 6)))
    assert mask.double().mean() == pytest.approx(share)


def test_input_mask_of_one_output_element() -> None:
    depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4)
    mask = input_mask(depthwise, (1, 4, 5, 5), (0, 2, 2, 2))[0]
    assert mask.flatten(1).sum(1).tolist() == [0, 0, 9, 0]
    with pytest.raises(ValueError, match=r"须 >= 1，收到 \(1, 0, 3, 3\)"):
        input_mask(depthwise, (1, 0, 3, 3))


@pytest.mark.parametrize("stride", [1, 2, 5])
def test_bottleneck_reads_agrees_with_poking(stride: int) -> None:
    block = Bottleneck(2, 3, 4, stride)
    branch = nn.Sequential(block.reduce, block.spatial, block.expand)
    masks = [poked_mask(part, (1, 2, 5, 5)) for part in (branch, block.shortcut)]
    expected = tuple(float(mask.double().mean()) for mask in masks)
    assert bottleneck_reads(block, 5) == expected
    assert (expected[1] < 1) == (stride > 1)
    assert (expected[0] < 1) == (stride > 3)  # 3×3 跨过 5 步，也有读不到的


# 分类头 --------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 4])
def test_sliding_a_classifier_is_a_convolution(size: int) -> None:
    x, weight = small_integers(
        torch.Generator().manual_seed(0), (2, 3, 4, 6), (5, 3, size, size)
    )
    assert sliding_gap(x, weight) == 0
    scores = F.conv2d(x, weight)
    for i in range(5 - size):
        for j in range(7 - size):
            window = x[:, :, i : i + size, j : j + size]
            expected = window.flatten(1) @ weight.flatten(1).T
            assert torch.equal(scores[:, :, i, j], expected)


def test_pooling_before_or_after_the_classifier() -> None:
    x, weight = small_integers(torch.Generator().manual_seed(0), (2, 3, 4, 8), (5, 3))
    assert pooling_gap(x, weight) == 0


def test_pairs_and_counts_pass_on_what_is_wrong() -> None:
    x, wide = torch.ones(1, 2, 4, 4), torch.ones(3, 5)
    with pytest.raises(RuntimeError, match=r"expected input.* to have 5 channels"):
        pointwise_gap(x, wide)
    with pytest.raises(ValueError, match=r"\(N, 5, H, W\)，收到 \(1, 2, 4, 4\)"):
        pooling_gap(x, wide)
    with pytest.raises(ValueError, match=r"\(N, 5, H, W\)，收到 \(1, 2, 4, 4\)"):
        collapse_gap(x, wide, torch.ones(3), torch.ones(2, 3), torch.ones(2))
    with pytest.raises(ValueError, match=r"收到 \(\(1, 4, 4, 2\), \(3, 3, 5, 2\)\)"):
        layout_gap(x, torch.ones(3, 3, 5, 2))
    with pytest.raises(ValueError, match=r"收到 \(4, 5\)"):
        separable_gap(x, torch.ones(4, 3, 3), wide)
    with pytest.raises(ValueError, match="须比 kernel_sizes、groups 多一个"):
        stack_cost((2, 3, 4), (1,), 8)
    for count in (multiply_adds, moved_elements):
        with pytest.raises(RuntimeError, match=r"expected input.* to have 3 channels"):
            count(nn.Conv2d(3, 4, 1), x)
    with pytest.raises(ValueError, match=r"须 >= 1，收到 \(1, 4, 0, 0\)"):
        bottleneck_reads(Bottleneck(4, 2, 4), 0)


def test_sliding_gap_rejects_bad_arguments() -> None:
    x = torch.ones(1, 2, 4, 4)
    for shape in (3, 3, 2, 2), (3, 2, 2, 3), (3, 2, 5, 5):
        with pytest.raises(ValueError, match=r"\(classes, C, K, K\)，收到"):
            sliding_gap(x, torch.ones(shape))
