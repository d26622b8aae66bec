"""因果空洞卷积、残差块、感受野，以及逐步（流式）推理。"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm


# --8<-- [start:causal_conv1d]
def causal_conv1d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, dilation: int = 1
) -> Tensor:
    """对序列做因果空洞卷积：时刻 t 的输出只依赖时刻 <= t 的输入，长度不变。

    Args:
        x: 输入序列，形状 `(N, C_in, L)`，`L >= 1`。
        weight: 卷积核，形状 `(C_out, C_in, K)`，`K >= 1`；
            `weight[..., -1]` 乘当前时刻。
        bias: 偏置，形状 `(C_out,)`；`None` 表示没有。
        dilation: 相邻抽头的间隔，单位为时间步，须 `>= 1`。

    Returns:
        形状 `(N, C_out, L)`，dtype 与 `x` 相同。

    Raises:
        ValueError: `dilation < 1`，或 `x`、`weight` 的形状不合上面的要求。

    Example:
        >>> x = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
        >>> causal_conv1d(x, torch.ones(1, 1, 2)).tolist()
        [[[1.0, 3.0, 5.0, 7.0]]]
        >>> causal_conv1d(x, torch.ones(1, 1, 2), dilation=2).tolist()
        [[[1.0, 2.0, 4.0, 6.0]]]

    Source:
        van den Oord et al. (2016), arXiv:1609.03499, §2.1;
        Bai, Kolter & Koltun (2018), arXiv:1803.01271, §3.2–3.3.
    """
    if dilation < 1:
        raise ValueError(f"dilation 须 >= 1，收到 {dilation}")
    if x.dim() != 3 or x.shape[-1] < 1:
        raise ValueError(f"x 须为 (N, C_in, L)，L >= 1，收到 {tuple(x.shape)}")
    if weight.dim() != 3 or weight.shape[1] != x.shape[1] or weight.shape[2] < 1:
        rule = f"weight 须为 (C_out, {x.shape[1]}, K)，K >= 1"
        raise ValueError(f"{rule}，收到 {tuple(weight.shape)}")
    left = (weight.shape[-1] - 1) * dilation
    return F.conv1d(F.pad(x, (left, 0)), weight, bias, dilation=dilation)


# --8<-- [end:causal_conv1d]


# --8<-- [start:CausalConv1d]
class CausalConv1d(nn.Conv1d):
    """因果空洞卷积层：`nn.Conv1d` 的参数，只在左边补零，长度不变。

    Args:
        in_channels: 输入通道数 C_in。
        out_channels: 输出通道数 C_out。
        kernel_size: 抽头数 K，须 `>= 1`。
        dilation: 相邻抽头的间隔，单位为时间步，须 `>= 1`。

    Returns:
        把 `(N, C_in, L)` 变成 `(N, C_out, L)` 的层。

    Raises:
        ValueError: `kernel_size < 1` 或 `dilation < 1`。

    Example:
        >>> CausalConv1d(4, 8, kernel_size=3, dilation=2)(torch.zeros(1, 4, 10)).shape
        torch.Size([1, 8, 10])

    Source:
        Bai, Kolter & Koltun (2018), arXiv:1803.01271, §3.2.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, dilation: int = 1
    ) -> None:
        if kernel_size < 1 or dilation < 1:
            rule = "kernel_size 与 dilation 须 >= 1"
            raise ValueError(f"{rule}，收到 {kernel_size, dilation}")
        super().__init__(in_channels, out_channels, kernel_size, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        """把 `(N, C_in, L)` 变成 `(N, C_out, L)`。"""
        return causal_conv1d(x, self.weight, self.bias, self.dilation[0])


# --8<-- [end:CausalConv1d]


# --8<-- [start:receptive_field]
def receptive_field(kernel_size: int, num_blocks: int, convs_per_block: int = 2) -> int:
    """返回 TCN 的感受野：最后一步输出依赖最近多少个时间步的输入。

    第 i 块（从 0 数）的膨胀率为 `2**i`，每个卷积使感受野增加 `(K - 1) * 2**i`。

    Args:
        kernel_size: 卷积核的抽头数 K，须 `>= 1`。
        num_blocks: 块数 n，须 `>= 0`。
        convs_per_block: 每块的卷积个数，须 `>= 1`；TCN 的残差块有两个。

    Returns:
        时间步数 `1 + convs_per_block * (K - 1) * (2**n - 1)`，含当前时刻。

    Raises:
        ValueError: 某个参数小于它的下限。

    Example:
        >>> [receptive_field(k, n) for k, n in [(2, 4), (3, 5), (7, 4)]]
        [31, 125, 181]

    Source:
        Bai, Kolter & Koltun (2018), arXiv:1803.01271, §3.3–3.4.
    """
    if kernel_size < 1 or num_blocks < 0 or convs_per_block < 1:
        rule = "须有 kernel_size >= 1、num_blocks >= 0、convs_per_block >= 1"
        raise ValueError(f"{rule}，收到 {kernel_size, num_blocks, convs_per_block}")
    history: int = convs_per_block * (kernel_size - 1) * (2**num_blocks - 1)
    return 1 + history


# --8<-- [end:receptive_field]


# --8<-- [start:TemporalBlock]
class TemporalBlock(nn.Module):
    """TCN 的残差块：两个因果空洞卷积，与捷径相加后过 ReLU。

    Dropout 按论文的文字丢掉整条通道（`nn.Dropout1d`），作者的代码用的是
    逐元素的 `nn.Dropout`。

    Args:
        in_channels: 输入通道数 C_in。
        out_channels: 输出通道数 C_out；与 C_in 不同时捷径用 1×1 卷积。
        kernel_size: 抽头数 K，须 `>= 1`。
        dilation: 两个卷积共同的膨胀率，单位为时间步，须 `>= 1`。
        dropout: 丢弃一条通道的概率，在 `[0, 1]` 内。

    Returns:
        把 `(N, C_in, L)` 变成 `(N, C_out, L)` 的块。

    Raises:
        ValueError: `kernel_size`、`dilation` 或 `dropout` 超出范围。

    Example:
        >>> TemporalBlock(3, 8, kernel_size=2, dilation=4)(torch.zeros(2, 3, 16)).shape
        torch.Size([2, 8, 16])

    Source:
        Bai, Kolter & Koltun (2018), arXiv:1803.01271, §3.4、图 1(b)；
        Salimans & Kingma (2016), arXiv:1602.07868。
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        dilation: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout 须在 [0, 1] 内，收到 {dropout}")
        self.conv1 = weight_norm(
            CausalConv1d(in_channels, out_channels, kernel_size, dilation)
        )
        self.conv2 = weight_norm(
            CausalConv1d(out_channels, out_channels, kernel_size, dilation)
        )
        self.dropout = nn.Dropout1d(dropout)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Conv1d(in_channels, out_channels, kernel_size=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """把 `(N, C_in, L)` 变成 `(N, C_out, L)`。"""
        h = self.dropout(F.relu(self.conv1(x)))
        h = self.dropout(F.relu(self.conv2(h)))
        return F.relu(h + self.shortcut(x))


# --8<-- [end:TemporalBlock]


# --8<-- [start:TCN]
class TCN(nn.Sequential):
    """时间卷积网络：第 i 个残差块的膨胀率为 2**i。

    Args:
        in_channels: 输入通道数 C_in。
        channels: 每块的输出通道数，长度就是块数 n，须 `>= 1`。
        kernel_size: 抽头数 K，须 `>= 1`。
        dropout: 丢弃一条通道的概率，在 `[0, 1]` 内。

    Returns:
        把 `(N, C_in, L)` 变成 `(N, channels[-1], L)` 的网络。

    Raises:
        ValueError: `channels` 为空，或块的参数超出范围。

    Example:
        >>> tcn = TCN(1, [16, 16, 16, 32], kernel_size=3)
        >>> tcn(torch.zeros(2, 1, 100)).shape
        torch.Size([2, 32, 100])

    Source:
        Bai, Kolter & Koltun (2018), arXiv:1803.01271, §3.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        kernel_size: int = 2,
        dropout: float = 0.0,
    ) -> None:
        if not channels:
            raise ValueError(f"channels 至少要有一块，收到 {channels}")
        widths = [in_channels, *channels]
        super().__init__(
            *(
                TemporalBlock(widths[i], widths[i + 1], kernel_size, 2**i, dropout)
                for i in range(len(channels))
            )
        )


