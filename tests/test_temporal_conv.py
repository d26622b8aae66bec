"""snippets/temporal_conv.py 与 snippets/experiments/temporal_conv.py 的测试。"""

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from torch import Generator, Tensor, nn

from snippets.experiments.temporal_conv import (
    Recurrent,
    _pretrained,
    adding_problem,
    contractive_rnn,
    copy_memory,
    delayed_recall,
    fill_parameters,
    graph_depth,
    last_step_gradient,
    multiply_adds,
    perturbation_effect,
    saved_numbers,
    sequence_model,
    state_size,
    stream_error,
    task_scores,
    train_task,
    trained_net,
    transfer_accuracy,
    truncation_error,
)
from snippets.temporal_conv import (
    TCN,
    CausalConv1d,
    RingBufferConv1d,
    StreamingTCN,
    TemporalBlock,
    causal_conv1d,
    receptive_field,
)


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def make_tcn(
    in_channels: int, channels: list[int], kernel_size: int, seed: int = 0
) -> TCN:
    torch.manual_seed(seed)
    return TCN(in_channels, channels, kernel_size).double().eval()


# ---- causal_conv1d ----


@pytest.mark.parametrize(("taps", "dilation"), list(product([1, 2, 3, 5], [1, 2, 7])))
def test_conv_equals_fir_filter(taps: int, dilation: int) -> None:
    # 独立对照：scipy 的 FIR 滤波器，抽头之间插零；卷积核倒序才是滤波器系数
    x, weight = draw(1, 1, 12), draw(1, 1, taps, seed=1)
    filter_taps = np.zeros((taps - 1) * dilation + 1)
    filter_taps[::dilation] = weight[0, 0].flip(0).numpy()
    expected = lfilter(filter_taps, [1.0], x[0, 0].numpy())
    actual = causal_conv1d(x, weight, dilation=dilation)[0, 0].numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-14)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(1, 5),
)
def test_conv_equals_definition(
    n: int, c_in: int, c_out: int, length: int, taps: int, dilation: int
) -> None:
    x, weight, bias = draw(n, c_in, length), draw(c_out, c_in, taps), draw(c_out)
    expected = bias[None, :, None].repeat(n, 1, length)
    for t, j in product(range(length), range(taps)):
        past = t - (taps - 1 - j) * dilation
        if past >= 0:
            expected[:, :, t] += x[:, :, past] @ weight[:, :, j].T
    actual = causal_conv1d(x, weight, bias, dilation)
    torch.testing.assert_close(actual, expected, atol=1e-13, rtol=0)


def test_conv_equals_padding_both_sides_then_chomp() -> None:
    x, weight = draw(2, 3, 20), draw(4, 3, 3)
    both = F.conv1d(x, weight, padding=2 * 5, dilation=5)
    actual = causal_conv1d(x, weight, dilation=5)
    torch.testing.assert_close(actual, both[..., : -2 * 5])


def test_conv_length_one_sees_only_last_tap() -> None:
    x, weight = draw(1, 2, 1), draw(3, 2, 4)
    expected = weight[..., -1] @ x[0]
    torch.testing.assert_close(causal_conv1d(x, weight, dilation=3)[0], expected)


@pytest.mark.parametrize(
    ("x_shape", "weight_shape", "dilation", "message"),
    [
        ((1, 1, 4), (1, 1, 2), 0, "dilation 须 >= 1，收到 0"),
        ((1, 4), (1, 1, 2), 1, r"x 须为 .*收到 \(1, 4\)"),
        ((1, 1, 0), (1, 1, 2), 1, r"L >= 1，收到 \(1, 1, 0\)"),
        ((1, 2, 4), (1, 1, 2), 1, r"weight 须为 \(C_out, 2, K\).*\(1, 1, 2\)"),
        ((1, 1, 4), (1, 1, 0), 1, r"K >= 1，收到 \(1, 1, 0\)"),
        ((1, 1, 4), (1, 1), 1, r"weight 须为 .*收到 \(1, 1\)"),
    ],
)
def test_conv_rejects(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], dilation: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        causal_conv1d(torch.ones(x_shape), torch.ones(weight_shape), dilation=dilation)


