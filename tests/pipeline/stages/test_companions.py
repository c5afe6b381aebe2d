"""A RAW file and the picture beside it are companions: neither goes for the other's sake."""

import io
import shutil
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixsieve.images.formats import RAW, raw
from pixsieve.rules.companions import companions
from pixsieve.rules.groups import apart
from tests.pipeline.helpers import audit, by_key, pattern, save


def save_raw(path: Path, pixels: np.ndarray) -> None:
    """As cameras do: a TIFF whose first image is a small preview."""
    path.parent.mkdir(parents=True, exist_ok=True)
    out, small = io.BytesIO(), Image.fromarray(pixels).reduce(4)
    small.save(out, "TIFF")
    path.write_bytes(out.getvalue() + pixels.tobytes())


def removed(out: Path) -> set[str]:
    return {row["key"] for row in by_key(out, "duplicates") if not row["keep"]}


def beside(out: Path) -> dict[str, str]:
    return {row["key"]: row["related"] for row in by_key(out, "findings") if row["kind"] == "companion"}


@pytest.mark.parametrize(("extension", "picture"), [("NEF", "JPG"), ("dng", "jpeg"), ("Cr2", "png")])
def test_neither_goes_for_the_other(tmp_path: Path, extension: str, picture: str):
    source, pixels = tmp_path / "images", pattern(np.random.default_rng(0), 160)
    save_raw(source / f"a/IMG_1.{extension}", pixels)
    save(source / f"a/IMG_1.{picture.lower()}", pixels)
    if picture.isupper():
        (source / "a/IMG_1.jpg").rename(source / "a/IMG_1.JPG")
    audit(source, tmp_path / "run")
    assert not removed(tmp_path / "run") and not by_key(tmp_path / "run", "better")
    names = f"a/IMG_1.{extension}", f"a/IMG_1.{picture}"
    assert beside(tmp_path / "run") == {names[0]: names[1], names[1]: names[0]}


def test_copies_of_either_go_for_their_own_kind_only(tmp_path: Path):
    source, pixels = tmp_path / "images", pattern(np.random.default_rng(0), 160)
    save_raw(source / "a/1.nef", pixels)
    save_raw(source / "a/1.dng", pixels)  # made of it by a converter: no copy either
    save(source / "a/1.png", pixels)
    save(source / "b/web.png", pixels[::2, ::2])
    save(source / "b/preview.png", np.asarray(Image.open(source / "a/1.nef")))  # equal pixels
    shutil.copy(source / "a/1.nef", source / "b/1.NEF")
    audit(source, tmp_path / "run", "duplicates.similarity=0.8")
    assert removed(tmp_path / "run") == {"b/web.png", "b/preview.png", "b/1.NEF"}
    related = {row["key"]: row["related"] for row in by_key(tmp_path / "run", "duplicates")}
    assert (related["b/1.NEF"], related["b/web.png"], related["b/preview.png"]) == ("a/1.nef", "a/1.png", "a/1.png")
    assert beside(tmp_path / "run") == {"a/1.nef": "a/1.png", "a/1.dng": "a/1.png", "a/1.png": "a/1.dng"}


def test_a_raw_file_that_no_decoder_reads_has_a_companion_and_a_text_is_none(tmp_path: Path):
    save(tmp_path / "images/1.jpg", pattern(np.random.default_rng(0)))
    (tmp_path / "images/1.cr3").write_bytes(b"not known here")
    (tmp_path / "images/1.xmp").write_text("<x/>")
    audit(tmp_path / "images", tmp_path / "run")
    assert beside(tmp_path / "run") == {"1.jpg": "1.cr3", "1.cr3": "1.jpg"}


KEY = st.builds(
    lambda folder, stem, extension: f"{folder}{stem}.{extension}",
    st.sampled_from(["", "x/", "X/"]),
    st.sampled_from(["a", "A", "b.c"]),
    st.sampled_from(["nef", "NEF", "dng", "jpg", "xmp"]),
)


@given(st.lists(st.tuples(KEY, st.booleans()), max_size=8, unique_by=lambda row: row[0]))
def test_companions_are_of_one_folder_and_stem_and_one_is_raw(rows):
    keys = [key for key, _ in rows]
    readable = np.array([there for _, there in rows], bool)
    found = companions(keys, readable).tolist()
    place = [str(PurePosixPath(key).with_suffix("")).lower() for key in keys]
    for at, key in enumerate(keys):
        able = [b for b, other in enumerate(keys) if place[b] == place[at] and (raw(other) or readable[b])]
        others = [b for b in able if raw(keys[b]) != raw(key)] if at in able else []
        pictures = [b for b in others if not raw(keys[b])]
        assert found[at] == (pictures or others or [-1])[0]
        assert found[at] < 0 or raw(key) or raw(keys[found[at]])


def test_every_kind_of_raw_file_is_known_by_its_name():
    assert {".nef", ".cr3", ".dng", ".x3f"} < RAW and all(raw(f"a.b/x{kind.upper()}") == kind for kind in RAW)
    assert {raw(key) for key in ("nef", "x.jpg", "x.nef/y", "x.nef.jpg", "")} == {""}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=9))
def test_items_hold_rows_of_one_sort(rows):
    item, sort = (np.array([row[side] for row in rows], np.int64) for side in (0, 1))
    found = apart(item, sort)
    assert found.shape == (len(rows),) and {*found.tolist()} == {*range(found.max(initial=-1) + 1)}
    for a, b in np.ndindex(len(rows), len(rows)):
        assert (found[a] == found[b]) == (rows[a] == rows[b])
