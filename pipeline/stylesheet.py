"""样式表：只留网页用得着的规则，Material 的样式表于是小三分之一。"""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import tinycss2

from pipeline.cache import Cache, digest

WRITTEN = r"(?:dir|data-md-color-[\w-]+)"  # 值都写在网页或脚本里的属性
NAMES = re.compile(rf'\b(?:class|{WRITTEN})="([^"]*)"')
WORD = re.compile(r"[\w-]+")
ICON = re.compile(r'(--[\w-]+):url\((?:"(?:[^"\\]|\\.)*"|[^)"]*)\);?')
# 选择器里有 [class]，哪里的类一变，下面的样式就都要重算；表格的类由 typography.py 添
UNNAMED, NAMED = "table:not([class])", "table.table"
VARIABLE = re.compile(r"var\((--[\w-]+)")


def keep_used(css: str, words: Collection[str]) -> str:
    """去掉选择器用不着的规则，和没有人用的图标。

    一个选择器里的类、方向和配色都在 `words` 里，才用得着；`:not()`、`:is()` 里的不算。

    Args:
        css: 样式表。
        words: 网页上有的类和属性值，脚本里的词，别的样式表用的变量。

    Example:
        >>> keep_used(".a .b,.c{color:red}@media print{.b{color:blue}}", {"a", "c"})
        '.c{color:red}'
    """
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    kept = "".join(_keep(rules, words))
    used = {*VARIABLE.findall(kept), *words}
    return ICON.sub(lambda icon: icon[0] if icon[1] in used else "", kept)


def _keep(rules: Iterable[Any], words: Collection[str]) -> Iterator[str]:
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = [s for s in _split(rule.prelude) if _needs(s) <= {*words}]
            if selectors:
                chosen = ",".join(tinycss2.serialize(s).strip() for s in selectors)
                yield f"{chosen}{{{tinycss2.serialize(rule.content).strip()}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword in {"media", "supports"}:
            inner = tinycss2.parse_rule_list(
                rule.content, skip_comments=True, skip_whitespace=True
            )
            if body := "".join(_keep(inner, words)):
                yield f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{body}}}"
        else:
            yield rule.serialize()


def _split(prelude: Iterable[Any]) -> list[list[Any]]:
    """以逗号隔开的各个选择器；括号里的是一个整体。"""
    selectors: list[list[Any]] = [[]]
    for token in prelude:
        if token == ",":
            selectors.append([])
        else:
            selectors[-1].append(token)
    return selectors


def _needs(selector: list[Any]) -> set[str]:
    """一个选择器非有不可的词。"""
    pairs = pairwise(selector)
    needed = {name.value for dot, name in pairs if dot == "." and name.type == "ident"}
    for token in selector:
        if token.type == "[] block":
            name, _, value = tinycss2.serialize(token.content).partition("=")
            if re.fullmatch(WRITTEN, name):
                needed.add(value.strip("\"'"))
    return needed


def trim_theme(site: Path, cache: Cache) -> None:
    """把建成的网站里 Material 的样式表换成只有用得着的规则的，各页改指着它。

    脚本添上的类，都写在脚本里：脚本里的词都算用得着。

    Args:
        site: 建成的网站。
        cache: 裁过的样式表。
    """
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    words: set[str] = set()
    for text in pages.values():
        for value in NAMES.findall(text):
            words.update(value.split())
        for script in re.findall("<script>(.*?)</script>", text, re.S):
            words.update(WORD.findall(script))
    for folder in "javascripts", "practice":
        for path in site.glob(f"assets/{folder}/*.js"):
            words.update(WORD.findall(path.read_text(encoding="utf-8")))
    for path in site.glob("assets/*.css"):
        words.update(VARIABLE.findall(path.read_text(encoding="utf-8")))
    renamed = {}
    for path in site.glob("assets/stylesheets/*.min.css"):
        whole = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)
        whole = whole.replace(UNNAMED, NAMED)
        wanted = words & {*WORD.findall(whole)}
        key = f"{whole}\n{sorted(wanted)}"
        css = cache.get(f"styles/{path.name}", key, partial(keep_used, whole, wanted))
        stem = path.name.partition(".")[0]
        renamed[path.name] = f"{stem}.{digest(css)[:8]}.min.css"  # 名字里有摘要
        path.with_name(renamed[path.name]).write_text(css, encoding="utf-8")
        path.unlink()
        path.with_name(f"{path.name}.map").unlink()
    for path, text in pages.items():
        for old, new in renamed.items():
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
