"""速记：把各题的一句话回答、写在白板上的公式和一张图，收成可以打印的两页。"""

import re
from collections.abc import Sequence

from pipeline import claims, drawing
from pipeline.cells import Cell
from pipeline.runs import Run

ANSWER = re.compile(r"^/// answer\n(.*?)^///$", re.M | re.S)
ANCHOR = re.compile(r" ?\{#[\w-]+\}")
HERE = re.compile(r"\]\(#")


def read_answer(text: str) -> str:
    """给出一页的一句话回答，Markdown；没有则为空。

    Args:
        text: 页面全文。
    """
    match = ANSWER.search(text)
    return match[1].strip() if match else ""


def read_section(text: str, anchor: str) -> str:
    """给出一节的正文，Markdown；没有这一节则为空。

    Args:
        text: 页面全文。
        anchor: 这一节标题的 id。
    """
    pattern = rf"^## .*\{{#{anchor}\}}\n(.*?)(?=^## |\Z)"
    match = re.search(pattern, text, re.M | re.S)
    return match[1].strip() if match else ""


def write_card(title: str, page: str, parts: Sequence[str], picture: str) -> str:
    """写出一题：题目、各段、图。

    Args:
        title: 题目。
        page: 页面相对 `docs/` 的路径。
        parts: 各段，Markdown，取自那一页。
        picture: 图，HTML；没有则为空。
    """
    lines = [
        '<section class="card" markdown>',
        f"## [{title}]({page}) {{#{page[:-3]}}}",
    ]
    for part in parts:
        plain = ANCHOR.sub("", re.sub(claims.MARK, "", part))
        lines.append(HERE.sub(f"]({page}#", plain))
    return "\n\n".join(filter(None, [*lines, picture, "</section>"]))


def first_picture(cells: Sequence[Cell], outputs: dict[str, Run], prefix: str) -> str:
    """给出一页的第一张图，HTML，没有图题；没有图则为空。

    Args:
        cells: 各个代码块。
        outputs: 它们的运行结果。
        prefix: 图内各 id 的前缀。
    """
    for number, cell in enumerate(cells):
        run = outputs.get(f"cell-{number}")
        if cell.caption and run and not cell.knobs:
            drawn = drawing.render_outputs(cell, run.outputs, prefix)
            return re.sub(r"<figcaption>.*?</figcaption>", "", drawn, flags=re.S)
    return ""