def test_layer_is_the_function() -> None:
    torch.manual_seed(0)
    layer, x = CausalConv1d(3, 5, kernel_size=4, dilation=3), torch.randn(2, 3, 17)
    expected = causal_conv1d(x, layer.weight, layer.bias, dilation=3)
    assert torch.equal(layer(x), expected)


@pytest.mark.parametrize(("kernel_size", "dilation"), [(0, 1), (1, 0)])
def test_layer_rejects(kernel_size: int, dilation: int) -> None:
    message = rf"须 >= 1，收到 \({kernel_size}, {dilation}\)"
    with pytest.raises(ValueError, match=message):
        CausalConv1d(1, 1, kernel_size, dilation)


# ---- receptive_field 与梯度掩码 ----


def reachable(kernel_size: int, num_blocks: int, convs_per_block: int) -> set[int]:
    """一层层枚举最后一步够得着的距离。"""
    distances = {0}
    for i, _ in product(range(num_blocks), range(convs_per_block)):
        distances = {d + j * 2**i for d in distances for j in range(kernel_size)}
    return distances


@pytest.mark.parametrize(
    ("k", "n", "convs"), list(product([1, 2, 3, 7], [0, 1, 4], [1, 2, 3]))
)
def test_receptive_field_counts_every_reachable_step(
    k: int, n: int, convs: int
) -> None:
    assert reachable(k, n, convs) == set(range(receptive_field(k, n, convs)))


@pytest.mark.parametrize("arguments", [(0, 1, 2), (2, -1, 2), (2, 1, 0)])
def test_receptive_field_rejects(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"须有 kernel_size >= 1.*收到"):
        receptive_field(*arguments)


@pytest.mark.parametrize(("k", "n"), [(1, 3), (2, 4), (3, 5), (7, 4)])
def test_gradient_mask_is_exactly_the_receptive_field(k: int, n: int) -> None:
    length = receptive_field(k, n) + 10
    tcn = fill_parameters(make_tcn(1, [4] * n, k))
    mask = last_step_gradient(tcn, torch.ones(1, 1, length, dtype=torch.float64)) != 0
    expected = torch.arange(length) >= length - receptive_field(k, n)
    assert torch.equal(mask, expected)


def test_last_step_gradient_is_the_kernel() -> None:
    # 线性层：对距离 j·d 的输入的梯度就是倒数第 j 个抽头；两个通道取 2 范数
    layer = CausalConv1d(2, 1, kernel_size=2, dilation=3).double()
    gradient = last_step_gradient(layer, draw(1, 2, 6))
    norms = layer.weight.detach()[0].norm(dim=0)
    expected = torch.zeros(6, dtype=torch.float64)
    expected[5], expected[2] = norms[1], norms[0]
    torch.testing.assert_close(gradient, expected)


def test_fill_parameters_makes_every_weight_positive() -> None:
    tcn = TCN(2, [3, 3], kernel_size=2)
    fill_parameters(tcn, 0.5)
    blocks = [block for block in tcn if isinstance(block, TemporalBlock)]
    assert all((block.conv1.weight > 0).all() for block in blocks)
    with pytest.raises(ValueError, match="value 须 > 0，收到 0"):
        fill_parameters(tcn, 0)


# ---- 残差块与 TCN ----


@pytest.mark.parametrize(("c_in", "c_out"), [(3, 5), (4, 4)])
def test_block_equals_functional_reference(c_in: int, c_out: int) -> None:
    # 独立对照：两边都补、再切掉右边（参考实现的做法），权重自己按 g·v/‖v‖ 算
    torch.manual_seed(0)
    block = TemporalBlock(c_in, c_out, 3, 4, dropout=0.5).double().eval()
    x = draw(2, c_in, 30)
    h = x
    for conv in (block.conv1, block.conv2):
        g = conv.parametrizations.weight.original0
        v = conv.parametrizations.weight.original1
        w = g * v / v.flatten(1).norm(dim=1)[:, None, None]
        h = F.relu(F.conv1d(h, w, conv.bias, padding=8, dilation=4)[..., :-8])
    residual = x
    if c_in != c_out:
        weight, bias = map(block.get_parameter, ("shortcut.weight", "shortcut.bias"))
        residual = F.conv1d(x, weight, bias)
    torch.testing.assert_close(block(x), F.relu(h + residual))


