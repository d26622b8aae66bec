"""感受野、因果性、截断误差、流式的代价、反向内存、串行深度、复制记忆与加法。"""

import copy
from collections.abc import Callable, Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from snippets.temporal_conv import TCN, StreamingTCN, TemporalBlock


# --8<-- [start:perturbation_effect]
@torch.no_grad()
def perturbation_effect(model: nn.Module, x: Tensor, where: slice, t: int) -> float:
    """把 where 内的输入都加 1，返回第 t 步输出的最大改变量。

    Args:
        model: 把 `(N, C_in, L)` 变成 `(N, C_out, L)` 的网络。
        x: 输入序列，形状 `(N, C_in, L)`。
        where: 要扰动的时刻，时间轴上的切片。
        t: 观察输出的时刻。

    Returns:
        绝对值之差的最大值；0 表示第 t 步与这些时刻无关。

    Raises:
        IndexError: `t` 不在序列里（由 PyTorch 检查）。

    Example:
        >>> perturbation_effect(nn.Identity(), torch.zeros(1, 1, 4), slice(2, 4), t=1)
        0.0
        >>> perturbation_effect(nn.Identity(), torch.zeros(1, 1, 4), slice(1, 2), t=1)
        1.0
    """
    perturbed = x.clone()
    perturbed[..., where] += 1
    return float((model(perturbed) - model(x))[..., t].abs().max())


# --8<-- [end:perturbation_effect]


# --8<-- [start:fill_parameters]
def fill_parameters(model: nn.Module, value: float = 1.0) -> nn.Module:
    """把所有参数填成同一个正数：没有 ReLU 会关死，梯度不为零就等于依赖。

    Args:
        model: 任意网络，就地修改。
        value: 要填的数，须 `> 0`。

    Returns:
        `model` 本身。

    Raises:
        ValueError: `value <= 0`。

    Example:
        >>> fill_parameters(nn.Linear(2, 1), 0.5).weight.tolist()
        [[0.5, 0.5]]
    """
    if value <= 0:
        raise ValueError(f"value 须 > 0，收到 {value}")
    for parameter in model.parameters():
        nn.init.constant_(parameter, value)
    return model


# --8<-- [end:fill_parameters]


# --8<-- [start:last_step_gradient]
def last_step_gradient(model: nn.Module, x: Tensor) -> Tensor:
    """返回最后一步输出对各时刻输入的梯度大小：最后一步依赖谁、依赖多少。

    Args:
        model: 把 `(N, C_in, L)` 变成 `(N, C_out, L)` 的网络。
        x: 输入序列，形状 `(N, C_in, L)`。

    Returns:
        形状 `(L,)`：最后一步输出之和对第 t 步输入的梯度的 2 范数。

    Example:
        >>> last_step_gradient(nn.Identity(), torch.zeros(1, 1, 3)).tolist()
        [0.0, 0.0, 1.0]
    """
    x = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(x)[..., -1].sum(), x)
    norms: Tensor = torch.linalg.vector_norm(gradient, dim=(0, 1))
    return norms


# --8<-- [end:last_step_gradient]


# --8<-- [start:truncation_error]
@torch.no_grad()
def truncation_error(model: nn.Module, x: Tensor, length: int) -> float:
    """只喂最近 length 步，返回最后一步输出与喂全部时相差的 2 范数。

    Args:
        model: 把 `(N, C_in, L)` 变成 `(N, C_out, L)` 的网络。
        x: 输入序列，形状 `(N, C_in, L)`。
        length: 保留的步数，在 `[1, L]` 内。

    Returns:
        各条序列的差的 2 范数中最大的一个。

    Raises:
        ValueError: `length` 不在 `[1, L]` 内。

    Example:
        >>> truncation_error(nn.Identity(), torch.randn(1, 1, 9), length=1)
        0.0

    Source:
        Miller & Hardt (2019), arXiv:1805.10369.
    """
    if not 1 <= length <= x.shape[-1]:
        raise ValueError(f"length 须在 [1, {x.shape[-1]}] 内，收到 {length}")
    difference = model(x)[..., -1] - model(x[..., -length:])[..., -1]
    return float(difference.norm(dim=1).max())


