"""把 matplotlib 的 SVG 整理成能内嵌的图：小、随明暗变色、id 不冲突。"""

import functools
import re
from itertools import chain
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}"
SCALE = 1.4  # 桌面上每个单位占多少像素；窄屏上随宽度缩小
# matplotlib 缺省的颜色，换成随明暗变化的 CSS 变量
COLOURS = {
    "#000000": "currentColor",
    "#b0b0b0": "var(--fig-grid)",
    "#1f77b4": "var(--fig-1)",
    "#ff7f0e": "var(--fig-2)",
    "#2ca02c": "var(--fig-3)",
    "#d62728": "var(--fig-4)",
    "#9467bd": "var(--fig-5)",
    "#8c564b": "var(--fig-6)",
}
MARKER = {"markerUnits": "userSpaceOnUse", "overflow": "visible"}
INHERITED = {  # 写在根元素上，各处不再重复
    "stroke-linejoin": "round",
    "stroke-linecap": "butt",
    "font-size": "11px",
    "fill": "currentColor",
}


class FigureError(ValueError):
    """不能内嵌的 SVG：信息是一句话。"""


@functools.cache
def unknown_colours(svg: str) -> tuple[str, ...]:
    """给出图里不随明暗变化的颜色，不重复；按值上色而画成位图的不算。

    Args:
        svg: SVG 文件。
    """
    named = re.findall(r"\b(?:fill|stroke|stop-color)(?::\s*|=\")([^;\"]+)", svg)
    known = {*COLOURS, "none", "currentColor", "inherit", "transparent"}
    return tuple(
        colour
        for colour in dict.fromkeys(name.strip().lower() for name in named)
        if colour not in known and not colour.startswith(("url(", "var("))
    )


@functools.cache
def tidy_svg(svg: str, prefix: str, alt: str) -> str:
    """把一张 matplotlib 的图整理成可以放进 HTML 的 `<svg>`。

    没有元数据、底色和字体名；坐标留一位小数；颜色换成 CSS 变量。

    Args:
        svg: matplotlib 写的 SVG 文件。
        prefix: 图内各 id 的前缀，全页唯一。
        alt: 给看不见图的人的说明。

    Returns:
        `<svg>` 元素。

    Raises:
        FigureError: 不是完整的 SVG，或没有 viewBox。
    """
    ElementTree.register_namespace("", SVG[1:-1])
    ElementTree.register_namespace("xlink", XLINK[1:-1])
    try:
        root = ElementTree.fromstring(svg)
        width = float(root.attrib["viewBox"].split()[2])
    except (ElementTree.ParseError, KeyError, IndexError, ValueError) as error:
        raise FigureError(
            f"这张 SVG 读不成（{type(error).__name__} {error}）；"
            "请用 matplotlib 画，或给它 viewBox"
        ) from error
    ids = {old: f"{prefix}-{n}" for n, old in enumerate(_references(root))}
    for element in list(root.iter()):
        element[:] = [child for child in element if not _is_noise(child)]
        _tidy_attributes(element, ids)
    for element in list(root.iter()):
        element[:] = [kept for child in element for kept in _unwrap(child)]
    _join(root)
    _join_markers(root, prefix)
    _shorten(root)
    for name in "version", "height":
        root.attrib.pop(name, None)
    root.attrib |= INHERITED | {
        "role": "img",
        "aria-label": alt,
        "data-search-exclude": "true",
        "width": f"{width * SCALE:.0f}",
    }
    text = ElementTree.tostring(root, encoding="unicode")
    return re.sub(r">\s+<", "><", text).strip()


def _references(root: ElementTree.Element) -> list[str]:
    """被引用的 id，按先后，不重复。"""
    text = ElementTree.tostring(root, encoding="unicode")
    return list(dict.fromkeys(re.findall(r'(?:url\(|href=")#([^")]+)', text)))


def _is_noise(element: ElementTree.Element) -> bool:
    """元数据、样式表、透明的底。"""
    invisible = element.get("style") == "fill: none" and element.tag == f"{SVG}path"
    style = element.tag == f"{SVG}defs" and element.find(f"{SVG}style") is not None
    return invisible or style or element.tag == f"{SVG}metadata"


def _unwrap(element: ElementTree.Element) -> list[ElementTree.Element]:
    """没有属性的 `<g>` 只为命名而在，换成它的内容。"""
    if element.tag == f"{SVG}g" and not element.attrib:
        return [kept for child in element for kept in _unwrap(child)]
    return [element]


def _join(root: ElementTree.Element) -> None:
    """合并相邻而裁剪相同的 `<g>`，和逐字的 `<tspan>`。"""
    for parent in list(root.iter()):
        kept: list[ElementTree.Element] = []
        for child in parent:
            last = kept[-1] if kept else ElementTree.Element("")
            same = _look(child) == _look(last) and child.tag == last.tag
            if same and child.tag == f"{SVG}tspan":
                last.attrib["x"] += f" {child.attrib['x']}"
                last.text = f"{last.text}{child.text}"
            elif same and child.tag == f"{SVG}g" and set(child.attrib) == {"clip-path"}:
                last.extend(child)
            else:
                kept.append(child)
        parent[:] = kept


def _look(element: ElementTree.Element) -> dict[str, str]:
    """除了位置以外的属性。"""
    place = {"x", "y"} if element.tag == f"{SVG}use" else {"x"}
    return {k: v for k, v in element.attrib.items() if k not in place}