# --8<-- [end:TCN]


# --8<-- [start:RingBufferConv1d]
class RingBufferConv1d:
    """逐步计算一个因果卷积：每来一步输入给出一步输出，与整段卷积相等。

    环形缓冲区只存最近 (K-1)·dilation 步输入：每步读 K-1 格、写 1 格，与已走过的
    步数无关。卷积核在构造时取一次，此后改动参数须重新构造。

    Args:
        conv: 要流式运行的因果卷积。
        batch_size: 并行的序列条数 N，须 `>= 1`。

    Returns:
        有状态的对象，`step` 推进一步。

    Raises:
        ValueError: `batch_size < 1`，或某步的形状不是 `(N, C_in, 1)`。

    Example:
        >>> conv = CausalConv1d(1, 1, kernel_size=3, dilation=4)
        >>> stream = RingBufferConv1d(conv)
        >>> stream.buffer.shape
        torch.Size([1, 1, 8])
        >>> stream.step(torch.zeros(1, 1, 1)).shape
        torch.Size([1, 1, 1])

    Source:
        Paine et al. (2016), arXiv:1611.09482.
    """

    def __init__(self, conv: CausalConv1d, batch_size: int = 1) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size 须 >= 1，收到 {batch_size}")
        self.weight = conv.weight.detach().clone()
        self.bias = None if conv.bias is None else conv.bias.detach().clone()
        self.dilation = conv.dilation[0]
        size = (conv.kernel_size[0] - 1) * self.dilation
        self.buffer = self.weight.new_zeros(batch_size, conv.in_channels, size)
        self.time = 0

    def step(self, x: Tensor) -> Tensor:
        """吃进一步 `(N, C_in, 1)`，给出一步 `(N, C_out, 1)`。"""
        n, c_in, size = self.buffer.shape
        if x.shape != (n, c_in, 1):
            raise ValueError(f"每步须为 {n, c_in, 1}，收到 {tuple(x.shape)}")
        slots = [(self.time + i) % size for i in range(0, size, self.dilation)]
        window = torch.cat([self.buffer[..., slots], x], dim=-1)  # (N, C_in, K)
        if size:
            self.buffer[..., self.time % size] = x[..., 0]
        self.time += 1
        return F.conv1d(window, self.weight, self.bias)


