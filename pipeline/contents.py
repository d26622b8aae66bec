"""目录：从 mkdocs.yml 的导航得出有哪些题、哪些页。"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SECTION = "问题"  # 导航里放题的一节


@dataclass(frozen=True)
class Question:
    """一道题。

    Args:
        title: 导航里的标题，如「Q5 ResNet」。
        stem: 页面、片段、实验、测试、主张共用的名字。
    """

    title: str
    stem: str


class _Loader(yaml.SafeLoader):
    """读 mkdocs.yml，不管里面的 !ENV 与 !!python。"""


_Loader.add_multi_constructor("", lambda *_: None)


def read_config(path: Path) -> dict[str, Any]:
    """读出 mkdocs.yml，环境变量和 Python 对象读作 `None`。

    Args:
        path: 文件。
    """
    config: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    return config


def _entries(nav: Any) -> Iterator[tuple[str, Any]]:
    """逐条给出导航里的标题与去处，没有标题的标题为空。"""
    for entry in nav or []:
        yield from entry.items() if isinstance(entry, dict) else [("", entry)]


def questions(nav: Any) -> list[Question]:
    """给出导航里的题，按先后。

    Args:
        nav: `mkdocs.yml` 的 `nav`。

    Example:
        >>> questions([{"首页": "index.md"}, {"问题": [{"Q1 甲": "a.md"}]}])
        [Question(title='Q1 甲', stem='a')]
    """
    return [
        Question(title, path.removesuffix(".md"))
        for name, section in _entries(nav)
        if name == SECTION
        for title, path in _entries(section)
    ]


def pages(nav: Any) -> list[str]:
    """给出导航里各页的名字，按先后，不带 `.md`。

    Args:
        nav: `mkdocs.yml` 的 `nav`。

    Example:
        >>> pages([{"首页": "index.md"}, {"节": [{"甲": "a.md"}, "b/c.md"]}])
        ['index', 'a', 'b/c']
    """
    return [
        name
        for _, target in _entries(nav)
        for name in (
            [target.removesuffix(".md")] if isinstance(target, str) else pages(target)
        )
    ]
