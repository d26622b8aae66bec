"""手撕题：解答全过，登记的错法各有一项不过、话也说得对；判题说得清读者的错。"""

import importlib
from pathlib import Path
from typing import Any

import pytest

from pipeline import exercises
from pipeline.exercises import Exercise
from pipeline.judge import MOST, judge
from pipeline.practice import NODE_MODULES, PYODIDE
from pipeline.tools.addresses import transferred
from pipeline.tools.project import EXERCISES, ROOT, STEMS
from snippets.exercises.checking import check, compare, refuses
from tests.answers import mistaken, solution, source

WRONG = [(exercise, n) for exercise in EXERCISES for n in range(len(exercise.wrong))]


def run(code: str, source: str = "def f(x):\n    return x\n", **options: Any) -> Any:
    """用一项测试测读者写的 `f`。"""
    test = 'def test_f_one():\n    """一"""\n    assert f(1) == 1, "应是 1"\n'
    return judge(source + test, "f", code, **options)


def test_each_question_has_two_exercises_and_each_three_wrong_solutions() -> None:
    for stem in STEMS:
        mine = [e for e in EXERCISES if e.stem == stem]
        assert mine == [] or len(mine) >= 2, f"tests/exercises/{stem}.toml: 至少两题"
    for exercise in EXERCISES:
        assert len(exercise.wrong) >= 3, f"{exercise.place}: 至少登记三种错法"
        assert len(exercise.hints) >= 2, f"{exercise.place}: 提示至少分两步"
    assert exercises.read_exercises(ROOT)[1] == []


@pytest.mark.parametrize("stem", sorted({e.stem for e in EXERCISES}))
def test_the_page_leads_to_its_exercises_and_its_quiz(stem: str) -> None:
    page = (ROOT / "docs" / f"{stem}.md").read_text(encoding="utf-8")
    wanted = (
        f"## 手撕 {{#practice}}\n\n<!-- exercises: {stem} -->\n\n"
        f"## 自测 {{#quiz}}\n\n<!-- quiz: {stem} -->\n\n## 追问 {{#follow-ups}}\n"
    )
    assert wanted in page, f"docs/{stem}.md: 请在「追问」之前写：\n{wanted}"


@pytest.mark.parametrize("stem", sorted({e.stem for e in EXERCISES}))
def test_the_tests_hold_without_the_judge(stem: str) -> None:
    module = importlib.import_module(f"snippets.exercises.{stem}")
    tests = [f for name, f in vars(module).items() if name.startswith("test_")]
    assert len(tests) >= 8
    for test in tests:
        test()


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_the_solution_passes_every_test(exercise: Exercise) -> None:
    result = judge(source(exercise), exercise.name, solution(exercise))
    assert result["error"] == ""
    assert [t["message"] for t in result["tests"] if not t["passed"]] == []
    assert len(result["tests"]) >= 4
    others = {n for n in exercises.solutions(source(exercise)) if n != exercise.name}
    named = [f"test_{exercise.name}_".startswith(f"test_{other}_") for other in others]
    assert not any(named), f"{exercise.place}: 名字是别的题的开头，测试会混在一起"


