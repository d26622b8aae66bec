"""把 matplotlib 的 SVG 整理成能内嵌的图：小、随明暗变色、id 不冲突。"""

import re
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
INHERITED = {  # 写在根元素上，各处不再重复
    "stroke-linejoin": "round",
    "stroke-linecap": "butt",
    "font-size": "11px",
    "fill": "currentColor",
}


def tidy_svg(svg: str, prefix: str, alt: str) -> str:
    """把一张 matplotlib 的图整理成可以放进 HTML 的 `<svg>`。

    没有元数据、底色和字体名；坐标留一位小数；颜色换成 CSS 变量。

    Args:
        svg: matplotlib 写的 SVG 文件。
        prefix: 图内各 id 的前缀，全页唯一。
        alt: 给看不见图的人的说明。

    Returns:
        `<svg>` 元素。
    """
    ElementTree.register_namespace("", SVG[1:-1])
    ElementTree.register_namespace("xlink", XLINK[1:-1])
    root = ElementTree.fromstring(svg)
    ids = {old: f"{prefix}-{n}" for n, old in enumerate(_references(root))}
    for element in list(root.iter()):
        element[:] = [child for child in element if not _is_noise(child)]
        _tidy_attributes(element, ids)
    for element in list(root.iter()):
        element[:] = [kept for child in element for kept in _unwrap(child)]
    width = float(root.attrib["viewBox"].split()[2])
    root.attrib.pop("version")
    root.attrib.pop("height")
    root.attrib |= INHERITED | {
        "role": "img",
        "aria-label": alt,
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


def _tidy_attributes(element: ElementTree.Element, ids: dict[str, str]) -> None:
    """数字取一位小数，样式拆成属性，id 换成 `ids` 里的新名字。"""
    attributes = dict(element.attrib)
    style = attributes.pop("style", "")
    attributes |= dict(re.findall(r"([\w-]+):\s*([^;]+)", style))
    element.attrib.clear()
    for name, value in attributes.items():
        if name == "id":
            value = ids.get(value, "")
        elif name == f"{XLINK}href":
            value = f"#{ids[value[1:]]}"
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
