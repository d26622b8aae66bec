"""添一道题：五个文件和一行导航，写出来就建得成、测得过。"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import contents
from pipeline.tools import new
from pipeline.tools.project import ROOT, mkdocs_command, run

ASKED = contents.questions(contents.read_config(ROOT / "mkdocs.yml")["nav"])
LABEL = f"Q{len(ASKED) + 1}"  # 添过题的项目里，这些测试也要通过
NAME, TITLE = "newcomer", f"{LABEL}：Dropout 为什么有效？"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """一份空的项目，只有导航和各个文件夹。"""
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    for path in new.FILES:
        (tmp_path / path.format(name=NAME)).parent.mkdir(parents=True, exist_ok=True)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_question_is_five_files_and_a_line_of_the_navigation(project: Path) -> None:
    before = (project / "mkdocs.yml").read_text(encoding="utf-8").splitlines()
    new.write(project, NAME, TITLE)
    assert files(project) == {"mkdocs.yml", *(p.format(name=NAME) for p in new.FILES)}
    after = (project / "mkdocs.yml").read_text(encoding="utf-8").splitlines()
    assert [line for line in after if line not in before] == [
        f"      - {LABEL} Dropout 为什么有效？: {NAME}.md"
    ]
    asked = contents.questions(contents.read_config(project / "mkdocs.yml")["nav"])
    assert (asked[-1].label, asked[-1].stem) == (LABEL, NAME)


@pytest.mark.parametrize(
    ("name", "title", "told"),
    [
        ("Drop", TITLE, "NAME 要能作 Python 模块的名字"),
        ("class", TITLE, "NAME 要能作 Python 模块的名字"),
        ("../a", TITLE, "NAME 要能作 Python 模块的名字"),
        (NAME, "Dropout 为什么有效？", "TITLE 应像"),
        (NAME, f"{LABEL}：甲: 乙", "TITLE 应像"),
        (NAME, "Q7：甲", "已经有 Q7"),
    ],
)
def test_what_cannot_be_a_question_writes_nothing(
    project: Path, name: str, title: str, told: str
) -> None:
    with pytest.raises(SystemExit, match=told):
        new.write(project, name, title)
    assert files(project) == {"mkdocs.yml"}


@pytest.mark.parametrize("name", ["dropout", "newcomer"])
def test_imports_are_in_order_whatever_the_name(project: Path, name: str) -> None:
    new.write(project, name, TITLE)  # snippets.experiments 在它们中间
    text = (project / "tests" / f"test_{name}.py").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("from snippets")]
    assert len(lines) == 2
    assert lines == sorted(lines)


def test_a_file_that_is_there_is_kept(project: Path) -> None:
    kept = project / "snippets" / f"{NAME}.py"
    kept.write_text("我的", encoding="utf-8")
    with pytest.raises(SystemExit, match=f"已经有 snippets/{NAME}.py"):
        new.write(project, NAME, TITLE)
    assert files(project) == {"mkdocs.yml", f"snippets/{NAME}.py"}
    assert kept.read_text(encoding="utf-8") == "我的"


def test_the_command_wants_both(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="用法"):
        new.main([])
    assert capsys.readouterr().out == ""


@pytest.fixture
def clone(site: Path, tmp_path: Path) -> Iterator[Path]:
    """项目的一份副本，各页的输出已在缓存里。"""
    del site  # 建过一次，缓存就满了
    folder = tmp_path / "clone"
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.check_output(command, cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    modules = folder / "pipeline" / "node_modules"
    modules.symlink_to(ROOT / "pipeline" / "node_modules")
    shutil.copytree(ROOT / ".cache", folder / ".cache")
    yield folder
    shutil.rmtree(folder)


def test_a_new_question_is_built_and_passes_every_test(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """建网站，再运行约定的测试和新页面的全部测试，浏览器里的也在内。"""
    unmeasured = {"COVERAGE_PROCESS_CONFIG": ""}
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    python = [sys.executable, "-W", "ignore"]
    command = [*python, "-m", "pipeline.tools.new", NAME, TITLE]
    status, output = run(clone, *command, **unmeasured)
    assert status == 0, output
    status, output = run(clone, *mkdocs_command("build", "--strict"), **unmeasured)
    assert status == 0, output
    page = (clone / "site" / NAME / "index.html").read_text(encoding="utf-8")
    assert "n = 64" in page
    for path in "index.html", "evidence/index.html", "reference/index.html":
        assert NAME in (clone / "site" / path).read_text(encoding="utf-8"), path
    contract = ["docs", "manner", "claims_hold", "original", "contents", "layout"]
    chosen = [f"tests/test_{name}.py" for name in contract]
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-cov"]
    for arguments in (
        [*chosen, "-m", "not claim"],
        ["tests", "snippets", "-k", NAME, "--deselect", "tests/test_new.py"],
    ):
        command = [sys.executable, "-m", "pytest", *options, *arguments]
        status, output = run(clone, *command, **unmeasured)
        assert status == 0, output
    written = [path.format(name=NAME) for path in new.FILES if path.endswith(".py")]
    status, output = run(clone, sys.executable, "-m", "ruff", "check", *written)
    assert status == 0, output