# --8<-- [end:truncation_error]


# --8<-- [start:stream_error]
@torch.no_grad()
def stream_error(tcn: TCN, x: Tensor) -> float:
    """逐步运行 tcn，返回各步输出与整段前向之差的最大绝对值。

    Args:
        tcn: 已调用 `eval()` 的网络。
        x: 输入序列，形状 `(N, C_in, L)`，`L >= 1`。

    Returns:
        差的最大绝对值。

    Raises:
        ValueError: `tcn` 仍在训练模式（由 `StreamingTCN` 检查）。

    Example:
        >>> stream_error(TCN(1, [4] * 2).eval(), torch.randn(3, 1, 9)) < 1e-6
        True

    Source:
        Paine et al. (2016), arXiv:1611.09482.
    """
    stream = StreamingTCN(tcn, batch_size=x.shape[0])
    steps = [stream.step(column) for column in torch.split(x, 1, dim=-1)]
    return float((torch.cat(steps, dim=-1) - tcn(x)).abs().max())


# --8<-- [end:stream_error]


# --8<-- [start:multiply_adds]
@torch.no_grad()
def multiply_adds(run: Callable[[Tensor], Tensor], x: Tensor) -> int:
    """返回 run(x) 做了多少次乘加：PyTorch 逐个算子数出来的。

    Args:
        run: 网络，或流式网络的 `step`。
        x: 输入，形状由 `run` 定。

    Returns:
        卷积与矩阵乘法的乘加次数，即 `FlopCounterMode` 的总数的一半
        （它把一次乘加计为 2）；补进来的零也照算。

    Example:
        >>> multiply_adds(nn.Conv1d(2, 3, 5), torch.zeros(1, 2, 14))  # 10 步 × 30
        300

    Source:
        `torch.utils.flop_counter` 的文档。
    """
    with FlopCounterMode(display=False) as counter:
        run(x)
    return int(counter.get_total_flops()) // 2


# --8<-- [end:multiply_adds]


