"""同一次提交建两遍，逐字节比较：`make audit`。

在两个深浅不同的文件夹里各克隆一份，都从没有缓存开始。
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import ROOT, SmallSite


def build_clone(folder: Path) -> dict[str, bytes]:
    """克隆项目到 `folder`，冷构建，给出网站。

    Args:
        folder: 还没有的文件夹。

    Raises:
        RuntimeError: 构建失败。
    """
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    modules = ROOT / "hooks" / "node_modules"
    (folder / "hooks" / "node_modules").symlink_to(modules)
    site = SmallSite(folder)
    status, output = site.build()
    if status:
        raise RuntimeError(f"构建失败：\n{output}")
    return site.tree()


def digest(tree: dict[str, bytes]) -> str:
    """一棵树的摘要。"""
    whole = hashlib.sha256()
    for path, content in tree.items():
        whole.update(f"{path}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return whole.hexdigest()


def main() -> int:
    """比较两棵树，打印摘要；不同则列出不同的文件，状态为 1。"""
    with tempfile.TemporaryDirectory(prefix="audit-") as name:
        first = build_clone(Path(name, "one"))
        second = build_clone(Path(name, "another", "deeper", "two"))
    for tree in first, second:
        print(f"{digest(tree)}  {len(tree)} 个文件")
    different = [p for p in first | second if first.get(p) != second.get(p)]
    print("\n".join(different) or "两次构建逐字节相同")
    return len(different)


if __name__ == "__main__":
    sys.exit(main() > 0)
