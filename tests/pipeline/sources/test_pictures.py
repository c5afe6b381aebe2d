"""Which files are rows, and what becomes of the others."""

import json
import os
from pathlib import Path

import hypothesis.strategies as st
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from pixsieve import Config, files
from pixsieve.config.sections import Source
from pixsieve.errors import ConfigError, SourceError
from pixsieve.folder import skipped
from pixsieve.images import signs
from pixsieve.sources import folder, pictures
from tests.pipeline.helpers import audit, ran, results

PNG = b"\x89PNG\r\n\x1a\n"


def draw(root: Path, *names: str, content: bytes = b"") -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def listed(root: Path, **settings) -> tuple[list[str], dict[str, str]]:
    """Keys of rows; and why the others are none."""
    found = folder.listing(Source(path=str(root), **settings), root / "no run")
    assert found.skipped.schema == skipped.SKIPPED
    return found.rows["key"].to_pylist(), dict(
        zip(*(found.skipped[n].to_pylist() for n in ("key", "why")), strict=True)
    )


def test_without_a_pattern_rows_are_pictures(tmp_path: Path):
    draw(tmp_path, "a.jpg", "b.JPG", "d/c.heic", "d/e.NEF", "f.png", "g.svg")  # by suffix, even without a byte
    draw(tmp_path, "0a1b", "x.jpg_large", "d.2024/y", "z.", content=PNG)
    draw(tmp_path, "Thumbs.db", "desktop.ini", "a.txt", "a.md", "d/a.json", "a.jpg.json", "a.CSV", "a.xml")
    draw(tmp_path, "known.txt", content=PNG)
    draw(tmp_path, "nothing", "e.unknown")
    draw(tmp_path, "README", "notes.2024", content=b"no picture")
    draw(tmp_path, ".hidden.jpg", ".git/a.jpg", ".hidden", content=PNG)
    rows, why = listed(tmp_path)
    assert rows == ["0a1b", "a.jpg", "b.JPG", "d.2024/y", "d/c.heic", "d/e.NEF", "f.png", "g.svg", "x.jpg_large", "z."]
    by_name = ["Thumbs.db", "desktop.ini", "a.txt", "a.md", "d/a.json", "a.jpg.json", "a.CSV", "a.xml", "known.txt"]
    assert why == dict.fromkeys(by_name, "suffix") | dict.fromkeys(
        ("nothing", "e.unknown", "README", "notes.2024"), "content"
    )
    assert list(why) == sorted(why)


def test_only_files_of_unknown_suffix_are_opened(tmp_path: Path, monkeypatch):
    draw(tmp_path, "a.jpg", "b.txt", "c", "d.foo", content=PNG)
    opened, head = [], folder._head
    monkeypatch.setattr(folder, "_head", lambda path: opened.append(os.path.basename(path)) or head(path))  # noqa: PTH119
    assert listed(tmp_path)[0] == ["a.jpg", "c", "d.foo"]
    assert sorted(opened) == [b"c", b"d.foo"]
    opened.clear()
    assert listed(tmp_path, pattern="**")[0] == ["a.jpg", "b.txt", "c", "d.foo"] and not opened


def test_a_file_that_cannot_be_looked_into_is_a_row(tmp_path: Path, monkeypatch):
    draw(tmp_path, "a", "b.txt")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")

    def refused(path: bytes) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    assert listed(tmp_path) == (["dangling"], {"a": "content", "b.txt": "suffix"})
    monkeypatch.setattr(folder, "_head", refused)
    assert listed(tmp_path) == (["a", "dangling"], {"b.txt": "suffix"})


def test_a_pattern_decides_alone(tmp_path: Path):
    draw(tmp_path, "a.jpg", "a.txt", "d/b.txt", "no")
    assert listed(tmp_path, pattern="**") == (["a.jpg", "a.txt", "d/b.txt", "no"], {})
    assert listed(tmp_path, pattern="*.TXT") == (["a.txt"], {"a.jpg": "pattern", "d/b.txt": "pattern", "no": "pattern"})


