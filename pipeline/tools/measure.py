"""量出页面上的时间之比，写进 docs/assets/timings.json：`make measure`。

时间是机器的，不是构建的：在这里量一次，连同日期、机器与版本提交在案，构建只读。
一台机器的秒数说明不了什么，所以只记同一次运行里两段计算的时间之比。
"""

import dataclasses
import datetime
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from pipeline.timings import Row, Timings
from pipeline.tools.project import ROOT
from snippets.experiments.temporal_conv import copy_memory, sequence_model
from snippets.pointwise_conv import conv_stack
from snippets.temporal_conv import TCN, StreamingTCN

DATA = ROOT / "docs" / "assets" / "timings.json"
ROUNDS = 41
SAMPLE = 0.02  # 一轮里每一段至少运行这么多秒，钟的分辨率才不碍事

Step = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """要量的一行：分子的时间除以分母的时间。

    Args:
        stem: 所在的题，页面上写作 `<!-- timings: 题 -->`。
        what: 哪一段与哪一段相比，Markdown，不含竖线。
        numerator: 备好分子，给出要计时的那一步；轮到它时才调用。
        denominator: 备好分母，给出要计时的那一步；轮到它时才调用。
    """

    stem: str
    what: str
    numerator: Callable[[], Step]
    denominator: Callable[[], Step]


def forward(net: nn.Module, shape: tuple[int, ...]) -> Step:
    """一次前向，不留反向要用的东西。"""
    x = torch.randn(shape)

    def step() -> object:
        with torch.no_grad():
            return net(x)

    return step


def convs(
    channels: tuple[int, ...],
    sizes: tuple[int, ...],
    size: int,
    groups: tuple[int, ...] | None = None,
) -> Callable[[], Step]:
    """一串卷积处理一张 `size`×`size` 的图。"""
    shape = 1, channels[0], size, size
    return lambda: forward(conv_stack(channels, sizes, groups), shape)


def training(kind: str, hidden: int, gap: int) -> Callable[[], Step]:
    """复制记忆任务上的一步训练：前向、反向、更新，16 条序列。"""

    def build() -> Step:
        model = sequence_model(kind, 10, 8, hidden, torch.Generator().manual_seed(0))
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        x, target = copy_memory(16, gap, torch.Generator().manual_seed(0))

        def step() -> None:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), target)
            torch.autograd.backward(loss)
            optimizer.step()

        return step

    return build


def make_tcn() -> TCN:
    """逐步预测用的网络：六块，8 个通道，核长 3，R = 253。"""
    return TCN(8, [8] * 6, kernel_size=3).eval()


def recomputing(steps: int) -> Callable[[], Step]:
    """重算最近 `steps` 步的一步预测。"""
    return lambda: forward(make_tcn(), (1, 8, steps))


def streaming() -> Step:
    """环形缓冲区的一步预测。"""
    stream, x = StreamingTCN(make_tcn()), torch.randn(1, 8, 1)
    return lambda: stream.step(x)


TIMINGS = [
    Timing(
        "pointwise_conv",
        "5×5 卷积 192→32，比先用 1×1 降到 16（28×28；乘加之比 9.68）",
        convs((192, 32), (5,), 28),
        convs((192, 16, 32), (1, 5), 28),
    ),
    Timing(
        "pointwise_conv",
        "两个 256 通道的 3×3，比瓶颈 256-64-64-256（56×56；乘加之比 16.94）",
        convs((256, 256, 256), (3, 3), 56),
        convs((256, 64, 64, 256), (1, 3, 1), 56),
    ),
    Timing(
        "pointwise_conv",
        "3×3 卷积 128→256，比深度可分离卷积（28×28；乘加之比 8.69）",
        convs((128, 256), (3,), 28),
        convs((128, 128, 256), (3, 1), 28, groups=(128, 1)),
    ),
    Timing(
        "pointwise_conv",
        "第一行的支路里：1×1 的 192→16，比 5×5 的 16→32（乘加之比 0.24）",
        convs((192, 16), (1,), 28),
        convs((16, 32), (5,), 28),
    ),
    Timing(
        "pointwise_conv",
        "第三行的两步里：深度卷积，比 1×1 的 128→256（乘加之比 0.0352）",
        convs((128, 128), (3,), 28, groups=(128,)),
        convs((128, 256), (1,), 28),
    ),
    *(
        Timing(
            "temporal_conv",
            f"训练一步，长 {gap + 8}：TCN 比 {kind}",
            training("TCN", 10, gap),
            training(kind, hidden, gap),
        )
        for gap in (30, 300)
        for kind, hidden in (("LSTM", 28), ("GRU", 33))
    ),
    *(
        Timing(
            "temporal_conv",
            f"预测一步{history}比流式（乘加之比 {steps}）",
            recomputing(steps),
            streaming,
        )
        for steps, history in (
            (200, "，历史 200 步：重算整段"),
            (2000, "，历史 2000 步：重算整段"),
            (253, "：重算最近 R = 253 步"),
        )
    ),
]


def measure(
    timing: Timing, clock: Callable[[], float] = time.process_time
) -> tuple[float, float, float]:
    """量出一行：两段轮流运行，每轮一个比。

    Args:
        timing: 要量的一行。
        clock: 钟，单位为秒；缺省是本进程的 CPU 时间，别的进程抢走的不算。

    Returns:
        各轮之比的中位数、下四分位数、上四分位数。
    """

    def spend(step: Step, count: int) -> float:
        start = clock()
        for _ in range(count):
            step()
        return (clock() - start) / count

    steps = timing.numerator(), timing.denominator()
    counts = []
    for step in steps:  # 兼作热身
        spend(step, 3)
        count = 1
        while spend(step, count) * count < SAMPLE:
            count *= 2
        counts.append(count)
    ratios = []
    gc.collect()
    gc.disable()
    try:
        for number in range(ROUNDS):
            times = [0.0, 0.0]
            for index in (0, 1) if number % 2 else (1, 0):  # 谁也不总在前
                times[index] = spend(steps[index], counts[index])
            ratios.append(times[0] / times[1])
    finally:
        gc.enable()
    low, ratio, high = statistics.quantiles(ratios, method="inclusive")
    return ratio, low, high


def processor() -> str:
    """处理器的型号；不含机器的名字。"""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.check_output(command, text=True).strip()
    return platform.processor() or platform.machine()


def write(timings: Timings, path: Path = DATA) -> None:
    """写成 JSON，一步换上：中途停下，旧的原样留着。"""
    text = json.dumps(dataclasses.asdict(timings), ensure_ascii=False, indent=1)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)


def main() -> None:
    """量出全部各行，写进数据文件。"""
    torch.set_num_threads(1)
    rows = []
    for timing in TIMINGS:
        torch.manual_seed(0)
        ratio, low, high = (float(f"{value:.4g}") for value in measure(timing))
        rows.append(Row(timing.stem, timing.what, ratio, low, high))
        print(f"{ratio:8.3g}  [{low:.3g}, {high:.3g}]  {timing.stem}: {timing.what}")
    write(
        Timings(
            date=datetime.date.today().isoformat(),
            processor=processor(),
            cores=os.cpu_count() or 1,
            python=platform.python_version(),
            torch=torch.__version__,
            rows=tuple(rows),
        )
    )


if __name__ == "__main__":
    main()
