"""时间之比：量法不受机器快慢变化的影响；数据、登记、页面三者对得上。"""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.timings import Row, Timings, TimingsError, read_timings, tabulate
from pipeline.tools.measure import DATA, TIMINGS, Timing, measure, processor, write
from pipeline.tools.project import ROOT
from tests.conftest import SmallSite
from tests.sources import DOCS

ROWS = (
    Row("one", "甲比乙", 3.14159, 3.0, 3.5),
    Row("two", "丙比丁", 12.3, 12.0, 123.4),
)
TIMES = Timings("2026-11-24", "某处理器", 2, "3.11.7", "2.13.0", ROWS)


class Machine:
    """一台假机器：每一步耗时多少由测试说了算。"""

    def __init__(self, speed: Callable[[float], float] = lambda _: 1.0) -> None:
        self.now, self.speed = 0.0, speed
        self.built = 0

    def clock(self) -> float:
        """这台机器的钟。"""
        return self.now

    def build(self, seconds: float) -> Callable[[], Callable[[], object]]:
        """给出一个备好即可计时的步骤，每次耗时 `seconds` 除以当时的速度。"""

        def step() -> None:
            self.now += seconds / self.speed(self.now)

        def builder() -> Callable[[], object]:
            self.built += 1
            return step

        return builder


def test_the_ratio_is_that_of_the_times() -> None:
    machine = Machine()
    timing = Timing("one", "甲比乙", machine.build(0.003), machine.build(0.0005))
    assert machine.built == 0  # 登记时什么都不做
    assert measure(timing, machine.clock) == pytest.approx((6, 6, 6))


def test_a_machine_that_slows_down_changes_no_ratio() -> None:
    # 从第 1 秒起每秒慢 10%：轮流量，一轮之内两段几乎同速，谁先谁后又轮换；
    # 先量完分子再量分母，则会差出几倍
    machine = Machine(speed=lambda now: 0.9 ** max(now - 1, 0))
    timing = Timing("one", "甲比乙", machine.build(0.01), machine.build(0.01))
    ratio, low, high = measure(timing, machine.clock)
    assert ratio == pytest.approx(1, abs=0.05)
    assert low < 1 < high


def test_a_disturbed_round_changes_no_median() -> None:
    machine = Machine(speed=lambda now: 0.01 if 1 < now < 3 else 1)
    timing = Timing("one", "甲比乙", machine.build(0.02), machine.build(0.01))
    assert measure(timing, machine.clock) == pytest.approx((2, 2, 2))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(TIMES, tmp_path / "timings.json")
    assert read_timings(tmp_path / "timings.json") == TIMES
    assert [path.name for path in tmp_path.iterdir()] == ["timings.json"]


def test_the_old_data_stand_until_the_new_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "timings.json"
    write(TIMES, path)

    def broken(self: Path, text: str, encoding: str) -> int:
        with self.open("w", encoding=encoding) as file:
            file.write(text[:20])
        raise OSError("磁盘满了")

    monkeypatch.setattr(Path, "write_text", broken)
    with pytest.raises(OSError, match="磁盘满了"):
        write(TIMES, path)
    assert read_timings(path) == TIMES


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"rows"', '"lines"', "内容不合，请运行 make measure：KeyError"),
        ('"cores": 2', '"cores": "两"', "内容不合，请运行 make measure：ValueError"),
        ('"cores": 2', '"cores": null', "内容不合，请运行 make measure：TypeError"),
        ('"ratio": 12.3', '"ratio": NaN', "「丙比丁」这一行不合"),
        ('"low": 12.0', '"low": -12.0', "「丙比丁」这一行不合"),
        ('"low": 12.0', '"low": 13.0', "「丙比丁」这一行不合"),
        ("丙比丁", "丙|丁", "「丙|丁」这一行不合"),
        ("{", "[", "内容不合，请运行 make measure：JSONDecodeError"),
    ],
)
def test_odd_data_are_told_in_one_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "timings.json"
    write(TIMES, path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TimingsError, match=re.escape(message)) as caught:
        read_timings(path)
    assert "\n" not in str(caught.value)


def test_missing_data_and_unknown_stems_are_told(tmp_path: Path) -> None:
    with pytest.raises(
        TimingsError, match=r"读不出 timings\.json，请运行 make measure"
    ):
        read_timings(tmp_path / "timings.json")
    with pytest.raises(TimingsError, match="没有 three 的测量数据"):
        tabulate(TIMES, "three")


def test_the_table_has_its_provenance() -> None:
    lines = tabulate(TIMES, "one").splitlines()
    assert lines[2] == "| 甲比乙 | 3.14 | 3.00–3.50 |"
    assert len(lines) == 5
    for text in "2026-11-24", "某处理器（2 核）", "Python 3.11.7", "PyTorch 2.13.0":
        assert text in lines[-1]
    assert "`make measure`" in lines[-1]
    assert "| 12.3 | 12.0–123 |" in tabulate(TIMES, "two")


def test_a_page_shows_the_table_or_its_fault(small_site: SmallSite) -> None:
    write(TIMES, small_site.folder / "docs" / "assets" / "timings.json")
    small_site.write({"docs/good.md": "# 页\n\n<!-- timings: one -->\n"})
    status, output = small_site.build()
    assert status == 0, output
    assert "<td>3.14</td>" in small_site.html("good")
    assert "测于 某处理器" in small_site.html("good")

    small_site.write({"docs/bad.md": "---\na: 1\n---\n# 页\n\n<!-- timings: 1 -->\n"})
    status, output = small_site.build()
    assert status != 0
    (line,) = [line for line in output.splitlines() if "docs/bad.md:" in line]
    assert "docs/bad.md:6: 没有 1 的测量数据" in line

    (small_site.folder / "docs" / "assets" / "timings.json").unlink()
    status, output = small_site.build()
    assert status != 0
    assert "docs/good.md:3: 读不出 timings.json，请运行 make measure" in output
    assert "Traceback" not in output


def test_the_build_needs_no_torch_for_it() -> None:
    code = "import sys, pipeline.timings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_committed_data_are_what_is_registered_and_shown() -> None:
    data = read_timings(DATA)
    registered = [(timing.stem, timing.what) for timing in TIMINGS]
    assert [(row.stem, row.what) for row in data.rows] == registered, "make measure"
    assert len(set(registered)) == len(registered)
    shown = {
        page.stem: re.findall(
            r"^<!-- timings: (\w+) -->$", page.read_text(encoding="utf-8"), re.M
        )
        for page in DOCS.glob("*.md")
    }
    stems = {stem for stem, _ in registered}
    assert {page: found for page, found in shown.items() if found} == {
        stem: [stem] for stem in stems
    }


def test_the_committed_data_name_no_machine() -> None:
    entry = json.loads(DATA.read_text(encoding="utf-8"))
    known = {"date", "processor", "cores", "python", "torch", "rows"}
    assert set(entry) == known
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", entry["date"])
    text = DATA.read_text(encoding="utf-8")
    assert "/home" not in text
    assert str(DOCS) not in text
    assert processor()
