"""建成的网站里，页、网址和文件怎样相互对应。"""

import gzip
from pathlib import Path
from urllib.parse import unquote, urlsplit

SITE_URL = "http://site.localhost/qa/"  # 见 web.py


def page_path(site: Path, page: str) -> Path:
    """一页的 HTML 文件。

    Args:
        site: 建成的网站。
        page: 页的名字，首页是 `index`。
    """
    return site / ("index.html" if page == "index" else f"{page}/index.html")


def url(page: str) -> str:
    """一页的网址。

    Args:
        page: 页的名字，首页是 `index`。
    """
    return SITE_URL + ("" if page == "index" else f"{page}/")


def resolve(site: Path, address: str, *, from_disk: bool = False) -> Path:
    """一个网址给出的文件。

    Args:
        site: 建成的网站。
        address: 网址，路径从网站的根算起。
        from_disk: 是否从磁盘打开；那时文件夹给不出里面的 `index.html`。
    """
    path = unquote(urlsplit(address).path).lstrip("/")
    folder = path.endswith("/") or not path
    return site / (path + "index.html" if folder and not from_disk else path)


def transferred(site: Path, address: str) -> int:
    """静态主机传一个文件要多少字节：文本压缩，字体本来就压缩过。

    Args:
        site: 建成的网站。
        address: 文件的网址。
    """
    data = resolve(site, urlsplit(address).path.removeprefix("/qa")).read_bytes()
    return min(len(data), len(gzip.compress(data)))
