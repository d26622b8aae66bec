"""依赖：各有一句为什么，全部钉住，npm 的有摘要。"""

import importlib.metadata
import json
import re
import tomllib
from pathlib import Path

import pytest

from pipeline.tools.project import ROOT
from tests.sources import place

LOCKS = [
    ROOT / folder / "package-lock.json" for folder in ("pipeline", "pipeline/tools")
]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", name)[0]).lower()


def declared() -> set[str]:
    """pyproject.toml 里直接写明的依赖。"""
    with (ROOT / "pyproject.toml").open("rb") as stream:
        project = tomllib.load(stream)["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {normal(name) for group in groups for name in group}
    return names - {"deep-learning-qa"}


def pinned() -> set[tuple[str, str]]:
    """钉住的名字与版本；各个 Python 版本可以不同。"""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.M)
    return {(normal(name), version) for name, version in found}


def test_each_python_dependency_has_its_reason_beside_it() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    listed = {
        normal(match[1])
        for line in lines
        if (match := re.fullmatch(r' {4}"([\w.-]+).*",  # (\S.*)', line))
    }
    for name in sorted(declared()):
        assert name in listed, (
            f"pyproject.toml: 请在 {name} 的行尾写明为什么要它，如 # 代码着色"
        )


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_each_npm_dependency_has_its_reason_in_the_description(lock: Path) -> None:
    package = json.loads(lock.with_name("package.json").read_text(encoding="utf-8"))
    reasons = dict(part.split("：") for part in package["description"].split("；"))
    assert sorted(reasons) == sorted(package["dependencies"]), (
        f"{place(lock.with_name('package.json'))}: "
        "description 请逐个写「名字：为什么」，用；隔开，不多不少"
    )
    assert all(reasons.values())


def test_every_installed_dependency_is_pinned() -> None:
    pins = pinned()
    assert declared() <= {name for name, _ in pins}
    todo, seen = list(declared()), set()
    while todo:  # 直接和间接依赖的一切
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # 别的系统才要
        version = distribution.version.partition("+")[0]  # torch 的 +cpu
        assert (name, version) in pins
        for requirement in distribution.requires or []:
            if "extra ==" not in requirement:
                todo.append(normal(requirement))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_npm_packages_have_digests_and_no_address_of_a_mirror(lock: Path) -> None:
    found = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    packages = {k: v for k, v in found.items() if k}
    assert packages
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name


def test_the_newest_workflow_runs_what_ci_runs() -> None:
    text = Path(ROOT / ".github" / "workflows" / "newest.yml").read_text("utf-8")
    assert "make lock" in text
    assert "bash .ci/run" in text
    assert "schedule" in text
