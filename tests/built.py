"""读建成的网站：各页的 HTML，站内的链接。"""

from functools import cache
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

from bs4 import BeautifulSoup

from pipeline.tools.addresses import resolve

BASE = "http://site.invalid/"


@cache
def parse(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def ids(path: Path) -> set[str]:
    return {str(element["id"]) for element in parse(path).select("[id]")}


def html_pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def address(site: Path, path: Path) -> str:
    return urljoin(BASE, path.relative_to(site).as_posix())


def broken_links(site: Path, *, from_disk: bool = False) -> list[str]:
    """站内通不到的链接，各写作「页: 网址」。"""
    broken = []
    for path in html_pages(site):
        if path.name == "404.html":
            continue  # 它的链接是相对网站根的
        here = address(site, path)
        soup = parse(path)
        urls = {e["href"] for e in soup.select("a[href], link[href]")}
        urls |= {e["src"] for e in soup.select("[src]")}
        for url in map(str, urls):
            target, anchor = urldefrag(urljoin(here, url))
            if not target.startswith(BASE):
                continue
            file = resolve(site, target, from_disk=from_disk)
            checked = anchor and anchor != "__skip" and file.suffix == ".html"
            if not file.is_file() or (checked and unquote(anchor) not in ids(file)):
                broken.append(f"{path.relative_to(site)}: {url}")
    return sorted(broken)
