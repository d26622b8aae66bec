"""公式：构建时用 KaTeX 排好版，读者的浏览器不用运行任何脚本。"""

import html
import io
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString

from pipeline.cache import Cache
from pipeline.formula import trim
from pipeline.katex import HERE, Katex, TexError, find_katex
from pipeline.stylesheet import keep_used

HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
FORMULA = re.compile(r'<span class="katex-base".*?(?=</var>|</div>|\Z)', re.S)
ITALIC = re.compile(r'<span [^>]*class="[^"]*\bmathnormal\b[^>]*>[^<]*')
DIRECT = re.compile(r'<span class="([^"]*)"[^>]*>([^<]+)')  # 直接在里面的字
ROOT = re.compile(r'(<svg width="400em"[^>]*>)<path d="([^"]*)"></path>')
# 紧挨着公式时，与它不分在两行的标点：在它前面的，在它后面的
OPENING = "（「『《“‘(["
CLOSING = "，。、；：？！）」』》”’…,.;:?!)]%"


class _Typeset(Treeprocessor):
    """把 arithmatex 认出的公式换成排好版的。"""

    def __init__(
        self, md: Markdown, katex: Katex, report: Callable[[str, str], None]
    ) -> None:
        super().__init__(md)
        self.katex = katex
        self.report = report

    def run(self, root: Element) -> None:
        headings = [element for tag in HEADINGS for element in root.iter(tag)]
        inside = {element for heading in headings for element in heading.iter()}
        for parent in list(root.iter()):
            for element in list(parent):
                if element.get("class") == "arithmatex":
                    self._typeset(element, parent, in_heading=parent in inside)

    def _typeset(self, element: Element, parent: Element, *, in_heading: bool) -> None:
        # arithmatex 把独占一行的公式转义过，行内的没有
        display = element.tag == "div"
        wrapped = html.unescape(element.text or "") if display else element.text or ""
        tex = wrapped[2:-2].strip()
        element.attrib["data-search-exclude"] = "true"
        if display:
            element.set("tabindex", "0")  # 窄屏上可以用键盘横向滚动
        try:
            parts = trim(self.katex.markup(tex, display=display), display=display)
        except TexError as error:
            self.report(tex, f"公式有误：{error}")
            element.set("class", "arithmatex error")
            element.text = AtomicString(f"{tex}（{error}）")
        else:
            if in_heading:
                # 标题还要进目录、书签和搜索，那里只要一份字：MathML 浏览器自己会排
                del element.attrib["data-search-exclude"]
                shown = parts[0] or f'<var class="katex">{"".join(parts)}</var>'
                element.text = self.md.htmlStash.store(shown)
            elif display:
                text = f'<span class="katex">{"".join(parts)}</span>'
                text = f'<span class="katex-display">{text}</span>'
                element.text = self.md.htmlStash.store(text)
            else:
                self._set_in_line(element, parent, parts)

    def _set_in_line(
        self, formula: Element, parent: Element, parts: tuple[str, ...]
    ) -> None:
        """排一个行内的公式；紧挨着它的标点和主张的标记，与它的一端不分在两行。"""
        at = list(parent).index(formula)
        neighbour = parent[at - 1] if at else None
        before = (parent.text if neighbour is None else neighbour.tail) or ""
        kept = before.rstrip(OPENING)
        opening = before[len(kept) :]
        if neighbour is None:
            parent.text = kept
        else:
            neighbour.tail = kept

        marks, tail = [], formula.tail or ""
        for sibling in parent[at + 1 :]:
            if tail or sibling.get("class") != "claim":
                break
            marks.append(sibling)
            tail, sibling.tail = sibling.tail or "", None
        rest = tail.lstrip(CLOSING)
        closing = tail[: len(tail) - len(rest)]

        cuts = {0, len(parts)}  # 一端有标点，就与别的段分开；MathML 总和第一段一起
        if opening:
            cuts.add(2)
        if marks or closing:
            cuts.add(max(2, len(parts) - 1))
        nodes = []
        for start, end in pairwise(sorted(cuts)):
            # 搜索插件按标签名配对：公式里套着 <span>，外面就不能也是
            attributes = {"class": "katex", "data-search-exclude": "true"}
            nodes.append(Element("var", attributes))
            nodes[-1].text = self.md.htmlStash.store("".join(parts[start:end]))
        nodes[0].set("class", "arithmatex katex")
        if opening:
            nodes[0] = _unbroken(opening, nodes[0])
        if marks or closing:
            if nodes[-1].tag == "var":
                nodes[-1] = _unbroken("", nodes[-1])
            nodes[-1].extend(marks)
            nodes[-1][-1].tail = closing
        nodes[-1].tail = rest
        parent[at : at + 1 + len(marks)] = nodes


