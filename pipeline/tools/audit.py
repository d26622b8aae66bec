"""发布前的检查：`make audit [RUNS=5]`。

把提交的版本在两个深浅不同的文件夹里各克隆一份，从没有缓存开始各建一遍，逐字节比较；
再逐页量读起来怎样，旁边是同样的页面由 mkdocs-jupyter 以缺省设置建成的网站。
"""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from mkdocs.utils.yaml import yaml_load

from pipeline.tools.addresses import SITE_URL
from pipeline.tools.bench import build, default_site
from pipeline.tools.project import (
    PAGES,
    ROOT,
    STEMS,
    mkdocs_command,
    read_tree,
    run,
)
from pipeline.tools.reading import HEADER, Reading, read_site


def build_clone(source: Path, folder: Path) -> dict[str, bytes]:
    """克隆 `source` 到 `folder`，冷构建，给出网站。

    Args:
        source: 项目，或它的一个克隆：从同一个克隆来，就是同一次提交。
        folder: 还没有的文件夹。

    Raises:
        RuntimeError: 构建失败。
    """
    subprocess.run(["git", "clone", "--quiet", source, folder], check=True)
    modules = ROOT / "pipeline" / "node_modules"
    (folder / "pipeline" / "node_modules").symlink_to(modules)
    status, output = run(folder, *mkdocs_command("build", "--strict"))
    if status:
        raise RuntimeError(f"构建失败：\n{output}")
    return read_tree(folder / "site")


def digest(tree: dict[str, bytes]) -> str:
    """一棵树的摘要。"""
    whole = hashlib.sha256()
    for path, content in tree.items():
        whole.update(f"{path}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return whole.hexdigest()


def build_baseline(folder: Path) -> Path:
    """同样的页面，Material 与 mkdocs-jupyter 的缺省设置，给出建成的网站。

    Args:
        folder: 还没有的文件夹。
    """
    default_site(folder)
    ours = yaml_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    extensions = [e for e in ours["markdown_extensions"] if "toc" not in e]
    config = {
        "site_name": ours["site_name"],
        "site_url": SITE_URL,
        "nav": ours["nav"],
        "theme": {"name": "material"},
        "plugins": ["search", {"mkdocs-jupyter": {"execute": True}}, "mkdocstrings"],
        "markdown_extensions": extensions,
    }
    text = yaml.safe_dump(config, allow_unicode=True)
    (folder / "mkdocs.yml").write_text(text, encoding="utf-8")
    build(folder)
    return folder / "site"


def tabulate(title: str, readings: Iterator[Reading]) -> None:
    """逐行打印一张 Markdown 的表，量完一页打印一行。"""
    print(f"\n{title}\n")
    for row in HEADER, ["---"] * len(HEADER):
        print(f"| {' | '.join(row)} |")
    for reading in readings:
        print(f"| {' | '.join(reading.row())} |", flush=True)


def main(arguments: Sequence[str]) -> int:
    """比较两棵树，打印摘要和两张表；不同则列出不同的文件，状态为 1。"""
    runs = int(arguments[0]) if arguments else 5
    with tempfile.TemporaryDirectory(prefix="audit-") as name:
        one = Path(name, "one")
        first = build_clone(ROOT, one)
        second = build_clone(one, Path(name, "another", "deeper", "two"))
        for tree in first, second:
            print(f"{digest(tree)}  {len(tree)} 个文件")
        different = [p for p in first | second if first.get(p) != second.get(p)]
        print("\n".join(different) or "两次构建逐字节相同")
        tabulate("本站", read_site(one / "site", PAGES, runs))
        baseline = build_baseline(Path(name, "baseline"))
        tabulate("mkdocs-jupyter 的缺省设置", read_site(baseline, STEMS, 1))
    return len(different)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)
