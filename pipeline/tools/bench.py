"""构建的快慢，都是同一次运行里的比：`make bench` 打印表格，写进 bench.json。

对照有三种：同样的页面不运行代码（plain_site）；同样的页面写成笔记本，交给
mkdocs-jupyter 的缺省设置一页接一页地跑；同样多的小页面由不带钩子的 MkDocs 建。
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import jupytext
import nbformat
import yaml
from markdown import Markdown
from mkdocs.utils.yaml import yaml_load
from nbclient import NotebookClient

from pipeline.execution import SilentKernelManager
from pipeline.tools.project import ENVIRONMENT, ROOT, STEMS, mkdocs_command

REPEATS = 5
LONG_REPEATS = 2  # 冷构建和上千页的构建一次要几分钟
HEADER = """\
---
jupyter:
  kernelspec: {name: python3, display_name: Python 3, language: python}
---
"""
EDITED = "search_space"  # 改它的一个片段，只有它的页面引用
PAGE = """\
# 第 {number} 页

一句话，一个公式 $x^{{{number}}}$，一段代码。

```python
sum(range(10))
```
"""


@dataclass(frozen=True)
class Row:
    """一项的结果。

    Args:
        what: 量的是什么。
        against: 与什么比。
        ratio: 比值。
        goal: 比值不应超过的数。
        parts: 分子与分母，只供参考。
    """

    what: str
    against: str
    ratio: float
    goal: float
    parts: tuple[float, float]


@dataclass(frozen=True)
class Cost:
    """一次构建的代价。

    Args:
        seconds: 时间。
        mebibytes: MkDocs 进程的内存峰值。
    """

    seconds: float
    mebibytes: float


def build(folder: Path) -> Cost:
    """在 `folder` 里构建一次。

    Args:
        folder: 网站的文件夹。

    Raises:
        RuntimeError: 构建失败。
    """
    log = folder / "build.log"
    begin = time.perf_counter()
    with log.open("w") as stream:
        process = subprocess.Popen(
            mkdocs_command("build"),
            cwd=folder,
            env=os.environ | ENVIRONMENT,
            stdout=stream,
            stderr=stream,
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"构建失败：\n{log.read_text(encoding='utf-8')}")
    return Cost(time.perf_counter() - begin, usage.ru_maxrss / 1024)


def configure(folder: Path, plugins: list[str], **settings: object) -> None:
    """写一份继承项目设置的 mkdocs.yml，插件只用 `plugins` 这几个。"""
    given = yaml_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["plugins"]
    named = {p if isinstance(p, str) else next(iter(p)): p for p in given}
    kept = [named[name] for name in plugins]
    config = {"INHERIT": str(ROOT / "mkdocs.yml"), "plugins": kept} | settings
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(config), encoding="utf-8")


def our_site(folder: Path) -> Path:
    """一份项目的副本，没有缓存。"""
    for name in "docs", "snippets", "tests":
        shutil.copytree(ROOT / name, folder / name)
    (folder / "pipeline").symlink_to(ROOT / "pipeline")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    return folder


def plain_site(folder: Path) -> Path:
    """同样的页面、主题、搜索和公式，不运行代码。"""
    our_site(folder)
    hooks = [str(Path(__file__).with_name("plain_site.py"))]
    configure(folder, ["search", "mkdocstrings"], hooks=hooks)
    return folder


def default_site(folder: Path) -> Path:
    """同样的页面写成笔记本，由 mkdocs-jupyter 以缺省设置运行，没有钩子。"""
    our_site(folder)
    configure(folder, ["search", "mkdocstrings", "mkdocs-jupyter"], hooks=[])
    snippets = {"base_path": [ROOT / "snippets", ROOT / "docs" / "assets" / "figures"]}
    md = Markdown(
        extensions=["pymdownx.snippets"],
        extension_configs={"pymdownx.snippets": snippets},
    )
    for stem in STEMS:
        page = folder / "docs" / f"{stem}.md"
        body = page.read_text(encoding="utf-8").partition("\n---\n")[2]
        lines = md.preprocessors["snippet"].run(body.splitlines())
        notebook = jupytext.reads(HEADER + "\n".join(lines), fmt="md:markdown")
        nbformat.write(notebook, page.with_suffix(".ipynb"))
        page.unlink()
    return folder


def many_pages(folder: Path, count: int, *, ours: bool) -> Path:
    """`count` 页小页面；`ours` 为真时由流水线建，缓存已满。"""
    for name in "docs", "snippets", "tests":  # 项目的设置要看着它们
        (folder / name).mkdir(parents=True)
    (folder / "pipeline").symlink_to(ROOT / "pipeline")
    for number in range(count):
        name = f"page-{number}.md" if number else "index.md"
        page = PAGE.format(number=number)
        (folder / "docs" / name).write_text(page, encoding="utf-8")
    settings = {"nav": ["index.md"], "validation": {"nav": {"omitted_files": "ignore"}}}
    if not ours:
        configure(folder, ["search"], hooks=[], **settings)
        return folder
    configure(folder, ["search", "mkdocs-jupyter"], **settings)
    # 各页的格子相同，只运行一页，条目照抄给其余各页
    cache = folder / ".cache"
    docs = folder / "docs"
    rest = docs.rename(folder / "rest")
    docs.mkdir()
    shutil.copy(rest / "index.md", docs)
    build(folder)
    shutil.rmtree(docs)
    rest.rename(docs)
    for number in range(1, count):
        shutil.copy(cache / "index.md.json", cache / f"page-{number}.md.json")
    return folder


def interleave(*runs: Callable[[], float], repeats: int = REPEATS) -> list[float]:
    """轮流各量几次，给出各自的中位数；轮流，机器忙闲的影响才相同。"""
    rounds = [[run() for run in runs] for _ in range(repeats)]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def edit_prose(folder: Path, mark: str) -> None:
    """在一页末尾添一句话。"""
    page = folder / "docs" / f"{EDITED}.md"
    page.write_text(page.read_text(encoding="utf-8") + f"\n{mark}\n", encoding="utf-8")


@contextmanager
def serving(folder: Path, port: int) -> Iterator[Callable[[], float]]:
    """预览一个网站，给出「改一句话，等到页面更新」的秒表。"""
    command = mkdocs_command("serve", "-a", f"127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}/{EDITED}/"
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | ENVIRONMENT, stdout=log, stderr=log
        )

    def wait(text: str) -> None:
        while process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(url, timeout=300) as reply:
                if text in reply.read().decode():
                    return
            time.sleep(0.02)
        raise RuntimeError((folder / "serve.log").read_text(encoding="utf-8"))

    def stopwatch() -> float:
        mark = f"改动 {time.monotonic_ns()}"
        begin = time.perf_counter()
        edit_prose(folder, mark)
        wait(mark)
        return time.perf_counter() - begin

    try:
        wait("<h1")
        yield stopwatch
    finally:
        process.terminate()
        process.wait()


def run_cells(folder: Path) -> float:
    """单独运行一页的格子。"""
    (notebook,) = folder.glob(f"default/docs/{EDITED}.ipynb")
    begin = time.perf_counter()
    NotebookClient(
        nbformat.read(notebook, as_version=4),
        allow_errors=True,
        kernel_manager_class=SilentKernelManager,
    ).execute()
    return time.perf_counter() - begin


def edit_snippet(folder: Path) -> None:
    """改一个片段里的代码，结果不变。"""
    module = folder / "snippets" / f"{EDITED}.py"
    text = module.read_text(encoding="utf-8")
    start = text.index("[end:") - len("# --8<-- ")
    edited = f"{text[:start]}# {time.monotonic_ns()}\n{text[start:]}"
    module.write_text(edited, encoding="utf-8")


def site_rows(folder: Path) -> Iterator[Row]:
    """本站与对照。"""
    ours, plain = our_site(folder / "ours"), plain_site(folder / "plain")
    default = default_site(folder / "default")

    def cold() -> float:
        shutil.rmtree(ours / ".cache", ignore_errors=True)
        return build(ours).seconds

    def cold_default() -> float:
        shutil.rmtree(default / ".cache", ignore_errors=True)
        return build(default).seconds

    def edited() -> float:
        edit_snippet(ours)
        return build(ours).seconds

    def row(what: str, against: str, goal: float, time: float, other: float) -> Row:
        return Row(what, against, time / other, goal, (time, other))

    yield row(
        "冷构建，运行全部代码",
        "mkdocs-jupyter 的缺省设置，一页接一页",
        0.75,
        *interleave(cold, cold_default, repeats=LONG_REPEATS),
    )
    warm, bare = interleave(lambda: build(ours).seconds, lambda: build(plain).seconds)
    yield row("什么也没改", "同样的网站，不运行代码", 1.5, warm, bare)
    change, alone = interleave(edited, lambda: run_cells(folder))
    yield row(
        "改一个片段", "什么也没改，加上单独运行引用它的一页", 1.2, change, warm + alone
    )
    with serving(ours, 8701) as watch, serving(plain, 8702) as watch_plain:
        yield row(
            "预览时改一句话，到页面更新",
            "同样的网站，不运行代码",
            1.5,
            *interleave(watch, watch_plain),
        )


def size_rows(folder: Path, counts: tuple[int, int, int]) -> Iterator[Row]:
    """页数增到 10 倍、100 倍：每页的代价与 MkDocs 之比，应当不变。"""
    found = {}
    for count in counts:
        ours = many_pages(folder / f"ours-{count}", count, ours=True)
        plain = many_pages(folder / f"plain-{count}", count, ours=False)
        costs = [(build(ours), build(plain)) for _ in range(LONG_REPEATS)]
        found[count] = [
            statistics.median(
                getattr(our, name) / getattr(other, name) for our, other in costs
            )
            for name in ("seconds", "mebibytes")
        ]
    first, *rest = counts
    for count in rest:
        for position, name in enumerate(("时间", "内存")):
            now, before = found[count][position], found[first][position]
            yield Row(
                f"{count} 页，什么也没改：{name}与 MkDocs 之比",
                f"{first} 页时的同一个比",
                now / before,
                1.3,
                (now, before),
            )


def main() -> int:
    """量出全部，打印表格，写进 bench.json；有一项不到目标则状态为 1。"""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        rows = []
        for row in chain(site_rows(Path(name)), size_rows(Path(name), (12, 120, 1200))):
            rows.append(row)
            verdict = "到" if row.ratio <= row.goal else "不到"
            first, second = row.parts
            print(
                f"{row.ratio:5.2f}  目标 {row.goal:4}（{verdict}）  {row.what} / "
                f"{row.against}  [{first:.2f} / {second:.2f}]",
                flush=True,
            )
    report = {
        "date": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "repeats": [REPEATS, LONG_REPEATS],
        "rows": [asdict(row) for row in rows],
    }
    text = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
    (ROOT / "bench.json").write_text(text, encoding="utf-8")
    return int(any(row.ratio > row.goal for row in rows))


if __name__ == "__main__":
    sys.exit(main())
