"""主张：登记在 tests/claims，页面上用 [[id]] 标出，证据页列出预期与实测。"""

import importlib
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from markdown.util import AtomicString

from pipeline.cells import Cell
from pipeline.faults import Fault, find_line

ID = r"[a-z][a-z0-9-]*"
MARK = rf"\[\[({ID})\]\]"
SEED = 20_260_912  # 测试用的种子，与各页的都不同
ROUNDING = 1e-5  # 预期为 0 而容许的差不超过它，差的就只是舍入
RELATIONS: dict[str, Callable[[float, float, float], bool]] = {
    "≈": lambda value, expected, tolerance: abs(value - expected) <= tolerance,
    "=": lambda value, expected, _: value == expected,
    "<": lambda value, expected, _: value < expected,
    ">": lambda value, expected, _: value > expected,
}


class ClaimError(ValueError):
    """登记有误。"""


@dataclass(frozen=True)
class Claim:
    """一条能量出来的主张。

    Args:
        id: 名字，页面上写作 `[[id]]`。
        stem: 所在的题，也是登记文件的名字。
        statement: 一句话的主张，Markdown，不含竖线。
        measure: 求值的表达式，以 `snippets.experiments` 里与题同名的模块的一个公开函数
            开头；随机的用到 `seed`。
        expected: 预期的值，是数，或用 math 里的名字写成的算式。
        source: 预期的来处：闭式、定理或论文，Markdown，不含竖线。
        mutants: 应当使它不成立的改动，`(文件, 原文, 改成)`，文件相对 `snippets/`。
        relation: 实测与预期应有的关系：`≈`、`=`、`<`、`>`。
        tolerance: `≈` 容许的差，写法同 `expected`。
        because: 容许的差从哪里来。
        line: 在登记文件里的行号。
    """

    id: str
    stem: str
    statement: str
    measure: str
    expected: str
    source: str
    mutants: tuple[tuple[str, str, str], ...]
    relation: str = "≈"
    tolerance: str = "0"
    because: str = ""
    line: int = 1

    @property
    def mark(self) -> str:
        """页面上的标记。"""
        return f"[[{self.id}]]"

    @property
    def place(self) -> str:
        """登记在哪个文件的哪一行。"""
        return f"tests/claims/{self.stem}.toml:{self.line}"

    @property
    def function(self) -> str:
        """`measure` 调用的函数。"""
        return self.measure.partition("(")[0]

    def holds(self, measured: float) -> bool:
        """实测的值是否与预期相合。

        Args:
            measured: 实测的值。
        """
        expected, tolerance = _evaluate(self.expected), _evaluate(self.tolerance)
        return RELATIONS[self.relation](measured, expected, tolerance)

    def show(self, measured: float | None) -> str:
        """写出实测的值；只剩舍入误差时，各处理器不同，就只说不超过多少。

        Args:
            measured: 实测的值，没有测得则为 `None`。
        """
        if measured is None:
            return "未测得"
        tolerance = _evaluate(self.tolerance)
        rounding = _evaluate(self.expected) == 0 and tolerance <= ROUNDING
        if rounding and 0 < abs(measured) <= tolerance:
            return f"不超过 {format_number(tolerance, digits=2)}"
        return format_number(measured)

    def describe(self) -> str:
        """预期写成一句：关系、值、容许的差。"""
        text = f"{self.relation} {format_number(_evaluate(self.expected))}"
        if self.relation == "≈":
            text += f" ± {format_number(_evaluate(self.tolerance), digits=2)}"
        return text


def _evaluate(formula: str) -> float:
    return float(eval(formula, {"__builtins__": {}}, vars(math)))


def format_number(value: float, digits: int = 4) -> str:
    """写出一个数，负号用减号。

    Args:
        value: 数。
        digits: 有效数字的位数；不小于 1000 的整数写全。

    Example:
        >>> format_number(-0.123456), format_number(1048576.0), format_number(3.02e-9)
        ('−0.1235', '1048576', '3.02e−9')
    """
    exact = value.is_integer() and 1000 <= abs(value) < 1e12
    text = f"{value:.0f}" if exact else f"{value:.{digits}g}"
    return re.sub(r"e([+-])0*", lambda m: f"e{m[1].strip('+')}", text).replace("-", "−")