def test_block_dropout_drops_whole_channels() -> None:
    block = fill_parameters(TemporalBlock(1, 64, 1, 1, dropout=0.5)).train()
    nn.init.zeros_(block.get_parameter("shortcut.weight"))
    nn.init.zeros_(block.get_parameter("shortcut.bias"))
    torch.manual_seed(0)
    zero = block(torch.ones(1, 1, 10))[0] == 0
    assert torch.equal(zero.any(dim=1), zero.all(dim=1))
    assert 0 < zero.all(dim=1).sum() < 64


def test_block_rejects_dropout() -> None:
    with pytest.raises(ValueError, match=r"dropout 须在 \[0, 1\] 内，收到 1.5"):
        TemporalBlock(1, 1, 2, 1, dropout=1.5)


def test_tcn_doubles_the_dilation() -> None:
    tcn = TCN(2, [3, 4, 5], kernel_size=2, dropout=0.1)
    blocks = [block for block in tcn if isinstance(block, TemporalBlock)]
    assert [b.conv1.dilation for b in blocks] == [(1,), (2,), (4,)]
    assert [b.conv2.dilation for b in blocks] == [(1,), (2,), (4,)]
    assert [b.conv1.in_channels for b in blocks] == [2, 3, 4]
    assert tcn(torch.zeros(0, 2, 7)).shape == (0, 5, 7)


def test_tcn_rejects_no_blocks() -> None:
    with pytest.raises(ValueError, match=r"channels 至少要有一块，收到 \[\]"):
        TCN(1, [])


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 39), st.integers(0, 9))
def test_tcn_is_causal_and_forgets_beyond_receptive_field(
    k: int, n: int, t: int, seed: int
) -> None:
    tcn, x = make_tcn(2, [3] * n, k, seed), draw(1, 2, 40, seed=seed)
    oldest = max(0, t - receptive_field(k, n) + 1)
    assert perturbation_effect(tcn, x, slice(t + 1, None), t) == 0
    assert perturbation_effect(tcn, x, slice(0, oldest), t) == 0
    # 随机权重可能关死 ReLU；全为正时，窗口内的输入一定有影响
    live, positive = fill_parameters(tcn), x.abs()
    assert perturbation_effect(live, positive, slice(oldest, t + 1), t) > 0


def test_perturbation_effect_sees_a_leak() -> None:
    leaky = nn.Conv1d(1, 1, 3, padding="same").double()
    effect = perturbation_effect(leaky, draw(1, 1, 9), slice(5, 6), t=4)
    assert effect == pytest.approx(leaky.weight[0, 0, 2].abs().item())


def test_looking_outside_the_sequence_is_rejected() -> None:
    with pytest.raises(IndexError, match="index 9 is out of bounds"):
        perturbation_effect(nn.Identity(), draw(1, 1, 9), slice(5, 6), t=9)
    with pytest.raises(IndexError, match="index -1 is out of bounds"):
        last_step_gradient(nn.Identity(), draw(1, 1, 0))


# ---- 流式 ----


def run_by_steps(stream: RingBufferConv1d | StreamingTCN, x: Tensor) -> Tensor:
    columns = [x[..., t : t + 1] for t in range(x.shape[-1])]
    return torch.cat([stream.step(column) for column in columns], dim=-1)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 20),
    st.booleans(),
)
def test_ring_buffer_equals_full_convolution(
    n: int, channels: int, taps: int, dilation: int, length: int, bias: bool
) -> None:
    torch.manual_seed(0)
    conv = CausalConv1d(channels, 2, taps, dilation).double()
    if not bias:
        conv.register_parameter("bias", None)
    stream, x = RingBufferConv1d(conv, n), draw(n, channels, length)
    steps = run_by_steps(stream, x)
    torch.testing.assert_close(steps, conv(x), atol=1e-14, rtol=0)
    assert stream.buffer.shape == (n, channels, (taps - 1) * dilation)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_streaming_tcn_equals_full_forward(k: int) -> None:
    tcn, x = make_tcn(3, [4, 4, 6], k), draw(2, 3, 50)
    stream = StreamingTCN(tcn, batch_size=2)
    steps = run_by_steps(stream, x)
    # 每步至多几十次乘加，float64 的舍入远小于 1e-14
    torch.testing.assert_close(steps, tcn(x), atol=1e-14, rtol=0)


