"""片段的写法：一个名字一个意思，随机数一种来法，定义照页面引用的先后。"""

import ast
import importlib
import inspect
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import citations, contents
from pipeline.tools.project import CONFIG
from tests.sources import DOCS, MODULES, cells_of, module_id, public_definitions

# 随机数的来处：参数名到标注；规矩写在 snippets 包的文档里
SOURCES = {
    "generator": torch.Generator,
    "rng": np.random.Generator,
    "seed": int,
    "seeds": Sequence[int],
}
ONE_SEED = {
    # 交给只收整数的库
    "digits_split",
    "optuna_draws",
    "SmallNet",
    "sklearn_searches",
    "tpe_search",
    # 目标函数：每次调用都从同一起点出发
    "validation_error",
    "digits_objective",
    # 记住结果：认得出同样的设置，才能只训练一次
    "_depth_run",
    "trained_net",
    "_pretrained",
}
DRAWS = re.compile(
    r"torch\.(rand\w*|normal|bernoulli|multinomial)|.+(normal|uniform|orthogonal)_"
)


def sources(definition: object) -> dict[str, object]:
    """随机数从哪些参数来：叫那几个名字的，和标注是随机源的。"""
    assert callable(definition)
    return {
        name: parameter.annotation
        for name, parameter in inspect.signature(definition).parameters.items()
        if name in SOURCES
        or parameter.annotation in (torch.Generator, np.random.Generator)
    }


def every_definition() -> list[
    tuple[str, ast.FunctionDef | ast.ClassDef, dict[str, object]]
]:
    """位置、语法树、随机数的来处；类看它的 `__init__`，私有的也算。"""
    found = []
    for path in MODULES:
        dotted = module_id(path).removesuffix(".py").replace("/", ".")
        module = importlib.import_module(f"snippets.{dotted}")
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef | ast.ClassDef):
                continue
            definition = getattr(module, node.name)
            found.append((f"{module_id(path)}:{node.name}", node, sources(definition)))
    return found


DEFINITIONS = every_definition()
each_definition = pytest.mark.parametrize(
    ("where", "node", "found"), DEFINITIONS, ids=[where for where, *_ in DEFINITIONS]
)


def test_a_name_means_one_thing() -> None:
    names = Counter(
        node.name for module in MODULES for node in public_definitions(module)
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("module", MODULES, ids=module_id)
def test_definitions_stand_in_the_order_of_their_citations(module: Path) -> None:
    cited = [
        match["section"]
        for page in contents.pages(CONFIG["nav"])
        for cell in cells_of(DOCS / f"{page}.md")
        for line in cell.code.splitlines()
        if (match := citations.FORM.match(line)) and match["path"] == module_id(module)
    ]
    defined = [node.name for node in public_definitions(module)]
    assert defined == list(dict.fromkeys(cited))


@each_definition
def test_randomness_comes_from_one_parameter(
    where: str, node: ast.AST, found: dict[str, object]
) -> None:
    del node
    assert len(found) <= 1, where
    for name, annotation in found.items():
        assert SOURCES.get(name) == annotation, f"{where}: {name}"
    if "seeds" in found:
        assert where.startswith("experiments/"), f"{where}: 只有实验收 seeds"


def test_one_seed_is_for_libraries_and_objectives() -> None:
    takers = {where.split(":")[1] for where, _, found in DEFINITIONS if "seed" in found}
    assert takers == ONE_SEED, "抽数的收随机源，整个实验收 seeds"


@each_definition
def test_who_takes_no_seed_sows_none_and_draws_from_its_source(
    where: str, node: ast.AST, found: dict[str, object]
) -> None:
    if {"seed", "seeds"} & set(found):
        return
    for call in (n for n in ast.walk(node) if isinstance(n, ast.Call)):
        text, given = ast.unparse(call), {keyword.arg for keyword in call.keywords}
        function = ast.unparse(call.func)
        assert not re.search(r"manual_seed$|default_rng$", function), f"{where}: {text}"
        if DRAWS.fullmatch(function):
            assert "generator" in given, f"{where}: {text}"
