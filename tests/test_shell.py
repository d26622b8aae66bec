"""网页的外壳：内容安全策略、日期、分享的标签、改页面的链接、网站地图。"""

import base64
import hashlib
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from jinja2 import Environment
from PIL import Image

from pipeline import shell
from pipeline.tools.addresses import SITE_URL, page_path
from pipeline.tools.project import PAGES, ROOT
from tests.built import html_pages, parse
from tests.conftest import SmallSite


def commit(folder: Path, date: str) -> None:
    """提交 `folder` 里的一切，日期是 `date`。"""
    settings = ["-c", "user.name=甲", "-c", "user.email=a@example.org"]
    environment = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    for command in ["init", "-q"], ["add", "."], [*settings, "commit", "-qm", date]:
        subprocess.run(["git", *command], cwd=folder, env=environment, check=True)


def test_last_change_is_the_last_commit_of_the_file(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / "子").mkdir(parents=True)
    (docs / "a.md").write_text("一")
    (docs / "子" / "乙.md").write_text("一")
    commit(tmp_path, "2020-09-12T12:00:00Z")
    (docs / "a.md").write_text("二")
    (tmp_path / "README.md").write_text("二")
    commit(tmp_path, "2026-11-24T12:00:00Z")
    (docs / "new.md").write_text("没有提交")
    assert shell.last_changes(docs) == {"a.md": "2026-11-24", "子/乙.md": "2020-09-12"}
    assert shell.commit_time(tmp_path) == "1795521600"


def test_no_repository_no_date(tmp_path: Path) -> None:
    assert shell.last_changes(tmp_path) == {}
    assert shell.commit_time(tmp_path) == ""


def test_policy_allows_the_scripts_in_the_page_and_no_other(site: Path) -> None:
    policies = set()
    for path in html_pages(site):
        soup = parse(path)
        meta = soup.find("meta", {"http-equiv": "Content-Security-Policy"})
        assert meta is not None
        policies.add(str(meta["content"]))
        for script in soup.find_all("script", src=False, type=False):
            digest = hashlib.sha256(script.get_text().encode()).digest()
            assert f"'sha256-{base64.b64encode(digest).decode()}'" in max(policies)
    (policy,) = policies  # 各页相同，不重新加载就换页时才不会互相冲突
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert "script-src-elem" not in policy
    scripts = policy.split("script-src ")[1].split(";")[0]
    assert "unsafe" not in scripts
    sent = (site / "_headers").read_text(encoding="utf-8")
    assert policy in sent.replace(" 'wasm-unsafe-eval'", "")
    assert "script-src 'self' 'wasm-unsafe-eval' 'sha256-" in sent  # 手撕题的线程要


def test_from_disk_the_search_may_run_scripts_in_a_frame() -> None:
    policy = shell.security_policy(Environment(), offline=True)
    assert "script-src 'self' 'unsafe-inline';" in policy
    shim = shell.worker_shim()
    assert shim.startswith("/*\n")
    assert "Permission is hereby granted" in shim.partition("*/")[0]
    assert "IFrameWorker" in shim.partition("*/")[2]


def test_no_git_no_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shell.commit_time(ROOT) == ""


@pytest.mark.parametrize("page", PAGES)
def test_shared_pages_have_a_card(site: Path, page: str) -> None:
    soup = parse(page_path(site, page))
    tags = {
        str(tag["property"]).removeprefix("og:"): str(tag["content"])
        for tag in soup.select("meta[property]")
    }
    assert soup.title is not None
    assert tags["title"] in soup.title.get_text()
    assert tags["description"] == soup.find("meta", {"name": "description"})["content"]  # type: ignore[index]
    assert tags["url"].startswith(SITE_URL)
    card = site / tags["image"].removeprefix(SITE_URL)
    with Image.open(card) as image:
        assert image.size == (1200, 630)
        assert (str(image.width), str(image.height)) == (
            tags["image:width"],
            tags["image:height"],
        )


@pytest.mark.parametrize("page", PAGES)
def test_page_tells_when_it_changed(site: Path, page: str) -> None:
    dates = shell.last_changes(ROOT / "docs")
    time = parse(page_path(site, page)).select_one(".feedback time")
    if f"{page}.md" in dates:
        assert time is not None
        assert time.get_text() == dates[f"{page}.md"]


def test_site_map_lists_every_page(site: Path) -> None:
    tree = ElementTree.parse(site / "sitemap.xml")
    places = {element.text for element in tree.iter() if element.tag.endswith("loc")}
    assert places == {SITE_URL + (f"{p}/" if p != "index" else "") for p in PAGES}


def test_edit_links_only_with_a_repository(small_site: SmallSite) -> None:
    status, output = small_site.build()
    assert status == 0, output
    assert "编辑这一页" not in small_site.html()
    address = "https://git.example.org/someone/qa"
    status, output = small_site.build(REPO_URL=address)
    assert status == 0, output
    soup = BeautifulSoup(small_site.html(), "html.parser")
    links = {str(a["href"]): a for a in soup.select(".feedback a")}
    edit, issue = links
    assert edit == f"{address}/edit/main/docs/index.md"
    assert issue.startswith(f"{address}/issues/new?title=")
    assert soup.select_one(f'.md-header a[href="{address}"]')
    # Material 的这个部件会去问代码托管的网站
    assert not soup.select("[data-md-component=source]")


def test_skip_link_says_where_it_leads(site: Path) -> None:
    link = parse(page_path(site, "index")).select_one("a.md-skip")
    assert link is not None
    assert link.get_text(strip=True) == "跳到正文"


def test_missing_page_is_told_in_chinese(site: Path) -> None:
    soup = parse(site / "404.html")
    assert soup.h1 is not None
    assert soup.h1.get_text() == "找不到这一页"
    assert soup.select_one("article a")


def test_missing_page_stands_alone_where_the_address_is_unknown(
    small_site: SmallSite,
) -> None:
    """不知道网站的网址，找不到页面的那一页就不靠样式和别的页。"""
    status, output = small_site.build(SITE_URL="")
    assert status == 0, output
    soup = parse(small_site.folder / "site" / "404.html")
    assert soup.select("[href], [src]") == []
    assert "找不到这一页" in soup.get_text()
