"""手撕题的解答，和照登记改错的解答。"""

from pipeline import exercises
from pipeline.exercises import Exercise
from pipeline.tools.project import ROOT


def source(exercise: Exercise) -> str:
    """放一题的解答和测试的模块，全文。"""
    return exercises.module_path(ROOT, exercise.stem).read_text(encoding="utf-8")


def solution(exercise: Exercise) -> str:
    """解答，连同它要的导入：读者会写的样子。"""
    text = source(exercise)
    head = exercises.stub(text, exercise.name).partition("\n\n\n")[0]
    imports = head if head.startswith("import ") else ""
    return f"{imports}\n{exercises.solutions(text)[exercise.name]}"


def mistaken(exercise: Exercise, number: int) -> str:
    """照登记的第 `number` 种错法改错的解答。"""
    code = solution(exercise)
    edit = exercise.wrong[number]["edit"]
    for old, new in zip(edit[::2], edit[1::2], strict=True):
        assert code.count(old) == 1, f"{exercise.place}: 解答里应恰有一处 {old!r}"
        code = code.replace(old, new)
    return code