# --8<-- [end:RingBufferConv1d]


# --8<-- [start:StreamingTCN]
class StreamingTCN:
    """逐步运行整个 TCN：每个卷积一个环形缓冲区，输出与整段前向相等。

    Args:
        tcn: 已调用 `eval()` 的网络；此后改动它的参数须重新构造。
        batch_size: 并行的序列条数 N，须 `>= 1`。

    Returns:
        有状态的对象，`step` 推进一步，`state_size` 是每条序列保留的数的个数。

    Raises:
        ValueError: `tcn` 仍在训练模式、`batch_size < 1`，或某步的形状不是
            `(N, C_in, 1)`。

    Example:
        >>> stream = StreamingTCN(TCN(8, [8] * 4, kernel_size=3).eval())
        >>> stream.state_size  # 2 * C * (K - 1) * (2**n - 1)
        480

    Source:
        Paine et al. (2016), arXiv:1611.09482.
    """

    def __init__(self, tcn: TCN, batch_size: int = 1) -> None:
        if tcn.training:
            raise ValueError("流式推理前须调用 tcn.eval()，收到训练模式的网络")
        self.layers = [
            (
                RingBufferConv1d(block.conv1, batch_size),
                RingBufferConv1d(block.conv2, batch_size),
                block.shortcut,
            )
            for block in tcn
            if isinstance(block, TemporalBlock)
        ]

    @property
    def state_size(self) -> int:
        """每条序列保留的数的个数。"""
        return sum(c.buffer[0].numel() for a, b, _ in self.layers for c in (a, b))

    @torch.no_grad()
    def step(self, x: Tensor) -> Tensor:
        """吃进一步 `(N, C_in, 1)`，给出一步 `(N, C_out, 1)`。"""
        for conv1, conv2, shortcut in self.layers:
            h = F.relu(conv2.step(F.relu(conv1.step(x))))
            x = F.relu(h + shortcut(x))
        return x


# --8<-- [end:StreamingTCN]
