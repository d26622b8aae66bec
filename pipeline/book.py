"""一次构建：读、运行、查、画，四步一步一个方法。它不知道 MkDocs，谁都可以来调用。

1. `read`：一页切成代码块，展开引用，查出写法上的错；
2. `run`：代码写成笔记本，键没有变就取缓存，变了的几页并排运行；
3. `check`：运行的结果和登记的主张合不合；
4. `prepare`：正文交给 Markdown 之前，指令与引用换成内容，代码块换成记号；
   `extensions` 里的扩展再把记号换成画好的代码与输出，把公式排好版。

错误不抛出，都记在 `Page.faults` 和 `troubles` 里：一次查出全部，停不停由调用者定。
"""

import hashlib
import html
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, TypeVar

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

from pipeline import (
    answer,
    cells,
    cheatsheet,
    citations,
    claims,
    contents,
    directives,
    drawing,
    execution,
    exercises,
    faults,
    fences,
    kernels,
    knobs,
    markup,
    maths,
    quizzes,
    runs,
    timings,
    typography,
)
from pipeline.cache import Cache, digest, program_stamp
from pipeline.cells import Cell
from pipeline.citations import Citations
from pipeline.execution import Executor
from pipeline.faults import Fault
from pipeline.figure import FigureError
from pipeline.katex import Katex
from pipeline.progress import Progress
from pipeline.runs import Run

_Drill = TypeVar("_Drill", exercises.Exercise, quizzes.Quiz)
HERE = Path(__file__).parent
TOKEN = re.compile(r"<!-- cell: (\d+) -->")  # 代码块的记号，从 prepare 到画出来之间用


