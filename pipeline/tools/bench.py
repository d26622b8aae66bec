"""构建的快慢：`make bench` 打印表格，写进 bench.json。

都是同一次运行里轮流量的，多数是 CPU 秒之比（子进程也算），机器忙闲都一样。对照有四种：
同样的页面交给不带插件的 Material，不运行代码；写成笔记本，交给 mkdocs-jupyter 的缺省设
置；写成 MyST-NB 的页面；同样多的小页面由 MkDocs 建。
"""

import importlib.metadata
import json
import os
import platform
import re
import resource
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
from mkdocs.utils.yaml import yaml_load

from pipeline import cells, citations, fences
from pipeline.citations import Citations
from pipeline.tools.project import ENVIRONMENT, ROOT, STEMS, mkdocs_command

REPEATS = 5
LONG_REPEATS = 1  # 冷构建和上千页的构建一次要几分钟
PEERS = ROOT / ".tools" / "peers"  # MyST-NB 装在这里
HEADER = """\
---
jupyter:
  kernelspec: {name: python3, display_name: Python 3, language: python}
---
"""
MYST_HEADER = """\
---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3}
---
"""
EDITED = "search_space"  # 改它的一页
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
        against: 与什么比；为空则 `value` 是秒数，不是比。
        value: 比值，或秒数。
        goal: 不应超过的数；只供比较的为 `None`。
        parts: 分子与分母，只供参考。
    """

    what: str
    against: str
    value: float
    goal: float | None
    parts: tuple[float, ...] = ()


@dataclass(frozen=True)
class Cost:
    """一次构建的代价。

    Args:
        cpu: CPU 时间，子进程（内核、Node）也算，秒。
        seconds: 钟上的时间，秒。
        mebibytes: 内存的峰值。
    """

    cpu: float
    seconds: float
    mebibytes: float


def spend(folder: Path, *command: str, **environment: str) -> Cost:
    """在 `folder` 里运行一条命令，给出代价。

    Args:
        folder: 文件夹。
        command: 命令。
        environment: 另设的环境变量。

    Raises:
        RuntimeError: 命令失败。
    """
    log = folder / "build.log"
    begin, before = time.perf_counter(), _children()
    with log.open("w") as stream:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | ENVIRONMENT | environment,
            stdout=stream,
            stderr=stream,
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} 失败：\n{log.read_text(encoding='utf-8')}")
    seconds = time.perf_counter() - begin
    return Cost(_children() - before, seconds, usage.ru_maxrss / 1024)


def _children() -> float:
    """已经结束的子进程一共用了多少 CPU 时间，它们等过的子进程也算。"""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def build(folder: Path, *arguments: str) -> Cost:
    """在 `folder` 里构建一次。

    Args:
        folder: 网站的文件夹。
        arguments: mkdocs 的参数。
    """
    return spend(folder, *mkdocs_command("build", *arguments))


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


def fixed_site(folder: Path) -> Path:
    """一份项目的副本，旋钮只有缺省的设置：运行的代码和对照的一样多。"""
    our_site(folder)
    for page in folder.glob("docs/*.md"):
        text = re.sub(
            r"^(```python.*?) knobs={[^}]*}",
            r"\1",
            page.read_text(encoding="utf-8"),
            flags=re.M,
        )
        page.write_text(text, encoding="utf-8")
    return folder


def expand(page: Path) -> str:
    """一页的全文，引用都换成内容，块头的选项去掉。"""
    folders = [ROOT / name for name in ("snippets", "docs/assets/figures", "tests")]
    source = Citations(folders, ROOT)
    lines = []
    for line in page.read_text(encoding="utf-8").splitlines():
        cited = citations.FORM.match(line) and not any(source.find_faults(line, 1))
        lines += source.expand(line)[0] if cited else [line]
    return re.sub(r"^```python .*$", "```python", "\n".join(lines), flags=re.M)


def plain_site(folder: Path) -> Path:
    """同样的页面交给 Material：不运行代码，除了搜索没有插件。"""
    our_site(folder)
    (folder / "pipeline").unlink()
    for page in folder.glob("docs/**/*.md"):
        page.write_text(expand(page), encoding="utf-8")
    configure(folder, ["search"], validation={"links": {"not_found": "ignore"}})
    return folder


def default_site(folder: Path) -> Path:
    """同样的页面写成笔记本，由 mkdocs-jupyter 以缺省设置运行。"""
    our_site(folder)
    configure(folder, ["search", "mkdocstrings", "mkdocs-jupyter"])
    for stem in STEMS:
        page = folder / "docs" / f"{stem}.md"
        body = expand(page).partition("\n---\n")[2]
        notebook = jupytext.reads(HEADER + body, fmt="md:markdown")
        nbformat.write(notebook, page.with_suffix(".ipynb"))
        page.unlink()
    return folder


def myst_site(folder: Path) -> Path:
    """七道题的页面写成 MyST-NB 的，第一格是我们的 preamble。"""
    folder.mkdir()
    preamble = (ROOT / "pipeline" / "preamble.py").read_text(encoding="utf-8")
    source = Citations([ROOT / "snippets", ROOT / "docs/assets/figures"], ROOT)
    for stem in STEMS:
        lines = (ROOT / f"docs/{stem}.md").read_text(encoding="utf-8").splitlines()
        found, _ = cells.read_cells(lines, source)
        blocks = [*filter(cells.is_cell, fences.walk(lines))]
        body: list[str | None] = [*lines]
        for cell, fence in zip(found, blocks, strict=True):
            tags = ", ".join(sorted(cell.tags))
            code = [f"```{{code-cell}}\n:tags: [{tags}]\n", cell.code, "```"]
            body[fence.line - 1] = "\n".join(code)
            body[fence.line : fence.end] = [None] * (fence.end - fence.line)
        text = "\n".join(line for line in body if line is not None)
        text = re.sub(
            r"^(/// .*|///|<!--.*|--8<--.*|    (type|attrs): .*)$", "", text, flags=re.M
        )
        text = text.partition("\n---\n")[2]
        setup = f"```{{code-cell}}\n:tags: [remove-cell]\n\n{preamble}\n```\n"
        page = f"{MYST_HEADER}\n# {stem}\n\n{setup}\n{text}\n"
        (folder / f"{stem}.md").write_text(page, encoding="utf-8")
    (folder / "index.md").write_text(
        "# 首页\n\n```{toctree}\n" + "\n".join(STEMS) + "\n```\n", encoding="utf-8"
    )
    settings = {
        "extensions": ["myst_nb"],
        "nb_execution_mode": "cache",
        "nb_execution_timeout": 600,
        "nb_execution_allow_errors": True,
        "myst_enable_extensions": ["dollarmath"],
    }
    text = "\n".join(f"{name} = {value!r}" for name, value in settings.items())
    (folder / "conf.py").write_text(text + "\n", encoding="utf-8")
    return folder


def build_myst(folder: Path) -> Cost:
    """由 MyST-NB 建一次。"""
    command = sys.executable, "-m", "sphinx", "-q", ".", "_build"
    return spend(folder, *command, PYTHONPATH=str(PEERS))


def many_pages(folder: Path, count: int, *, ours: bool) -> Path:
    """`count` 页小页面；`ours` 为真时由流水线建，代码都运行过。"""
    figures = folder / "docs" / "assets" / "figures"
    for path in figures, folder / "snippets", folder / "tests":  # 项目的设置要看着它们
        path.mkdir(parents=True)
    (folder / "pipeline").symlink_to(ROOT / "pipeline")
    for number in range(count):
        name = f"page-{number}.md" if number else "index.md"
        page = PAGE.format(number=number)
        (folder / "docs" / name).write_text(page, encoding="utf-8")
    settings = {"nav": ["index.md"], "validation": {"nav": {"omitted_files": "ignore"}}}
    if not ours:
        configure(folder, ["search"], **settings)
        return folder
    configure(folder, ["search", "mkdocs-jupyter", "book"], **settings)
    # 各页的格子相同，只运行一页，条目照抄给其余各页
    cache, docs = folder / ".cache", folder / "docs"
    rest = docs.rename(folder / "rest")
    figures.mkdir(parents=True)
    shutil.copy(rest / "index.md", docs)
    build(folder)
    shutil.rmtree(docs)
    rest.rename(docs)
    for number in range(1, count):
        shutil.copy(cache / "index.md.json", cache / f"page-{number}.md.json")
    build(folder)
    return folder


def interleave(*runs: Callable[[], float], repeats: int = REPEATS) -> list[float]:
    """轮流各量几次，给出各自的中位数；轮流，机器忙闲的影响才相同。"""
    rounds = [[run() for run in runs] for _ in range(repeats)]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def edit_prose(page: Path) -> str:
    """在一页末尾添一句话，给出这句话。"""
    mark = f"改动 {time.monotonic_ns()}"
    text = page.read_text(encoding="utf-8")
    page.write_text(f"{text}\n{mark}\n", encoding="utf-8")
    return mark


def edit_cell(page: Path) -> str:
    """在一页末尾添一块代码，给出它的输出。"""
    mark = f"改动{time.monotonic_ns()}"
    text = page.read_text(encoding="utf-8")
    page.write_text(f'{text}\n```python\nprint("{mark}")\n```\n', encoding="utf-8")
    return mark


@contextmanager
def serving(folder: Path, port: int) -> Iterator[Callable[..., float]]:
    """预览一个网站，给出「改一处，等到页面更新」的秒表。"""
    command = mkdocs_command("serve", "-a", f"127.0.0.1:{port}")
    address = f"http://127.0.0.1:{port}"
    with (folder / "serve.log").open("w") as log:
        root = {"SITE_URL": ""}  # 网页就在根上，不在发布的那个文件夹里
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | ENVIRONMENT | root,
            stdout=log,
            stderr=log,
        )

    def wait(path: str, text: str) -> None:
        url = f"{address}/{path}"
        while process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(url, timeout=300) as reply:
                if text in reply.read().decode():
                    return
            time.sleep(0.02)
        raise RuntimeError((folder / "serve.log").read_text(encoding="utf-8"))

    def stopwatch(stem: str, edit: Callable[[Path], str]) -> float:
        begin = time.perf_counter()
        wait(f"{stem}/", edit(folder / "docs" / f"{stem}.md"))
        return time.perf_counter() - begin

    try:
        wait("", "<h1")
        yield stopwatch
    finally:
        process.terminate()
        process.wait()


def site_rows(folder: Path) -> Iterator[Row]:
    """本站与对照。"""
    ours, fixed = our_site(folder / "ours"), fixed_site(folder / "fixed")
    plain = plain_site(folder / "plain")
    default, myst = default_site(folder / "default"), myst_site(folder / "myst")
    page = ours / "docs" / f"{EDITED}.md"

    def cold(site: Path, build: Callable[[Path], Cost] = build) -> float:
        for name in ".cache", "_build":
            shutil.rmtree(site / name, ignore_errors=True)
        return build(site).cpu

    def edited() -> float:
        edit_prose(page)
        return build(ours).cpu

    def row(what: str, against: str, goal: float | None, *parts: float) -> Row:
        return Row(what, against, parts[0] / parts[1], goal, parts)

    whole, first, theirs, peer = interleave(
        lambda: cold(ours),
        lambda: cold(fixed),
        lambda: cold(default),
        lambda: cold(myst, build_myst),
        repeats=LONG_REPEATS,
    )
    yield Row("冷构建，旋钮的各个设置也运行，CPU 秒", "", whole, 80)
    yield Row("冷构建，旋钮只运行缺省的设置，CPU 秒", "", first, 80)
    yield row("冷构建", "mkdocs-jupyter 的缺省设置", 0.4, whole, theirs)
    yield row("冷构建，同样的代码", "mkdocs-jupyter 的缺省设置", 0.4, first, theirs)
    yield row("冷构建，同样的代码", "MyST-NB，同样的七页", None, first, peer)
    warm, bare, again = interleave(
        lambda: build(ours).cpu, lambda: build(plain).cpu, lambda: build_myst(myst).cpu
    )
    yield row("什么也没改", "不带插件的 Material", 1.3, warm, bare)
    yield row("什么也没改", "MyST-NB，同样的七页", None, warm, again)
    change, bare = interleave(edited, lambda: build(plain).cpu)
    yield row("改一句话", "不带插件的 Material", 1.5, change, bare)
    with serving(ours, 8701) as watch:
        (seconds,) = interleave(lambda: watch(EDITED, edit_prose))
        yield Row("预览时改一句话，到页面更新，秒", "", seconds, 1.5)
        small = "new_page"
        nothing = "---\ndescription: 量快慢的一页，只有一块代码\n---\n\n# 新的一页\n"
        (ours / "docs" / f"{small}.md").write_text(nothing, encoding="utf-8")
        watch(small, edit_cell)  # 多了一页，别的页的导航也要重画；这一次不算
        (seconds,) = interleave(lambda: watch(small, edit_cell))
        yield Row("预览时改一块代码，到页面更新，内核启动也算，秒", "", seconds, 2)


def size_rows(folder: Path, counts: tuple[int, int, int]) -> Iterator[Row]:
    """页数增到 10 倍、100 倍：每页的代价应当不变。"""
    found: dict[int, dict[str, float]] = {}
    for count in counts:
        ours = many_pages(folder / f"ours-{count}", count, ours=True)
        plain = many_pages(folder / f"plain-{count}", count, ours=False)

        def edited(site: Path = ours) -> Cost:
            edit_prose(site / "docs" / "index.md")
            return build(site)

        costs = [(build(ours), edited(), build(plain)) for _ in range(LONG_REPEATS)]
        found[count] = {
            "什么也没改：时间": statistics.median(a.cpu / c.cpu for a, _, c in costs),
            "改一句话：时间": statistics.median(b.cpu / c.cpu for _, b, c in costs),
            "什么也没改：内存": statistics.median(
                a.mebibytes / c.mebibytes for a, _, c in costs
            ),
        }
    first, *rest = counts
    for count in rest:
        for name, now in found[count].items():
            before = found[first][name]
            yield Row(
                f"{count} 页，{name}与 MkDocs 之比",
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
            print(_describe(row), flush=True)
    report = {
        "date": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "mkdocs-material": importlib.metadata.version("mkdocs-material"),
        "repeats": [REPEATS, LONG_REPEATS],
        "rows": [asdict(row) for row in rows],
    }
    text = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
    (ROOT / "bench.json").write_text(text, encoding="utf-8")
    return int(any(row.goal is not None and row.value > row.goal for row in rows))


def _describe(row: Row) -> str:
    """一项一行。"""
    goal = "只供比较"
    if row.goal is not None:
        goal = f"目标 {row.goal:g}（{'到' if row.value <= row.goal else '不到'}）"
    against = f" / {row.against}" if row.against else ""
    parts = " / ".join(f"{part:.2f}" for part in row.parts)
    return f"{row.value:6.2f}  {goal}  {row.what}{against}  [{parts}]"


if __name__ == "__main__":
    sys.exit(main())
