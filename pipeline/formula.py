"""公式：KaTeX 给的 HTML 与 MathML，省去不影响样子的元素，与 katex.css 相配。

样子没有变，由 tests/test_formulas.py 在浏览器里逐个字比过。
"""

import functools
import html
import re
from collections.abc import Mapping
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from pipeline.katex import find_katex

SHORT = 10  # 公式不多于这么多个字符，就不折行
LONG = 20  # 括号里面不折行，除非连起来多于这么多个字符
# KaTeX_Main 在 1.2em 的行高里，一行在基线上下各有这么高
ABOVE, BELOW = 0.915, 0.284
SCRIPTS = {"msub", "msup", "msubsup", "munder", "mover", "munderover"}
ROWS = {"math", "msqrt", "mtd", "mpadded"}  # 内容自成一行
GAPS = {"mspace", "mtext"}  # 没有字，就只是间隔
KEEPING = {"delim-size1", "delim-size4", "katex-inner"}  # 样式认它们里面的 span
# 带号的数，方括号里的层号：连起来念，一个字不少
SIGNED = re.compile(r"[−+]?\d+|\[[^\[\]]+\]")
GAP = '<span class="mspace" style="margin-right:{};"></span>'
BETWEEN_GAPS = re.compile(GAP.format("([^;]+)") + "([^<]+)" + GAP.format(r"\1"))
AFTER_GAP = re.compile(  # 间隔之后是同样大小、左边还没有间隔的字
    GAP.format("([^;]+)")
    + r'<span class="((?!mspace|katex-sizing)[^"]*)"'
    + r'(?: style="((?!margin-left|margin:)[^"]*)")?>'
)


@functools.cache
def trim(markup: str, *, display: bool) -> tuple[str, ...]:
    """省去一个公式里多余的元素。

    Args:
        markup: KaTeX 给的 HTML。
        display: 是否独占一行；独占一行的不折行。

    Returns:
        先是 MathML，一行字而已则为空；再是一段一段的 HTML：只在段与段之间可以折行。
        外面须有 `.katex`。
    """
    # 命名空间网页用不着，留着则每个元素的名字里都有
    root = ElementTree.fromstring(re.sub(r' xmlns="[^"]*"', "", markup))
    mathml, visual = root[0] if display else root
    (math,) = mathml
    _trim_math(math)
    for node in visual.iter():
        node[:] = [child for child in node if not _is_spare(child)]
    # 没有角标、分数、根号的，念的就是看到的
    seen, read = (_spoken("".join(part.itertext())) for part in (visual, math))
    plain = seen == read and not any(map(len, math))
    parts = ["" if plain else ElementTree.tostring(math, "unicode")]
    for base in visual if display else _join(list(visual)):
        if parts[0]:
            base.set("aria-hidden", "true")
        shown = BETWEEN_GAPS.sub(r'<span style="margin:0 \1;">\2</span>', _write(base))
        parts.append(
            AFTER_GAP.sub(r'<span class="\2" style="margin-left:\1;\3">', shown)
        )
    return tuple(parts)


def _spoken(text: str) -> str:
    """念得出的字：没有间隔，没有看不见的「作用于」。"""
    return re.sub(r"[\s\u200b\u2061]", "", text)


def _join(bases: list[Element]) -> list[Element]:
    """短的公式，和括号里面，不折行：相连的段并成一段。"""
    texts = ["".join(base.itertext()) for base in bases]
    short = len("".join(texts)) <= SHORT
    joined: list[Element] = []
    length = depth = 0
    for base, text in zip(bases, texts, strict=True):
        if joined and (short or (depth > 0 and length + len(text) <= LONG)):
            joined[-1].extend(base)
            length += len(text)
        else:
            joined.append(base)
            length = len(text)
        depth += len(re.findall(r"[(\[{]", text)) - len(re.findall(r"[)\]}]", text))
    return joined


@functools.cache
def _css() -> str:
    """KaTeX 的样式表。"""
    return (find_katex() / "katex.min.css").read_text(encoding="utf-8")


@functools.cache
def _styled() -> frozenset[str]:
    """KaTeX 的样式表里有的类；别的类不影响样子。"""
    return frozenset(re.findall(r"\.([a-z][\w-]*)", _css()))


@functools.cache
def _sizes() -> list[tuple[frozenset[str], float]]:
    """各个字号的类，和它是外面的几倍。"""
    sizes = re.findall(r"\.(katex-sizing\.[\w.-]+){font-size:([\d.]+)em", _css())
    return [(frozenset(names.split(".")), float(size)) for names, size in sizes]


def _classes(node: Element) -> list[str]:
    return [name for name in node.get("class", "").split() if name in _styled()]


def _style(node: Element) -> dict[str, str]:
    return dict(re.findall(r"([^;:]+):([^;]+)", node.get("style", "")))


def _em(style: Mapping[str, str], name: str) -> float:
    return float(style.get(name, "0").removesuffix("em"))


def _only(node: Element) -> Element | None:
    """唯一的内容。"""
    return node[0] if len(node) == 1 and not node.text and not node[0].tail else None


def _write(node: Element, kept: bool = False) -> str:
    """写成 HTML；没有样子的 span 只写内容，除非 `kept`。"""
    if node.tag != "span":  # SVG
        return _tag(node.tag, node.attrib, _contents(node))
    classes, style, only = _classes(node), _style(node), _only(node)
    if "vlist-t" in classes:
        return _stack(node, [], {})
    if only is not None and "vlist-t" in _classes(only) and style.keys() <= {"margin"}:
        return _stack(only, classes, style)  # 并进外面的一层
    if classes == ["hide-tail"] and only is not None:  # 根号：太长的画布不必再装一层
        box = {key: only.attrib[key] for key in ("viewBox", "preserveAspectRatio")}
        return _tag("svg", _attributes(classes, style) | box, _contents(only))
    classes, style, contents = _merge(node)
    attributes = _attributes(classes, style)
    if "aria-hidden" in node.attrib:
        attributes["aria-hidden"] = "true"
    return _tag("span", attributes, contents) if attributes or kept else contents


