"""自测：登记在 tests/quizzes，数和输出由构建时运行的代码与量过的主张给出。"""

import contextlib
import io
import math
import re
import runpy
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import claims, drawing, exercises
from pipeline.faults import find_line

KINDS = {"选择", "填数", "输出", "判断"}
KEYS = {"ask", "options", "answer", "value", "claim", "code", "because", "read"}
LETTERS = "ABCDEF"


class QuizError(ValueError):
    """登记有误。"""


@dataclass(frozen=True)
class Quiz:
    """一道自测题，数和输出都已填好。

    Args:
        id: 名字，全站不重复。
        stem: 所在的题。
        kind: 选择、填数、输出、判断之一。
        ask: 问题，Markdown。
        options: 选项，Markdown；不是选择题则为空。
        code: 问它输出什么的代码，没有则为空。
        answer: 答案，Markdown。
        because: 理由，Markdown。
        read: 讲解在哪里，`页面.md#锚点`，相对 `docs/`。
    """

    id: str
    stem: str
    kind: str
    ask: str
    options: Sequence[str]
    code: str
    answer: str
    because: str
    read: str


def read_quizzes(
    root: Path, show: Callable[[str], str | None]
) -> tuple[list[Quiz], list[str]]:
    """读出全部自测题，算出各个答案。

    Args:
        root: 项目的文件夹。
        show: 由主张的 id 给出量出的值；没有这条主张则给 `None`。

    Returns:
        按文件与其中的先后；登记中的错误，一行一个，指出文件和行号。
    """
    quizzes: dict[str, Quiz] = {}
    errors = []
    for path in sorted((root / "tests" / "quizzes").glob("*.toml")):
        where = f"tests/quizzes/{path.name}"
        try:
            text = path.read_text(encoding="utf-8")
            entries = tomllib.loads(text)
        except ValueError as error:
            errors.append(f"{where}:1: 读不出，请改正：{error}")
            continue
        module = exercises.module_path(root, path.stem)
        names = runpy.run_path(str(module)) if module.is_file() else {}
        for name, entry in entries.items():
            try:
                if name in quizzes:
                    raise QuizError("与别的题重名，请改名")
                quizzes[name] = _read(name, path.stem, entry, vars(math) | names, show)
            except QuizError as error:
                line = find_line(text, f"[{name}]")
                errors.append(f"{where}:{line}: 自测题 {name} {error}")
    return list(quizzes.values()), errors


def _read(
    name: str,
    stem: str,
    given: object,
    names: dict[str, Any],
    show: Callable[[str], str | None],
) -> Quiz:
    if not isinstance(given, dict):
        raise QuizError("应是一张表")
    entry: dict[str, Any] = given
    if unknown := sorted(set(entry) - KEYS):
        raise QuizError(f"的 {'、'.join(unknown)} 不是已知的键")
    if missing := sorted({"ask", "because", "read"} - set(entry)):
        raise QuizError(f"缺少 {'、'.join(missing)}")
    if not re.fullmatch(claims.ID, name):
        raise QuizError("的 id 只用小写字母、数字和连字符，以字母开头")
    value = _value(entry, names, show)
    kind, answer = _answer(entry, value, names)
    return Quiz(
        name,
        stem,
        kind,
        entry["ask"],
        entry.get("options", ()),
        entry.get("code", "").strip("\n"),
        _fill(answer, value),
        _fill(entry["because"], value),
        entry["read"],
    )


def _fill(text: str, value: str | None) -> str:
    return text if value is None else text.replace("{value}", value)


def _value(
    entry: dict[str, Any], names: dict[str, Any], show: Callable[[str], str | None]
) -> str | None:
    """算出 `{value}`：一个式子，或一条主张量出的值。"""
    if "claim" in entry:
        if (shown := show(entry["claim"])) is None:
            raise QuizError(f"的 claim：没有登记名为 {entry['claim']} 的主张")
        return shown
    if "value" in entry:
        try:
            return claims.format_number(float(eval(entry["value"], dict(names))))
        except Exception as error:
            raise QuizError(f"的 value 求不出值：{error!r}") from error
    return None


def _answer(
    entry: dict[str, Any], value: str | None, names: dict[str, Any]
) -> tuple[str, str]:
    """是哪一种题，答案是什么。"""
    answer = entry.get("answer")
    if "code" in entry:
        if answer is not None:
            raise QuizError("有 code 就不写 answer：答案是它的输出")
        return "输出", _output(entry["code"], names)
    if "options" in entry:
        letters = LETTERS[: len(entry["options"])]
        if answer not in [*letters]:
            raise QuizError(f"的 answer 应是 {'、'.join(letters)} 之一")
        return "选择", f"**{answer}**"
    if answer in ("对", "错"):
        return "判断", f"**{answer}**"
    if value is None:
        raise QuizError(
            "要有 options、code、value、claim 之一，或 answer 是「对」「错」"
        )
    return "填数", f"**{answer or '{value}'}**"


def _output(code: str, names: dict[str, Any]) -> str:
    """运行一段代码，给出它印出的字，写成代码块。"""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(code, dict(names))
    except Exception as error:
        raise QuizError(f"的 code 出错：{error!r}") from error
    if not (text := printed.getvalue().strip("\n")):
        raise QuizError("的 code 什么也没有印出")
    return f"```text\n{text}\n```"


def draw_links(quizzes: Sequence[Quiz], stem: str) -> str:
    """题页上的一节：有几道，去哪里，Markdown。

    Args:
        quizzes: 这一题的自测题。
        stem: 题。
    """
    return (
        f"这一题有 {len(quizzes)} 道短题：[逐道自测](quiz.md#{stem})，"
        "或从全部题里[随机抽](quiz.md)，照面试那样计时。"
    )


def draw_boxes(quizzes: Sequence[Quiz]) -> str:
    """各道自测题：问题，折叠的答案、理由和讲解的链接，Markdown。

    Args:
        quizzes: 自测题。
    """
    return "\n\n".join(_draw(quiz, n) for n, quiz in enumerate(quizzes, 1))


def _draw(quiz: Quiz, number: int) -> str:
    parts = [
        f'<div class="quiz" id="quiz-{quiz.id}" data-quiz="{quiz.id}" markdown="1">',
        f"{number}\\. （{quiz.kind}）{quiz.ask}",
    ]
    if quiz.code:
        parts.append(drawing.render_sample(quiz.code))
    if quiz.options:
        listed = zip(LETTERS, quiz.options, strict=False)
        parts.append("\n".join(f"- {letter}：{option}" for letter, option in listed))
    parts += ["/// details | 答案", quiz.answer]
    parts += [f"{quiz.because}[讲解]({quiz.read})", "///", "</div>"]
    return "\n\n".join(parts)