@pytest.mark.parametrize(("c", "k", "n"), [(8, 3, 6), (5, 1, 3), (4, 7, 2)])
def test_state_size_is_the_closed_form(c: int, k: int, n: int) -> None:
    stream = StreamingTCN(make_tcn(c, [c] * n, k))
    assert stream.state_size == 2 * c * (k - 1) * (2**n - 1)


def test_one_convolution_a_layer_keeps_half() -> None:
    rings = [RingBufferConv1d(CausalConv1d(8, 8, 3, 2**i)) for i in range(6)]
    assert sum(ring.buffer.numel() for ring in rings) == 8 * 2 * (2**6 - 1) == 1008


def test_ring_buffer_is_a_snapshot() -> None:
    conv = CausalConv1d(1, 1, 1)
    fill_parameters(conv)
    stream = RingBufferConv1d(conv)
    fill_parameters(conv, 5)
    assert stream.step(torch.ones(1, 1, 1)).item() == 2


def test_streaming_rejects() -> None:
    with pytest.raises(ValueError, match=r"tcn.eval\(\)"):
        StreamingTCN(TCN(1, [1]))
    with pytest.raises(ValueError, match="batch_size 须 >= 1，收到 0"):
        StreamingTCN(make_tcn(1, [1], 2), batch_size=0)
    stream = RingBufferConv1d(CausalConv1d(3, 1, 2))
    with pytest.raises(ValueError, match=r"每步须为 \(1, 3, 1\)，收到 \(1, 3, 2\)"):
        stream.step(torch.zeros(1, 3, 2))


# ---- 截断 ----


def test_tcn_needs_exactly_the_last_r_steps() -> None:
    tcn, x = make_tcn(1, [6] * 3, 2), draw(2, 1, 40)
    r = receptive_field(2, 3)
    assert truncation_error(tcn, x, r) == 0
    assert truncation_error(tcn, x, r - 1) > 0


@pytest.mark.parametrize("steps", [1, 5, 20, 60])
def test_contractive_rnn_forgets_geometrically(steps: int) -> None:
    # tanh 是 1-Lipschitz 的：误差 <= λ^k ‖h_{T-k}‖ <= λ^k √H
    torch.manual_seed(0)
    rnn, lam = Recurrent("RNN", 1, 16).double(), 0.8
    weight = rnn.get_parameter("rnn.weight_hh_l0")
    with torch.no_grad():
        weight.mul_(lam / torch.linalg.matrix_norm(weight, 2))
    error = truncation_error(rnn, draw(3, 1, 60), steps)
    assert error <= lam**steps * math.sqrt(16)
    assert (error == 0) == (steps == 60)


@pytest.mark.parametrize("steps", [0, 6])
def test_truncation_error_rejects(steps: int) -> None:
    with pytest.raises(ValueError, match=rf"length 须在 \[1, 5\] 内，收到 {steps}"):
        truncation_error(nn.Identity(), torch.zeros(1, 1, 5), steps)


# ---- 反向内存与串行深度 ----


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_recurrent_is_the_library_layer(kind: str) -> None:
    model, x = Recurrent(kind, 2, 3), torch.randn(4, 2, 7)
    assert torch.equal(model(x), model.rnn(x.transpose(1, 2))[0].transpose(1, 2))


def test_recurrent_rejects() -> None:
    with pytest.raises(ValueError, match="kind 须为 RNN、LSTM 或 GRU，收到 Linear"):
        Recurrent("Linear", 1, 1)


def test_saved_numbers_counts_shared_storage_once() -> None:
    x = torch.zeros(5, 2, requires_grad=True)
    chain = nn.Sequential(nn.Sigmoid(), nn.Tanh())  # 各留自己的输出
    assert saved_numbers(chain, x) == 2 * x.numel()
    shared = nn.Sequential(nn.Sigmoid(), nn.Linear(2, 3))  # 后者的输入是前者的输出
    assert saved_numbers(shared, x) == x.numel()


