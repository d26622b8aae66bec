"""换上网站：别人抢先就再换一次，换不上就说，别人的不动。"""

import errno
import os
from pathlib import Path

import pytest

from pipeline.staging import Staging


@pytest.fixture
def staged(tmp_path: Path) -> Staging:
    """建好了一页、还没换上的网站。"""
    staging = Staging(tmp_path / "site")
    staging.folder.mkdir()
    (staging.folder / "index.html").write_text("新", encoding="utf-8")
    return staging


def test_whoever_is_overtaken_tries_again(
    staged: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename
    overtaken: list[Path] = []

    def overtake(self: Path, target: Path) -> Path:
        if self == staged.folder and not overtaken:
            overtaken.append(self)
            target.mkdir()
            (target / "index.html").write_text("别人的", encoding="utf-8")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", overtake)
    staged.publish()
    assert overtaken
    assert [path.name for path in staged.target.parent.iterdir()] == ["site"]
    assert (staged.target / "index.html").read_text(encoding="utf-8") == "新"


def test_a_site_that_cannot_be_put_up_is_told(
    staged: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise OSError(
            errno.EACCES if self == staged.folder else errno.ENOENT, str(target)
        )

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError):
        staged.publish()
    staged.discard()
    assert not staged.folder.exists()


def test_the_folder_of_a_running_build_is_left_alone(tmp_path: Path) -> None:
    running = tmp_path / f".site-{os.getppid()}"
    running.mkdir()
    Staging(tmp_path / "site")
    assert running.is_dir()
