"""Q6 的手撕题：感受野，因果空洞卷积，流式的环形缓冲区。"""

from snippets.exercises.checking import check, compare, refuses


# --8<-- [start:receptive_field]
def receptive_field(kernel_size: int, num_blocks: int) -> int:
    """给出 TCN 的感受野：最后一步输出依赖最近多少步输入。

    Args:
        kernel_size: 卷积核的抽头数，须 `>= 1`。
        num_blocks: 残差块数，须 `>= 0`；每块两个卷积，膨胀率依次是 1、2、4、8……

    Returns:
        步数，含当前这一步。

    Raises:
        ValueError: 参数小于下限。

    Example:
        >>> receptive_field(2, 4)
        31

    Source:
        Bai, Kolter & Koltun (2018), arXiv:1803.01271, §3.3–3.4.
    """
    if kernel_size < 1 or num_blocks < 0:
        raise ValueError(f"收到 {kernel_size} 与 {num_blocks}")
    steps: int = 2 * (kernel_size - 1) * (2**num_blocks - 1)
    return 1 + steps


# --8<-- [end:receptive_field]


def test_receptive_field_one_block() -> None:
    """一块、核长 3：两个卷积，各往前 2 步，1 + 2 + 2"""
    check(
        receptive_field,
        3,
        1,
        gives=5,
        because="每块有两个卷积，各往前看 (K − 1) × 膨胀率 步；当前这一步也算。",
    )


def test_receptive_field_grows() -> None:
    """(2, 4)、(3, 5)、(7, 4)：31、125、181"""
    for kernel_size, blocks, want in (2, 4, 31), (3, 5, 125), (7, 4, 181):
        check(
            receptive_field,
            kernel_size,
            blocks,
            gives=want,
            because="n 块的膨胀率之和是 2 的 n 次方减 1；乘方写 **。",
        )


def test_receptive_field_edges() -> None:
    """核长 1、没有块：只看当前这一步"""
    check(receptive_field, 1, 6, gives=1)
    check(receptive_field, 3, 0, gives=1)


def test_receptive_field_refuses() -> None:
    """核长 0、块数 −1：ValueError"""
    refuses(ValueError, receptive_field, 0, 1)
    refuses(ValueError, receptive_field, 2, -1)


# --8<-- [start:causal_conv]
def causal_conv(x: list[float], kernel: list[float], dilation: int) -> list[float]:
    """一维因果空洞卷积：输出与输入一样长，时刻 t 的输出只看 t 及以前。

    Args:
        x: 输入序列。
        kernel: 卷积核，K 个数；**最后一个**乘当前时刻，前一个乘 `dilation` 步以前。
        dilation: 膨胀率，须 `>= 1`。序列开始以前当作 0。

    Raises:
        ValueError: `dilation < 1`，或核是空的。

    Example:
        >>> causal_conv([1.0, 2.0, 3.0], [10.0, 1.0], 1)
        [1.0, 12.0, 23.0]

    Source:
        van den Oord et al. (2016), arXiv:1609.03499, §2.1.
    """
    if dilation < 1 or not kernel:
        raise ValueError(f"须有核且 dilation >= 1，收到 {kernel}、{dilation}")
    padded = [0.0] * ((len(kernel) - 1) * dilation) + x
    return [
        sum(w * padded[t + k * dilation] for k, w in enumerate(kernel))
        for t in range(len(x))
    ]


# --8<-- [end:causal_conv]


def test_causal_conv_plain() -> None:
    """膨胀率 1：[1, 2, 3] 与核 [10, 1]"""
    check(
        causal_conv,
        [1.0, 2.0, 3.0],
        [10.0, 1.0],
        1,
        gives=[1.0, 12.0, 23.0],
        because="零只补在左边；核的最后一个乘当前时刻，不翻转。",
    )


def test_causal_conv_dilated() -> None:
    """膨胀率 2：隔一步看一个"""
    check(
        causal_conv,
        [1.0, 2.0, 3.0, 4.0, 5.0],
        [100.0, 10.0, 1.0],
        2,
        gives=[1.0, 2.0, 13.0, 24.0, 135.0],
        because="抽头相隔 dilation 步；左边要补 (K − 1) × dilation 个零。",
    )


