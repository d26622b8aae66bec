"""测出每层的梯度增益，再与闭式解对照；每种办法各做一个实验。"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from snippets.digits import digits_split
from snippets.gradient_flow import (
    activation_slope,
    chain_product,
    chain_slopes,
    clip_by_norm,
    clip_by_value,
    deep_net,
    gradient_norms,
    path_gradients,
    saturated_fraction,
)


# --8<-- [start:chain_gain]
def chain_gain(
    weight: float,
    depth: int = 20,
    activation: Callable[[Tensor], Tensor] = torch.positive,
    x: float = 0.0,
    bias: float = 0.0,
) -> float:
    """返回各层权重相同的单神经元链的导数；默认没有激活函数。

    Args:
        weight: 各层共同的权重。
        depth: 层数，须 `>= 1`。
        activation: 可求导的激活函数；`torch.positive` 是恒等。
        x: 输入。
        bias: 各层共同的偏置。

    Returns:
        输出对输入的导数。

    Raises:
        ValueError: `depth < 1`。

    Example:
        >>> chain_gain(1.5, 2), chain_gain(2.0, 1, torch.sigmoid)
        (2.25, 0.5)
    """
    if depth < 1:
        raise ValueError(f"depth 须 >= 1，收到 {depth}")
    weights = torch.full((depth,), weight, dtype=torch.float64)
    return chain_product(weights, chain_slopes(weights, x, activation, bias)).item()


# --8<-- [end:chain_gain]


# --8<-- [start:linear_gain]
def linear_gain(width: int, depth: int, bound: float, generator: Generator) -> float:
    """把一个随机向量反传过 U(±bound) 的线性网络，返回每层 ‖δ‖ 平均乘几倍。

    期望下每层 ‖δ‖² 乘 width·bound²/3，这也是奇异值的平方的平均。

    Args:
        width: 每层的单元数，须 `>= 1`。
        depth: 层数，须 `>= 1`。
        bound: 权重绝对值的上界，须 `>= 0`。
        generator: 随机源。

    Returns:
        (‖δ_0‖ / ‖δ_L‖) 的 depth 次方根。

    Raises:
        ValueError: `width` 或 `depth` 小于 1。
        RuntimeError: `bound < 0`（由 PyTorch 检查）。

    Example:
        >>> gain = linear_gain(256, 4, 0.2, Generator().manual_seed(0))
        >>> abs(gain / math.sqrt(256 * 0.2**2 / 3) - 1) < 0.15
        True
    """
    if min(width, depth) < 1:
        raise ValueError(f"width、depth 须 >= 1，收到 {width}、{depth}")
    start = delta = torch.randn(width, generator=generator)
    for _ in range(depth):
        weight = torch.empty(width, width).uniform_(-bound, bound, generator=generator)
        delta = weight.T @ delta
    return math.pow(delta.norm() / start.norm(), 1 / depth)


# --8<-- [end:linear_gain]


# --8<-- [start:top_singular_value]
def top_singular_value(width: int, bound: float, generator: Generator) -> float:
    """抽一个 U(±bound) 的方阵，返回它最大的奇异值。

    Args:
        width: 行数与列数，须 `>= 0`。
        bound: 权重绝对值的上界，须 `>= 0`。
        generator: 随机源。

    Returns:
        最大的奇异值；方阵很大时约为 2·bound·√(width/3)。

    Raises:
        RuntimeError: `width < 0` 或 `bound < 0`（由 PyTorch 检查）。

    Example:
        >>> 4 < top_singular_value(512, 0.2, Generator().manual_seed(0)) < 6
        True

    Source:
        Yin, Bai & Krishnaiah (1988), On the Limit of the Largest Eigenvalue of the
        Large Dimensional Sample Covariance Matrix,
        Probab. Theory Relat. Fields 78:509–521, Zbl 0627.62022.
    """
    weight = torch.empty(width, width).uniform_(-bound, bound, generator=generator)
    return float(torch.linalg.matrix_norm(weight, 2))


# --8<-- [end:top_singular_value]


# --8<-- [start:log_norms_by_layer]
def log_norms_by_layer(
    kind: str,
    seeds: Sequence[int],
    scale: float = 1.0,
    width: int = 64,
    depth: int = 31,
) -> Tensor:
    """返回刚初始化的网络各层 δ 与权重梯度的范数的对数，以最后一层为 0。

    δ 是损失对线性层输出的梯度；损失是输出与一个固定随机方向的内积。

    Args:
        kind: 网络的名字，见 `deep_net`。
        seeds: 随机种子，至少一个。
        scale: 权重的标准差再乘的倍数。
        width: 每层的单元数，也是样本数 N。
        depth: 层数 L。

    Returns:
        形状 `(len(seeds), 2, L)`：第 0 行是 δ，第 1 行是权重的梯度，
        第 0 列最靠近输入。

    Raises:
        ValueError: 没有种子。

    Example:
        >>> logs = log_norms_by_layer("sigmoid", [0], width=16, depth=4)
        >>> bool(logs[0, 0, 0] < -2), logs[0, :, -1].tolist()
        (True, [0.0, 0.0])
    """
    if not seeds:
        raise ValueError(f"须至少一个种子，收到 {seeds}")
    rows = []
    for seed in seeds:
        generator = Generator().manual_seed(seed)
        model = deep_net(kind, width, depth, generator, scale)
        x, direction = torch.randn(
            (2, width, width), generator=generator, dtype=torch.float64
        )
        outputs: list[Tensor] = []
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                layer.register_forward_hook(
                    lambda *call, kept=outputs: kept.append(call[2])
                )
        loss = (model(x) * direction).sum()
        gradients = torch.autograd.grad(loss, [*outputs, *model.parameters()])
        norms = torch.stack([g.norm() for g in gradients]).reshape(2, depth)
        rows.append((norms / norms[:, -1:]).log())
    return torch.stack(rows)


# --8<-- [end:log_norms_by_layer]


# --8<-- [start:saturation]
def saturation(
    std: float,
    activation: Callable[[Tensor], Tensor],
    generator: Generator,
    count: int = 100_000,
) -> tuple[float, float]:
    """预激活服从 N(0, std²) 时，返回饱和单元的比例和激活函数的平均导数。

    Args:
        std: 预激活的标准差，须 `>= 0`。
        activation: 逐元素、可求导的激活函数。
        generator: 随机源。
        count: 抽多少个预激活，须 `>= 1`。

    Returns:
        `(饱和的比例, 平均导数)`。

    Raises:
        ValueError: `count` 是 0（由 `saturated_fraction` 检查）。
        RuntimeError: `std < 0` 或 `count < 0`（由 PyTorch 检查）。

    Example:
        >>> saturation(1.0, torch.positive, Generator().manual_seed(0))
        (0.0, 1.0)
    """
    size, dtype = (count,), torch.float64
    z = torch.normal(0.0, std, size, generator=generator, dtype=dtype)
    slopes = activation_slope(z, activation)
    return saturated_fraction(z, activation), slopes.mean().item()


# --8<-- [end:saturation]


# --8<-- [start:jacobian_gain]
def jacobian_gain(model: nn.Module, x: Tensor, direction: Tensor) -> float:
    """返回梯度穿过整个网络后放大的倍数 ‖Jᵀd‖ / ‖d‖。

    Args:
        model: 输入、输出形状相同的网络。
        x: 输入，形状 `(N, D)`。
        direction: 输出端的梯度 d，形状 `(N, D)`。

    Returns:
        输入端梯度的范数除以输出端梯度的范数。

    Raises:
        RuntimeError: `direction` 与输出的形状不同。

    Example:
        >>> double = nn.Linear(1, 1, bias=False)
        >>> nn.init.constant_(double.weight, 2.0).item()
        2.0
        >>> jacobian_gain(double, torch.ones(1, 1), torch.ones(1, 1))
        2.0
    """
    x = x.detach().requires_grad_()
    (grad,) = torch.autograd.grad(model(x), x, direction)
    return float(grad.norm() / direction.norm())


# --8<-- [end:jacobian_gain]


# --8<-- [start:gain_and_saturation]
def gain_and_saturation(
    kind: str, scale: float, seeds: Sequence[int], width: int = 64, depth: int = 20
) -> Tensor:
    """返回每层 ‖δ‖ 平均乘几倍和饱和单元的比例，一个种子一行。

    Args:
        kind: `sigmoid`、`tanh` 或 `relu`，见 `deep_net`。
        scale: 权重的标准差再乘的倍数。
        seeds: 随机种子，至少一个。
        width: 每层的单元数，也是样本数，须 `>= 1`。
        depth: 层数，须 `>= 1`。

    Returns:
        形状 `(len(seeds), 2)`，dtype float64。

    Raises:
        ValueError: `kind` 不是上面三者之一，没有种子，或 `width`、`depth` 小于 1。

    Example:
        >>> rows = gain_and_saturation("tanh", 0.5, seeds=[0, 1])
        >>> rows.shape, bool((rows[:, 0] < 0.6).all())
        (torch.Size([2, 2]), True)
    """
    if kind not in ("sigmoid", "tanh", "relu") or not seeds:
        rule = "kind 须为 sigmoid、tanh 或 relu，至少一个种子"
        raise ValueError(f"{rule}，收到 {kind!r}、{seeds}")
    rows = []
    for seed in seeds:
        generator = Generator().manual_seed(seed)
        model = deep_net(kind, width, depth, generator, scale)
        shape, dtype = (2, width, width), torch.float64
        x, direction = torch.randn(shape, generator=generator, dtype=dtype)
        gain = math.pow(jacobian_gain(model, x, direction), 1 / depth)
        z = torch.cat([model[: i + 1](x) for i in range(0, 2 * depth, 2)])  # 各层预激活
        rows.append([gain, saturated_fraction(z, getattr(torch, kind))])
    return torch.tensor(rows, dtype=torch.float64)


# --8<-- [end:gain_and_saturation]


# --8<-- [start:dead_units]
def dead_units(lr: float, seeds: Sequence[int], steps: int = 20) -> Tensor:
    """用 SGD 训练四层 ReLU 网络，返回死单元的比例、它们收到的梯度、后来复活的比例。

    数据是 256 张手写数字；对每一张都输出 0 的单元是死单元，只数第三个隐藏层。
    死后再以学习率 0.1 训练 20 步，又有输出的算复活。

    Args:
        lr: 学习率，须 `>= 0`。
        seeds: 随机种子，至少一个；一个种子一行。
        steps: 更新次数，须 `>= 0`。

    Returns:
        形状 `(len(seeds), 3)`：死单元占全部单元的比例，它们收到的最大梯度，
        复活的占全部单元的比例；没有死单元时后两项为 0。

    Raises:
        ValueError: 没有种子，或 `steps < 0`；`lr < 0` 由优化器检查。

    Example:
        >>> dead_units(0.1, seeds=[0]).tolist()
        [[0.0, 0.0, 0.0]]
    """
    if not seeds or steps < 0:
        raise ValueError(f"须至少一个种子，steps >= 0，收到 {seeds}、{steps}")
    x, y = (part[:256] for part in digits_split()[:2])
    rows = []
    for seed in seeds:
        torch.manual_seed(seed)
        hidden = [m for _ in range(3) for m in (nn.Linear(64, 64), nn.ReLU())]
        model = nn.Sequential(*hidden, nn.Linear(64, 10))
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        for _ in range(steps + 1):  # 多反传一次，量末态的梯度
            optimizer.step()
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(model(x), y))
        dead = (model[:6](x) == 0).all(dim=0)
        received = model[4].weight.grad * dead[:, None]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(20):
            optimizer.step()
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(model(x), y))
        revived = dead & (model[:6](x) > 0).any(dim=0)
        shares = [share.float().mean() for share in (dead, revived)]
        rows.append(torch.stack([shares[0], received.abs().max(), shares[1]]))
    return torch.stack(rows)


# --8<-- [end:dead_units]


# --8<-- [start:normalized_layer]
def normalized_layer(weight: Tensor, u: Tensor) -> Tensor:
    """返回 BN(Wu)：线性层的输出逐单元减批均值、除以批标准差，不加 ε、γ、β。

    Args:
        weight: 权重 W，形状 `(D_out, D_in)`。
        u: 输入，形状 `(N, D_in)`，`N >= 2`。

    Returns:
        形状 `(N, D_out)`，每列均值为 0、方差为 1。

    Raises:
        ValueError: 批里不足两个样本。

    Example:
        >>> normalized_layer(torch.tensor([[3.0]]), torch.tensor([[1.0], [3.0]]))
        tensor([[-1.],
                [ 1.]])

    Source:
        Ioffe & Szegedy (2015), arXiv:1502.03167.
    """
    if len(u) < 2:
        raise ValueError(f"批量规范化须至少两个样本，收到 {len(u)} 个")
    z = u @ weight.T
    z = z - z.mean(dim=0)
    return z / z.std(dim=0, correction=0)


# --8<-- [end:normalized_layer]


# --8<-- [start:scale_response]
def scale_response(scale: float, generator: Generator, width: int = 64) -> list[float]:
    """把 BN 之前的权重乘 scale，返回输出、梯度、范数各自怎样变。

    权重、输入和输出端的梯度都取 width × width 的标准正态矩阵。

    Args:
        scale: 权重放大的倍数，须 `> 0`。
        generator: 随机源。
        width: 单元数、输入维数和样本数。

    Returns:
        四个数：输出的最大差，原来与放大后的梯度范数之比，各单元的权重与梯度的余弦的
        最大绝对值，一步（学习率 1）之后范数平方的增量与梯度范数平方之比。

    Raises:
        ValueError: `scale <= 0`。

    Example:
        >>> gap, ratio, cosine, growth = scale_response(2, Generator().manual_seed(0))
        >>> gap < 1e-12, round(ratio, 9), cosine < 1e-12, round(growth, 9)
        (True, 2.0, True, 1.0)

    Source:
        Ioffe & Szegedy (2015), arXiv:1502.03167, Section 3.3.
    """
    if scale <= 0:
        raise ValueError(f"scale 须 > 0，收到 {scale}")
    shape = 3, width, width
    w, u, direction = torch.randn(shape, generator=generator, dtype=torch.float64)
    outputs, grads = [], []
    for weight in (w, scale * w):
        outputs.append(normalized_layer(weight.requires_grad_(), u))
        grads += torch.autograd.grad((outputs[-1] * direction).sum(), weight)
    growth = (w - grads[0]).square().sum() - w.square().sum()
    return [
        (outputs[0] - outputs[1]).abs().max().item(),
        (grads[0].norm() / grads[1].norm()).item(),
        F.cosine_similarity(w, grads[0]).abs().max().item(),
        (growth / grads[0].square().sum()).item(),
    ]


# --8<-- [end:scale_response]


# --8<-- [start:batch_norm_ratios]
def batch_norm_ratios(steps: int, seeds: Sequence[int], depth: int = 34) -> Tensor:
    """用 SGD 训练没有残差的 BN 网络，返回每一步首末两层权重的梯度范数之比。

    数据是 256 张手写数字，全批量，学习率 0.05。

    Args:
        steps: 更新次数，须 `>= 0`。
        seeds: 随机种子，至少一个；一个种子一行。
        depth: BN 网络的层数，每层宽 64，后面另加一个分类层。

    Returns:
        形状 `(len(seeds), steps + 1)`，第 0 列是初始化时。

    Raises:
        ValueError: 没有种子，或 `steps < 0`。

    Example:
        >>> ratios = batch_norm_ratios(0, seeds=[0])
        >>> ratios.shape, bool(ratios[0, 0] > 100)
        (torch.Size([1, 1]), True)

    Source:
        Yang et al. (2019), arXiv:1902.08129.
    """
    if not seeds or steps < 0:
        raise ValueError(f"须至少一个种子，steps >= 0，收到 {seeds}、{steps}")
    x, y = (part[:256] for part in digits_split()[:2])
    rows = []
    for seed in seeds:
        torch.manual_seed(seed)
        body = deep_net("batch_norm", 64, depth, Generator().manual_seed(seed))
        model = body.float().append(nn.Linear(64, 10))
        optimizer, ratios = torch.optim.SGD(model.parameters(), lr=0.05), []
        for _ in range(steps + 1):
            optimizer.step()
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(model(x), y))
            norms = gradient_norms(model)
            ratios.append(norms[0] / norms[depth - 1])
        rows.append(torch.stack(ratios))
    return torch.stack(rows)


# --8<-- [end:batch_norm_ratios]


# --8<-- [start:path_shares]
def path_shares(
    blocks: int, alpha: float, generator: Generator, draws: int = 40, width: int = 64
) -> Tensor:
    """取随机的线性残差分支，返回梯度的能量按路径长度的占比。

    每个分支平均使梯度的范数平方乘 alpha²。

    Args:
        blocks: 残差块数，须 `>= 0`。
        alpha: 分支的增益。
        generator: 随机源。
        draws: 平均多少次抽取，须 `>= 1`。
        width: 梯度的维数 D，须 `>= 1`。

    Returns:
        形状 `(blocks + 1,)`，第 k 项是恰好穿过 k 个分支的路径的占比，和为 1。

    Raises:
        ValueError: `draws` 或 `width` 小于 1。
        RuntimeError: `blocks < 0`（由 PyTorch 检查）。

    Example:
        >>> path_shares(1, 0.0, Generator().manual_seed(0)).tolist()
        [1.0, 0.0]
    """
    if min(draws, width) < 1:
        raise ValueError(f"draws、width 须 >= 1，收到 {draws}、{width}")
    energy = torch.zeros(blocks + 1, dtype=torch.float64)
    for _ in range(draws):
        shape, d_shape = (blocks, width, width), (width,)
        jacobians = torch.randn(shape, generator=generator, dtype=torch.float64)
        d = torch.randn(d_shape, generator=generator, dtype=torch.float64)
        paths = path_gradients(alpha / width**0.5 * jacobians, d)
        energy += paths.square().sum(dim=1)
    return energy / energy.sum()


# --8<-- [end:path_shares]


# --8<-- [start:compare_clipping]
def compare_clipping(
    grads: Sequence[Tensor], limit: float
) -> dict[str, tuple[float, float]]:
    """同一组梯度按范数、按值各裁一次，返回方向变了多少、第一个梯度剩多少。

    Args:
        grads: 各参数的梯度，至少一个。
        limit: 总范数或每个分量的上限，须 `> 0`。

    Returns:
        裁法到 `(全部梯度裁剪前后的余弦, 第一个梯度的范数裁剪后与前之比)`。

    Raises:
        ValueError: 没有梯度，或 `limit <= 0`（由 `clip_by_norm` 检查）。

    Example:
        >>> compare_clipping([torch.tensor([3.0, 4.0])], 5.0)["norm"]
        (1.0, 1.0)
    """
    by_norm, by_value = clip_by_norm(grads, limit)[0], clip_by_value(grads, limit)
    before = nn.utils.parameters_to_vector(grads)
    result = {}
    for name, after in {"norm": by_norm, "value": by_value}.items():
        flat = nn.utils.parameters_to_vector(after)
        cosine = F.cosine_similarity(before, flat, dim=0).item()
        result[name] = cosine, (after[0].norm() / grads[0].norm()).item()
    return result


# --8<-- [end:compare_clipping]


# --8<-- [start:unrolled_descent]
def unrolled_descent(
    w: float, depth: int, lr: float, steps: int, max_norm: float = math.inf
) -> Tensor:
    """在损失 ½(w^depth − 1)² 上做梯度下降，可选按范数裁剪。

    w^depth 是各层共用一个权重的线性链，也就是展开 depth 步的 RNN。

    Args:
        w: 权重的起点。
        depth: 层数，须 `>= 1`。
        lr: 学习率。
        steps: 步数，须 `>= 1`。
        max_norm: 梯度范数的上限；默认不裁剪。

    Returns:
        形状 `(steps, 2)`，每行是更新前的 w 和裁剪前的梯度范数。

    Raises:
        ValueError: `depth` 或 `steps` 小于 1。

    Example:
        >>> unrolled_descent(1.5, 20, lr=0.002, steps=60, max_norm=10.0)[-1, 0].item()
        1.0
    """
    if min(depth, steps) < 1:
        raise ValueError(f"depth、steps 须 >= 1，收到 {depth}、{steps}")
    weight, rows = torch.tensor(w, dtype=torch.float64), []
    for _ in range(steps):
        gradient = depth * weight ** (depth - 1) * (weight**depth - 1)
        (update,), norm = clip_by_norm([gradient], max_norm)
        rows.append(torch.stack([weight, norm]))
        weight = weight - lr * update
    return torch.stack(rows)


# --8<-- [end:unrolled_descent]


# --8<-- [start:rnn_losses]
def rnn_losses(
    lr: float, max_norm: float, seeds: Sequence[int], steps: int = 200
) -> Tensor:
    """用 SGD 训练逐像素读手写数字的 ReLU 循环网络，每步按范数裁剪，返回损失。

    网络展开 64 步，32 个隐藏单元，PyTorch 的缺省初始化，批大小 64。

    Args:
        lr: 学习率。
        max_norm: 梯度总范数的上限，须 `> 0`；`inf` 表示不裁剪。
        seeds: 随机种子，一个种子一行；同一种子的起点和小批量相同。
        steps: 更新次数，须 `>= 0`。

    Returns:
        形状 `(len(seeds), steps)`，每步更新前的交叉熵；不再有限就停，其余是 nan。

    Raises:
        ValueError: `max_norm <= 0`（由 `clip_by_norm` 检查）。
        RuntimeError: `steps < 0`（由 PyTorch 检查）。

    Example:
        >>> losses = rnn_losses(0.6, 1.0, seeds=[0], steps=2)
        >>> losses.shape, bool((losses - math.log(10)).abs().max() < 0.2)
        (torch.Size([1, 2]), True)
    """
    x, y, *_ = digits_split()
    losses = torch.full((len(seeds), steps), math.nan)
    for row, seed in zip(losses, seeds, strict=True):
        torch.manual_seed(seed)
        rnn = nn.RNN(1, 32, nonlinearity="relu", batch_first=True)
        head = nn.Linear(32, 10)
        parameters = [*rnn.parameters(), *head.parameters()]
        for step in range(steps):
            batch = torch.randint(len(x), (64,))
            _, state = rnn(x[batch, :, None])
            loss = F.cross_entropy(head(state[0]), y[batch])
            if not loss.isfinite():
                break
            row[step] = loss.detach()
            grads, _ = clip_by_norm(torch.autograd.grad(loss, parameters), max_norm)
            for parameter, grad in zip(parameters, grads, strict=True):
                parameter.data -= lr * grad
    return losses


# --8<-- [end:rnn_losses]


# --8<-- [start:pretrained_norms]
def pretrained_norms(
    steps: int, seeds: Sequence[int], depth: int = 5, width: int = 32
) -> Tensor:
    """逐层预训练一个 sigmoid 网络，返回微调第一步各层权重的梯度范数。

    数据是手写数字；每一层与一个线性解码器组成自编码器，训练好再叠下一层。

    Args:
        steps: 每层预训练的步数（Adam，学习率 0.01），0 表示不预训练。
        seeds: 随机种子，至少一个；一个种子一行。
        depth: 隐藏层数。
        width: 每个隐藏层的单元数。

    Returns:
        形状 `(len(seeds), depth + 1)`，最后一列是分类层。

    Raises:
        ValueError: 没有种子，或 `steps < 0`。

    Example:
        >>> (norms,) = pretrained_norms(0, seeds=[0])
        >>> bool(norms[0] < 0.01 * norms[4])
        True

    Source:
        Bengio, Lamblin, Popovici & Larochelle (2007), Greedy Layer-Wise Training of
        Deep Networks, NeurIPS 19:153–160.
    """
    if not seeds or steps < 0:
        raise ValueError(f"须至少一个种子，steps >= 0，收到 {seeds}、{steps}")
    x, y, *_ = digits_split()
    rows = []
    for seed in seeds:
        torch.manual_seed(seed)
        model, h = nn.Sequential(), x
        for _ in range(depth):
            layer = nn.Sequential(nn.Linear(h.shape[1], width), nn.Sigmoid())
            decoder = nn.Linear(width, h.shape[1])
            both = [*layer.parameters(), *decoder.parameters()]
            optimizer = torch.optim.Adam(both, 0.01)
            for _ in range(steps):
                optimizer.zero_grad()
                torch.autograd.backward(F.mse_loss(decoder(layer(h)), h))
                optimizer.step()
            model, h = model.append(layer), layer(h).detach()
        model.append(nn.Linear(width, 10)).zero_grad()
        torch.autograd.backward(F.cross_entropy(model(x), y))
        rows.append(gradient_norms(model))
    return torch.stack(rows)


# --8<-- [end:pretrained_norms]
