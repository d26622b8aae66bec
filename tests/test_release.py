"""发布的网站：首页上的链接都有文件，没有的就没有链接。"""

import io
import re
import zipfile
from pathlib import Path

import pytest

from pipeline.tools import pack
from pipeline.tools.project import ROOT
from tests.conftest import SmallSite


@pytest.mark.parametrize("asked", [False, True])
def test_the_home_page_links_to_what_the_release_makes(
    small_site: SmallSite, asked: bool
) -> None:
    small_site.write({"docs/a.md": "# Q1：甲？\n"})
    config = small_site.folder / "mkdocs.yml"
    text = config.read_text(encoding="utf-8")
    text = text.replace("nav: [a.md, index.md]", "nav: [index.md, 问题: [Q1 甲: a.md]]")
    config.write_text(text, encoding="utf-8")
    environment = {"DOWNLOADS": "true"} if asked else {}
    status, output = small_site.build(**environment)
    assert status == 0, output
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    made = {*re.findall(r"site/(deep-learning-qa[\w-]*\.(?:pdf|zip))$", rules, re.M)}
    assert len(made) == 2
    linked = {*re.findall(r'href="(deep-learning-qa[^"]*)"', small_site.html())}
    assert linked == (made if asked else set())
    workflow = ROOT / ".github" / "workflows" / "publish.yml"
    assert "run: make release" in workflow.read_text(encoding="utf-8")


def test_a_folder_is_packed_the_same_every_time(tmp_path: Path) -> None:
    folder, target = tmp_path / "site", tmp_path / "all.zip"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "c.txt").write_bytes(b"1")
    (folder / "a.txt").write_bytes(b"2")
    packed = []
    for _ in range(2):
        pack.main(folder, target)
        packed.append(target.read_bytes())
        (folder / "a.txt").touch()
    assert packed[0] == packed[1]
    with zipfile.ZipFile(io.BytesIO(packed[0])) as opened:
        assert opened.namelist() == ["all/a.txt", "all/b/c.txt"]
        assert opened.read("all/b/c.txt") == b"1"