def _join_markers(root: ElementTree.Element, prefix: str) -> None:
    """把逐点引用的标记换成 `<marker>`：样子相同的点连成一条看不见的折线。"""
    shapes = {s.get("id"): s for s in root.iterfind(f".//{SVG}defs/{SVG}path")}
    markers: dict[tuple[tuple[str, str], ...], str] = {}
    for parent in list(root.iter()):
        kept: list[ElementTree.Element] = []
        line = None
        for child in parent:
            if child.tag == f"{SVG}use":
                look = _look(child)
                shape = shapes[look.pop(f"{XLINK}href")[1:]]
                look |= {k: v for k, v in shape.items() if k != "id"}
                key = tuple(sorted(look.items()))
                if key not in markers:
                    markers[key] = name = f"{prefix}-m{len(markers)}"
                    marker = ElementTree.Element(f"{SVG}marker", {"id": name} | MARKER)
                    ElementTree.SubElement(marker, f"{SVG}path", look)
                    kept.append(marker)
                if line is None or line.get("marker-mid") != f"url(#{markers[key]})":
                    attributes = {"fill": "none", "marker-mid": f"url(#{markers[key]})"}
                    line = ElementTree.Element(
                        f"{SVG}path", {"d": "M0 0 "} | attributes
                    )
                    kept.append(line)
                line.attrib["d"] += f"{child.attrib['x']} {child.attrib['y']} "
            elif child.tag != f"{SVG}defs" or child.find(f"{SVG}path") is None:
                line = line if _is_beside_ticks(child) else None
                kept.append(child)
        parent[:] = kept
    for path in root.iterfind(f".//{SVG}path[@marker-mid]"):
        path.attrib["d"] += "0 0"  # 首尾两点不画


def _is_beside_ticks(element: ElementTree.Element) -> bool:
    """刻度之间的文字和网格线，与刻度互不遮挡。"""
    return (
        element.tag == f"{SVG}text"
        or element.get("stroke") == COLOURS["#b0b0b0"]
        or (element.tag == f"{SVG}g" and all(e.tag == f"{SVG}text" for e in element))
    )


def _shorten(root: ElementTree.Element) -> None:
    """只装着一件东西的 `<g>` 并进去；相邻而样子相同的线合成一条，坐标写成相对的。"""
    for parent in list(root.iter()):
        kept: list[ElementTree.Element] = []
        for child in parent:
            if child.tag == f"{SVG}g" and len(child) == 1:
                inner = child[0]
                if child.attrib.keys().isdisjoint(inner.attrib):
                    inner.attrib |= child.attrib
                    child = inner
            last = kept[-1] if kept else ElementTree.Element("")
            if _is_line(child) and child.attrib | {"d": ""} == last.attrib | {"d": ""}:
                last.attrib["d"] += f" {child.attrib['d']}"
            else:
                kept.append(child)
        parent[:] = kept
    for path in root.iter(f"{SVG}path"):
        path.attrib["d"] = _relative(path.attrib["d"])


def _is_line(element: ElementTree.Element) -> bool:
    """只有描边、不透明的线：分几笔画都一样。"""
    look = element.attrib
    marked = any("marker" in name or "opacity" in name for name in look)
    return element.tag == f"{SVG}path" and look.get("fill") == "none" and not marked


def _relative(path: str) -> str:
    """把路径写短：每一点从上一点量起，数字之间省去不必要的空格。

    Args:
        path: 命令只有 M、L、Q、C、z，数字至多一位小数。

    Example:
        >>> _relative("M 48.6 173.5 L 49.1 173.5 L 49.1 7 L 50 8 z M 1 1 1.5 0")
        'M48.6 173.5h.5v-166.5l.9 1zM1 1l.5-1'
    """
    written, last = "", (0, 0)
    for command, text in re.findall(r"([MLQCz])([^MQCz]*)", path):
        # 单位是十分之一，加减才没有误差
        numbers = [round(10 * float(n)) for n in text.replace("L", " ").split()]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        if command == "M":
            last, *points = points
            written += f"M{last[0] / 10:g} {last[1] / 10:g}"
        size = {"Q": 2, "C": 3}.get(command, 1)
        for at in range(0, len(points), size):
            steps = [(x - last[0], y - last[1]) for x, y in points[at : at + size]]
            last = points[at + size - 1]
            match steps:
                case [(step, 0)]:
                    name, values = "h", [step]
                case [(0, step)]:
                    name, values = "v", [step]
                case _:
                    name = "l" if size == 1 else command.lower()
                    values = [*chain(*steps)]
            written += name + " ".join(f"{value / 10:g}" for value in values)
        written += "z" if command == "z" else ""
    return re.sub(r"(?<!\d)0(?=\.)", "", written.replace(" -", "-"))


def _tidy_attributes(element: ElementTree.Element, ids: dict[str, str]) -> None:
    """数字取一位小数，样式拆成属性，id 换成 `ids` 里的新名字。"""
    attributes = dict(element.attrib)
    style = attributes.pop("style", "")
    attributes |= dict(re.findall(r"([\w-]+):\s*([^;]+)", style))
    element.attrib.clear()
    for name, value in attributes.items():
        if name == "id":
            value = ids.get(value, "")
        elif name == f"{XLINK}href" and value.startswith("#"):
            value = f"#{ids[value[1:]]}"
        elif name == f"{XLINK}href":
            value = re.sub(r"\s", "", value)  # 位图
        elif name == "clip-path":
            value = f"url(#{ids[value[5:-1]]})"
        elif name != "viewBox":
            value = COLOURS.get(value, _round(value))
        if value and name != "font-family" and value != INHERITED.get(name):
            element.set(name, value)


def _round(text: str) -> str:
    """数字取一位小数，空白并成一个空格，去掉转零度的变换。"""
    if text.startswith("rotate(-0 "):
        return ""
    text = re.sub(r"-?\d+\.\d+", lambda m: f"{round(float(m[0]), 1) + 0:g}", text)
    return re.sub(r"\s+", " ", text).strip()