# --8<-- [start:Recurrent]
class Recurrent(nn.Module):
    """与 TCN 同一接口的循环网络：`(N, C_in, L)` 进，`(N, H, L)` 出。

    Args:
        kind: `"RNN"`、`"LSTM"` 或 `"GRU"`，取 `torch.nn` 的同名类。
        in_channels: 输入通道数 C_in。
        hidden_size: 隐状态的维数 H。

    Returns:
        单层单向的循环网络。

    Raises:
        ValueError: `kind` 不是上面三者之一。

    Example:
        >>> Recurrent("GRU", 3, 8)(torch.zeros(2, 3, 10)).shape
        torch.Size([2, 8, 10])

    Source:
        Hochreiter & Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735（LSTM）。
    """

    def __init__(self, kind: str, in_channels: int, hidden_size: int) -> None:
        super().__init__()
        if kind not in ("RNN", "LSTM", "GRU"):
            raise ValueError(f"kind 须为 RNN、LSTM 或 GRU，收到 {kind}")
        self.rnn = getattr(nn, kind)(in_channels, hidden_size, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """把 `(N, C_in, L)` 变成 `(N, H, L)`。"""
        hidden: Tensor = self.rnn(x.mT)[0]
        return hidden.mT


# --8<-- [end:Recurrent]


# --8<-- [start:graph_depth]
def graph_depth(output: Tensor) -> int:
    """返回计算图里最长的依赖链有多少个节点：再多的处理器也得一个接一个做。

    Args:
        output: 某次前向的输出，须有 `grad_fn`。

    Returns:
        从 `output` 到叶子的最长路径上的节点数。

    Raises:
        ValueError: `output` 没有计算图。

    Example:
        >>> x = torch.ones(1, requires_grad=True)
        >>> graph_depth(x * 2 * 2)  # 两次乘法，加上叶子
        3
    """
    if output.grad_fn is None:
        raise ValueError("output 须由可求导的运算得到，收到没有 grad_fn 的张量")
    depth: dict[torch.autograd.graph.Node, int] = {}
    stack = [output.grad_fn]
    while stack:
        parents = [node for node, _ in stack[-1].next_functions if node is not None]
        waiting = [node for node in parents if node not in depth]
        stack.extend(waiting)
        if not waiting:
            depth[stack.pop()] = 1 + max((depth[node] for node in parents), default=0)
    return depth[output.grad_fn]


# --8<-- [end:graph_depth]


# --8<-- [start:saved_numbers]
def saved_numbers(model: nn.Module, x: Tensor) -> int:
    """返回一次前向为反向传播保留了多少个数：不含参数，共享的存储只算一次。

    Args:
        model: 任意网络。
        x: 输入，形状由 `model` 定；各张量与它同一 dtype。

    Returns:
        数的个数；乘 `x.element_size()` 是字节。

    Example:
        >>> saved_numbers(nn.Sigmoid(), torch.zeros(5, requires_grad=True))
        5
        >>> saved_numbers(nn.Linear(3, 2), torch.zeros(4, 3))  # 只留输入
        12
    """
    parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = model(x)  # 计算图活着，存储才不会被回收、地址才不会重用
    del output
    return sum(kept.values()) // x.element_size()


# --8<-- [end:saved_numbers]


# --8<-- [start:state_size]
def state_size(model: TCN | Recurrent) -> int:
    """返回逐步预测时每条序列要留多少个数：TCN 的缓冲区，或 RNN 的状态。

    Args:
        model: TCN（已调用 `eval()`）或循环网络。

    Returns:
        数的个数；LSTM 的隐状态与记忆元都算。

    Example:
        >>> state_size(Recurrent("LSTM", 3, 8)), state_size(Recurrent("GRU", 3, 8))
        (16, 8)
    """
    if isinstance(model, TCN):
        return StreamingTCN(model).state_size
    step = next(model.parameters()).new_zeros(1, 1, model.rnn.input_size)
    state = model.rnn(step)[1]
    return sum(part.numel() for part in (state if type(state) is tuple else [state]))


# --8<-- [end:state_size]


# --8<-- [start:sequence_model]
def sequence_model(
    kind: str,
    in_channels: int,
    out_channels: int,
    hidden_size: int,
    generator: Generator,
) -> nn.Sequential:
    """造一个序列网络：三块、核长 8 的 TCN（R = 99）或单层 RNN，加逐时刻的输出层。

    Args:
        kind: `"TCN"`、`"RNN"`、`"LSTM"` 或 `"GRU"`。
        in_channels: 输入通道数 C_in。
        out_channels: 输出通道数 C_out。
        hidden_size: TCN 每块的通道数，或 RNN 隐状态的维数。
        generator: 初始化的随机源。

    Returns:
        把 `(N, C_in, L)` 变成 `(N, C_out, L)` 的网络。

    Raises:
        ValueError: `kind` 不是上面四者之一。

    Example:
        >>> gru = sequence_model("GRU", 2, 1, 33, Generator().manual_seed(0))
        >>> gru(torch.zeros(5, 2, 10)).shape
        torch.Size([5, 1, 10])
    """
    with torch.random.fork_rng(
        devices=[]
    ):  # 缺省的初始化只认全局的随机源：借用，再还原
        torch.set_rng_state(generator.get_state())
        body = (
            TCN(in_channels, [hidden_size] * 3, kernel_size=8)
            if kind == "TCN"
            else Recurrent(kind, in_channels, hidden_size)
        )
        model = nn.Sequential(body, nn.Conv1d(hidden_size, out_channels, 1))
        generator.set_state(torch.get_rng_state())
    return model


# --8<-- [end:sequence_model]


# --8<-- [start:contractive_rnn]
def contractive_rnn(hidden_size: int, norm: float, generator: Generator) -> Recurrent:
    """造一个压缩的 tanh RNN：循环矩阵是正交阵乘 norm，每步把差异缩到 norm 倍以内。

    Args:
        hidden_size: 隐状态的维数 H。
        norm: 循环矩阵的谱范数，在 `(0, 1)` 内。
        generator: 初始化的随机源。

    Returns:
        float64 的网络，输入一个通道。

    Raises:
        ValueError: `norm` 不在 `(0, 1)` 内。

    Example:
        >>> rnn = contractive_rnn(8, 0.5, Generator().manual_seed(0))
        >>> weight = rnn.get_parameter("rnn.weight_hh_l0")
        >>> round(torch.linalg.matrix_norm(weight, 2).item(), 12)
        0.5

    Source:
        Miller & Hardt (2019), arXiv:1805.10369.
    """
    if not 0 < norm < 1:
        raise ValueError(f"norm 须在 (0, 1) 内，收到 {norm}")
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(generator.get_state())
        model = Recurrent("RNN", 1, hidden_size).double()
        generator.set_state(torch.get_rng_state())
    weight = model.get_parameter("rnn.weight_hh_l0")
    nn.init.orthogonal_(weight, gain=norm, generator=generator)
    return model


# --8<-- [end:contractive_rnn]


# --8<-- [start:copy_memory]
def copy_memory(
    count: int, gap: int, generator: Generator, items: int = 4
) -> tuple[Tensor, Tensor]:
    """造复制记忆任务的序列：开头 items 个数字，隔 gap 步，末尾按原样说出来。

    论文的 items 是 10。数字取 1–8，空白是 0，从倒数第 items + 1 步起是记号 9；
    数字与它的答案相距 `gap + items` 步，猜只有 1/8。

    Args:
        count: 序列的条数 N。
        gap: 空白加第一个记号的长度（论文的 T），单位为时间步，须 `>= 1`。
        generator: 随机源。
        items: 要记的数字个数，须 `>= 1`。

    Returns:
        one-hot 的输入 `(N, 10, L)` 与目标 `(N, L)`，`L = gap + 2 * items`；
        目标是数字减 1，不考的时刻为 -100。

    Raises:
        ValueError: `gap < 1` 或 `items < 1`。

    Example:
        >>> x, target = copy_memory(1, 3, Generator().manual_seed(0), items=2)
        >>> x.argmax(1).tolist()
        [[5, 8, 0, 0, 9, 9, 9]]
        >>> target.tolist()
        [[-100, -100, -100, -100, -100, 4, 7]]

    Source:
        Bai, Kolter & Koltun (2018), arXiv:1803.01271, §4.
    """
    if gap < 1 or items < 1:
        raise ValueError(f"gap 与 items 须 >= 1，收到 {gap, items}")
    digits = torch.randint(1, 9, (count, items), generator=generator)
    x = F.pad(digits, (0, gap + items))
    x[:, -items - 1 :] = 9
    target = F.pad(digits - 1, (gap + items, 0), value=-100)
    return F.one_hot(x, 10).mT.float(), target


# --8<-- [end:copy_memory]


# --8<-- [start:adding_problem]
def adding_problem(
    count: int, length: int, generator: Generator
) -> tuple[Tensor, Tensor]:
    """造加法任务的序列：一串 U(0, 1) 的数，其中两个带记号，求这两个数的和。

    Args:
        count: 序列的条数 N。
        length: 序列长度 L，须 `>= 2`。
        generator: 随机源。

    Returns:
        输入 `(N, 2, L)`（数与记号）与目标 `(N,)`。

    Raises:
        ValueError: `length < 2`。

    Example:
        >>> x, target = adding_problem(5, 6, Generator().manual_seed(0))
        >>> x[:, 1].sum(1).tolist()
        [2.0, 2.0, 2.0, 2.0, 2.0]
        >>> torch.equal(target, (x[:, 0] * x[:, 1]).sum(1))
        True

    Source:
        Bai, Kolter & Koltun (2018), arXiv:1803.01271, §4.
    """
    if length < 2:
        raise ValueError(f"length 须 >= 2，收到 {length}")
    numbers, order = torch.rand(2, count, length, generator=generator)
    marks = torch.zeros(count, length).scatter(1, order.topk(2).indices, 1.0)
    return torch.stack([numbers, marks], dim=1), (numbers * marks).sum(dim=1)


# --8<-- [end:adding_problem]


# --8<-- [start:train_task]
def _judge(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    if target.is_floating_point():  # 加法：看最后一步的均方误差
        loss = F.mse_loss(output[:, 0, -1], target)
        return loss, loss
    hits = output.argmax(dim=1) == target
    return F.cross_entropy(output, target), hits[target >= 0].float().mean()


def train_task(
    model: nn.Module,
    task: Callable[[int, int, Generator], tuple[Tensor, Tensor]],
    span: int,
    generator: Generator,
    *,
    steps: int = 150,
) -> float:
    """用 Adam 训练一个任务，返回在 1024 条新序列上的正确率（加法：均方误差）。

    学习率 0.01，每步 16 条新造的序列，梯度按范数裁剪到 1。

    Args:
        model: 把 `(N, C_in, L)` 变成 `(N, C_out, L)` 的网络，就地训练。
        task: 由条数、大小和随机源造出输入与目标。
        span: 任务的大小：复制记忆的间隔，或加法的长度。
        generator: 造数据的随机源。
        steps: 更新的步数，须 `>= 0`。

    Returns:
        正确率，或均方误差。

    Raises:
        ValueError: `steps < 0`。

    Example:
        >>> generator = Generator().manual_seed(0)
        >>> tcn = sequence_model("TCN", 10, 8, 10, generator)
        >>> train_task(tcn, copy_memory, 1, generator, steps=60) > 0.9
        True
    """
    if steps < 0:
        raise ValueError(f"steps 须 >= 0，收到 {steps}")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=True)
    for _ in range(steps):
        x, target = task(16, span, generator)
        optimizer.zero_grad()
        torch.autograd.backward(_judge(model(x), target)[0])
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    x, target = task(1024, span, generator)
    with torch.no_grad():
        return float(_judge(model(x), target)[1])


# --8<-- [end:train_task]


# --8<-- [start:trained_net]
@cache  # 同样的设置只训练一次
def trained_net(
    kind: str,
    hidden_size: int,
    task: Callable[[int, int, Generator], tuple[Tensor, Tensor]],
    span: int,
    seed: int,
    *,
    steps: int,
) -> tuple[nn.Sequential, float]:
    """造一个新网络，训练一个任务，返回网络和成绩。

    Args:
        kind: `"TCN"`、`"RNN"`、`"LSTM"` 或 `"GRU"`。
        hidden_size: TCN 每块的通道数，或 RNN 隐状态的维数。
        task: `copy_memory` 或 `adding_problem`。
        span: 任务的大小：复制记忆的间隔，或加法的长度。
        seed: 初始化与数据的随机种子。
        steps: 更新的步数，须 `>= 0`。

    Returns:
        网络（各处共用同一个，不要就地改），和 `train_task` 给出的正确率或均方误差。

    Raises:
        ValueError: `kind`、`span` 或 `steps` 超出范围。

    Example:
        >>> net, error = trained_net("GRU", 4, adding_problem, 2, 0, steps=1)
        >>> net(torch.zeros(5, 2, 9)).shape
        torch.Size([5, 1, 9])
    """
    channels = (10, 8) if task is copy_memory else (2, 1)
    start, data = (Generator().manual_seed(seed) for _ in range(2))
    net = sequence_model(kind, *channels, hidden_size, start)
    return net, train_task(net, task, span, data, steps=steps)


# --8<-- [end:trained_net]


# --8<-- [start:task_scores]
def task_scores(
    kind: str,
    hidden_size: int,
    task: Callable[[int, int, Generator], tuple[Tensor, Tensor]],
    spans: Sequence[int],
    seeds: Sequence[int],
    *,
    steps: int,
) -> Tensor:
    """对任务的每个大小、每个种子，各训练一个新网络，返回成绩。

    Args:
        kind: `"TCN"`、`"RNN"`、`"LSTM"` 或 `"GRU"`。
        hidden_size: TCN 每块的通道数，或 RNN 隐状态的维数。
        task: `copy_memory` 或 `adding_problem`。
        spans: 任务的大小：复制记忆的间隔，或加法的长度。
        seeds: 初始化与数据的随机种子。
        steps: 更新的步数，须 `>= 0`。

    Returns:
        形状 `(len(spans), len(seeds))`：`train_task` 给出的正确率或均方误差。

    Raises:
        ValueError: `kind`、`spans` 或 `steps` 超出范围。

    Example:
        >>> task_scores("GRU", 4, adding_problem, [2, 3], [0], steps=1).shape
        torch.Size([2, 1])
    """
    scores = [
        trained_net(kind, hidden_size, task, span, seed, steps=steps)[1]
        for span in spans
        for seed in seeds
    ]
    return torch.tensor(scores).view(len(spans), len(seeds))


# --8<-- [end:task_scores]


# --8<-- [start:delayed_recall]
def delayed_recall(count: int, lag: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """造延迟回忆任务的序列：48 个独立的 ±1，每一步都要说出 lag 步以前的那一位。

    Args:
        count: 序列的条数 N。
        lag: 要回忆的距离，单位为时间步，在 `[0, 48)` 内。
        generator: 随机源。

    Returns:
        输入 `(N, 1, 48)` 与目标 `(N, 48)`；目标是 0 或 1，前 lag 步为 -100（不考）。

    Raises:
        ValueError: `lag` 不在 `[0, 48)` 内。

    Example:
        >>> x, target = delayed_recall(1, 2, Generator().manual_seed(0))
        >>> x[0, 0, :6].tolist()
        [-1.0, 1.0, 1.0, -1.0, 1.0, 1.0]
        >>> target[0, :6].tolist()
        [-100, -100, 0, 1, 1, 0]
    """
    if not 0 <= lag < 48:
        raise ValueError(f"lag 须在 [0, 48) 内，收到 {lag}")
    bits = torch.randint(0, 2, (count, 48), generator=generator)
    target = F.pad(bits[:, : 48 - lag], (lag, 0), value=-100)
    return 2.0 * bits[:, None] - 1, target


# --8<-- [end:delayed_recall]


# --8<-- [start:transfer_accuracy]
@cache  # 同一个种子只预训练一次
def _pretrained(seed: int) -> tuple[TCN, nn.Conv1d]:
    torch.manual_seed(seed)
    parts = TCN(1, [16] * 2, kernel_size=2), nn.Conv1d(16, 2, 1)
    data = Generator().manual_seed(seed)
    train_task(nn.Sequential(*parts), delayed_recall, 3, data, steps=50)
    return parts


def transfer_accuracy(lag: int, seeds: Sequence[int], extra_blocks: int = 0) -> Tensor:
    """把学会回忆 3 步以前的 TCN（R = 7）迁移到 lag 步以前，返回正确率。

    Args:
        lag: 迁移后要回忆的距离，单位为时间步；`lag < R` 才看得到。
        seeds: 初始化与数据的随机种子。
        extra_blocks: 迁移前在末尾加几块，膨胀率接着翻倍。

    Returns:
        形状 `(len(seeds),)`：迁移训练 80 步后的正确率，猜是 0.5。

    Raises:
        ValueError: `lag` 超出范围（由 `delayed_recall` 检查）。

    Example:
        >>> [round(accuracy) for accuracy in transfer_accuracy(5, seeds=[0]).tolist()]
        [1]

    Source:
        Bai, Kolter & Koltun (2018), arXiv:1803.01271, §3.5.
    """
    scores = []
    for seed in seeds:
        tcn, head = copy.deepcopy(_pretrained(seed))
        torch.manual_seed(seed + 1)  # 加的块，初值取自全局的随机源
        for _ in range(extra_blocks):
            tcn.append(TemporalBlock(16, 16, kernel_size=2, dilation=2 ** len(tcn)))
        model, data = nn.Sequential(tcn, head), Generator().manual_seed(seed + 1)
        scores.append(train_task(model, delayed_recall, lag, data, steps=80))
    return torch.tensor(scores)


# --8<-- [end:transfer_accuracy]
