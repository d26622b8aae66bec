"""手撕题：登记在 tests/exercises，解答和测试在 snippets/exercises，画成一题一个框。"""

import ast
import functools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pipeline import drawing
from pipeline.faults import find_line
from pipeline.judge import is_solution

DOWNLOAD = 6.4  # 读者第一次运行要取的，压缩后的 MB


@dataclass(frozen=True)
class Exercise:
    """一道手撕题。

    Args:
        name: 解答的名字，函数或类。
        stem: 所在的题，也是两个文件的名字。
        title: 标题。
        read: 讲解在哪里，`页面.md#锚点`，相对 `docs/`。
        hints: 一步步的提示，Markdown。
        wrong: 常见的错法，各有 `edit`（原文、改成，可以几对）与 `says`
            （测试的话里应有的几个字）。
        line: 在登记文件里的行号。
    """

    name: str
    stem: str
    title: str
    read: str
    hints: Sequence[str]
    wrong: Sequence[dict[str, Any]]
    line: int = 1

    @property
    def place(self) -> str:
        """登记在哪个文件的哪一行。"""
        return f"tests/exercises/{self.stem}.toml:{self.line}"


def module_path(root: Path, stem: str) -> Path:
    """放一题的解答和测试的模块。

    Args:
        root: 项目的文件夹。
        stem: 题。
    """
    return root / "snippets" / "exercises" / f"{stem}.py"


def read_exercises(root: Path) -> tuple[list[Exercise], list[str]]:
    """读出登记的全部手撕题。

    Args:
        root: 项目的文件夹。

    Returns:
        按文件与其中的先后；登记中的错误，一行一个，指出文件和行号。
    """
    exercises, errors = [], []
    known = {field.name for field in fields(Exercise)} - {"name", "stem", "line"}
    for path in sorted((root / "tests" / "exercises").glob("*.toml")):
        where = f"tests/exercises/{path.name}"
        try:
            text = path.read_text(encoding="utf-8")
            entries = tomllib.loads(text)
            module = module_path(root, path.stem)
            defined = solutions(module.read_text(encoding="utf-8"))
        except (ValueError, SyntaxError, OSError) as error:
            errors.append(f"{where}:1: 读不出，请改正：{error}")
            continue
        for name, entry in entries.items():
            line = find_line(text, f"[{name}]")
            if not isinstance(entry, dict) or set(entry) != known:
                keys = "、".join(sorted(known))
                errors.append(f"{where}:{line}: {name} 要有这几个键：{keys}，不多不少")
            elif name not in defined:
                message = f"{path.stem}.py 里没有 {name}；请改名，或写出解答"
                errors.append(f"{where}:{line}: {message}")
            else:
                exercises.append(Exercise(name, path.stem, **entry, line=line))
    return exercises, errors


@functools.cache  # 预览时，没有变的模块不再读
def solutions(source: str) -> Mapping[str, str]:
    """一个模块里的各个解答：名字到它的代码。

    Args:
        source: 模块的全文。
    """
    return {
        node.name: ast.get_source_segment(source, node) or ""
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and is_solution(node)
    }


def stub(source: str, name: str) -> str:
    r"""读者从哪里写起：要用的导入、签名和文档字符串，没有函数体。

    Args:
        source: 模块的全文。
        name: 解答的名字。

    Example:
        >>> print(stub("import math\ndef f(x):\n    return math.e * x", "f"))
        import math
        <BLANKLINE>
        <BLANKLINE>
        def f(x):
            # 写在这里
    """
    solution = solutions(source)[name]
    used = {
        node.id for node in ast.walk(ast.parse(solution)) if isinstance(node, ast.Name)
    }
    imports = [
        ast.unparse(node)
        for node in ast.parse(source).body
        if isinstance(node, ast.Import) and {a.name for a in node.names} & used
    ]
    lines = solution.splitlines()
    for function in reversed(list(_functions(_definition(solution)))):
        first, last = function.body[0], function.body[-1]
        start = first.lineno - 1
        if ast.get_docstring(function) is not None:
            start = first.end_lineno or start
        lines[start : last.end_lineno] = [" " * first.col_offset + "# 写在这里"]
    text = "\n".join(_without_source(lines))
    return "\n".join([*imports, "", "", text]) if imports else text


def _definition(solution: str) -> ast.FunctionDef | ast.ClassDef:
    """一个解答的语法树。"""
    (node,) = ast.parse(solution).body
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    return node


def _functions(node: ast.stmt) -> Iterator[ast.FunctionDef]:
    """一个解答里的各个函数：它自己，或类的方法。"""
    if isinstance(node, ast.FunctionDef):
        yield node
    elif isinstance(node, ast.ClassDef):
        for method in node.body:
            yield from _functions(method)


def _without_source(lines: Sequence[str]) -> Iterator[str]:
    """去掉文档字符串里的出处：它写在答案下面。"""
    skipping = False
    for line in lines:
        if line.strip() == "Source:":
            skipping = True
        elif skipping and line.strip().startswith('"""'):
            skipping = False
        if not skipping:
            yield line


def _tidy(code: str) -> str:
    """去掉文档字符串末尾的空行。"""
    return code.replace('\n\n    """', '\n    """')


def draw_links(exercises: Sequence[Exercise], stem: str) -> str:
    """题页上的一节：一句话，列出各道手撕题，Markdown。

    Args:
        exercises: 这一题的手撕题。
        stem: 题。
    """
    links = [f"[{e.title}](practice/{stem}.md#{e.name})" for e in exercises]
    return f"在浏览器里写，用测试测，由易到难：{'、'.join(links)}。"


def draw_list(exercises: Sequence[Exercise], stem: str) -> str:
    """一题的各道手撕题，一道一行，Markdown。

    Args:
        exercises: 这一题的手撕题。
        stem: 题。
    """
    return "\n".join(
        f"{number}. [{exercise.title}](practice/{stem}.md#{exercise.name})"
        for number, exercise in enumerate(exercises, 1)
    )


def draw_boxes(exercises: Sequence[Exercise], source: str) -> str:
    """一题的各个框：标题、写起的地方、提示、答案，Markdown。

    Args:
        exercises: 这一题的手撕题。
        source: 模块的全文。
    """
    return "\n\n".join(_draw(exercise, source) for exercise in exercises)


def _draw(exercise: Exercise, source: str) -> str:
    key = f"{exercise.stem}:{exercise.name}"
    solution = solutions(source)[exercise.name]
    task = ast.get_docstring(_definition(solution)) or ""
    parts = [
        f'<div class="exercise" data-exercise="{key}" markdown="1">',
        f"## {exercise.title} {{#{exercise.name}}}",
        task.splitlines()[0],
        drawing.render_sample(_tidy(stub(source, exercise.name))),
    ]
    for number, hint in enumerate(exercise.hints, 1):
        parts += [f"/// details | 提示 {number}", hint, "///"]
    parts += ["/// details | 答案", drawing.render_sample(_without_docstring(solution))]
    parts += [f"[讲解](../{exercise.read})", "///", "</div>"]
    return "\n\n".join(parts)


def _without_docstring(solution: str) -> str:
    """答案不重复题目：不要文档字符串。"""
    text = _definition(solution).body[0]
    lines = solution.splitlines()
    del lines[text.lineno - 1 : text.end_lineno]
    return "\n".join(lines)