def share_roots(content: str) -> str:
    """相同的根号一页只写一次，后面的指着第一个：一个有 600 字节，有的页有 26 个。

    Args:
        content: 一页的正文，HTML。
    """
    names: dict[str, str] = {}

    def share(match: re.Match[str]) -> str:
        start, shape = match.groups()
        if shape in names:  # 写成 href，Material 的脚本会出错
            return f'{start}<use xlink:href="#{names[shape]}"></use>'
        names[shape] = f"root-{len(names)}"
        return f'{start}<path id="{names[shape]}" d="{shape}"></path>'

    return ROOT.sub(share, content)


def _unbroken(text: str, child: Element) -> Element:
    """文字和元素放在一起，中间不折行。"""
    span = Element("span", {"class": "unbroken"})
    span.text = text
    span.append(child)
    return span


class MathsExtension(Extension):
    """接在 pymdownx.arithmatex（generic）之后的 Markdown 扩展。

    Args:
        katex: 排公式的进程。
        report: 收错误的函数，参数是出错的原文和说明。
    """

    def __init__(self, katex: Katex, report: Callable[[str, str], None]) -> None:
        super().__init__()
        self.katex = katex
        self.report = report

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """登记树处理器：在行内规则之后，目录之前。"""
        md.treeprocessors.register(_Typeset(md, self.katex, self.report), "typeset", 15)


def assets(content: str, cache: Cache) -> dict[str, str | bytes]:
    """公式要的文件：样式表、字体、许可证；样式与字体只留 `content` 用到的。

    Args:
        content: 全部页面的正文，HTML。
        cache: 裁过的字体。

    Returns:
        文件名到内容，放在同一个文件夹里。
    """
    css = (find_katex() / "katex.min.css").read_text(encoding="utf-8")
    css += (HERE / "katex.css").read_text(encoding="utf-8")
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    rules = re.findall(r"\s*([^{}]+?)\s*({[^{}]*})", css)
    classes = set(" ".join(re.findall(r'class="([^"]*)"', content)).split())
    upright = ITALIC.sub("", "".join(FORMULA.findall(content)))
    letters = _set(re.sub(r"<[^>]*>", "", upright))
    plain = re.sub(r"@font-face{[^{}]*}", "", css)
    key = f"{plain}\n{sorted(classes)}"
    kept = cache.get("styles/katex", key, partial(keep_used, plain, classes))
    texts: dict[str, str] = {}  # 类到用这些类排的字
    for names, text in DIRECT.findall(content):
        texts[names] = texts.get(names, "") + text
    files: dict[str, str | bytes] = {}
    for face in re.findall(r"@font-face{[^{}]*}", css):
        family = re.findall(r'font-family:"?(\w+)', face)[0]
        if family in kept:
            used = _letters(family, rules, texts) or letters
            name = re.findall(r"[\w-]+\.woff2", face)[0]
            font = find_katex() / "fonts" / name
            kept += re.sub(r"src:[^}]*", f'src:url({name}) format("woff2")', face)
            subset = partial(_subset, font, used)
            files[name] = b64decode(cache.get(f"fonts/{name}", used, subset))
    licence = find_katex().parent / "LICENSE"
    return files | {"katex.min.css": kept, "LICENSE": licence.read_bytes()}


def _letters(
    family: str,
    rules: Iterable[tuple[str, str]],
    texts: Mapping[str, str],
) -> str:
    """一种字体排到的字；各处都用的，和样式认里面一层的，说不准，给出空的。"""
    declared = f"font-family:{family}"
    selectors = ",".join(s for s, body in rules if declared in body and s[0] != "@")
    if family == "KaTeX_Main" or ">" in selectors:
        return ""
    wanted = [{*re.findall(r"\.([\w-]+)", s)} - {"katex"} for s in selectors.split(",")]
    found = (
        text
        for names, text in texts.items()
        if any(w <= {*names.split()} for w in wanted)
    )
    return _set("".join(found))


def _set(text: str) -> str:
    """用到的字，各一个。"""
    return "".join(sorted({*html.unescape(text)}))


def _subset(path: Path, letters: str) -> str:
    """给出只留下 `letters` 的字体，base64。"""
    # 字体多半裁过，这时不必导入
    from fontTools.subset import Options, Subsetter, save_font
    from fontTools.ttLib import TTFont

    # 不带微调指令；它的名字是保留的，改过就不能再用
    options = Options(flavor="woff2", name_IDs=[0, 13, 14], hinting=False)
    subsetter = Subsetter(options)
    with TTFont(path, recalcTimestamp=False) as font:
        subsetter.populate(unicodes=font.getBestCmap().keys() & set(map(ord, letters)))
        subsetter.subset(font)
        stream = io.BytesIO()
        save_font(font, stream, options)
    return b64encode(stream.getvalue()).decode()