@pytest.mark.parametrize(("n", "k", "c"), [(2, 2, 4), (3, 3, 5)])
def test_tcn_saves_5nc_numbers_a_step(n: int, k: int, c: int) -> None:
    # 每块：两份补零后的输入、三个 ReLU 输出；第一块的输入和捷径只有 1 个通道
    tcn = make_tcn(1, [c] * n, k)
    short, long = (saved_numbers(tcn, draw(1, 1, length)) for length in (20, 30))
    assert long - short == 10 * ((5 * n - 1) * c + 2)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_gated_rnn_saves_7h_numbers_a_step(kind: str) -> None:
    rnn = Recurrent(kind, 1, 6).double()
    short, long = (saved_numbers(rnn, draw(1, 1, length)) for length in (20, 30))
    assert long - short == 10 * (7 * 6 + 1)


def test_graph_depth_of_known_graphs() -> None:
    x = torch.ones(1, requires_grad=True)
    chain = x
    for _ in range(5):
        chain = chain.sin()
    assert graph_depth(chain) == 6
    assert graph_depth(chain + x) == 7  # 取长的一支
    assert graph_depth(2 * torch.ones(1) * x) == 2  # 常数不算
    with pytest.raises(ValueError, match="grad_fn"):
        graph_depth(torch.ones(1))


def test_depth_is_constant_for_tcn_and_linear_for_rnn() -> None:
    tcn, lstm = make_tcn(1, [3] * 3, 2), Recurrent("LSTM", 1, 3).double()
    tcn_depth = [graph_depth(tcn(draw(1, 1, length))) for length in (8, 16, 24)]
    rnn_depth = [graph_depth(lstm(draw(1, 1, length))) for length in (8, 16, 24)]
    assert tcn_depth[0] == tcn_depth[1] == tcn_depth[2]
    assert rnn_depth[2] - rnn_depth[1] == rnn_depth[1] - rnn_depth[0] >= 8


# ---- 流式的代价 ----


def test_stream_error_sees_a_wrong_stream() -> None:
    tcn, x = make_tcn(1, [3] * 2, 2), draw(2, 1, 12)
    assert stream_error(tcn, x) < 1e-14
    with pytest.raises(ValueError, match=r"tcn.eval\(\)"):
        stream_error(tcn.train(), x)


@pytest.mark.parametrize(("kind", "size"), [("RNN", 5), ("GRU", 5), ("LSTM", 10)])
def test_state_of_recurrent_networks(kind: str, size: int) -> None:
    assert state_size(Recurrent(kind, 2, 5).double()) == size


def test_state_of_tcn_with_one_input_channel() -> None:
    # 第一个卷积存 1 个通道，其余存 C 个
    assert state_size(make_tcn(1, [5] * 2, 3)) == 2 * (1 + 5) + 4 * (5 + 5)


def test_multiply_adds_of_known_layers() -> None:
    assert multiply_adds(nn.Linear(3, 4), torch.zeros(2, 3)) == 2 * 3 * 4
    tcn = make_tcn(2, [4] * 2, 3)
    convs = 3 * (2 * 4 + 3 * 4 * 4) + 2 * 4  # 末项是 1×1 捷径
    assert multiply_adds(tcn, draw(1, 2, 7)) == 7 * convs
    assert multiply_adds(StreamingTCN(tcn).step, draw(1, 2, 1)) == convs


def test_contractive_rnn_has_orthogonal_rows() -> None:
    weight = contractive_rnn(6, 0.7, Generator().manual_seed(3)).get_parameter(
        "rnn.weight_hh_l0"
    )
    expected = 0.49 * torch.eye(6, dtype=torch.float64)
    torch.testing.assert_close(weight @ weight.T, expected)


@pytest.mark.parametrize("norm", [0.0, 1.0])
def test_contractive_rnn_rejects(norm: float) -> None:
    with pytest.raises(ValueError, match=rf"norm 须在 \(0, 1\) 内，收到 {norm}"):
        contractive_rnn(4, norm, Generator())


# ---- 任务 ----


