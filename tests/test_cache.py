"""缓存：键对得上才用，残缺的当没有，写不进去不算错。"""

from pathlib import Path

import pytest

from pipeline.cache import Cache

RUNS = [{"id": "cell-0", "count": 2, "outputs": []}]


def test_an_entry_is_used_only_for_the_same_notebook(tmp_path: Path) -> None:
    Cache(tmp_path).save("a.md", "甲", RUNS)
    cache = Cache(tmp_path)
    assert cache.load("a.md", "甲") == RUNS
    assert cache.load("a.md", "乙") is None
    assert cache.load("b.md", "甲") is None


@pytest.mark.parametrize("length", [0, 1, 40, -1])
def test_an_entry_cut_short_is_no_entry(tmp_path: Path, length: int) -> None:
    cache = Cache(tmp_path)
    cache.save("a.md", "甲", RUNS)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(entry.read_bytes()[:length])
    assert cache.load("a.md", "甲") is None


@pytest.mark.parametrize("text", ["[]", "{}", '{"key": 1}', "\udcff"])
def test_an_entry_of_another_form_is_no_entry(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.md.json").write_bytes(text.encode(errors="surrogateescape"))
    assert Cache(tmp_path).load("a.md", "甲") is None


def test_an_entry_with_the_right_key_but_another_form(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.save("a.md", "甲", RUNS)
    (entry,) = tmp_path.iterdir()
    text = entry.read_text(encoding="utf-8").replace('"value"', '"content"')
    entry.write_text(text, encoding="utf-8")
    assert cache.load("a.md", "甲") is None


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file")
    cache.save("a.md", "甲", RUNS)
    assert isinstance(cache.trouble, OSError)
    assert cache.load("a.md", "甲") is None


def test_leftovers_of_the_dead_are_removed(tmp_path: Path) -> None:
    dead = tmp_path / "a.md.json.999999999-1.partial"
    alive = tmp_path / "a.md.json.1-1.partial"
    other = tmp_path / "别人的.partial"
    for path in (dead, alive, other):
        path.write_text("")
    Cache(tmp_path)
    assert set(tmp_path.iterdir()) == {alive, other}
