"""样式表裁过以后：网站里用得着的规则一条没少，用不着的没有了。"""

import re
from collections.abc import Callable
from pathlib import Path

import material
import pytest

from pipeline.stylesheet import keep_used
from pipeline.tools.addresses import url
from pipeline.tools.project import PAGES
from pipeline.tools.reader import PHONE, Reader

ORIGINAL = Path(material.__file__).parent / "templates" / "assets" / "stylesheets"
# 原来有、裁过没有的选择器，在这一页上选中了什么；悬停一类的当作都发生了
LOST = """([whole, kept]) => {
  const split = text => text.split(/,(?![^(]*\\))/).map(s => s.trim())
  const rules = list => [...list].flatMap(
    rule => rule.selectorText ? split(rule.selectorText) : rules(rule.cssRules ?? []))
  const read = css => {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(css)
    return new Set(rules(sheet.cssRules))
  }
  const left = read(kept)
  const passing = /::?(?:before|after|hover|focus(?:-\\w+)*|active|target|checked)\\b/g
  const found = [...read(whole)].filter(s => !left.has(s))
    .map(s => s.replace(passing, ":not(_)"))
    .filter(s => !s.includes("::") && document.querySelector(s))
  return [left.size, found]
}"""


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        (".a{b:c}.d{e:f}", ".a{b:c}"),
        (".a,.d,.a.d,.a .d>p,p{b:c}", ".a,p{b:c}"),
        (".a:not(.d),:is(.d,.a){b:c}", ".a:not(.d),:is(.d,.a){b:c}"),
        ("@media print{.d{b:c}}@media screen{.a{b:c}}", "@media screen{.a{b:c}}"),
        ("@keyframes d{0%{b:c}}", "@keyframes d{0%{b:c}}"),
        ("[dir=rtl] .a,[dir=ltr] .a{b:c}", "[dir=ltr] .a{b:c}"),
        ("[data-md-color-primary=red]{b:c}[open]{b:c}", "[open]{b:c}"),
        (
            ":root{--x:url('data:,<b c=\"d\">');--y:url(z)}.a{b:var(--y)}",
            ":root{--y:url(z)}.a{b:var(--y)}",
        ),
        (".a{b:url('data:,<b c=\"d\">')}", '.a{b:url("data:,<b c=\\"d\\">")}'),
    ],
)
def test_only_what_can_match_is_kept(css: str, kept: str) -> None:
    assert keep_used(css, {"a", "ltr"}) == kept


def styles(folder: Path, name: str) -> str:
    """一个文件夹里的一张样式表，不看名字里的摘要。"""
    (path,) = folder.glob(f"{name}.*.min.css")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_no_rule_is_missed(read: Callable[..., Reader], site: Path, page: str) -> None:
    """在每一页上，开着搜索、抽屉和折叠的框，裁掉的规则一条也选不中什么。"""
    reader = read(**PHONE)
    reader.page.goto(url(page))
    reader.page.eval_on_selector_all("details", "all => all.map(e => e.open = true)")
    for toggle in "#__drawer", "#__search":
        reader.page.eval_on_selector(toggle, "e => { e.click() }")
    reader.page.locator("input[name=query]").fill("残差")
    reader.page.locator(".md-search-result__item").first.wait_for()
    for name in "main", "palette":
        whole = styles(ORIGINAL, name)
        kept = styles(site / "assets" / "stylesheets", name)
        count, found = reader.page.evaluate(LOST, [whole, kept])
        assert count > 10
        assert found == []


def test_what_is_never_used_is_gone(site: Path) -> None:
    folder = site / "assets" / "stylesheets"
    assert not list(folder.glob("*.map"))
    assert "[class]" not in styles(folder, "main")  # 见 stylesheet.UNNAMED
    assert len(styles(folder, "main")) < 0.7 * len(styles(ORIGINAL, "main"))
    names = {path.name for path in folder.iterdir()}
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert {*re.findall(r"stylesheets/([\w.]+\.css)", text)} <= names
