"""测试共用的两样东西：整个网站，和随手写一个小网站的办法。"""

import os
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
from filelock import FileLock
from ipykernel.kernelspec import write_kernel_spec
from playwright.sync_api import Browser

from pipeline.katex import Katex
from pipeline.tools.addresses import SITE_URL
from pipeline.tools.project import ROOT, mkdocs_command, read_tree, run
from pipeline.tools.reader import Reader
from pipeline.tools.web import NoBrowser, open_browser

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")
# 给一个进程这个环境变量，它就不量覆盖率，快一倍
UNMEASURED = {"COVERAGE_PROCESS_CONFIG": ""}
torch.set_num_threads(1)  # 与页面的内核相同；张量小，多线程反而慢

SMALL_CONFIG = """\
INHERIT: {root}/mkdocs.yml
nav: [{nav}]
plugins:
  - search
  - mkdocs-jupyter: {{execute: true, allow_errors: true}}
  - book:
      base_path: [snippets, docs/assets/figures, tests]
      only: !ENV [ONLY, ""]
"""


CLAIM = """\
[one]
statement = "甲"
measure = "f()"
expected = {expected}
relation = "="
source = "乙"
mutants = [["a.py", "x", "y"]]
"""
SNIPPETS = """\
# --8<-- [start:double]
def double(x: int) -> int:
    return 2 * x
# --8<-- [end:double]


# --8<-- [start:half]
def half(x: int) -> float:
    return x / 0
# --8<-- [end:half]


# --8<-- [start:open_ended]
def open_ended() -> None: ...
"""
PAGE = """\
# 首页

行内 $x^2$。

```python tags=["hide-input"]
import matplotlib.pyplot as plt
```

```python
--8<-- "a.py:double"
```

```python
double(21)
```

```python caption="图 1：一条线" alt="从一到二"
plt.plot([1, 2], label="权重")
plt.legend()
plt.show()
```

```python tags=["raises-exception"]
10 ^ 0.5
```

```python tags=["skip-execution"]
unknown()
```
"""
OTHER_PAGE = """\
# 另一页

```python
--8<-- "a.py:half"
```

```python
1
```
"""


# 用到它们的测试都慢：建网站，开浏览器
QUICK = 4  # 秒
SLOW_FIXTURES = {"small_site", "built", "site", "browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """给慢的测试标上 slow，`make quick` 不运行它们；主张一条要算几秒，也是。"""
    for item in items:
        if isinstance(item, pytest.Function) and (
            SLOW_FIXTURES & set(item.fixturenames) or item.get_closest_marker("claim")
        ):
            item.add_marker("slow")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """`make quick` 里的测试慢了，就请标上 slow。"""
    begin = os.times()
    yield
    end = os.times()
    spent = sum(end[:4]) - sum(begin[:4])  # 本进程和它的子进程
    if item.config.option.markexpr == "not slow" and spent > QUICK:
        pytest.fail(f"用了 {spent:.0f} 秒 CPU 时间，请标上 @pytest.mark.slow")


@pytest.fixture(scope="session", autouse=True)
def kernels(tmp_path_factory: pytest.TempPathFactory) -> None:
    """内核里没有项目的代码，不量覆盖率。"""
    folder = tmp_path_factory.mktemp("jupyter")
    write_kernel_spec(folder / "kernels" / "python3", overrides={"env": UNMEASURED})
    os.environ["JUPYTER_PATH"] = str(folder)


@dataclass
class SmallSite:
    """一个小网站：页面和代码都由测试来写，流水线是项目的。"""

    folder: Path

    def write(self, files: Mapping[str, str]) -> None:
        """写文件，路径相对网站的文件夹。"""
        for path, text in files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode("utf-8", "surrogateescape"))
        pages = sorted(p.name for p in (self.folder / "docs").glob("*.md"))
        config = SMALL_CONFIG.format(root=ROOT, nav=", ".join(pages))
        (self.folder / "mkdocs.yml").write_text(config, encoding="utf-8")

    def own_pipeline(self) -> Path:
        """不再用项目的流水线，换成一份可以改的副本；KaTeX 仍是项目的。"""
        copy = self.folder / "pipeline"  # 当前的文件夹排在安装好的包前面
        shutil.copytree(
            ROOT / "pipeline",
            copy,
            ignore=shutil.ignore_patterns("node_modules", "__pycache__"),
        )
        (copy / "node_modules").symlink_to(ROOT / "pipeline" / "node_modules")
        return copy

    def build(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """构建，给出退出状态和输出。"""
        command = mkdocs_command("build", "--strict", *arguments)
        return run(self.folder, *command, **environment)

    def tree(self) -> dict[str, bytes]:
        """建成的网站：路径到内容。"""
        return read_tree(self.folder / "site")

    def html(self, page: str = "index") -> str:
        """读一页的 HTML。"""
        path = "index.html" if page == "index" else f"{page}/index.html"
        return (self.folder / "site" / path).read_text(encoding="utf-8")


def start_site(folder: Path) -> SmallSite:
    """在空的 `folder` 里写一个小网站，只有首页。"""
    shutil.copytree(ROOT / "docs" / "assets", folder / "docs" / "assets")
    for name in "snippets", "tests":
        (folder / name).mkdir()
    site = SmallSite(folder)
    site.write({"docs/index.md": "# 首页\n"})
    return site


@pytest.fixture(scope="session")
def katex() -> Iterator[Katex]:
    """排公式的进程。"""
    process = Katex()
    yield process
    process.close()


@pytest.fixture
def small_site(tmp_path: Path) -> SmallSite:
    """一个空的小网站，有首页。"""
    return start_site(tmp_path)


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> SmallSite:
    """有两页的小网站，已构建一次；不要改它。"""
    small_site = start_site(tmp_path_factory.mktemp("built"))
    small_site.write(
        {
            "snippets/a.py": SNIPPETS,
            "docs/index.md": PAGE,
            "docs/other.md": OTHER_PAGE,
        }
    )
    status, output = small_site.build()
    assert status == 0, output
    return small_site


@pytest.fixture
def built(built_once: SmallSite, tmp_path: Path) -> SmallSite:
    """有两页的小网站，已构建一次；每个测试自己的一份。"""
    shutil.copytree(built_once.folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    return SmallSite(tmp_path)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """整个网站，严格构建一次；并排跑的几个进程共用一份。"""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "site"
    with FileLock(shared / "site.lock"):
        if not folder.exists():
            command = mkdocs_command("build", "--strict", "--site-dir", str(folder))
            status, output = run(ROOT, *command, **UNMEASURED)
            assert status == 0, output
    return folder


@pytest.fixture(scope="session")
def browser(site: Path) -> Iterator[Browser]:
    """打开了整个网站的浏览器；CI 里没有浏览器是错误，别处就跳过。"""
    with ExitStack() as stack:
        try:
            window = stack.enter_context(open_browser(site))
        except NoBrowser as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
        yield window


@pytest.fixture
def read(browser: Browser) -> Iterator[Callable[..., Reader]]:
    """打开一个窗口；用完时没有错误，也没有向外站要过东西。"""
    readers: list[Reader] = []

    def open_window(**options: Any) -> Reader:
        readers.append(Reader(browser, **options))
        return readers[-1]

    yield open_window
    for reader in readers:
        reader.context.close()
        assert reader.troubles == []
        assert [u for u in reader.requests if not u.startswith(SITE_URL)] == []
