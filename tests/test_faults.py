"""错误的行号，和对 MkDocs 警告的翻译。"""

import pytest

from pipeline import fences
from pipeline.faults import (
    Fault,
    encoding_fault,
    find_line,
    link_fault,
    markup_faults,
    read_front_matter,
)


def test_line_of_the_first_needle_found() -> None:
    text = "甲\n乙 x\n$x$\n"
    assert find_line(text, "$x$", "x") == 3
    assert find_line(text, "没有", "x") == 2
    assert find_line(text, "没有", "") == 1


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (
            "Doc file 'a.md' contains a link 'b.md', but the target is not found "
            "among documentation files.",
            Fault(2, "死链 b.md：目标不存在，请改链接"),
        ),
        (
            "Doc file 'a.md' contains a link '#x', but there is no such anchor on this page.",
            Fault(3, "死链 #x：锚点不存在，请改锚点，或给标题写上 {#id}"),
        ),
        (
            "Doc file 'a.md' contains an absolute link '/c', it was left as is.",
            Fault(1, "死链 /c：请写相对路径"),
        ),
        (
            "Doc file 'a.md' contains an unrecognized relative link 'b', it was left as is.",
            Fault(2, "死链 b：目标不存在，请改链接"),
        ),
    ],
)
def test_mkdocs_warnings_get_a_line(message: str, fault: Fault) -> None:
    sources = {"a.md": "甲\n[乙](b.md) [丙](b)\n[丁](#x)\n"}
    assert link_fault(message, sources) == ("a.md", fault)


def test_other_warnings_are_left_alone() -> None:
    assert link_fault("别的警告", {}) is None


def test_raw_html_links_are_found_outside_code() -> None:
    text = '`<img src="a">`\n```text\n<img src="a">\n```\n<a id="x"></a>\n<img\talt="" src="a">\n'
    prose = fences.prose(text.splitlines())
    assert [fault.line for fault in markup_faults(prose)] == [6]


def test_images_want_a_text_outside_code() -> None:
    text = "![甲](a.svg)\n![](a.svg)\n`![](a.svg)`\n![ ](a.svg)\n"
    prose = fences.prose(text.splitlines())
    assert [fault.line for fault in markup_faults(prose)] == [2, 4]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("---\na: 1\nb: [1\n---\n# 页\n", 3),
        ("---\na: 1\n b: 2\n---\n# 页\n", 3),
        ("---\n只有字\n---\n# 页\n", 1),
        ("---\ndate: 2026-02-30\n---\n# 页\n", 1),
    ],
)
def test_front_matter_that_is_no_yaml_is_told(text: str, line: int) -> None:
    with pytest.raises(Fault) as caught:
        read_front_matter(text)
    assert caught.value.line == line


def test_front_matter_is_read() -> None:
    assert read_front_matter("# 页\n") == {}
    assert read_front_matter("---\na: 1\n---\n# 页\n") == {"a": 1}


def test_line_of_the_byte_that_is_not_utf8() -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        "甲\n乙".encode().replace("乙".encode(), b"\xff").decode()
    assert encoding_fault(caught.value).line == 2
