"""API 参考：本项目的小节名，griffe 认得。"""

import griffe

from pipeline.docstrings import HouseSections, undocumented

MODULE = '''
class Scale:
    """按比例缩放。

    Returns:
        与输入同形。

    Example:
        >>> Scale()(1)
        2

    Source:
        某文。
    """


def scale(x: int) -> int:
    """按比例缩放。

    Returns:
        两倍的 x。
    """


def bare() -> None: ...
'''


def test_sections_of_the_house_are_known_to_griffe() -> None:
    extensions = griffe.load_extensions(HouseSections())
    with griffe.temporary_visited_module(MODULE, extensions=extensions) as module:
        scale = module["Scale"].docstring
        _, returns, examples, source = scale.parse("google", returns_named_value=False)
        assert (returns.kind.value, examples.kind.value) == ("returns", "examples")
        assert str(returns.value[0].annotation) == "Scale"
        assert (source.kind.value, source.title) == ("admonition", "出处")
        assert source.value.kind == "quote"
        assert scale.value.count("\n") == 10  # 行数不变，行号才对
        function = module["scale"].docstring
        assert "Returns:\n    两倍的 x。" in function.value
        assert module["bare"].docstring is None


def test_source_does_not_repeat_the_docstring() -> None:
    source = '''\
class A(B):
    """甲。"""

    x = 1

    def f(self) -> int:
        """乙。

        Returns:
            一。
        """
        return 1


class E(Exception):
    """丙。"""
'''
    assert (
        undocumented(source)
        == '''\
class A(B):
    x = 1

    def f(self) -> int:
        return 1

class E(Exception):
    """丙。"""'''
    )
