r"""搜索：中文怎样切成词，索引里收什么。

词只管先后：切不出的，由 workers/gate.js 在各节里逐字找。

读者输入的问句，由 Material 的搜索线程用索引里的词去切，每个词按前缀去找。它切的时候看
不到最后一个词：「梯度消失」只剩「梯度」。所以索引里每个中文词都带着看不见的尾巴，问句里
就没有哪一段正好是索引里的词，线程不再切，只按分隔符分。分隔符里写着词典，问句于是切得
和正文一样。
"""

import copy
import functools
import json
import logging
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cache import Cache, digest

if TYPE_CHECKING:
    from jieba import Tokenizer

HAN = "[\u4e00-\u9fff]"
NUMBER = r"\b\d[\d.]*(?!\w)"
END = "\u200b"  # 词的尾巴
SKIPPED = "\u2060"  # 单字和数的尾巴：它们不算词，否则标题里的「和」「是」也来争先
# 问句里常有的虚词，两边都当作空格；长的在前
FILLERS = (
    *("为什么", "怎么样", "怎么办", "能不能", "是不是"),
    *("怎么", "怎样", "什么", "如何", "哪个", "哪些", "是否", "区别", "的", "吗", "呢"),
)


def rewrite_files(folder: Path, glossary: str, cache: Cache, *, offline: bool) -> None:
    """重写 Material 写好的索引；有服务器时，正文另放一个文件，等到要搜时才取。

    Args:
        folder: 网站的 `search/`。
        glossary: 术语表的全文。
        cache: 切过的文字。
        offline: 网站是否从磁盘打开。
    """
    path = folder / "search_index.json"
    text = rewrite_index(path.read_text(encoding="utf-8"), glossary, cache)
    if not offline:
        path.with_name("documents.json").write_text(text, encoding="utf-8")
        text = empty_index(text)
    path.write_text(text, encoding="utf-8")


def rewrite_index(text: str, glossary: str, cache: Cache) -> str:
    """重写索引：去掉代码，切开中文，给出相配的分隔符。

    Args:
        text: Material 写的 `search_index.json`。
        glossary: 术语表的全文。
        cache: 切过的文字。
    """
    data = json.loads(text)
    terms, titles = read_terms(glossary), [entry["title"] for entry in data["docs"]]
    key = json.dumps([terms, titles])
    dictionary = cache.get("dictionary", key, lambda: make_dictionary(terms, titles))
    data["config"]["separator"] = make_separator(dictionary)
    words = _Words(cache, terms, dictionary)
    for entry in data["docs"]:
        if "#" not in entry["location"]:
            entry.pop("boost", None)  # 页首的权重只管各节：搜页名，总是先见到那一页
        prose = re.sub(r"<pre>.*?</pre>", "", entry["text"], flags=re.S)
        prose = re.sub(r"</?[uo]l>", "", prose)  # 结果里，一项就是一段
        prose = re.sub(r"\s*(</?)(?:p|li)>\s*", r"\1p>", prose)
        entry["text"] = words.cut(re.sub(r"\s+", " ", prose))
        entry["title"] = words.cut(entry["title"])
    words.save()
    data["config"]["fillers"] = "|".join(FILLERS)
    used = {
        letter for entry in data["docs"] for letter in entry["title"] + entry["text"]
    }
    letters = "".join(sorted(used))
    variants = cache.get("variants", letters, lambda: find_variants(letters))
    data["config"]["variants"] = variants
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


class _Words:
    """切文字；上次切过的照用，这次没有的不再留着。"""

    def __init__(
        self, cache: Cache, terms: Sequence[str], words: Sequence[str]
    ) -> None:
        self.cache = cache
        self.terms = terms
        self.words = words
        self.key = json.dumps([terms, words])
        self.known: dict[str, str] = cache.load("words", self.key) or {}
        self.used: dict[str, str] = {}

    def cut(self, text: str) -> str:
        mark = digest(text)
        if mark not in self.known:
            self.known[mark] = cut(text, self.words, tokenizer(*self.terms))
        self.used[mark] = self.known[mark]
        return self.used[mark]

    def save(self) -> None:
        if self.used.keys() != (self.cache.load("words", self.key) or {}).keys():
            self.cache.save("words", self.key, self.used)


def empty_index(text: str) -> str:
    """给出没有正文的索引，网页一打开就取的只有它。

    Args:
        text: 索引。
    """
    data = json.loads(text) | {"docs": []}
    for key in "fillers", "variants":
        del data["config"][key]
    return json.dumps(data, ensure_ascii=False)


def find_variants(text: str) -> str:
    """给出正文里各字的繁体，一对一对地连着写；正文里自己用的字不算。

    Args:
        text: 正文。

    Example:
        >>> find_variants("残差网络")
        '殘残絡络網网'
    """
    import opencc  # 只在正文用的字变了才要，导入要些时候

    used = set(text)
    han = [chr(code) for code in range(0x4E00, 0xA000)]
    plain = opencc.OpenCC("t2s").convert("\n".join(han)).split("\n")
    return "".join(
        old + new
        for old, new in zip(han, plain, strict=True)
        if old not in used and new in used and old != new
    )


