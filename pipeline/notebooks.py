"""一页写成带输出的笔记本，读者可以带走：输出就是网页上的那一次运行。

文字和公式是 Markdown 格；折叠的代码用 Jupyter、VS Code 和 Colab 各认得的记号。先有一格
装上缺的包，一格定下图的样式，所以不要这个项目也能运行。
"""

import ast
import base64
import html
import importlib.metadata
import io
import json
import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import nbformat

from pipeline import claims, fences
from pipeline.book import TOKEN, Book
from pipeline.cells import Cell
from pipeline.kernels import ENVIRONMENT
from pipeline.runs import Run

PREAMBLE = Path(__file__).with_name("preamble.py")
VARIANTS = Path(__file__).with_name("variants.py")
SETUP = """\
# @title 装上缺的包，定下线程数
import importlib.util
import os
import subprocess
import sys

os.environ |= {environment!r}
needed = {needed!r}
missing = [spec for name, spec in needed.items() if not importlib.util.find_spec(name)]
if missing:
    command = [sys.executable, "-m", "pip", "install", "--quiet", *missing]
    subprocess.run(command, check=True)
"""
# 与 variants.py 的相同：有旋钮的图不裁边，网页上各个设置的图才一样大
FRAME = """

_plain = {{name: mpl.rcParams[name] for name in {margins}}}


def _frame(info):
    turned = info.raw_cell.startswith({mark!r})
    set_matplotlib_formats("svg", **({{"bbox_inches": None}} if turned else {{}}))
    mpl.rcParams.update({margins} if turned else _plain)


get_ipython().events.register("pre_run_cell", _frame)
"""
KNOBS = "# 旋钮："
BOX = re.compile(
    r"^/// (?P<kind>[\w-]+)(?: \| (?P<title>.*))?\n(?: {4}.*\n)*"
    r"(?P<body>(?s:.*?))^///$",
    re.M,
)
SVG = re.compile(r"<svg\b.*?</svg>", re.S)
ANCHOR = re.compile(r" ?\{#[\w-]+\}|\{: ?[^}]*\}")
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(((?:[\w./-]+\.md)?(?:#[\w-]+)?)\)")
NEWLINE = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n(?=[\u3400-\u9fff])")
COLOURS = {
    f"var(--fig-{n})": colour
    for n, colour in enumerate(
        ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b"], 1
    )
}
FOLDER = "notebooks"
ARCHIVE = f"{FOLDER}/deep-learning-qa.zip"
COLAB = "https://colab.research.google.com/github"
HIDDEN = {"jupyter": {"source_hidden": True}, "cellView": "form"}

Link = Callable[[str], str]


def place(stem: str) -> str:
    """一题的笔记本在网站里的路径。

    Args:
        stem: 题。
    """
    return f"{FOLDER}/{stem}.ipynb"


def collect(
    book: Book,
    texts: Mapping[str, str],
    address: Callable[[str, str], str],
    title: str,
    version: tuple[str, str],
) -> dict[str, str | bytes]:
    """写出各题的笔记本，和装着它们的 zip；有错的页面没有。

    Args:
        book: 运行好的书。
        texts: 建了的页面到它交给 Markdown 的正文。
        address: 由所在的页和页上的一个去处（`a.md#b`、`#b`，空的是它自己）给出完整的网
            址；网站没有网址，则为空。
        title: 网站的名字。
        version: 提交的编号与日期，不知道则为空。

    Returns:
        在网站里的路径到内容。
    """
    written: dict[str, str] = {}
    owners = book.made.get("packages", "", importlib.metadata.packages_distributions)
    for question in book.questions:
        page = book.pages.get(question.page)
        if page is None or page.name not in texts or page.faults:
            continue
        about = f"《{title}》里的一页，输出就是网页上的那一次运行"
        if all(version):
            about += f"（版本 {'，'.join(version)}）"
        if url := address(page.name, ""):
            about += f"：<{url}>"
        text, link = texts[page.name], partial(address, page.name)
        key = json.dumps([book.key(page.name, text), about, sorted(texts)])
        written[f"{question.stem}.ipynb"] = book.made.get(
            f"notebooks/{question.stem}",
            key,
            partial(make, text, page.cells, page.runs, link, about, owners),
        )
    files = {f"{FOLDER}/{name}": text for name, text in written.items()}
    return {**files, ARCHIVE: archive(written)}


def make(
    text: str,
    cells: Sequence[Cell],
    runs: Mapping[str, Run],
    link: Link = lambda _: "",
    about: str = "",
    owners: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """写出一页的笔记本。

    Args:
        text: 交给 Markdown 的正文，代码块是记号（`Book.prepare` 给出的）。
        cells: 各个代码块。
        runs: 它们的运行结果。
        link: 由站内的去处（`a.md#b`、`#b`）给出网址；没有网址则为空，只留文字。
        about: 排在最前面的一句话，如网址与版本。
        owners: 模块名到装它的包；没有给就现查，要一秒。

    Returns:
        ipynb 文件的内容。
    """
    preamble = PREAMBLE.read_text(encoding="utf-8")
    owners = owners or importlib.metadata.packages_distributions()
    needed = list_packages([preamble, *(cell.code for cell in cells)], owners)
    setup = SETUP.format(environment=ENVIRONMENT, needed=needed)
    style = f"# @title 图的样式\n{preamble}"
    if any(cell.knobs for cell in cells):
        style += FRAME.format(margins=_margins(), mark=KNOBS)
    written = [_code("setup", setup, HIDDEN), _code("style", style, HIDDEN)]
    heading, *rest = _split(_unbox(text.strip()))
    first = _markdown("text-0", str(heading), link)
    first.source = "\n\n".join(filter(None, [first.source, about]))
    written.insert(0, first)
    count = 2
    for place, part in enumerate(rest, 1):
        if isinstance(part, str):
            if part.strip():
                written.append(_markdown(f"text-{place}", part, link))
            continue
        cell = cells[part]
        if not cell.runs:
            source = f"```python\n{cell.code}\n```\n\n（这一段不运行。）"
            written.append(nbformat.v4.new_markdown_cell(source, id=f"cell-{part}"))
            continue
        count += 1
        run = runs.get(f"cell-{part}", Run(None, []))
        written.append(_run_cell(part, cell, run, count))
        if cell.caption:
            caption = nbformat.v4.new_markdown_cell(
                f"*{cell.caption}*", id=f"caption-{part}"
            )
            written.append(caption)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    language = {"name": "python", "version": sys.version.split()[0]}
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": kernel, "language_info": language}, cells=written
    )
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook)) + "\n"


def _margins() -> dict[str, float]:
    """有旋钮的图四边留的地方；variants.py 只在内核里导入。"""
    text = VARIANTS.read_text(encoding="utf-8")
    match = re.search(r"^_MARGINS.*? = (\{.*?^\})", text, re.M | re.S)
    assert match
    margins: dict[str, float] = ast.literal_eval(match[1])
    return margins


def list_packages(
    codes: Iterable[str], owners: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """给出几段代码导入的包，标准库不算：模块名到 `包==版本`。

    Args:
        codes: 源代码。
        owners: 模块名到装它的包。
    """
    names = set()
    for code in codes:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module or "")
    tops = sorted({name.partition(".")[0] for name in names})
    return {
        top: f"{owners[top][0]}=={_public_version(owners[top][0])}"
        for top in tops
        if top in owners and top not in sys.stdlib_module_names
    }


def _public_version(package: str) -> str:
    """一个包的版本，不带 `+cpu` 一类本机的后缀。"""
    return importlib.metadata.version(package).partition("+")[0]


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """把几个文件装成一个 zip；内容一样，字节就一样。

    Args:
        files: 文件名到内容。
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in sorted(files.items()):
            packed.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def colab(repository: str | None) -> str:
    """在 Colab 中打开笔记本的网址，后面接文件名；没有 GitHub 的仓库则为空。

    Colab 从仓库里取，发布时笔记本推到分支 `notebooks`。

    Args:
        repository: 仓库的网址。

    Example:
        >>> colab("https://github.com/a/b")
        'https://colab.research.google.com/github/a/b/blob/notebooks/'
    """
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)/?", repository or "")
    return f"{COLAB}/{match[1]}/blob/notebooks/" if match else ""


def _unbox(text: str) -> str:
    """把框换成各处都认得的写法；里面有代码块的，框跨不过格，换成小标题。"""

    def replace(match: re.Match[str]) -> str:
        title, body = match["title"] or "", match["body"].strip()
        if match["kind"] == "answer":
            quoted = "\n".join(f"> {line}".rstrip() for line in body.splitlines())
            return f"> **一句话回答**\n>\n{quoted}"
        if re.search(TOKEN, body):
            return f"#### {title}\n\n{body}"
        shown = re.sub(
            r"`([^`]*)`", r"<code>\1</code>", html.escape(title, quote=False)
        )
        return f"<details><summary>{shown}</summary>\n\n{body}\n\n</details>"

    return BOX.sub(replace, text)


def _split(text: str) -> Iterator[str | int]:
    """按先后给出文字和代码块的编号。"""
    for index, part in enumerate(re.split(TOKEN, text)):
        yield int(part) if index % 2 else part


def _markdown(name: str, text: str, link: Link) -> Any:
    """一格文字，示意图换成图片。"""
    pictures: list[str] = []

    def keep(match: re.Match[str]) -> str:
        pictures.append(_picture(match[0]))
        return f"\0{len(pictures) - 1}\0"

    source = simplify(SVG.sub(keep, text), link)
    source = re.sub("\0(\\d+)\0", lambda match: pictures[int(match[1])], source)
    return nbformat.v4.new_markdown_cell(source, id=name)


def simplify(text: str, link: Link) -> str:
    """去掉只有网站认得的记号，站内的链接换成网址，没有网址的只留文字。

    Args:
        text: 一段 Markdown。
        link: 由站内的去处（`a.md#b`、`#b`）给出网址；没有网址则为空。
    """
    lines = text.strip().splitlines()
    for number, line in fences.prose(lines):
        plain = ANCHOR.sub("", re.sub(claims.MARK, "", line))
        lines[number - 1] = LINK.sub(lambda match: _relink(match, link), plain)
    return NEWLINE.sub("", "\n".join(lines))


def _relink(match: re.Match[str], link: Link) -> str:
    text, target = match.groups()
    address = link(target) if target else ""
    return f"[{text}]({address})" if address else text


def _picture(svg: str) -> str:
    """手画的示意图换成图片：笔记本的 Markdown 里不许写 SVG，也没有网站的颜色。"""
    for name, colour in COLOURS.items():
        svg = svg.replace(name, colour)
    label = re.search(r"<title[^>]*>(.*?)</title>", svg, re.S)
    if "xmlns=" not in svg:
        svg = svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    data = base64.b64encode(_whiten(svg).encode()).decode()
    alt = html.escape(label[1].strip()) if label else ""
    return f'<img alt="{alt}" src="data:image/svg+xml;base64,{data}">'


def _whiten(svg: str) -> str:
    """给图加上白底：深色的编辑器里也看得清。"""
    return svg.replace("<svg ", '<svg style="background: white" ', 1)


def _code(name: str, source: str, metadata: Mapping[str, Any]) -> Any:
    """一格代码，还没有输出。"""
    return nbformat.v4.new_code_cell(source.rstrip(), id=name, metadata={**metadata})


def _run_cell(number: int, cell: Cell, run: Run, count: int) -> Any:
    """一格代码连同它的输出。"""
    metadata: dict[str, Any] = {"tags": sorted(cell.tags)} if cell.tags else {}
    source = re.sub(r"\n{4,}", "\n\n\n", cell.code)
    if "hide-input" in cell.tags:
        said = cell.summary or ("作图代码" if cell.caption else "准备代码")
        source = f"# @title {said}\n{source}"
        metadata |= HIDDEN
    if cell.knobs:
        names = "、".join(knob.name for knob in cell.knobs)
        source = f"{KNOBS}换一个 {names}，再运行一次\n{source}"
    written = _code(f"cell-{number}", source, metadata)
    written.execution_count = count
    written.outputs = [_output(output, count) for output in run.outputs]
    return written


def _output(output: Mapping[str, Any], count: int) -> Any:
    kept = {**output}
    if "data" in kept:
        kept["data"] = {**kept["data"]}
        if svg := kept["data"].get("image/svg+xml"):
            kept["data"]["image/svg+xml"] = _whiten(svg)
        kept.setdefault("metadata", {})
    if kept["output_type"] == "execute_result":
        kept["execution_count"] = count
    return nbformat.from_dict(kept)
