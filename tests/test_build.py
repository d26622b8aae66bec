"""构建：输出在块下；缓存不多不少；没有建成的，什么也不改。"""

import random
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import CLAIM, OTHER_PAGE, PAGE, SNIPPETS, SmallSite

MEASURED = '# 多一页\n\n甲[[one]]。\n\n```python claims={{"one": "n"}}\nn = {n}\n```\n'


def executed(output: str) -> set[str]:
    """这次构建运行了哪几页。"""
    return set(re.findall(r"运行完 (\w+)\.md", output))


def test_outputs_stand_below_their_blocks(built: SmallSite) -> None:
    page = built.html()
    order = [
        page.index(text)
        for text in (
            "准备代码",
            "<samp>42</samp>",
            'aria-label="从一到二"',
            "<figcaption>图 1：一条线</figcaption>",
            'class="error"',
            "unsupported operand type(s)",
            "这一段不运行",
        )
    ]
    assert order == sorted(order)
    assert "--8<--" not in page


def test_what_cannot_change_an_output_runs_nothing(built: SmallSite) -> None:
    before = built.html().count("<samp>42</samp>")
    page = PAGE.replace("行内", "正文里").replace("一条线", "一条直线")
    page = page.replace('["raises-exception"]', '["raises-exception", "hide-input"]')
    built.write(
        {
            "docs/index.md": f"---\ndescription: 页\n---\n\n## 先一节\n\n{page}",
            "docs/added.md": "# 加一页\n",
            "docs/assets/site.css": "",
            "snippets/a.py": f"# 段外的注释\n{SNIPPETS}\nUNUSED = 1\n",
        }
    )
    status, output = built.build()
    assert (status, executed(output)) == (0, set()), output
    assert "正文里" in built.html()
    assert "一条直线" in built.html()
    assert built.html().count("<samp>42</samp>") == before == 1


