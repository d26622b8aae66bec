"""感受野、因果性、截断误差、反向内存、串行深度、延迟回忆。"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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


# --8<-- [start:truncation_error]
@torch.no_grad()
def truncation_error(model: nn.Module, x: Tensor, steps: int) -> float:
    """只喂最近 steps 步，返回最后一步输出与喂全部时相差的 2 范数。

    Args:
        model: 把 `(N, C_in, L)` 变成 `(N, C_out, L)` 的网络。
        x: 输入序列，形状 `(N, C_in, L)`。
        steps: 保留的步数，在 `[1, L]` 内。

    Returns:
        各条序列的差的 2 范数中最大的一个。

    Raises:
        ValueError: `steps` 不在 `[1, L]` 内。

    Example:
        >>> truncation_error(nn.Identity(), torch.randn(1, 1, 9), steps=1)
        0.0

    Source:
        Miller & Hardt (2019), arXiv:1805.10369.
    """
    if not 1 <= steps <= x.shape[-1]:
        raise ValueError(f"steps 须在 [1, {x.shape[-1]}] 内，收到 {steps}")
    difference = model(x)[..., -1] - model(x[..., -steps:])[..., -1]
    return float(difference.norm(dim=1).max())


# --8<-- [end:truncation_error]


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


# --8<-- [start:train_recall]
def train_recall(
    model: nn.Module, lag: int, *, steps: int = 50, length: int = 48, seed: int = 0
) -> float:
    """训练模型说出 lag 步以前的那一位，返回它在新序列上的正确率。

    输入是独立的随机 ±1，猜只有 0.5；感受野 `<= lag` 的模型看不到答案。

    Args:
        model: 把 `(N, 1, L)` 变成 `(N, 1, L)` 的网络（输出 logit），就地训练。
        lag: 要回忆的距离，单位为时间步，在 `[0, length)` 内。
        steps: Adam 更新的步数。
        length: 序列长度 L。
        seed: 数据的随机种子。

    Returns:
        训练后在 128 条新序列上的正确率，在 `[0, 1]` 内。

    Raises:
        ValueError: `lag` 不在 `[0, length)` 内。

    Example:
        >>> _ = torch.manual_seed(0)
        >>> train_recall(nn.Conv1d(1, 1, 1), lag=0)
        1.0

    Source:
        任务是 Bai, Kolter & Koltun (2018), arXiv:1803.01271, §4 复制记忆的简化。
    """
    if not 0 <= lag < length:
        raise ValueError(f"lag 须在 [0, {length}) 内，收到 {lag}")
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    bits = torch.randint(0, 2, (steps + 8, 16, 1, length), generator=generator).float()
    for batch in bits[:steps]:
        logits = model(2 * batch - 1)[..., lag:]
        loss = F.binary_cross_entropy_with_logits(logits, batch[..., : length - lag])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    fresh = bits[steps:].flatten(0, 1)
    with torch.no_grad():
        guess = model(2 * fresh - 1)[..., lag:] > 0
    return float((guess == (fresh[..., : length - lag] > 0)).float().mean())


# --8<-- [end:train_recall]