@dataclass
class Page:
    """一页。

    Args:
        name: 相对 `docs/` 的路径。
        text: 全文，含页首。
        meta: 页首的各项。
        cells: 各个代码块。
        readable: 代码块都读得懂；有一处读不懂，整页都不运行。
        runs: 各格的运行结果，没有运行则为空。
        drawn: 画好的各个代码块，HTML。
        files: 随它生成的文件，网址到内容。
        faults: 查出的错误。
        keys: 交给 Markdown 的正文到 `Book.key`。
        lines: 全文的各行。
        front: 页首有几行。
        prose: 页首与围栏之外的行号与文字。
    """

    name: str
    text: str
    meta: Mapping[str, Any] = field(default_factory=dict)
    cells: Sequence[Cell] = ()
    readable: bool = True
    runs: Mapping[str, Run] = field(default_factory=dict)
    drawn: dict[int, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    faults: set[Fault] = field(default_factory=set)
    keys: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(init=False)
    front: int = field(init=False)
    prose: list[tuple[int, str]] = field(init=False)

    def __post_init__(self) -> None:
        match = faults.FRONT_MATTER.match(self.text)
        self.front = self.text.count("\n", 0, match.end()) if match else 0
        self.lines = self.text.splitlines()
        outside = fences.prose(self.lines)
        self.prose = [(n, line) for n, line in outside if n > self.front]

    @property
    def title(self) -> str:
        """一级标题，没有则为空。"""
        match = contents.TITLE.search(self.text)
        return match[1] if match else ""


class Book:
    """一次构建中已知的一切。

    Args:
        root: 项目的文件夹，里面有 `docs/`、`tests/claims/`，缓存放在 `.cache/`。
        source: 引用的去处。
        execute: 运行一个笔记本的办法。
        katex: 排公式的进程，由调用者关上。
        link: 由所在的页和要去的页给出网址；没有那一页则给 `None`。
        questions: 导航里的题。
        reference: API 参考的各页。
        progress: 运行各页时报告进度。
    """

    def __init__(
        self,
        root: Path,
        source: Citations,
        execute: Executor,
        katex: Katex,
        link: Callable[[str, str], str | None] = lambda *_: None,
        questions: Sequence[contents.Question] = (),
        reference: Sequence[contents.GeneratedPage] = (),
        progress: Progress | None = None,
    ) -> None:
        self.root = root
        self.source = source
        self.execute = execute
        self.katex = katex
        self.link = link
        self.questions = questions
        self.reference = reference
        self.progress = progress or Progress(lambda _: None)
        self.outputs = Cache(root / ".cache")
        self.made = Cache(root / ".cache" / "made", program_stamp(HERE))
        self.claims, errors = claims.read_claims(root / "tests" / "claims")
        self.exercises, wrong = exercises.read_exercises(root)
        self.quizzes: list[quizzes.Quiz] = []
        self.troubles = {*errors, *wrong}  # 不属于哪一页的错误，各是一句话
        self.pages: dict[str, Page] = {}
        self.measures: dict[str, float] = {}  # 主张的 id 到量出的值
        self.page = Page("", "")  # 正在画的一页
        self.stopped = False  # 有人按了 Ctrl-C
        self.directives = {
            "cheatsheet": self._cheatsheet,
            "claims": self._claims,
            "errata": self._errata,
            "exercise-boxes": self._exercise_boxes,
            "exercises": self._exercises,
            "proof": self._proof,
            "quiz": self._quiz,
            "quiz-boxes": self._quiz_boxes,
            "questions": self._questions,
            "timings": self._timings,
        }

    def read(self, name: str, text: str) -> Page:
        """读一页：切成代码块，查出写法上的错误。

        Args:
            name: 相对 `docs/` 的路径。
            text: 全文。
        """
        page = self.pages[name] = Page(name, text)
        try:
            page.meta = faults.read_front_matter(text)
        except Fault as fault:
            page.faults.add(fault)
        page.faults.update(markup.find_faults(page.prose))
        page.faults.update(directives.find_faults(page.prose, [*self.directives]))
        for number, line in page.prose:
            page.faults.update(self.source.find_faults(line, number))
        found, wrong = cells.read_cells(page.lines, self.source)
        page.faults.update(wrong)
        page.readable = not wrong
        page.cells = found if page.readable else ()
        return page

    def run(self, *names: str) -> None:
        """取出各页的输出；变了的几页并排运行，一核一页。

        Args:
            names: 哪几页；没有则是全部。
        """
        first = [HERE / f"{name}.py" for name in ("preamble", "rules", "variants")]
        preamble = "\n".join(path.read_text(encoding="utf-8") for path in first)
        versions = {
            **runs.versions(),
            **kernels.ENVIRONMENT,
            **self.execute.versions,
        }
        stale = []
        for page in (self.pages[name] for name in names or self.pages):
            if not any(cell.runs for cell in page.cells):
                continue
            notebook = runs.make_notebook(page.cells, preamble, versions)
            if (entry := self.outputs.load(page.name, notebook)) is not None:
                page.runs = runs.read_runs(entry)
            else:
                stale.append((page, notebook))
        # 它的线程不拦着进程退出：Ctrl-C 不必等 nbclient 发现内核没了
        with (
            self.progress(len(stale)) as progress,
            ThreadPool(os.cpu_count()) as pool,
        ):
            try:
                works = [(*work, progress) for work in stale]
                running = [pool.apply_async(self._run_page, work) for work in works]
                for job in running:
                    # 信号可能由正在启动内核的线程收下：不时醒来，才看得见
                    while not job.ready():
                        job.wait(0.1)
                    job.get()
            except BaseException:  # Ctrl-C 也是
                self.stopped = True
                for _ in range(5):  # 正在启动的内核，下一次才看得见
                    kernels.kill()
                    time.sleep(0.1)
                raise

    def _run_page(self, page: Page, notebook: str, progress: Progress) -> None:
        """运行一页，记进缓存；中断了就记下原因。"""
        progress.start(page.name)
        try:
            execute = partial(self.execute, page.name, notebook)
            found = execution.run(execute, lambda: self.stopped)
        except execution.Interrupted as error:
            cell = runs.cell_at(page.cells, error.index)
            page.faults.add(Fault(cell.line, str(error)))
        except execution.NoKernel as error:
            self.troubles.add(str(error))
        else:
            page.runs = runs.read_runs(found)
            self.outputs.save(page.name, notebook, found)
        finally:
            progress.finish(page.name)

    def check(self) -> None:
        """查运行的结果：出错、警告、不能画的输出，不成立的主张。"""
        for page in self.pages.values():
            if not page.runs:
                continue
            if page.runs["preamble"].outputs:
                self.troubles.add(
                    "笔记本的第一格运行时有输出或出错，请改正（见 Book.run）"
                )
            self.measures |= runs.read_measures(page.runs)
            page.faults.update(runs.check_runs(page.cells, page.runs))
        self.troubles.update(claims.check_registry(self.claims.values(), self._said()))
        self.quizzes, wrong = quizzes.read_quizzes(self.root, self._show)
        self.troubles.update(wrong)
        blocks = {p.name: p.cells for p in self.pages.values() if p.readable}
        for name, fault in claims.check(self.claims, self.measures, blocks):
            self.pages[name].faults.add(fault)

    def _said(self) -> dict[str, str]:
        """题的名字到它的页面全文，有页面的才有。"""
        return {name.removesuffix(".md"): p.text for name, p in self.pages.items()}

    def prepare(self, name: str) -> str:
        """给出一页交给 Markdown 的正文：没有页首，指令与引用换成内容，代码块换成记号。

        Args:
            name: 页面。
        """
        page = self.page = self.pages[name]
        shown: list[str | None] = [*page.lines]
        for number, line in page.prose:
            shown[number - 1] = self._write(line, number)
        blocks = filter(cells.is_cell, fences.walk(page.lines))
        for number, fence in enumerate(blocks):
            if page.readable:
                rest = fence.end - fence.line
                token = f"\n<!-- cell: {number} -->\n"
                shown[fence.line - 1 : fence.end] = [token, *[None] * rest]
            else:
                shown[fence.line - 1] = f"{fence.ticks}python"
        return "\n".join(line for line in shown[page.front :] if line is not None)

    def _write(self, line: str, number: int) -> str:
        """换掉一行正文里的引用或指令；写错了的已经记下，预览时页面仍要能看。"""
        if citations.FORM.match(line):
            if any(self.source.find_faults(line, number)):
                return "（引用有误）"
            return "\n".join(self.source.expand(line)[0])
        return directives.expand(
            line,
            self.directives,
            lambda message: self.page.faults.add(Fault(number, message)),
        )

    def key(self, name: str, text: str) -> str:
        """给出一页画成什么样由什么决定，程序本身除外。

        Args:
            name: 页面。
            text: `prepare` 给出的正文。
        """
        page = self.pages[name]
        if text in page.keys:
            return page.keys[text]
        marks = {mark: self._describe(mark) for mark in re.findall(claims.MARK, text)}
        modules = {}
        if "\n::: " in text:  # API 参考读的是源码
            for path in sorted(self.root.glob("snippets/**/*.py")):
                modules[str(path.relative_to(self.root))] = path.read_text("utf-8")
        drawn = [*page.cells, *page.runs.values()]
        whole = json.dumps([text, drawn, marks, modules], default=_plain)
        page.keys[text] = digest(whole)
        return page.keys[text]

    @property
    def trouble(self) -> OSError | None:
        """缓存写不进去的原因，写得进去则没有。"""
        return self.outputs.trouble or self.made.trouble

    def extensions(self) -> list[Extension]:
        """给出画这本书要用的 Markdown 扩展，接在 arithmatex（generic）之后。"""
        return [
            _Cells(self),
            answer.Answers(self.report),
            markup.Escapes(),
            maths.MathsExtension(self.katex, self.report),
            claims.ClaimMarks(self._describe, self.report),
            typography.ChineseNewlines(),
            typography.ScrollableTables(),
        ]

    def report(self, text: str, message: str) -> None:
        """记下正在画的一页里 `text` 处的错误。

        Args:
            text: 出错的原文。
            message: 说明。
        """
        first = text.splitlines()[0]
        line = faults.find_line(self.page.text, f"${text}$", text, first, first[:12])
        self.page.faults.add(Fault(line, message))

    def draw(self, number: int) -> str:
        """画出正在画的一页的一个代码块：代码、定义的出处、输出、错误。

        Args:
            number: 第几块，从 0 数起。

        Returns:
            HTML。
        """
        cell = self.page.cells[number]
        code = drawing.render_code(cell, f"cell-{number}", self._sources(cell))
        if "hide-input" in cell.tags:
            said = cell.summary or ("作图代码" if cell.caption else "准备代码")
            summary = html.escape(said, quote=False)
            summary = f'<summary data-search-exclude="true">{summary}</summary>'
            code = f"<details>{summary}{code}</details>"
        parts = [code]
        if cell.runs:
            try:
                output = self._draw_output(number, cell)
            except FigureError as error:
                output = '<div class="output"></div>'
                self.page.faults.add(Fault(cell.line, str(error)))
            parts.append(output)
        else:
            parts.append('<p class="cell-note">这一段不运行。</p>')
        parts += [
            f'<p class="cell-fault">{html.escape(fault.at(self.page.name))}</p>'
            for fault in self._faults(cell)
        ]
        drawn = f'<div class="cell" id="cell-{number}">{"".join(parts)}</div>'
        self.page.drawn[number] = drawn
        return drawn

    def _faults(self, cell: Cell) -> list[Fault]:
        """这一块的错误。"""
        first, last = cell.lines[0], cell.lines[-1]
        return sorted(f for f in self.page.faults if first <= f.line <= last)

    def _draw_output(self, number: int, cell: Cell) -> str:
        """画出一块的输出。"""
        if cell.knobs and self.page.runs and not self._faults(cell):
            return self._draw_variants(number, cell)
        run = self.page.runs.get(f"cell-{number}", Run(None, []))
        output = drawing.render_outputs(cell, run.outputs, f"f{number}")
        return f'<div class="output">{output}</div>'

    def _draw_variants(self, number: int, cell: Cell) -> str:
        """画出一块的旋钮和缺省的输出，各个设置的输出另放一个文件。"""
        page = self.page
        ids = runs.list_variants(number, cell)
        alts = runs.read_alts(number, cell, page.runs)
        order = knobs.settings(cell.knobs)
        outputs = [(page.runs[ids[s]].outputs, alts[s]) for s in order]
        name = f"{page.name.removesuffix('.md').replace('/', '-')}-{number}"
        # 画几百张图要几秒：改了页面上别的地方，不必再画
        key = json.dumps([outputs, cell.caption, number])
        draw = partial(drawing.render_variants, cell, outputs, f"f{number}")
        drawn = self.made.get(f"knobs/{name}", key, draw)
        texts = {text for knob in cell.knobs for text in knob.texts}
        literals = {text: drawing.render_literal(text) for text in texts}
        data = knobs.script(name, cell.knobs, literals, drawn)
        page.files[f"assets/knobs/{name}.js"] = data
        version = hashlib.sha256(data.encode()).hexdigest()[:8]
        earlier = [knob.name for c in page.cells[:number] for knob in c.knobs]
        panel = drawing.render_knobs(
            cell, f"cell-{number}", knobs.keys(cell.knobs, earlier), name, version
        )
        shown = drawn[order.index(knobs.default(cell.knobs))]
        return f'{panel}<div class="output" aria-live="polite">{shown}</div>'

    def _sources(self, cell: Cell) -> dict[str, str]:
        """被引用的定义的名字，和它在 API 参考里的网址。"""
        links = {}
        for path, section in cell.citations:
            name = f"{path.removesuffix('.py').replace('/', '.')}.{section}"
            target = f"reference/{Path(path).stem}.md"
            url = self.link(self.page.name, target)
            if name.startswith("snippets.") and url is not None:
                links[section] = f"{url}#{name}"
        return links

    def check_drawn(self, name: str, content: str) -> None:
        """确认每一块都画出来了，每个词都看得见。

        Args:
            name: 页面。
            content: 它的 HTML。
        """
        page = self.pages[name]
        content = re.sub(r"<!--.*?-->", "", content, flags=re.S)
        for number, cell in enumerate(page.cells):
            drawn = page.drawn.get(number, "\0")
            if drawn not in content:
                message = "这一块没有画出来；它若在注释或别的块里，请移到外面"
                page.faults.add(Fault(cell.line, message))
            content = content.replace(drawn, "", 1)
        if not page.faults:
            page.faults.update(markup.lost_words(page.prose, content))

    def lines(self, *names: str) -> list[str]:
        """给出各处错误，一处一行：先是不属于哪一页的，再按页与行。

        Args:
            names: 哪几页；没有则是全部。
        """
        chosen = names or sorted(self.pages)
        return sorted(self.troubles) + [
            fault.at(name)
            for name in chosen
            for fault in sorted(self.pages[name].faults)
        ]

    def notice(self, name: str) -> str:
        """给出放在页首的错误，HTML；没有错误则为空。

        Args:
            name: 页面。
        """
        items = "".join(
            f"<li><code>{html.escape(line)}</code></li>" for line in self.lines(name)
        )
        return items and (
            '<div class="admonition failure"><p class="admonition-title">本页有错</p>'
            f"<ul>{items}</ul></div>"
        )

    def _show(self, name: str) -> str | None:
        """一条主张量出的值；没有登记则为 `None`。"""
        claim = self.claims.get(name)
        return claim.show(self.measures.get(name)) if claim else None

    def _describe(self, name: str) -> str | None:
        """主张的标记上的提示。"""
        if (claim := self.claims.get(name)) is None:
            return None
        measured = claim.show(self.measures.get(name))
        return f"已量过：预期 {claim.describe()}，实测 {measured}。点开看证据"

    def _claims(self, stem: str) -> str:
        """一题的证据表；参数是 all，就一题一节，列出全部，折叠起来。"""
        if stem == "all":
            return "\n".join(
                f"## {question.title} {{#{question.label.lower()}}}\n\n{box}\n"
                for question in self.questions
                if (box := self._claims_box(question))
            )
        if listed := self._listed(stem):
            return self._claims_table(stem, listed)
        raise directives.DirectiveError(
            f"没有 {stem} 的主张；请改名，或在 tests/claims/{stem}.toml 里登记"
        )

    def _listed(self, stem: str) -> list[claims.Claim]:
        """一题的各条主张。"""
        return [claim for claim in self.claims.values() if claim.stem == stem]

    def _holding(self, listed: Iterable[claims.Claim]) -> int:
        """量过而且成立的主张有几条。"""
        measured = ((claim, self.measures.get(claim.id)) for claim in listed)
        return sum(
            value is not None and claim.holds(value) for claim, value in measured
        )

    def _claims_box(self, question: contents.Question) -> str:
        """折叠的证据表，收起时说成立几条；没有主张则为空。"""
        if not (listed := self._listed(question.stem)):
            return ""
        failed = len(listed) - self._holding(listed)
        verdict = f"{failed} 条不成立或没有量" if failed else "全部在容差内"
        kind = "failure" if failed else "success"
        name = f"{question.label.lower()}-claims"
        return "\n".join(
            [
                f"/// details | {len(listed)} 条，{verdict}",
                f"    type: {kind}",
                f"    attrs: {{id: {name}, class: evidence}}",
                "",
                self._claims_table(question.stem, listed),
                "///",
            ]
        )

    def _claims_table(self, stem: str, listed: Sequence[claims.Claim]) -> str:
        """一题的证据表。"""
        page = self.pages.get(f"{stem}.md")
        rows = claims.tabulate(listed, self.measures, page.text if page else "")
        return "\n".join([*rows, ""])

    def _proof(self, of: str) -> str:
        """这次构建运行了几块代码，成立了几条主张，代码是哪一天的。"""
        if of != "site":
            raise directives.DirectiveError("proof 的参数应是 site")
        settings = [knobs.settings(cell.knobs) for cell in self._run_cells()]
        blocks, variants = len(settings), sum(map(len, settings)) - len(settings)
        held, listed = self._holding(self.claims.values()), len(self.claims)
        turned = f"，旋钮另有 {variants} 个设置" if variants else ""
        verdict = "全部" if held == listed else f"有 {held} 条"
        date = ""
        if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
            date = f"（{datetime.fromtimestamp(int(epoch), UTC):%Y-%m-%d} 的代码）"
        return (
            f"这次构建{date}运行了 **{blocks}** 块代码{turned}；登记的 **{listed}** 条"
            f"[主张](evidence.md){verdict}成立。"
        )

    def _run_cells(self) -> list[Cell]:
        """这次构建里运行过的代码块。"""
        return [
            cell
            for page in self.pages.values()
            if page.runs
            for cell in page.cells
            if cell.runs
        ]

    def _errata(self, of: str) -> str:
        """勘误页开头的总表，由这一页的各节得出。"""
        if of != "summary":
            raise directives.DirectiveError("errata 的参数应是 summary")
        return contents.errata_table(self.page.text)

    def _exercises(self, stem: str) -> str:
        """题页上的手撕一节：各道的链接；参数是 all，就一题一节，列出全部。"""
        if stem != "all":
            return exercises.draw_links(self._drills(self.exercises, stem), stem)
        return "\n\n".join(
            f"## {question.title} {{#{question.stem}}}\n\n"
            f"{exercises.draw_list(chosen, question.stem)}"
            for question in self.questions
            if (chosen := [e for e in self.exercises if e.stem == question.stem])
        )

    def _exercise_boxes(self, stem: str) -> str:
        """一题的各个手撕框。"""
        module = exercises.module_path(self.root, stem)
        chosen = self._drills(self.exercises, stem)
        source = module.read_text(encoding="utf-8")
        draw = partial(exercises.draw_boxes, chosen, source)
        key = json.dumps([source, chosen], default=_plain)
        boxes: str = self.made.get(f"exercises/{stem}", key, draw)
        return boxes

    def _quiz(self, stem: str) -> str:
        """题页上的自测一节：通往自测页的链接。"""
        return quizzes.draw_links(self._drills(self.quizzes, stem), stem)

    def _quiz_boxes(self, stem: str) -> str:
        """一题的各道自测；参数是 all，就一题一节，列出全部。"""
        if stem != "all":
            return quizzes.draw_boxes(self._drills(self.quizzes, stem))
        return "\n\n".join(
            f"## {question.title} {{#{question.stem}}}\n\n{quizzes.draw_boxes(chosen)}"
            for question in self.questions
            if (chosen := [q for q in self.quizzes if q.stem == question.stem])
        )

    def _drills(self, listed: Iterable[_Drill], stem: str) -> list[_Drill]:
        """一题的手撕题或自测题。"""
        if chosen := [drill for drill in listed if drill.stem == stem]:
            return chosen
        raise directives.DirectiveError(
            f"没有 {stem} 的题；请改名，或在 tests/exercises、tests/quizzes 里登记"
        )

    def _cheatsheet(self, which: str) -> str:
        """各题的速记；参数只有 all。"""
        if which != "all":
            raise directives.DirectiveError("cheatsheet 的参数应是 all")
        cards = []
        for question in self.questions:
            if (page := self.pages.get(question.page)) is None:
                continue
            said = cheatsheet.read_answer(page.text) or str(page.meta["summary"])
            formula = cheatsheet.read_section(page.text, "whiteboard")
            prefix = f"sheet-{question.stem}"
            picture = cheatsheet.first_picture(page.cells, {**page.runs}, prefix)
            cards.append(
                cheatsheet.write_card(
                    page.title, question.page, [said, formula], picture
                )
            )
        return "\n\n".join(cards)

    def _questions(self, view: str) -> str:
        """列出各题：首页的卡片，或 API 参考的目录。"""
        if view == "home":
            return contents.home_cards(
                (
                    page.title,
                    question.page,
                    str(page.meta.get("summary", "")),
                    self._picture(question.stem),
                )
                for question in self.questions
                if (page := self.pages.get(question.page)) is not None
            )
        if view == "reference":
            return contents.reference_list(self.reference)
        raise directives.DirectiveError("questions 的参数应是 home 或 reference")

    def _picture(self, stem: str) -> str:
        """一题的卡片上的画，没有则为空。"""
        path = self.root / "docs" / "assets" / "figures" / "cards" / f"{stem}.svg"
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""

    def _timings(self, stem: str) -> str:
        """一题的时间之比。"""
        data = self.root / "docs" / "assets" / "timings.json"
        try:
            return timings.tabulate(timings.read_timings(data), stem)
        except timings.TimingsError as error:
            raise directives.DirectiveError(str(error)) from error


def _plain(value: Any) -> Any:
    """JSON 写不出的：数据类的各项，集合的各个元素。"""
    return sorted(value) if isinstance(value, frozenset) else vars(value)


class _Draw(Preprocessor):
    """把记号换成画好的代码块；在空白整理好之后，别的围栏之前。"""

    def __init__(self, md: Markdown, book: Book) -> None:
        super().__init__(md)
        self.book = book

    def run(self, lines: Iterable[str]) -> list[str]:
        return [
            self.md.htmlStash.store(self.book.draw(int(match[1])))
            if (match := TOKEN.fullmatch(line))
            else line
            for line in lines
        ]


class _Cells(Extension):
    """画代码块的扩展。"""

    def __init__(self, book: Book) -> None:
        super().__init__()
        self.book = book

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """登记预处理器。"""
        md.preprocessors.register(_Draw(md, self.book), "cells", 28)