@pytest.mark.parametrize(("gap", "items"), [(1, 1), (1, 4), (7, 3)])
def test_copy_memory_is_the_task_of_the_paper(gap: int, items: int) -> None:
    # 独立对照：照论文的文字逐段拼起来
    x, target = copy_memory(5, gap, Generator().manual_seed(0), items)
    assert x.shape == (5, 10, gap + 2 * items)
    assert torch.equal(x.sum(1), torch.ones(5, gap + 2 * items))
    symbols, digits = x.argmax(1), target[:, -items:] + 1
    assert 1 <= int(digits.min()) <= int(digits.max()) <= 8
    blanks, marks = torch.zeros(5, gap - 1), torch.full((5, items + 1), 9)
    assert torch.equal(symbols, torch.cat([digits, blanks, marks], dim=1).long())
    assert bool((target[:, :-items] == -100).all())


@pytest.mark.parametrize(("gap", "items"), [(0, 4), (3, 0)])
def test_copy_memory_rejects(gap: int, items: int) -> None:
    message = rf"gap 与 items 须 >= 1，收到 \({gap}, {items}\)"
    with pytest.raises(ValueError, match=message):
        copy_memory(1, gap, Generator(), items)


def test_adding_problem_marks_two_numbers() -> None:
    x, target = adding_problem(4000, 5, Generator().manual_seed(0))
    numbers, marks = x.unbind(1)
    assert torch.equal(marks.sum(1), torch.full((4000,), 2.0))
    assert bool(((marks == 0) | (marks == 1)).all())
    expected = torch.stack(
        [n[m == 1].sum() for n, m in zip(numbers, marks, strict=True)]
    )
    torch.testing.assert_close(target, expected)
    # 每个位置被选中的概率是 2/5：标准误 √(0.24/4000) = 0.0077，取 5 倍
    assert (marks.mean(0) - 0.4).abs().max() < 5 * math.sqrt(0.24 / 4000)


def test_adding_problem_rejects() -> None:
    with pytest.raises(ValueError, match="length 须 >= 2，收到 1"):
        adding_problem(1, 1, Generator())


@pytest.mark.parametrize("lag", [0, 1, 47])
def test_delayed_recall_asks_for_the_bit_lag_steps_ago(lag: int) -> None:
    x, target = delayed_recall(3, lag, Generator().manual_seed(0))
    bits = (x[:, 0] > 0).long()
    assert x.shape == (3, 1, 48)
    assert bool((target[:, :lag] == -100).all())
    assert torch.equal(target[:, lag:], bits[:, : 48 - lag])


@pytest.mark.parametrize("lag", [-1, 48])
def test_recall_rejects(lag: int) -> None:
    with pytest.raises(ValueError, match=rf"lag 须在 \[0, 48\) 内，收到 {lag}"):
        delayed_recall(1, lag, Generator())


@pytest.mark.parametrize("kind", ["TCN", "LSTM", "GRU"])
def test_sequence_model_depends_on_its_generator_alone(kind: str) -> None:
    x = torch.randn(2, 3, 9)
    first, second, other = (
        sequence_model(kind, 3, 4, 5, Generator().manual_seed(seed))(x)
        for seed in (1, 1, 2)
    )
    assert first.shape == (2, 4, 9)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_models_are_drawn_from_the_generator_and_nothing_else() -> None:
    generator, before = Generator().manual_seed(1), torch.get_rng_state()
    first, second = (sequence_model("GRU", 1, 1, 5, generator) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)  # 同一条随机数，由 PyTorch 自己接着抽
    for model in (first, second):
        ours, library = model[0], nn.GRU(1, 5)
        nn.Conv1d(5, 1, 1)
        assert isinstance(ours, Recurrent)
        weight = ours.get_parameter("rnn.weight_hh_l0")
        assert torch.equal(weight, library.get_parameter("weight_hh_l0"))
    one, two = (contractive_rnn(5, 0.5, generator) for _ in range(2))
    name = "rnn.weight_hh_l0"
    assert not torch.equal(one.get_parameter(name), two.get_parameter(name))


def test_sequence_model_rejects_other_kinds() -> None:
    with pytest.raises(ValueError, match="须为 RNN、LSTM 或 GRU，收到 MLP"):
        sequence_model("MLP", 3, 4, 5, Generator())


def test_counting_rejects_other_shapes() -> None:
    x = torch.zeros(1, 3, 9)
    for count in (multiply_adds, saved_numbers):
        with pytest.raises(RuntimeError, match=r"expected input.* to have 2 channels"):
            count(nn.Conv1d(2, 4, 5), x)
    with pytest.raises(ValueError, match=r"须调用 tcn\.eval\(\)，收到训练模式"):
        state_size(TCN(1, [4]))


