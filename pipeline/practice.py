"""手撕页要的文件：浏览器里的 Python、判题的程序、各题的测试、编辑器。"""

import subprocess
from pathlib import Path

from pipeline.cache import Cache
from pipeline.faults import SetupError
from pipeline.katex import find_node

HERE = Path(__file__).parent
NODE_MODULES = HERE / "node_modules"
PYODIDE = [
    "pyodide.mjs",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "pyodide-lock.json",
    "python_stdlib.zip",
]


def files(root: Path) -> dict[str, Path]:
    """手撕页要的文件，编辑器除外：在网站里的名字到这里的路径。

    Args:
        root: 项目的文件夹。

    Raises:
        SetupError: Pyodide 还没有装。
    """
    found = {f"pyodide/{name}": NODE_MODULES / "pyodide" / name for name in PYODIDE}
    if not all(path.is_file() for path in found.values()):
        raise SetupError("Pyodide 还没有装：请运行 npm ci --prefix pipeline")
    found["judge.py"] = HERE / "judge.py"
    for module in sorted((root / "snippets" / "exercises").glob("[!_]*.py")):
        found[f"exercises/{module.name}"] = module
    return found


def editor(cache: Cache) -> str:
    """给出编辑器和它用的包合成的一个脚本，连同许可证。

    Args:
        cache: 做出的各样东西的缓存；程序的摘要里有编辑器和各包的版本。

    Raises:
        SetupError: 编辑器还没有装，或合不成。
    """
    text: str = cache.get("editor", "", _bundle)
    return text


def _bundle() -> str:
    esbuild = NODE_MODULES / "esbuild" / "bin" / "esbuild"
    options = ["--bundle", "--minify", "--format=esm", "--log-level=error"]
    command = [find_node(), str(esbuild), str(HERE / "editor.mjs"), *options]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        reason = " ".join(done.stderr.split())[:200]
        raise SetupError(f"编辑器合不成：请运行 npm ci --prefix pipeline（{reason}）")
    licence = NODE_MODULES / "@codemirror" / "state" / "LICENSE"
    return f"/*!\n{licence.read_text(encoding='utf-8')}*/\n{done.stdout}"