def read_claims(folder: Path) -> tuple[dict[str, Claim], list[str]]:
    """读出登记的全部主张，按文件与其中的先后。

    Args:
        folder: 放 `<题>.toml` 的文件夹；没有这个文件夹就没有主张。

    Returns:
        id 到主张；登记中的错误，一行一个，指出文件和行号。
    """
    claims: dict[str, Claim] = {}
    errors = []
    for path in sorted(folder.glob("*.toml")):
        where = f"{folder.parent.name}/{folder.name}/{path.name}"
        try:
            text = path.read_text(encoding="utf-8")
            entries = tomllib.loads(text)
        except ValueError as error:  # 不是 TOML，或不是 UTF-8
            errors.append(f"{where}:1: 读不出，请改正：{error}")
            continue
        for name, entry in entries.items():
            try:
                line = find_line(text, f"[{name}]")
                claim = replace(_read_claim(name, path.stem, entry), line=line)
                if name in claims:
                    raise ClaimError(f"与 {claims[name].stem}.toml 里的重名，请改名")
            except ClaimError as error:
                errors.append(f"{where}:{line}: 主张 {name} {error}")
            else:
                claims[name] = claim
    return claims, errors


def _read_claim(name: str, stem: str, given: object) -> Claim:
    if not isinstance(given, dict):
        raise ClaimError("应是一张表")
    entry: dict[str, Any] = given | {"id": name, "stem": stem}
    known = {f.name: f.default is MISSING for f in fields(Claim) if f.name != "line"}
    if unknown := sorted(set(entry) - set(known)):
        raise ClaimError(f"的 {'、'.join(unknown)} 不是已知的键")
    if missing := [key for key, needed in known.items() if needed and key not in entry]:
        raise ClaimError(f"缺少 {'、'.join(missing)}")
    mutants = entry["mutants"]
    if not (isinstance(mutants, list) and mutants) or not all(
        isinstance(mutant, list) and [type(text) for text in mutant] == [str, str, str]
        for mutant in mutants
    ):
        raise ClaimError("的 mutants 至少要有一个，各写成 [文件, 原文, 改成]")
    texts: dict[str, Any] = {key: str(value) for key, value in entry.items()}
    claim = Claim(**texts | {"mutants": tuple(map(tuple, mutants))})
    if not re.fullmatch(ID, claim.id):
        raise ClaimError("的 id 只用小写字母、数字和连字符，以字母开头")
    if not re.match(r"[a-z_]\w*\(", claim.measure):
        raise ClaimError("的 measure 应以调用 snippets.experiments 里的一个函数开头")
    if claim.relation not in RELATIONS:
        raise ClaimError(f"的 relation 应是 {'、'.join(RELATIONS)} 之一")
    if len({"tolerance", "because"} & set(entry)) != 2 * (claim.relation == "≈"):
        raise ClaimError("的 tolerance 和 because，≈ 两样都要，别的关系都不要")
    if "|" in claim.statement + claim.source + claim.because:
        raise ClaimError(
            "的文字要放进表格，不能有竖线；公式里的范数用 \\lVert、\\rVert"
        )
    try:
        claim.describe()
    except Exception as error:
        raise ClaimError(f"的 expected 或 tolerance 求不出值：{error}") from error
    return claim


# --8<-- [start:measure]
def measure(claim: Claim, seed: int) -> float:
    """在页面之外再量一条主张。

    Args:
        claim: 主张。
        seed: 随机的主张用的种子。
    """
    names: dict[str, Any] = {"math": math, "seed": seed}
    for package in "snippets", "snippets.experiments":
        names |= vars(importlib.import_module(f"{package}.{claim.stem}"))
    return float(eval(claim.measure, names))


# --8<-- [end:measure]


