"""自测：各题够数，答案填好了，登记错了说得清。"""

from pathlib import Path

import pytest

from pipeline.quizzes import draw_boxes, read_quizzes
from pipeline.tools.project import ROOT, STEMS

QUIZZES, ERRORS = read_quizzes(ROOT, lambda name: f"{name} 的值")
GOOD = "ask = '甲？'\nbecause = '乙。'\nread = 'a.md#b'\n"


def read(tmp_path: Path, text: str) -> tuple[list[str], list[str]]:
    """读一个登记文件，给出答案和错误。"""
    folder = tmp_path / "tests" / "quizzes"
    folder.mkdir(parents=True)
    (folder / "x.toml").write_text(text, encoding="utf-8")
    found, errors = read_quizzes(tmp_path, {"known": "0.25"}.get)
    return [quiz.answer for quiz in found], errors


def test_each_question_has_eight_and_every_answer_is_filled_in() -> None:
    assert ERRORS == []
    for stem in {quiz.stem for quiz in QUIZZES}:
        assert stem in STEMS, f"tests/quizzes/{stem}.toml: 没有这一题"
        mine = [quiz for quiz in QUIZZES if quiz.stem == stem]
        assert len(mine) >= 8, f"tests/quizzes/{stem}.toml: 至少八道"
        assert len({quiz.kind for quiz in mine}) == 4, f"{stem}: 四种题各有一道"
    for quiz in QUIZZES:
        assert "{value}" not in quiz.answer + quiz.because, quiz.id
        assert quiz.because.endswith("。"), quiz.id


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("value = '1 / 3'", "**0.3333**"),
        ("value = 'sqrt(16)'\nanswer = '{value} 个'", "**4 个**"),
        ("claim = 'known'", "**0.25**"),
        ("answer = '对'", "**对**"),
        ("options = ['丙', '丁']\nanswer = 'B'", "**B**"),
        ("code = '''\nprint(10 ^ 3)\n'''", "```text\n9\n```"),
    ],
)
def test_answers_come_from_what_ran(tmp_path: Path, text: str, answer: str) -> None:
    assert read(tmp_path, f"[a]\n{GOOD}{text}") == ([answer], [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a", "x.toml:1: 读不出"),
        ("a = 1", "x.toml:1: 自测题 a 应是一张表"),
        (f"\n[a]\n{GOOD}b = 1", "x.toml:2: 自测题 a 的 b 不是已知的键"),
        ("[a]\nask = '甲'", "x.toml:1: 自测题 a 缺少 because、read"),
        (f"[A]\n{GOOD}", "的 id 只用小写字母"),
        (f"[a]\n{GOOD}", "要有 options、code、value、claim 之一"),
        (f"[a]\n{GOOD}claim = 'unknown'", "没有登记名为 unknown 的主张"),
        (f"[a]\n{GOOD}value = '1 / 0'", "的 value 求不出值：ZeroDivisionError"),
        (f"[a]\n{GOOD}code = 'a'", "的 code 出错：NameError"),
        (f"[a]\n{GOOD}code = '1'", "的 code 什么也没有印出"),
        (f"[a]\n{GOOD}code = 'print(1)'\nanswer = '1'", "有 code 就不写 answer"),
        (
            f"[a]\n{GOOD}options = ['丙', '丁']\nanswer = 'C'",
            "的 answer 应是 A、B 之一",
        ),
    ],
)
def test_misregistered_quizzes_are_told(tmp_path: Path, text: str, told: str) -> None:
    answers, errors = read(tmp_path, text)
    assert answers == []
    assert [told in error for error in errors] == [True]


def test_a_name_is_used_once(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "quizzes"
    folder.mkdir(parents=True)
    for name in "x", "y":
        text = f"[a]\n{GOOD}answer = '对'"
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    found, errors = read_quizzes(tmp_path, lambda _: None)
    assert len(found) == 1
    assert errors == ["tests/quizzes/y.toml:1: 自测题 a 与别的题重名，请改名"]


def test_a_box_shows_the_question_and_folds_the_answer() -> None:
    quiz = next(quiz for quiz in QUIZZES if quiz.id == "space-caret")
    drawn = draw_boxes([quiz])
    question, _, answer = drawn.partition("/// details | 答案")
    assert "（输出）" in question
    assert "9 1000" not in question
    assert "9 1000" in answer
    choice = next(quiz for quiz in QUIZZES if quiz.kind == "选择")
    assert f"- A：{choice.options[0]}" in draw_boxes([choice])