def test_causal_conv_no_future() -> None:
    """改动未来，以前的输出一点不变"""
    before = causal_conv([1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0], 1)
    after = causal_conv([1.0, 2.0, 3.0, 99.0], [1.0, 1.0, 1.0], 1)
    compare("前三步", after[:3], before[:3], "输出看见了未来：零要全补在左边。")


def test_causal_conv_edges() -> None:
    """核长 1 是逐点相乘；空序列给空序列；膨胀率 0 是 ValueError"""
    check(causal_conv, [1.0, 2.0], [3.0], 4, gives=[3.0, 6.0])
    check(causal_conv, [], [1.0, 1.0], 1, gives=[])
    refuses(ValueError, causal_conv, [1.0], [1.0], 0)


# --8<-- [start:StreamingConv]
class StreamingConv:
    """流式的因果空洞卷积：来一步给一步，只存最近 (K − 1) × dilation 步。

    Args:
        kernel: 卷积核；最后一个乘当前时刻，前一个乘 `dilation` 步以前。
        dilation: 膨胀率，`>= 1`。

    Example:
        >>> conv = StreamingConv([10.0, 1.0], 1)
        >>> [conv.step(x) for x in (1.0, 2.0, 3.0)]
        [1.0, 12.0, 23.0]

    Source:
        Paine et al. (2016), arXiv:1611.09482.
    """

    def __init__(self, kernel: list[float], dilation: int) -> None:
        self.kernel = kernel
        self.dilation = dilation
        self.buffer = [0.0] * ((len(kernel) - 1) * dilation)  # 环形，只占这么多
        self.time = 0

    def step(self, x: float) -> float:
        """收一步输入，给一步输出；每步的用时与走过多少步无关。"""
        size = len(self.buffer)
        past = [
            self.buffer[(self.time + i) % size] for i in range(0, size, self.dilation)
        ]
        if size:
            self.buffer[self.time % size] = x
        self.time += 1
        return sum(w * a for w, a in zip(self.kernel, [*past, x], strict=True))


# --8<-- [end:StreamingConv]


def test_StreamingConv_plain() -> None:  # noqa: N802
    """膨胀率 1：与整段卷积相等"""
    conv = StreamingConv([10.0, 1.0], 1)
    got = [conv.step(x) for x in (1.0, 2.0, 3.0)]
    compare("三步输出", got, [1.0, 12.0, 23.0], "核的最后一个乘当前时刻。")


def test_StreamingConv_dilated() -> None:  # noqa: N802
    """膨胀率 2、核长 3：绕过缓冲区几圈仍相等"""
    kernel, dilation = [100.0, 10.0, 1.0], 2
    x = [float(i % 7) for i in range(23)]
    past = [0.0] * 4 + x
    want = [100 * past[t] + 10 * past[t + 2] + past[t + 4] for t in range(23)]
    conv = StreamingConv(kernel, dilation)
    compare(
        "23 步输出",
        [conv.step(a) for a in x],
        want,
        "先读后写：最旧的一格，读过才能盖掉。",
    )


def test_StreamingConv_memory() -> None:  # noqa: N802
    """走 200 步，存的数不增加：至多 (K − 1) × dilation 个，外加一个"""
    conv = StreamingConv([1.0, 1.0, 1.0], 4)
    for step in range(200):
        conv.step(float(step))
    kept = [v for n, v in vars(conv).items() if n != "kernel" and hasattr(v, "__len__")]
    count = sum(map(len, kept))
    assert count <= 9, f"存了 {count} 个数，应至多 8 个左右：旧的要盖掉，不能一直追加。"


def test_StreamingConv_kernel_one() -> None:  # noqa: N802
    """核长 1：没有缓冲区也行"""
    conv = StreamingConv([3.0], 2)
    compare("输出", [conv.step(1.0), conv.step(2.0)], [3.0, 6.0])