@pytest.mark.parametrize("pattern", [None, "**/*"])
def test_what_is_excluded_is_no_row_whatever_the_pattern_says(tmp_path: Path, pattern: str | None):
    draw(tmp_path, "a.jpg", "a_small.JPG", "thumbs/a.jpg", "d/thumbs/deep/b.jpg", "d/c.jpg", "thumbs.jpg")
    every = ["a.jpg", "a_small.JPG", "d/c.jpg", "d/thumbs/deep/b.jpg", "thumbs.jpg", "thumbs/a.jpg"]
    assert listed(tmp_path, pattern=pattern) == (every, {})

    def excluded(exclude: str | list[str]) -> list[str]:
        rows, why = listed(tmp_path, pattern=pattern, exclude=exclude)
        assert {*why.values()} == {"excluded"}
        above = tuple(key for key in why if key.endswith("/"))
        assert sorted([*rows, *(key for key in every if key in why or key.startswith(above))]) == every
        return list(why)

    assert excluded("thumbs/**") == excluded("thumbs") == excluded("thumbs/") == ["thumbs/"]
    assert excluded("**/thumbs/**") == excluded("**/thumbs") == ["d/thumbs/", "thumbs/"]
    assert excluded("thumbs/*") == ["thumbs/a.jpg"]
    assert excluded(["*_small.jpg", "d/**"]) == ["a_small.JPG", "d/"]
    assert excluded("**/deep/*.jpg") == ["d/thumbs/deep/b.jpg"]


def test_an_excluded_folder_is_not_walked_into(tmp_path: Path, monkeypatch):
    draw(tmp_path, "a.jpg", "locked/b.jpg", "d/locked/c.jpg")
    seen, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda place: seen.append(os.fsdecode(place)) or scandir(place))
    rows, why = listed(tmp_path, exclude="**/locked/**")
    assert rows == ["a.jpg"] and list(why) == ["d/locked/", "locked/"]
    assert seen and not any("locked" in place for place in seen)


def test_an_exception_among_what_is_excluded_is_refused(tmp_path: Path):
    for value in ("!a", '["b", "!a"]'):
        with pytest.raises(ConfigError, match=r"source\.exclude: '!a' begins with !"):
            Config.load(tmp_path, settings=[f"source.exclude={json.dumps(value) if value == '!a' else value}"])
    assert Config.load(tmp_path, settings=['source.exclude="!(a|b)"']).source.exclude == "!(a|b)"


NAMES = st.text("ab./", min_size=1, max_size=6) | st.sampled_from(["a.jpg", "a.TXT", "d/a.png", "d/a", "b.x"])
PATTERNS = st.none() | st.sampled_from(["**", "*.jpg", "d/**", "!**/*.txt"])


@given(NAMES, PATTERNS, st.sampled_from([None, "d/**", "**/*.jpg", "a*"]), st.sampled_from([PNG, b"", b"text"]))
def test_a_file_is_a_row_or_has_a_reason(path: str, pattern: str | None, exclude: str | None, head: bytes):
    def why(pattern: str | None, exclude: str | None) -> str | None:
        return pictures.rule(Source(path="x", pattern=pattern, exclude=exclude)).why_skipped(path, lambda: head)

    found = why(pattern, exclude)
    assert found in (None, *skipped.WHY)
    assert (found == skipped.EXCLUDED) == (exclude is not None and why(exclude, None) is None)
    if found != skipped.EXCLUDED:
        assert found == why(pattern, None)
        assert (found == skipped.PATTERN) <= (pattern is not None)
        assert (found in (skipped.SUFFIX, skipped.CONTENT)) <= (pattern is None)
    if found == skipped.CONTENT:
        assert not signs.looks_like_image(head)


def table(run: Path) -> list[tuple]:
    found = pq.read_table(run / "skipped.parquet").to_pydict()
    return list(zip(found["key"], found["bytes"], found["why"], strict=True))