def test_what_can_change_an_output_runs_its_pages(
    built: SmallSite, tmp_path: Path
) -> None:
    both = {"index", "other"}

    def rebuild(**environment: str) -> set[str]:
        status, output = built.build(**environment)
        assert status == 0, output
        return executed(output)

    built.write({"snippets/a.py": SNIPPETS.replace("2 * x", "x + x")})
    assert rebuild() == {"index"}
    built.write({"docs/index.md": PAGE.replace("double(21)", "double(4)")})
    assert rebuild() == {"index"}
    assert "<samp>8</samp>" in built.html()
    built.write({"docs/index.md": PAGE.replace("label=", "lw=2, label=")})
    assert rebuild() == {"index"}

    newer = tmp_path / "newer" / "torch-99.dist-info" / "METADATA"
    newer.parent.mkdir(parents=True)
    newer.write_text("Metadata-Version: 2.1\nName: torch\nVersion: 99\n")
    assert rebuild(PYTHONPATH=str(tmp_path / "newer")) == both
    assert rebuild() == both

    pipeline = built.own_pipeline()
    assert rebuild() == set()
    for file, old, new in (
        ("preamble.py", '"font.size": 11', '"font.size": 12'),
        ("jupyter/templates/mkdocs_html/notebook.html.j2", "{#-", "{#- 改过 -#}{#-"),
    ):
        text = (pipeline / file).read_text(encoding="utf-8")
        assert old in text
        (pipeline / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        assert rebuild() == both, file


def test_an_error_from_the_cache_is_told_again(built: SmallSite) -> None:
    built.write({"docs/index.md": "# 页\n\n```python\nunknown\n```\n"})
    told = []
    for runs in {"index"}, set():
        status, output = built.build()
        assert (status, executed(output)) == (1, runs)
        told += [line for line in output.splitlines() if "docs/index.md:4: " in line]
    assert told[0] == told[1]
    assert len(told) == 2


def test_truncated_cache_is_made_anew(built: SmallSite) -> None:
    for entry in built.folder.glob(".cache/*.json"):
        entry.write_text(entry.read_text(encoding="utf-8")[:100], encoding="utf-8")
    status, output = built.build()
    assert (status, executed(output)) == (0, {"index", "other"})


def test_bom_and_crlf_are_fine(built: SmallSite) -> None:
    before = built.html()
    built.write({"docs/index.md": "\ufeff" + PAGE.replace("\n", "\r\n")})
    status, output = built.build()
    assert status == 0, output
    assert "<samp>42</samp>" in before
    assert built.html() == before


def test_old_site_stands_until_a_whole_new_one_is_there(built: SmallSite) -> None:
    before = built.html()
    for broken, arguments in (
        ({"docs/index.md": "# 首页\n\n[甲](nowhere.md)\n"}, ("--quiet",)),
        (
            {"docs/index.md": "# 首页\n", "docs/alone.md": "# 不在导航里\n"},
            ("--strict",),
        ),
    ):
        built.write(broken)
        if "docs/alone.md" in broken:
            config = built.folder / "mkdocs.yml"
            text = config.read_text(encoding="utf-8").replace("alone.md, ", "")
            config.write_text(text, encoding="utf-8")
        status, output = built.build(*arguments)
        assert status != 0, output
        assert built.html() == before
        assert not list(built.folder.glob(".site-*"))
    (built.folder / "docs/alone.md").unlink()
    (built.folder / ".site-999999999").mkdir()  # 被杀掉的构建留下的
    built.write({"docs/index.md": "# 首页\n\n新的\n"})
    status, output = built.build()
    assert status == 0, output
    assert "新的" in built.html()
    assert not list(built.folder.glob(".site-*"))


def drawn(site: SmallSite) -> dict[str, int]:
    """画过的各页，和各是什么时候画的。"""
    entries = (site.folder / ".cache" / "made" / "pages").glob("*.json")
    return {path.name.split(".")[0]: path.stat().st_mtime_ns for path in entries}


def test_only_what_changed_is_drawn_again(built: SmallSite) -> None:
    page = PAGE.replace("行内", "正文")
    everything = {"index", "other", "added", "evidence"}
    claims = "tests/claims/added.toml"
    edits: list[tuple[dict[str, str], set[str]]] = [
        ({}, set()),
        ({"docs/index.md": page}, {"index"}),
        ({"docs/other.md": f"{OTHER_PAGE}\n多一句。\n"}, {"other"}),
        ({"docs/assets/site.css": "p {}"}, set()),
        ({"docs/index.md": page.replace("double(21)", "double(4)")}, {"index"}),
        (
            {
                "docs/added.md": MEASURED.format(n=2),
                "docs/evidence.md": "# 证据\n\n**甲**{#one}\n",
                claims: CLAIM.format(expected=2),
            },
            everything,
        ),
        ({claims: CLAIM.format(expected=2).replace("甲", "丙")}, set()),
        (
            {"docs/added.md": MEASURED.format(n=3), claims: CLAIM.format(expected=3)},
            {"added"},
        ),
    ]
    for files, expected in edits:
        before = drawn(built)
        built.write(files)
        status, output = built.build()
        assert status == 0, output
        after = drawn(built)
        assert {page for page in after if after[page] != before.get(page)} == expected

    pipeline = built.own_pipeline()
    before = drawn(built)
    built.build()
    assert drawn(built) == before
    source = pipeline / "typography.py"
    source.write_text(source.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    built.build()
    after = drawn(built)
    assert {name for name in after if after[name] != before[name]} == everything


@pytest.mark.parametrize("seed", range(2))
def test_a_warm_build_is_a_cold_one_whatever_was_edited(
    built: SmallSite, seed: int
) -> None:
    rng = random.Random(seed)
    pages = {"index": PAGE, "other": OTHER_PAGE}
    for number in range(5):
        name = rng.choice([*pages])
        line = rng.choice(
            [
                f"\n多一句{number}。\n",
                f"\n## 第{number}节 {{#s{number}}}\n\n公式 $x_{number}$。\n",
                "\n```python\ndouble(3)\n```\n" if name == "index" else "\n甲\n",
                "\n见[首页](index.md)。\n",
            ]
        )
        pages[name] += line
        if rng.random() < 0.3:
            pages[f"new{number}"] = f"# 新的一页{number}\n\n感受野。\n"
        built.write({f"docs/{name}.md": text for name, text in pages.items()})
        status, output = built.build()
        assert status == 0, output
    warm = built.tree()
    shutil.rmtree(built.folder / ".cache")
    assert built.build()[0] == 0
    assert built.tree() == warm