@pytest.mark.parametrize(
    ("exercise", "number"), WRONG, ids=[f"{e.name}-{n}" for e, n in WRONG]
)
def test_a_wrong_solution_is_told_what_is_wrong(
    exercise: Exercise, number: int
) -> None:
    result = judge(source(exercise), exercise.name, mistaken(exercise, number))
    told = [test["message"] for test in result["tests"] if not test["passed"]]
    assert told or result["error"], "全过了"
    assert exercise.wrong[number]["says"] in "\n".join([*told, result["error"]])


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_the_stub_is_a_start_that_fails(exercise: Exercise) -> None:
    stub = exercises.stub(source(exercise), exercise.name)
    assert "# 写在这里" in stub
    assert "return" not in stub
    assert "Source:" not in stub
    result = judge(source(exercise), exercise.name, stub)
    assert result["error"] or not all(test["passed"] for test in result["tests"])


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def f(x)\n    return x", "第 1 行：语法不对（SyntaxError: expected ':'）"),
        ("def f(x):\nreturn x", "第 2 行：缩进不对"),
        ("import numpy_x\n", "第 1 行：这里没有这个模块：只有标准库"),
        ("a = 1\n", "没有找到 f：请保留这个名字"),
        ("def f(x): return x\n1 / 0", "第 2 行：除以了 0（ZeroDivisionError"),
        ("import sys\nsys.exit(3)", "第 2 行：出错了（SystemExit: 3）"),
    ],
)
def test_what_cannot_be_tested_is_told_with_its_line(code: str, told: str) -> None:
    result = run(code)
    assert result["error"].startswith(told)
    assert result["tests"] == []


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def f(x):\n    return f(x)", "第 2 行：递归太深"),
        ("def f(x):\n    return y", "第 2 行：这个名字没有定义"),
        ("def f(x):\n    return [][x]", "第 2 行：下标越界"),
        ("def f(x):\n    return 2.0 ^ x", "第 2 行：类型或参数不对；乘方写 **"),
        ("def f(x):\n    assert x > 1, '甲'", "第 2 行：出错了（AssertionError: 甲）"),
        ("def f(x):\n    return 2", "应是 1"),
    ],
)
def test_what_fails_in_a_test_is_told_with_its_line(code: str, told: str) -> None:
    (test,) = run(code)["tests"]
    assert not test["passed"]
    assert test["message"].startswith(told)


def test_an_endless_loop_is_stopped_at_its_line() -> None:
    heard: list[tuple[str, Any]] = []
    code = "def f(x):\n    try:\n        while True:\n            pass\n    except Exception:\n        pass"
    result = run(code, limit=0.5, report=lambda *said: heard.append(said))
    assert result["error"].startswith(
        ("第 3 行：运行超过 0.5 秒", "第 4 行：运行超过 0.5 秒")
    )
    assert {heard[-1], heard[-2]} <= {("line", 3), ("line", 4)}


def test_what_is_printed_is_shown_up_to_a_limit() -> None:
    result = run("def f(x):\n    print('看', x)\n    return x\nprint('甲')")
    assert result["printed"] == "甲\n看 1\n"
    assert result["tests"] == [{"title": "一", "passed": True, "message": ""}]
    assert len(run("for i in range(5000): print(i)")["printed"]) == MOST


def test_checks_say_what_was_wanted_and_what_came() -> None:
    check(sorted, [2, 1], gives=[1, 2])
    with pytest.raises(AssertionError, match=r"改动了传进来的参数"):
        check(lambda a: a.sort() or [1, 2], [2, 1], gives=[1, 2])
    for got, told in (
        (None, "没有 return"),
        ([1], "应有 2 个元素，得到 1 个"),
        ((1, 3), r"第 \[1\] 项应是 2"),
        (5, "应是列表"),
        ([1, "x" * 200], "…"),
    ):
        with pytest.raises(AssertionError, match=told):
            compare("甲", got, [1, 2])
    with pytest.raises(AssertionError, match="应是元组"):
        compare("甲", 1, (1, 2))
    with pytest.raises(AssertionError, match="得到 TypeError"):
        refuses(ValueError, abs, "甲")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[f", "x.toml:1: 读不出"),
        ("[f]\ntitle = '甲'", "x.toml:1: f 要有这几个键：hints、read、title、wrong"),
        ("f = 1", "x.toml:1: f 要有这几个键"),
        (
            "[g]\ntitle = '甲'\nread = 'a.md'\nhints = []\nwrong = []",
            "x.toml:1: x.py 里没有 g",
        ),
    ],
)
def test_misregistered_exercises_are_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "tests" / "exercises").mkdir(parents=True)
    (tmp_path / "snippets" / "exercises").mkdir(parents=True)
    (tmp_path / "snippets" / "exercises" / "x.py").write_text(
        "def f():\n    return 1\n"
    )
    (tmp_path / "tests" / "exercises" / "x.toml").write_text(text, encoding="utf-8")
    found, errors = exercises.read_exercises(tmp_path)
    assert found == []
    assert [told in error for error in errors] == [True]


def test_the_size_told_is_the_size_fetched() -> None:
    folder = NODE_MODULES / "pyodide"
    size = sum(transferred(folder, name) for name in PYODIDE) / 1e6
    assert abs(size - exercises.DOWNLOAD) < 0.1, f"是 {size:.2f} MB"