def test_what_is_skipped_is_told_and_changes_nothing_else(tmp_path: Path, caplog):
    images, run = tmp_path / "images", tmp_path / "run"
    draw(images, "a.jpg", "b.png", content=b"x")
    audit(images, run)
    before = results(run)
    assert table(run) == []
    assert "<h2>Skipped</h2>" not in (run / "report/index.html").read_text()
    draw(images, "Thumbs.db", "c.TXT", "d/e.txt", "d/none", content=b"junk")
    draw(images, "old/f.jpg")
    with caplog.at_level("INFO", "pixsieve"):
        done = audit(images, run, "source.exclude=old")
    said = "2 .txt, 1 .db, 1 folder, 1 without suffix"
    assert f"skipped, as they are no rows: {said}" in caplog.messages
    assert ran(done) == {"scan": 1, "report": 1}
    assert done.stage("scan").counts == {"rows": 2, "new": 0, "removed": 0, "skipped": 5}
    assert results(run) == before
    expected = [("Thumbs.db", 4, "suffix"), ("c.TXT", 4, "suffix"), ("d/e.txt", 4, "suffix"), ("d/none", 4, "content")]
    assert table(run) == [*expected, ("old/", None, "excluded")]
    report = files.read_json(run / "report/report.json")
    assert report["rows"]["ever"] == report["rows"]["live"] == 2
    assert report["skipped"] == {
        "entries": 5,
        "bytes": 16,
        "why": {"suffix": 3, "content": 1, "excluded": 1},
        "suffixes": {".txt": 2, ".db": 1, "folders": 1, "without suffix": 1},
    }
    page = (run / "report/index.html").read_text()
    assert "3 by their suffix, 1 by their first bytes, 1 by source.exclude" in page and "<td>.txt</td>" in page

    stamp = (run / "skipped.parquet").stat().st_mtime_ns
    assert audit(images, run, "source.exclude=old").idle
    assert (run / "skipped.parquet").stat().st_mtime_ns == stamp
    (images / "d/none").unlink()
    assert ran(audit(images, run, "source.exclude=old")) == {"scan": 1, "report": 1}
    assert table(run) == [*expected[:3], ("old/", None, "excluded")]


def test_a_run_folder_of_before_gets_its_table(tmp_path: Path):
    images, run = draw(tmp_path / "images", "a.jpg", "b.txt"), tmp_path / "run"
    audit(images, run)
    (run / "skipped.parquet").unlink()
    assert ran(audit(images, run)) == {"scan": 1}  # the report was made of an equal one
    assert table(run) == [("b.txt", 0, "suffix")]


SHOUTING = ("0.JPG", "1.JPG", "d/2.jpeg", "a.txt", "b.txt", "c.txt")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            ["source.pattern=*.jpe"],
            r"no file that matches source\.pattern '\*\.jpe'; there are 1 \.jpeg, 2 \.jpg, 3 \.txt \(one is 'd/2",
        ),
        (["source.pattern=e/*.jpg"], r"2 \.jpg, .* \(one is '0\.JPG'\)"),
        (
            ["source.exclude=[d, '*.jpg']"],
            r"has no picture; there are 3 \.txt \(one is 'a\.txt'\); source\.exclude .* 3 of",
        ),
        (["source.exclude=**"], r"nothing left: source\.exclude '\*\*' takes 6 of its files and folders"),
    ],
)
def test_a_folder_without_a_row_is_an_error_that_shows_what_is_there(tmp_path: Path, settings: list[str], said: str):
    images, run = draw(tmp_path / "images", *SHOUTING), tmp_path / "run"
    with pytest.raises(SourceError, match=said) as error:
        audit(images, run, *settings)
    assert error.value.exit_code == 2 and str(images) in str(error.value)
    assert not any((run / name).exists() for name in ("config.yaml", "manifest", "skipped.parquet", "measure.json"))

    assert audit(images, run).stage("scan").counts["rows"] == 3
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(SourceError, match=f"{said}.*; but the run has 3 rows: is it mounted"):
        audit(images, run, *settings)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_an_empty_folder_is_an_error(tmp_path: Path):
    images = draw(tmp_path / "images", ".hidden.jpg")
    with pytest.raises(SourceError, match=r"has no files, those whose names begin with a dot aside$"):
        audit(images, tmp_path / "run")
    table = draw(images, "m.csv", content=b"key,label\na.jpg,x\n") / "m.csv"
    with pytest.raises(SourceError, match="has no files"):  # the table is no row, and nothing is written of it
        audit(images, tmp_path / "run", f"source.metadata={table}", "source.pattern=**")
    assert not (tmp_path / "run/source").exists()
