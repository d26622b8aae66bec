"""这个项目：它的文件夹，导航里的题和页，怎样在它里面运行命令。"""

import os
import subprocess
import sys
from pathlib import Path

from pipeline import contents
from pipeline.exercises import read_exercises
from pipeline.tools.addresses import SITE_URL

ROOT = Path(__file__).parents[2]
CONFIG = contents.read_config(ROOT / "mkdocs.yml")
QUESTIONS = contents.questions(CONFIG["nav"])
STEMS = [question.stem for question in QUESTIONS]
REFERENCE = contents.reference_pages(QUESTIONS, ROOT, print)
EXERCISES, _ = read_exercises(ROOT)
PRACTICE = contents.practice_pages(QUESTIONS, EXERCISES)
PAGES = contents.pages(contents.with_reference(CONFIG["nav"], REFERENCE))
PAGES += [page.page.removesuffix(".md") for page in PRACTICE]
ENVIRONMENT = {
    "NO_MKDOCS_2_WARNING": "1",
    "SITE_URL": SITE_URL,
    "SOURCE_DATE_EPOCH": "1600000000",  # 测试跑过了半夜，日期也不变
}


def mkdocs_command(*arguments: str) -> list[str]:
    """给出运行 mkdocs 的命令。

    Args:
        arguments: mkdocs 的参数。
    """
    return [sys.executable, "-m", "mkdocs", *arguments]


def run(folder: Path, *command: str, **environment: str) -> tuple[int, str]:
    """在 `folder` 里运行一条命令，给出退出状态和它写的一切。

    Args:
        folder: 文件夹。
        command: 命令。
        environment: 另设的环境变量。
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | ENVIRONMENT | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    return done.returncode, done.stdout


def read_tree(site: Path) -> dict[str, bytes]:
    """读出建成的网站：路径到内容。

    Args:
        site: 网站的文件夹。
    """
    return {
        path.relative_to(site).as_posix(): path.read_bytes()
        for path in sorted(site.rglob("*"))
        if path.is_file()
    }