def _merge(node: Element) -> tuple[list[str], dict[str, str], str]:
    """一个元素的类、样式、内容；里面只是几个样子相同的字，就并成一层。"""
    classes, style, only = _classes(node), _style(node), _only(node)
    while only is not None and not _classes(only) and not _style(only):
        only = _only(only)
    if only is None or style or len(only) or not classes or KEEPING & {*classes}:
        return classes, style, _contents(node)
    if only.tag != "span" or not _style(only).keys() <= {"margin-right"}:
        return classes, style, _contents(node)
    return [*classes, *_classes(only)], _style(only), _contents(only)


def _contents(node: Element) -> str:
    if [*map(_classes, node)] == [["nulldelimiter"], ["mfrac"], ["nulldelimiter"]]:
        node[1].set("style", "margin:0 0.12em;")  # 两边的空定界符只占这点宽
        return _write(node[1])
    kept = not KEEPING.isdisjoint(_classes(node))
    written = [_write(child, kept) + html.escape(child.tail or "") for child in node]
    return html.escape(node.text or "") + "".join(written)


def _tag(name: str, attributes: Mapping[str, str], contents: str) -> str:
    written = [f' {key}="{html.escape(text)}"' for key, text in attributes.items()]
    return f"<{name}{''.join(written)}>{contents}</{name}>"


def _attributes(classes: list[str], style: Mapping[str, str]) -> dict[str, str]:
    """元素的属性，是零的长度不写。"""
    css = "".join(f"{key}:{text};" for key, text in style.items() if text != "0em")
    given = {"class": " ".join(classes), "style": css}
    return {key: text for key, text in given.items() if text}


def _is_spare(node: Element) -> bool:
    """行高放得下的支柱不要。"""
    strut = _style(node)
    depth = -_em(strut, "vertical-align")
    fits = depth <= BELOW and _em(strut, "height") - depth <= ABOVE
    return "katex-strut" in _classes(node) and fits


def _stack(table: Element, classes: list[str], outer: Mapping[str, str]) -> str:
    """竖排的各项原是一张表，每项靠一根支柱定位；改成叠在同一格里，各按基线偏移。"""
    rows = [_row(row) for row in table[0][0]]
    if len(rows) == 1 and {"msupsub", "katex-sizing"} <= {*classes, *rows[0][0]}:
        ((names, style, contents),) = rows  # 单独一个角标，不必叠
        return _tag("span", _attributes([*classes, *names], style), contents)
    written = "".join(
        _tag("span", _attributes(names, style), contents)
        for names, style, contents in rows
    )
    return _tag("span", _attributes([*classes, "vlist"], outer), written)


def _row(row: Element) -> tuple[list[str], dict[str, str], str]:
    """竖排的一项：类、样式、内容；角标的字号、根号里的一层并进来，长度随字号换算。"""
    style, classes, only = _shift(row), _classes(row), _only(row)
    merged = only is not None and (
        _style(only).keys() == {"padding-left"}
        or ("katex-sizing" in _classes(only) and not _style(only))
    )
    if only is None or not merged:
        return classes, style, _contents(row)
    names, inner, contents = _merge(only)
    sizes = (size for size_names, size in _sizes() if size_names <= {*names})
    scale = next(sizes, 1)
    style = {
        key: f"{round(_em(style, key) / scale + _em(inner, key), 4) + 0:g}em"
        for key in style | inner
    }
    return [*classes, *names], style, contents


def _shift(row: Element) -> dict[str, str]:
    """取走一项的支柱，给出它从基线的偏移。"""
    strut = row[0]
    row.remove(strut)
    top = _em(_style(row), "top") + _em(_style(strut), "height")
    return _style(row) | {"top": f"{round(top, 4) + 0:g}em"}


def _trim_math(node: Element) -> list[Element]:
    """MathML 是念的：不要间隔、样式、多余的 mrow 和 TeX 原文，单词、负数、层号连起来。

    Returns:
        顶替这个元素的。
    """
    if node.tag == "semantics":
        return _trim_math(node[0])
    kept = [part for child in node for part in _trim_math(child)]
    if node.tag == "mstyle":
        return kept
    if node.tag in GAPS and not (node.text or "").strip():
        return []
    if node.tag in SCRIPTS:
        # 角标里只许一个：\max 有两个，留下字，不要看不见的「作用于」
        kept = [part for part in kept if part.text != "\u2061"]
    if node.tag in ROWS | {"mrow"}:
        kept = [part for part in kept if part.tag != "mrow" or len(part)]
    node[:] = kept
    only = _only(node)
    if only is not None and only.tag == "mrow" and node.tag in ROWS:
        node[:] = list(only)
    if node.tag != "mrow" or node.attrib:
        return [node]
    if len(node) > 1 and all(map(_is_letter, node)):
        return [_join_text("mi", node)]
    if SIGNED.fullmatch(text := "".join(node.itertext())) and not any(map(len, node)):
        return [_join_text("mn" if text[-1].isdigit() else "mtext", node)]
    return [node] if only is None else [only]


def _join_text(tag: str, node: Element) -> Element:
    """把一行里的字连成一个元素。"""
    joined = Element(tag)
    joined.text = "".join(node.itertext())
    return joined


def _is_letter(node: Element) -> bool:
    letter = re.fullmatch("[a-zA-Z]", node.text or "")
    return node.get("mathvariant") == "normal" and letter is not None
