"""API 参考：让 griffe 认得本项目文档字符串的小节名；源码里不重复文档字符串。"""

import ast
import re
from typing import Any

import griffe


class HouseSections(griffe.Extension):
    """`Example:` 是示例代码，`Source:` 是出处，类的 `Returns:` 是它的实例。"""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """换成 griffe 和 Material 认得的写法，行数不变；记下模板要画的源码。"""
        obj.extra["house"]["source"] = undocumented(obj.source)
        if obj.docstring is not None:
            text = re.sub(r"(?m)^Example:$", "Examples:", obj.docstring.value)
            text = re.sub(r"(?m)^Source:$", "Quote: 出处", text)
            if obj.is_class:
                text = re.sub(r"(?m)^(Returns:\n +)", rf"\g<1>{obj.name}: ", text)
            obj.docstring.value = text


def undocumented(source: str) -> str:
    """给出去掉文档字符串的源码；除此之外什么都没有的定义，原样。

    Args:
        source: 一个定义的源码，不缩进。
    """
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):  # 空行占着，行号不乱
        if (
            isinstance(node, ast.FunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
            and len(node.body) > 1
        ):
            text = node.body[0]
            first, last = text.lineno - 1, text.end_lineno or 0
            lines[first:last] = [""] * (last - first)
    return re.sub(r"(?m)(:\n)\n+", r"\1", re.sub(r"\n{3,}", "\n\n", "\n".join(lines)))