def read_terms(glossary: str) -> list[str]:
    r"""给出术语表里每张表第一列的中文词。

    Args:
        glossary: 术语表的全文。

    Example:
        >>> read_terms("| 规范化、归一化 | normalization |\n| 零 γ | zero |")
        ['规范化', '归一化']
    """
    cells = re.findall(rf"^\|\s*({HAN}+(?:、{HAN}+)*)\s*\|", glossary, re.M)
    return [term for cell in cells for term in cell.split("、")]


@functools.cache
def tokenizer(*terms: str) -> "Tokenizer":
    """给出分词器，短的术语它都认得。

    Args:
        terms: 术语。
    """
    import jieba  # 词典大，没有新的文字就不读

    jieba.setLogLevel(logging.WARNING)
    jieba.initialize()
    made = copy.copy(jieba.dt)
    made.FREQ = jieba.dt.FREQ.copy()  # 加的词只归它
    for term in filter(_is_short, terms):
        made.add_word(term)
    return made


def _is_short(term: str) -> bool:
    return len(term) <= 3


def make_dictionary(terms: Sequence[str], titles: Iterable[str]) -> list[str]:
    """给出词典：短的术语，以及长的术语和各节标题切成的词。

    长的切开，搜「网络」才找得到「卷积神经网络」；短的不切，「感受野」不是「感受」和「野」。

    Args:
        terms: 术语。
        titles: 各节的标题。
    """
    split = tokenizer(*terms).cut
    short = {*filter(_is_short, terms)}
    runs = [run for text in [*terms, *titles] for run in re.findall(f"{HAN}+", text)]
    words = {word for run in runs for word in split(run) if len(word) > 1}
    inside = {word for word in words for term in short if word in term}
    return sorted(short | words - inside | set(FILLERS))


def make_separator(dictionary: Sequence[str]) -> str:
    """给出分隔符，正文和问句都用它切。

    Material 给网页标亮时，把分隔符按 `|` 拆开，再去掉环视，所以环视里不写 `|`。

    Args:
        dictionary: 词典。
    """
    return "|".join(
        [
            r"&[a-z]+;",
            f"{HAN}+{SKIPPED}",
            f"{NUMBER}{SKIPPED}",
            *FILLERS,
            r"""[\s\-=/,;:?!()[\]{}<>"'`、。，．；：？！（）「」『』《》“”‘’…—·×]+""",
            r"\.(?!\d)",
            f"(?<={END})",
            f"(?<={HAN})(?=[A-Za-z0-9])",
            f"(?<=[A-Za-z0-9])(?={HAN})",
            *(f"(?={word})" for word in dictionary),
            *(f"(?<={word})(?![{END}{SKIPPED}])" for word in dictionary),
        ]
    )


def cut(text: str, dictionary: Iterable[str], tokenizer: "Tokenizer") -> str:
    r"""把中文切成词，词后加上尾巴；词典里的词，两头都切开。

    Args:
        text: 文字，可以是 HTML。
        dictionary: 词典。
        tokenizer: 分词器，切词典里没有的。

    Example:
        >>> cut("ResNet 的感受野和 3 层", ["感受野"], tokenizer())
        'ResNet 的感受野\u200b和\u2060 3\u2060 层\u2060'
    """
    known = set(dictionary)
    text = re.sub(r"(?<=\d)×(?=\d)", "x", text)  # 3×3 是一个词，问「3×3」按前缀找到它
    return re.sub(
        f"{HAN}+|{NUMBER}",
        lambda match: "".join(_tails(_words(match[0], known, tokenizer), known)),
        text,
    )


def _words(run: str, known: set[str], tokenizer: "Tokenizer") -> list[str]:
    """先在词典的词的两头切，余下的交给分词器。"""
    edges = {0, len(run)}
    for word in known:
        if word in run:  # 多半不在，先问一句比直接找快得多
            for found in re.finditer(word, run):
                edges |= set(found.span())
    pieces = [run[start:end] for start, end in pairwise(sorted(edges))]
    return [
        word
        for piece in pieces
        for word in ([piece] if piece in known else tokenizer.cut(piece))
    ]


def _tails(words: Sequence[str], known: set[str]) -> Iterable[str]:
    """给词加上尾巴；虚词没有尾巴，相连的单字合用一个。"""
    kinds = [_tail(word, known) for word in words]
    for word, tail, following in zip(words, kinds, [*kinds[1:], ""], strict=True):
        yield word if tail == following == SKIPPED else word + tail


def _tail(word: str, known: set[str]) -> str:
    if word in FILLERS:
        return ""
    return END if word in known or re.match(HAN * 2, word) else SKIPPED
