"""把一个文件夹装成 zip，内容一样，字节就一样：`make release` 用它装离线的网站。"""

import sys
from pathlib import Path

from pipeline.notebooks import archive
from pipeline.tools.project import read_tree


def main(folder: Path, target: Path) -> None:
    """装好一个文件夹；解开时都在一个同名的文件夹里。

    Args:
        folder: 要装的文件夹。
        target: zip 写在哪里。
    """
    tree = {f"{target.stem}/{name}": data for name, data in read_tree(folder).items()}
    target.write_bytes(archive(tree))
    print(f"{target}：{target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
