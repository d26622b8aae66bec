"""Q7 的代码对照独立的参照：PyTorch 自己的算子、闭式解与逐点穷举。"""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from snippets.experiments.pointwise_conv import (
    collapse_pointwise,
    conv2d_hwio,
    counted_multiply_adds,
    input_mask,
    separable_kernel,
    unexplained_variance,
)
from snippets.pointwise_conv import (
    Bottleneck,
    conv_multiply_adds,
    conv_parameters,
    depthwise_separable_conv,
    hwio_to_oihw,
    linear_per_pixel,
    pointwise_conv,
)


def integers(*shape: int, seed: int = 0) -> Tensor:
    """小整数组成的 float64 张量：乘加没有舍入，可以要求逐位相等。"""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-4, 5, shape, generator=generator).double()


def normals(*shape: int, seed: int = 0) -> Tensor:
    """标准正态的 float64 张量。"""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


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
    with pytest.raises(ValueError, match="通道数须为 3，收到 2"):
        conv2d_hwio(torch.ones(1, 4, 4, 2), torch.ones(1, 1, 3, 5))


# 计数 ----------------------------------------------------------------------


def test_counts_of_the_bottleneck_and_of_its_rivals() -> None:
    bottleneck = (
        conv_parameters(256, 64, 1)
        + conv_parameters(64, 64, 3)
        + conv_parameters(64, 256, 1)
    )
    assert bottleneck == 69_632
    assert 2 * conv_parameters(256, 256, 3) == 1_179_648
    assert 2 * conv_parameters(64, 64, 3) == 73_728
    assert round(1_179_648 / bottleneck, 2) == 16.94


def test_counts_of_the_inception_branch() -> None:
    direct = conv_multiply_adds(192, 32, 5, positions=28 * 28)
    reduced = conv_multiply_adds(192, 16, 1, positions=28 * 28)
    reduced += conv_multiply_adds(16, 32, 5, positions=28 * 28)
    assert (direct, reduced) == (120_422_400, 12_443_648)
    assert round(direct / reduced, 2) == 9.68


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
    assert counted_multiply_adds(conv, x) == expected
    assert counted_multiply_adds(conv, torch.cat([x, x])) == 2 * expected


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


def test_separable_functions_reject_bad_arguments() -> None:
    x = torch.ones(1, 2, 4, 4)
    with pytest.raises(ValueError, match=r"\(2, K, K\) 且 K 为奇数，收到 \(2, 2, 2\)"):
        depthwise_separable_conv(x, torch.ones(2, 2, 2), torch.ones(3, 2))
    with pytest.raises(ValueError, match=r"收到 \(3, 3, 3\)"):
        depthwise_separable_conv(x, torch.ones(3, 3, 3), torch.ones(3, 2))
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
