"""手写数字的划分与训练循环，对照 scikit-learn 的原始数据和 NumPy 写的 SGD。"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import nn

from snippets.digits import digits_split, train_classifier


def test_split_is_an_affine_image_of_the_whole_data_set() -> None:
    x, y, x_validation, y_validation = digits_split(validation_size=100, seed=3)
    pixels, labels = load_digits(return_X_y=True)
    # 标准化是「减向量、除以一个数」，所以两行之差只差一个公共的比例
    rows = torch.cat([x, x_validation]).double().numpy()
    scale = pixels.std(axis=0).max() / rows.std(axis=0).max()
    shift = pixels.mean(axis=0) - scale * rows.mean(axis=0)
    restored = np.rint(rows * scale + shift)
    assert np.abs(rows * scale + shift - restored).max() < 1e-3
    both = np.column_stack([restored, np.concatenate([y, y_validation])])
    source = np.column_stack([pixels, labels])
    np.testing.assert_array_equal(
        both[np.lexsort(both.T)], source[np.lexsort(source.T)]
    )


def test_only_training_statistics_are_used() -> None:
    x, _, x_validation, _ = digits_split()
    assert x.dtype == x_validation.dtype == torch.float32
    torch.testing.assert_close(x.mean(dim=0), torch.zeros(64), atol=1e-5, rtol=0)
    assert x.std().item() == pytest.approx(1.0, abs=1e-4)
    # 验证集若也用自己的均值，这里就会是 0
    assert x_validation.mean(dim=0).abs().max() > 0.01


@settings(max_examples=10, deadline=None)
@given(size=st.integers(10, 1787), seed=st.integers(0, 2**31))
def test_split_sizes_and_class_balance(size: int, seed: int) -> None:
    _, y, x_validation, y_validation = digits_split(size, seed)
    assert (len(y), len(x_validation)) == (1797 - size, size)
    counts = torch.bincount(y_validation, minlength=10)
    shares = np.bincount(load_digits().target) / 1797
    # 分层抽样：各类的个数与应有的份额相差不到 1
    assert np.abs(counts.numpy() - size * shares).max() <= 1


def test_seed_decides_the_split() -> None:
    first, other = (digits_split(360, seed)[0] for seed in (1, 2))
    again = digits_split.__wrapped__(360, 1)[0]
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_split_is_made_once() -> None:
    assert digits_split(360, 1) is digits_split(360, 1)


@pytest.mark.parametrize("size", [9, 1788])
def test_split_rejects_sizes_without_every_class(size: int) -> None:
    with pytest.raises(ValueError, match=rf"\[10, 1787\] 内，收到 {size}"):
        digits_split(size)


def test_training_matches_numpy_sgd() -> None:
    # 独立参照：softmax 回归的梯度手写，动量与衰减按 PyTorch 文档的更新式
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    y = torch.randint(4, (40,), generator=generator)
    net = nn.Linear(3, 4, dtype=torch.float64)
    weight, bias = (p.detach().numpy().copy() for p in net.parameters())
    batches = torch.Generator().manual_seed(7)
    velocity = [np.zeros_like(weight), np.zeros_like(bias)]
    expected = []
    for _ in range(6):
        chosen = torch.randint(40, (8,), generator=batches)
        inputs, targets = x[chosen].numpy(), np.eye(4)[y[chosen]]
        logits = inputs @ weight.T + bias
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        expected.append(-(targets * np.log(probabilities)).sum(axis=1).mean())
        delta = (probabilities - targets) / 8
        gradients = [delta.T @ inputs + 0.3 * weight, delta.sum(axis=0) + 0.3 * bias]
        velocity = [0.5 * v + g for v, g in zip(velocity, gradients, strict=True)]
        weight, bias = weight - 0.2 * velocity[0], bias - 0.2 * velocity[1]
    losses = train_classifier(
        net,
        x,
        y,
        torch.Generator().manual_seed(7),
        steps=6,
        lr=0.2,
        momentum=0.5,
        weight_decay=0.3,
        batch_size=8,
    )
    np.testing.assert_allclose(losses, expected, rtol=1e-12)
    np.testing.assert_allclose(net.weight.detach().numpy(), weight, rtol=1e-12)
    np.testing.assert_allclose(net.bias.detach().numpy(), bias, rtol=1e-12)


def test_no_steps_leaves_the_net_alone() -> None:
    x, y, *_ = digits_split()
    net = nn.Linear(64, 10)
    before = net.weight.detach().clone()
    assert train_classifier(net, x, y, torch.Generator(), steps=0, lr=1.0) == []
    assert torch.equal(net.weight, before)


@pytest.mark.parametrize(("steps", "batch_size"), [(-1, 128), (1, 0)])
def test_training_rejects_bad_sizes(steps: int, batch_size: int) -> None:
    with pytest.raises(ValueError, match=f"收到 {steps} 与 {batch_size}"):
        train_classifier(
            nn.Linear(1, 1),
            torch.zeros(1, 1),
            torch.zeros(1, dtype=torch.int64),
            torch.Generator(),
            steps=steps,
            lr=0.1,
            batch_size=batch_size,
        )
