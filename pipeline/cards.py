"""Anki 卡片：各题的一句话回答、追问和自测，装成一个可以再导入的 apkg。

文字与页面同源，公式交给 Anki 自己的 MathJax，不用网络。一张卡片的 guid 由它在页面上的
id 得出，修改的时刻是提交的时刻：读者再导入新的一份，改过的更新，学过的进度还在。
"""

import base64
import html
import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import genanki
from markdown import Markdown

from pipeline import cheatsheet, drawing, notebooks, quizzes
from pipeline.book import TOKEN, Book, Page
from pipeline.quizzes import Quiz
from pipeline.runs import Run
from pipeline.typography import ChineseNewlines

PLACE = "cards/deep-learning-qa.apkg"
FOLLOW_UP = re.compile(
    r"^/// details \| (?P<title>.*)\n    type: question\n"
    r"    attrs: \{id: (?P<id>[\w-]+)\}\n(?P<body>(?s:.*?))^///$",
    re.M,
)
IDENTITY = 1_795_800_017  # 牌组与卡片样式的 id：定了就不变，Anki 靠它认出旧的
FRONT = '<div class="ask">{{问}}</div>'
BACK = '{{FrontSide}}<hr id="answer">{{答}}<p class="source">{{出处}}</p>'
STYLE = """\
.card { max-width: 36em; margin: 0 auto; font-size: 18px; line-height: 1.7; }
.ask { font-size: 1.1em; }
pre { padding: .5em .8em; overflow-x: auto; background: #8881; font-size: .8em; }
table { border-collapse: collapse; font-size: .85em; }
th, td { padding: .15em .6em; border-bottom: 1px solid #8885; text-align: right; }
.source { color: #777; font-size: .75em; }
"""
MODEL = genanki.Model(
    IDENTITY,
    "深度学习问答",
    fields=[{"name": name} for name in ("问", "答", "出处")],
    templates=[{"name": "卡片", "qfmt": FRONT, "afmt": BACK}],
    css=STYLE,
)
EXTENSIONS = ["sane_lists", "tables"]
EXTENSIONS += ["pymdownx.highlight", "pymdownx.superfences", "pymdownx.arithmatex"]
SETTINGS = {
    "pymdownx.arithmatex": {"generic": True},
    "pymdownx.highlight": {"use_pygments": False},
}

Note = list[str]  # guid、问、答、出处、标签


def collect(
    book: Book,
    texts: Mapping[str, str],
    address: Callable[[str, str], str],
    title: str,
    time: int,
) -> bytes:
    """给出装着各题卡片的 apkg；有错的页面没有。

    Args:
        book: 运行好的书。
        texts: 建了的页面到它交给 Markdown 的正文。
        address: 由所在的页和一个去处给出完整的网址；网站没有网址，则为空。
        title: 网站的名字，也是牌组的名字。
        time: 提交的时刻，自 1970 年的秒数；再导入时，晚的一份更新早的。
    """
    notes: list[Note] = []
    for question in book.questions:
        page = book.pages.get(question.page)
        if page is None or page.name not in texts or page.faults:
            continue
        chosen = [quiz for quiz in book.quizzes if quiz.stem == question.stem]
        text, link = texts[page.name], partial(address, page.name)
        drills = [[quiz.id, quizzes.draw_boxes([quiz])] for quiz in chosen]
        key = json.dumps([book.key(page.name, text), link(""), drills])
        make = partial(write, question.label, page, text, chosen, link)
        notes += book.made.get(f"cards/{question.stem}", key, make)
    key = json.dumps([notes, title, time])
    packed = book.made.get("cards", key, partial(_encode, notes, title, time))
    return base64.b64decode(packed)


def write(
    label: str,
    page: Page,
    text: str,
    drills: Iterable[Quiz],
    link: Callable[[str], str],
) -> list[Note]:
    """写出一题的各张卡片。

    Args:
        label: 题号，如「Q5」。
        page: 这一题的页面。
        text: 它交给 Markdown 的正文，代码块是记号。
        drills: 这一题的自测题。
        link: 由站内的去处（`a.md#b`、`#b`）给出网址；没有网址则为空。
    """
    said = cheatsheet.read_answer(page.text)
    found = [("answer", "一句话回答", page.title, said, "#answer")] if said else []
    found += [
        (match["id"], "追问", match["title"], match["body"], f"#{match['id']}")
        for match in FOLLOW_UP.finditer(text)
    ]
    found += [
        (f"quiz-{quiz.id}", "自测", _ask(quiz), _explain(quiz), quiz.read)
        for quiz in drills
    ]
    draw = partial(_draw, page, link)
    stem = page.name.removesuffix(".md")
    return [
        [
            f"{stem}-{name}",
            draw(ask),
            draw(answer),
            f"{label} {kind}" + (f"　{url}" if (url := _anchor(link(read))) else ""),
            f"{label} {kind}",
        ]
        for name, kind, ask, answer, read in found
    ]


def _anchor(url: str) -> str:
    return url and f'<a href="{html.escape(url)}">讲解</a>'


def _ask(quiz: Quiz) -> str:
    code = f"```python\n{quiz.code}\n```" if quiz.code else ""
    listed = zip(quizzes.LETTERS, quiz.options, strict=False)
    options = "\n".join(f"- {letter}：{option}" for letter, option in listed)
    return "\n\n".join(filter(None, [f"（{quiz.kind}）{quiz.ask}", code, options]))


def _explain(quiz: Quiz) -> str:
    return f"{quiz.answer}\n\n{quiz.because}"


def _draw(page: Page, link: Callable[[str], str], text: str) -> str:
    """画一段 Markdown：公式是 MathJax 的写法，代码块换成代码和输出。"""
    md = Markdown(
        extensions=[*EXTENSIONS, ChineseNewlines()], extension_configs=SETTINGS
    )
    drawn = md.convert(notebooks.simplify(text, link))
    return re.sub(TOKEN, lambda match: "".join(_cell(page, int(match[1]))), drawn)


def _cell(page: Page, number: int) -> Iterator[str]:
    """一块的代码和输出；折叠的只要输出。"""
    cell = page.cells[number]
    if "hide-input" not in cell.tags:
        yield f"<pre><code>{html.escape(drawing.shorten(cell.code))}</code></pre>"
    run = page.runs.get(f"cell-{number}", Run(None, []))
    yield drawing.render_outputs(cell, run.outputs, f"f{number}")


def pack(notes: Sequence[Note], title: str, time: int) -> bytes:
    """把各张卡片装成 apkg；卡片和时刻一样，字节就一样。

    Args:
        notes: 各张卡片：guid、问、答、出处、标签（空格隔开）。
        title: 牌组的名字。
        time: 修改的时刻，自 1970 年的秒数。
    """
    deck = genanki.Deck(IDENTITY, title)
    for guid, ask, answer, source, tags in notes:
        fields = [ask, answer, source]
        note = genanki.Note(MODEL, fields, guid=guid, tags=tags.split())
        deck.add_note(note)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "cards.apkg")
        genanki.Package(deck).write_to_file(path, time)
        with zipfile.ZipFile(path) as made:
            files = {name: made.read(name) for name in made.namelist()}
    return notebooks.archive(files)


def _encode(notes: Sequence[Note], title: str, time: int) -> str:
    return base64.b64encode(pack(notes, title, time)).decode()
