"""作者能改的错误：一行一个，指出页面和行号。"""

import errno
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(order=True, unsafe_hash=True)
class Fault(Exception):
    """一处错误。

    Args:
        line: 在页面文件中的行号，从 1 数起。
        message: 错在哪里、怎么改。
    """

    line: int
    message: str

    def at(self, page: str) -> str:
        """给出 `docs/页面.md:行号: 错误` 这一行。

        Args:
            page: 页面相对 `docs/` 的路径。
        """
        return f"docs/{page}:{self.line}: {self.message}"


def find_line(text: str, *needles: str) -> int:
    r"""给出 `needles` 中第一个出现在 `text` 里的那一个所在的行号，都没有则给 1。

    Args:
        text: 页面全文。
        needles: 要找的文字，先找排在前面的。

    Example:
        >>> find_line("甲\n$x$\n", "$x$", "x")
        2
    """
    for needle in needles:
        position = text.find(needle)
        if needle and position >= 0:
            return text.count("\n", 0, position) + 1
    return 1


MKDOCS_LINK = re.compile(
    r"Doc file '(?P<page>[^']+)' contains an? (?P<kind>[a-z ]*)link (?:to )?"
    r"'(?P<link>[^']*)'"
)


def link_fault(message: str, sources: dict[str, str]) -> tuple[str, Fault] | None:
    """把 MkDocs 关于死链的警告译成带行号的错误；别的警告给 `None`。

    Args:
        message: MkDocs 的警告。
        sources: 页面路径到页面全文。
    """
    match = MKDOCS_LINK.match(message)
    if match is None:
        return None
    page, link = match["page"], match["link"]
    reason = "目标不存在，请改链接"
    if "anchor" in message:
        reason = "锚点不存在，请改锚点，或给标题写上 {#id}"
    if "absolute" in match["kind"]:
        reason = "请写相对路径"
    line = find_line(sources.get(page, ""), f"({link})", f"({link} ", link)
    return page, Fault(line, f"死链 {link}：{reason}")


RAW_TAG = re.compile(r"<(?P<tag>img|a)\s[^>]*\b(?:src|href)\s*=", re.IGNORECASE)
NAMELESS_IMAGE = re.compile(r"!\[\s*\]\(")
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*\n", re.S)


def markup_faults(lines: Iterable[tuple[int, str]]) -> Iterator[Fault]:
    """找出直接写成 HTML 的图片与链接（MkDocs 不检查其去处）和没有说明的图片。

    Args:
        lines: 页面上围栏之外的行号与文字。
    """
    for number, line in lines:
        prose = re.sub(r"`[^`]*`", "", line)
        if match := RAW_TAG.search(prose):
            yield Fault(
                number, f"请用 Markdown 写法代替 <{match['tag']}>，这样去处才会被检查"
            )
        if NAMELESS_IMAGE.search(prose):
            yield Fault(number, "图片要有文字说明：![说明](图片)")


def read_front_matter(text: str) -> dict[str, Any]:
    """读出页首的 YAML，没有则为空。

    Args:
        text: 页面全文。

    Raises:
        Fault: 写得不对；MkDocs 会把它当正文印出来。
    """
    if (match := FRONT_MATTER.match(text)) is None:
        return {}
    try:
        given = yaml.safe_load(match[1])
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        raise Fault(line + 2, f"页首的 YAML 有误，请改正：{error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise Fault(1, f"页首的 YAML 有误，请改正：{reason}") from error
    if not isinstance(given, dict):
        raise Fault(1, "页首应是「键: 值」形式的 YAML")
    return given


def encoding_fault(error: UnicodeDecodeError) -> Fault:
    """页面不是 UTF-8 时的错误，行号是第一个读不懂的字节的。

    Args:
        error: 解码时的异常。
    """
    line = error.object.count(b"\n", 0, error.start) + 1
    return Fault(line, "不是 UTF-8 编码，请另存为 UTF-8")


class SetupError(Exception):
    """环境的问题，不是哪一页的错：信息是一句话，说清怎么办。"""


def explain_os_error(error: OSError) -> str:
    """把读写的错误说成一句话。

    Args:
        error: 系统给出的异常。
    """
    advice = {
        errno.ENOSPC: "磁盘满了，请腾出空间",
        errno.EDQUOT: "磁盘配额用完了，请腾出空间",
        errno.EACCES: "没有权限，请检查文件夹的权限",
        errno.EROFS: "文件系统是只读的，请换一个位置",
    }.get(error.errno or 0, f"{error.strerror or error}，请检查这个路径")
    return f"读写失败：{advice}" + (f"（{error.filename}）" if error.filename else "")
