"""读问句表：读者会怎样搜，该先见到哪一页。"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.tools.project import STEMS

TABLE = Path(__file__).with_name("search_queries.toml")


@dataclass(frozen=True)
class Query:
    """一条问句：最迟在第 `rank` 名要见到 `page`。"""

    text: str
    page: str
    rank: int


def read_queries() -> Iterator[Query]:
    """逐条给出问句表。"""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    for key, rank in ("first", 1), ("among-three", 3):
        for text, page in table[key].items():
            # 问句恰好是一道题的名字，就该见到那道题
            yield Query(text, text if text in STEMS else page, rank)
