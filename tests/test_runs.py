"""运行：笔记本、读回结果、查错。"""

import importlib.metadata
import math

import pytest

from pipeline.cells import Cell
from pipeline.runs import (
    Run,
    check_runs,
    make_notebook,
    read_measures,
    read_runs,
    versions,
)


def test_notebook_depends_only_on_what_can_change_an_output() -> None:
    cell = Cell("1", (3,))
    tags = frozenset({"hide-input", "raises-exception"})
    moved = Cell("1", (30,), tags, caption="图", alt="线", origins=("a.py:2",))
    notebook = make_notebook([cell], "import a", {"torch": "2"})
    assert make_notebook([moved], "import a", {"torch": "2"}) == notebook
    skipped = Cell("2", (9,), frozenset({"skip-execution"}))
    assert make_notebook([cell, skipped], "import a", {"torch": "2"}) == notebook
    for other in (
        make_notebook([Cell("2", (3,))], "import a", {"torch": "2"}),
        make_notebook([cell], "import b", {"torch": "2"}),
        make_notebook([cell], "import a", {"torch": "3"}),
        make_notebook([cell, cell], "import a", {"torch": "2"}),
        make_notebook(
            [Cell("1", (3,), claims=(("c", "1"),))], "import a", {"torch": "2"}
        ),
    ):
        assert other != notebook


def test_block_that_was_not_run_is_a_fault() -> None:
    cells = [Cell("1", (3,)), Cell("2", (7,), frozenset({"skip-execution"}))]
    (fault,) = check_runs(cells, {"cell-0": Run(None, []), "cell-1": Run(None, [])})
    assert (fault.line, fault.message[:7]) == (3, "这一块没有运行")


def test_adjacent_streams_are_one() -> None:
    def stream(name: str, text: str) -> dict[str, str]:
        return {"output_type": "stream", "name": name, "text": text}

    value = {"output_type": "execute_result", "data": {"text/plain": "1"}}
    outputs = [stream("stdout", "a"), stream("stdout", "b"), value]
    outputs += [stream("stdout", "c"), stream("stderr", "d")]
    written = [{"id": "cell-0", "count": 2, "outputs": outputs}]
    (run,) = read_runs(written).values()
    assert run.count == 2
    assert [o.get("text") for o in run.outputs] == ["ab", None, "c", "d"]


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        ({"text/plain": "1"}, 0),
        ({"text/plain": "<图>", "image/png": "x"}, 1),
        ({"application/x": "1"}, 1),
    ],
)
def test_unknown_kind_of_output_is_a_fault(data: dict[str, str], faults: int) -> None:
    run = Run(1, [{"output_type": "execute_result", "data": data}])
    found = list(check_runs([Cell("1", (3,))], {"cell-0": run}))
    assert [(fault.line, "不支持" in fault.message) for fault in found] == [
        (3, True)
    ] * faults


def stdout(text: str) -> dict[str, str]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def test_measures_are_read_from_the_cells_after_the_blocks() -> None:
    runs = {
        "cell-0": Run(1, [stdout("无关")]),
        "claims-0": Run(2, [stdout('{"a": 1.5}')]),
        "claims-2": Run(4, [stdout('{"b": NaN}')]),
    }
    measures = read_measures(runs)
    assert measures["a"] == 1.5
    assert math.isnan(measures["b"])


def test_expression_of_a_claim_that_fails_is_a_fault() -> None:
    error = {
        "output_type": "error",
        "ename": "NameError",
        "evalue": "x",
        "traceback": [],
    }
    cell = Cell("1", (3,), claims=(("a", "x"),))
    runs = {"cell-0": Run(1, []), "claims-0": Run(2, [error])}
    (fault,) = check_runs([cell], runs)
    assert fault.line == 3
    assert "claims 里的表达式出错" in fault.message
    assert "NameError: x" in fault.message
    assert read_measures(runs) == {}


def test_error_names_the_line_of_the_page_and_of_the_snippet() -> None:
    pulled = Cell("def f():\n    1 / 0", (4, 4), origins=("s/a.py:2", "s/a.py:3"))
    call = Cell("f(\n)", (8, 9), origins=("", ""))
    traceback = ["Cell In[3], line 1\n  ...", "Cell In[2], line 2, in f()"]
    error = {
        "output_type": "error",
        "ename": "ZeroDivisionError",
        "evalue": "division by zero",
        "traceback": traceback,
    }
    runs = {"cell-0": Run(2, []), "cell-1": Run(3, [error])}
    (fault,) = check_runs([pulled, call], runs)
    assert (fault.line, fault.message) == (
        8,
        "ZeroDivisionError: division by zero（s/a.py:3）；请改正这一句",
    )


@pytest.mark.parametrize(
    "package", ["torch", "numpy", "matplotlib", "nbclient", "ipykernel"]
)
def test_versions_are_part_of_the_notebook(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = importlib.metadata.version
    before = make_notebook([], "", versions())
    monkeypatch.setattr(
        importlib.metadata,
        "version",
        lambda name: "0.0" if name == package else version(name),
    )
    assert make_notebook([], "", versions()) != before


def test_python_is_part_of_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    before = versions()
    monkeypatch.setattr("sys.version", "4.0")
    assert versions() != before
