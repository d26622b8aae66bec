"""API 参考：让 griffe 认得本项目文档字符串的小节名。"""

import re
from typing import Any

import griffe


class HouseSections(griffe.Extension):
    """`Example:` 是示例代码，`Source:` 是出处，类的 `Returns:` 是它的实例。"""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """换成 griffe 和 Material 认得的写法，行数不变。"""
        if obj.docstring is not None:
            text = re.sub(r"(?m)^Example:$", "Examples:", obj.docstring.value)
            text = re.sub(r"(?m)^Source:$", "Quote: 出处", text)
            if obj.is_class:
                text = re.sub(r"(?m)^(Returns:\n +)", rf"\g<1>{obj.name}: ", text)
            obj.docstring.value = text