def test_compared_models_have_nearly_equal_parameters() -> None:
    sizes = [
        sum(
            p.numel()
            for p in sequence_model(kind, 10, 8, hidden, Generator()).parameters()
        )
        for kind, hidden in [("TCN", 10), ("LSTM", 28), ("GRU", 33)]
    ]
    assert sizes == [5008, 4712, 4727]


# ---- 训练 ----


def test_untrained_scores_are_the_closed_forms() -> None:
    # 恒答同一类：八个数字等可能，4096 个，标准误 √(7/64/4096) = 0.0052，取 5 倍
    net = nn.Conv1d(10, 8, 1)
    nn.init.zeros_(net.weight)
    accuracy = train_task(net, copy_memory, 5, Generator().manual_seed(0), steps=0)
    assert abs(accuracy - 1 / 8) < 5 * math.sqrt(7 / 64 / 4096)
    # 恒答 1：方差 1/6，(S-1)² 的标准差 √(7/180)，1024 条，取 5 倍
    net = nn.Conv1d(2, 1, 1)
    nn.init.zeros_(net.weight)
    nn.init.ones_(net.get_parameter("bias"))
    error = train_task(net, adding_problem, 5, Generator().manual_seed(0), steps=0)
    assert abs(error - 1 / 6) < 5 * math.sqrt(7 / 180 / 1024)


def test_recall_succeeds_inside_the_receptive_field() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(CausalConv1d(1, 2, kernel_size=5))
    assert (
        train_task(net, delayed_recall, 4, Generator().manual_seed(0), steps=100) == 1.0
    )


def test_recall_is_chance_outside_the_receptive_field() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(CausalConv1d(1, 2, kernel_size=4))
    accuracy = train_task(net, delayed_recall, 4, Generator().manual_seed(0), steps=20)
    # 1024 × 44 个独立的位，猜中一半，取标准差的 5 倍
    assert abs(accuracy - 0.5) < 5 * 0.5 / math.sqrt(1024 * 44)


def test_train_task_rejects() -> None:
    with pytest.raises(ValueError, match="steps 须 >= 0，收到 -1"):
        train_task(
            nn.Identity(), delayed_recall, 1, Generator().manual_seed(0), steps=-1
        )


@pytest.mark.parametrize(("task", "channels"), [(copy_memory, 10), (adding_problem, 2)])
def test_task_scores_train_a_new_net_for_each_span_and_seed(
    task: Callable[[int, int, Generator], tuple[Tensor, Tensor]], channels: int
) -> None:
    scores = task_scores("GRU", 3, task, [4, 6], [5, 7], steps=2)
    outputs = 8 if channels == 10 else 1
    for (row, span), (column, seed) in product(enumerate([4, 6]), enumerate([5, 7])):
        net = sequence_model("GRU", channels, outputs, 3, Generator().manual_seed(seed))
        alone = train_task(net, task, span, Generator().manual_seed(seed), steps=2)
        assert scores[row, column] == pytest.approx(alone)
    with pytest.raises(ValueError, match="须为 RNN、LSTM 或 GRU，收到 MLP"):
        task_scores("MLP", 3, task, [4], [0], steps=1)


def test_a_net_is_trained_once() -> None:
    net, score = trained_net("GRU", 3, copy_memory, 2, 0, steps=1)
    assert trained_net("GRU", 3, copy_memory, 2, 0, steps=1)[0] is net
    assert task_scores("GRU", 3, copy_memory, [2], [0], steps=1) == score
    other, _ = trained_net("GRU", 3, copy_memory, 2, 1, steps=1)
    assert other is not net


def test_transfer_leaves_the_pretrained_net_alone() -> None:
    tcn, _ = _pretrained(0)
    before = {name: value.clone() for name, value in tcn.state_dict().items()}
    transfer_accuracy(10, [0], extra_blocks=1)
    after = tcn.state_dict()
    assert [*after] == [*before]
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_transfer_rejects() -> None:
    with pytest.raises(ValueError, match=r"lag 须在 \[0, 48\) 内，收到 48"):
        transfer_accuracy(48, [0])
