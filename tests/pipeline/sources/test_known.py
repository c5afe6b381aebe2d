"""Files that hold other bytes under the same size and the same time."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from pixsieve.sources import folder, known, patterns
from tests.pipeline.helpers import audit, by_key, pattern, save


def draw(images: Path, n: int) -> Path:
    for number in range(n):
        save(images / f"{number}.bmp", pattern(np.random.default_rng(number)))
    return images


def overwrite(path: Path, other: Path) -> None:
    """As `cp -p` does with two files of one size and one time."""
    state = path.stat()
    path.write_bytes(other.read_bytes())
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert path.stat().st_size == state.st_size and path.stat().st_mtime_ns == state.st_mtime_ns


def rot(path: Path, other: Path, monkeypatch) -> None:
    """As a disk does: no time changes. (That of the inode cannot be set: what the scan sees of it is.)"""
    state = path.stat()
    overwrite(path, other)
    rows_of = folder.rows_of

    def as_before(*arguments):
        for row in rows_of(*arguments):
            yield row._replace(changed=state.st_ctime_ns) if row.key == path.name else row

    monkeypatch.setattr(folder, "rows_of", as_before)


def test_a_copy_with_the_times_kept_is_seen(tmp_path: Path):
    images, out = draw(tmp_path / "images", 4), tmp_path / "run"
    audit(images, out)
    overwrite(images / "1.bmp", images / "2.bmp")
    assert audit(images, out).stage("scan").counts == {"rows": 4, "new": 1, "removed": 1, "skipped": 0}
    audit(images, tmp_path / "fresh")
    for table in ("duplicates", "images"):
        assert by_key(out, table) == by_key(tmp_path / "fresh", table)
    assert audit(images, out).idle


def test_another_time_of_the_inode_alone_changes_nothing(tmp_path: Path, monkeypatch):
    images, out = draw(tmp_path / "images", 3), tmp_path / "run"
    audit(images, out)
    for path in images.iterdir():
        path.chmod(0o600)
    assert audit(images, out).idle
    read = []
    monkeypatch.setattr(known, "_parts", lambda path: read.append(path) or [])
    assert audit(images, out).idle and not read  # looked at once
    shutil.copytree(images, tmp_path / "moved")
    for path in images.iterdir():
        shutil.copystat(path, tmp_path / "moved" / path.name)
    monkeypatch.undo()
    assert audit(tmp_path / "moved", out, moved=True).stage("scan").counts["new"] == 0


def test_rot_is_seen_where_all_bytes_are_compared(tmp_path: Path, monkeypatch):
    images, out = draw(tmp_path / "images", 4), tmp_path / "run"
    audit(images, out)
    rot(images / "1.bmp", images / "2.bmp", monkeypatch)
    assert audit(images, out).idle
    assert audit(images, out, "source.verify=always").stage("scan").counts["new"] == 1


def test_a_sample_has_seen_every_file_in_time(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(known, "TURNS", 3)
    images, out = draw(tmp_path / "images", 6), tmp_path / "run"
    audit(images, out, "source.verify=sample")
    rot(images / "1.bmp", images / "2.bmp", monkeypatch)
    found = [audit(images, out, "source.verify=sample").stage("scan").counts["new"] for _ in range(3)]
    assert sorted(found) == [0, 0, 1]


@pytest.mark.parametrize(
    ("rule", "place", "may"),
    [
        ("album/**", "lost+found", False),
        ("album/**", "album/in", True),
        ("*.jpg", "a", False),
        ("*/*.jpg", "a", True),
        ("*/*.jpg", "a/b", False),
        ("**/*.jpg", "a/b", True),
        ("{x,y}/*.jpg", "y", True),
        ("{x,y}/*.jpg", "z", False),
        ("@(x/y)/*.jpg", "x", True),
        ("!x/**", "z", True),
        (["a/*", "b/**/c/*"], "b/d/e", True),
    ],
)
def test_what_a_folder_may_hold(rule: str | list[str], place: str, may: bool):
    assert patterns.within(rule)(place) is may