def check(
    claims: Mapping[str, Claim],
    measures: Mapping[str, float],
    blocks: Mapping[str, Iterable[Cell]],
) -> Iterator[tuple[str, Fault]]:
    """逐个给出主张的错误：量出的值与预期不合，没有登记，没有量。

    Args:
        claims: 登记的主张。
        measures: 主张的 id 到量出的值；没有运行成的页面没有值，不算错。
        blocks: 页面路径到它的代码块。

    Yields:
        页面路径与错误。
    """
    measured = set()
    for page, cells in blocks.items():
        for cell in cells:
            for name, _ in cell.claims:
                measured.add(name)
                claim, value = claims.get(name), measures.get(name)
                if claim is None:
                    message = "没有登记；请改 id，或在 tests/claims 里登记"
                elif value is None or claim.holds(value):
                    continue
                else:
                    found = f"预期 {claim.describe()}，实测 {format_number(value)}"
                    where = f"tests/claims/{claim.stem}.toml"
                    message = f"不成立：{found}；请改代码，或改 {where}"
                yield page, Fault(cell.line, f"主张 {name} {message}")
    for claim in claims.values():
        if claim.id not in measured and (page := f"{claim.stem}.md") in blocks:
            message = "没有量；请在一块的块头写 claims={…}"
            yield page, Fault(1, f"登记的主张 {claim.id} {message}")


def check_registry(claims: Iterable[Claim], said: Mapping[str, str]) -> Iterator[str]:
    """逐个给出登记与页面对不上的地方，指出登记文件的行。

    Args:
        claims: 登记的主张。
        said: 题的名字到它的页面全文。
    """
    for claim in claims:
        page = f"docs/{claim.stem}.md"
        if claim.stem not in said:
            yield f"{claim.place}: 没有 {page} 这一页；请改登记文件的名字，或写这一页"
        elif claim.mark not in said[claim.stem]:
            yield (
                f"{claim.place}: {page} 里没有 {claim.mark}；"
                "请在它支持的那句话后面写上，或改 id"
            )


def tabulate(
    claims: Iterable[Claim], measures: Mapping[str, float], said: str
) -> Iterable[str]:
    """逐行给出证据页上一题的表。

    Args:
        claims: 这一题的主张。
        measures: 主张的 id 到页面上量出的值。
        said: 这一题的页面全文。
    """
    yield "| 主张 | 预期 | 实测 | 依据 | 查看 |"
    yield "| --- | --- | --- | --- | --- |"
    for claim in claims:
        module = f"snippets.experiments.{claim.stem}"
        basis = claim.source
        if claim.because:
            basis += f"<br>容差：{claim.because}"
        quote = f"[原句]({claim.stem}.md#claim-{claim.id}) "
        cells = [
            f'<a id="{claim.id}"></a>{claim.statement}',
            *(
                f'<bdi data-search-exclude="true">{text}</bdi>'  # 公式里有 span，不用它
                for text in (
                    claim.describe(),
                    claim.show(measures.get(claim.id)),
                    basis,
                )
            ),
            '<span data-search-exclude="true">'
            f"{quote if claim.mark in said else ''}"
            f"[函数](reference/{claim.stem}.md#{module}.{claim.function}) "
            f"[测试](#test) `{claim.id}`</span>",
        ]
        yield f"| {' | '.join(cells)} |"


class _Mark(InlineProcessor):
    def __init__(
        self,
        md: Markdown,
        describe: Callable[[str], str | None],
        report: Callable[[str, str], None],
    ) -> None:
        super().__init__(MARK, md)
        self.describe = describe
        self.report = report

    def handleMatch(  # type: ignore[override]  # noqa: N802
        self, m: re.Match[str], data: str
    ) -> tuple[Element | str, int, int]:
        del data
        name = m[1]
        title = self.describe(name)
        if title is None:
            self.report(
                m[0], f"没有登记名为 {name} 的主张；请改 id，或在 tests/claims 里登记"
            )
            return AtomicString(m[0]), m.start(), m.end()
        link = Element(
            "a",
            {
                "class": "claim",
                "id": f"claim-{name}",
                "href": f"evidence.md#{name}",
                "title": title,
                "data-search-exclude": "",
            },
        )
        link.text = AtomicString("\u2060✓")  # 与前一个字不分在两行
        return link, m.start(), m.end()


class ClaimMarks(Extension):
    """把正文里的 `[[id]]` 换成通往证据页的标记。

    Args:
        describe: 由 id 给出标记的提示；没有这条主张则给 `None`。
        report: 收错误的函数，参数是出错的原文和说明。
    """

    def __init__(
        self,
        describe: Callable[[str], str | None],
        report: Callable[[str, str], None],
    ) -> None:
        super().__init__()
        self.describe = describe
        self.report = report

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """登记行内规则：在行内代码之后，链接之前。"""
        md.inlinePatterns.register(_Mark(md, self.describe, self.report), "claim", 175)
