"""离线副本：整个网站存进读者的浏览器，像一个应用；按了按钮才存。

网站建好之后，写上清单 `offline.json`（每个文件的摘要）、做事的 `sw.js` 和应用的名片
`manifest.webmanifest`。有一个文件变了，版本就变，读者的浏览器就知道有新的一份。
"""

import base64
import hashlib
import json
from pathlib import Path

from pipeline import notebooks

HERE = Path(__file__).parent
# 给主机和别的程序看的；zip 里的笔记本各有一份
LEFT_OUT = {"_headers", "sitemap.xml.gz", "objects.inv", notebooks.ARCHIVE}


def write(site: Path, title: str) -> None:
    """给建好的网站写上离线副本要的三个文件。

    Args:
        site: 网站的文件夹。
        title: 网站的名字。
    """
    card = {
        "name": title,
        "lang": "zh",
        "start_url": ".",
        "display": "standalone",
        "icons": [
            {"src": "assets/favicon.svg", "sizes": "any", "type": "image/svg+xml"}
        ],
    }
    text = json.dumps(card, ensure_ascii=False, indent=1)
    (site / "manifest.webmanifest").write_text(text, encoding="utf-8")
    files, size = {}, 0
    for path in sorted(path for path in site.rglob("*") if path.is_file()):
        name = path.relative_to(site).as_posix()
        if name not in LEFT_OUT:
            data = path.read_bytes()
            size += len(data)
            digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
            files[_address(name)] = f"sha256-{digest}"
    version = hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]
    listed = {"version": version, "size": size, "files": files}
    text = json.dumps(listed, ensure_ascii=False, indent=0)
    (site / "offline.json").write_text(text, encoding="utf-8")
    worker = (HERE / "sw.js").read_text(encoding="utf-8")
    worker = worker.replace('VERSION = ""', f'VERSION = "{version}"')
    (site / "sw.js").write_text(worker, encoding="utf-8")


def _address(name: str) -> str:
    """一个文件的网址，相对网站的根；页面的以 `/` 结尾，首页是空的。"""
    folder, slash, last = name.rpartition("/")
    return folder + slash if last == "index.html" else name
