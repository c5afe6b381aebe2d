"""The planted set of the benchmarks is the same each time, and what its truth says of the files is so."""

import io
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, UnidentifiedImageError

from benchmarks import planted
from benchmarks.drawing import broken, bytes_of, copies, jpeg, lookalikes, noise, oddballs
from benchmarks.planted import make, source, true_pairs
from benchmarks.scoring import Found, pairs_of, score

PHOTOS = 12


@pytest.fixture(scope="module")
def few() -> Any:
    """A few look-alikes of each kind, and a large picture that is not so large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planted, "LOOKALIKES", {kind: (6, draw) for kind, (_, draw) in lookalikes.LOOKALIKES.items()})
        kinds = oddballs.ODDBALLS | {"huge": (1, ".jpg", oddballs._noise)}
        patch.setattr(planted, "ODDBALLS", kinds)
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(5)
    for number in range(PHOTOS):
        field = np.stack([noise(rng, 120, 160, 1.6) for _ in range(3)], axis=2) * 20 + rng.uniform(90, 160, 3)
        (folder / f"photo {number}.jpeg").write_bytes(jpeg(bytes_of(field)))
    return folder


@pytest.fixture(scope="module")
def drawn(few: None, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("drawn")
    return out / "images", make(photos, out)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pixels(path: Path) -> np.ndarray:
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def alike(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of the luma of two pictures at 24 x 24."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (a, b)]
    small = [cv2.resize(x, (24, 24), interpolation=cv2.INTER_AREA).ravel().astype(float) for x in grey]
    return float(np.corrcoef(*small)[0, 1])


def test_the_same_seed_draws_the_same_bytes_and_parts_do_not_touch_each_other(
    few: None, drawn: tuple[Path, dict[str, Any]], photos: Path, tmp_path: Path
) -> None:
    images, truth = drawn
    whole = contents(images)
    assert make(photos, tmp_path / "again") == truth
    assert contents(tmp_path / "again/images") == whole
    assert (tmp_path / "again/truth.json").read_bytes() == (images.parent / "truth.json").read_bytes()
    for part in planted.PARTS:
        make(photos, tmp_path / part, parts=(part,))
        of_part = contents(tmp_path / part / "images")
        assert PHOTOS < len(of_part) < len(whole) and of_part.items() <= whole.items()
    make(photos, tmp_path / "other", seed=1)
    other = contents(tmp_path / "other/images")
    assert sum(whole.get(name) == data for name, data in other.items()) < 0.3 * len(
        whole
    )  # the photos, and empty files


def test_every_file_is_named_once(drawn: tuple[Path, dict[str, Any]]) -> None:
    images, truth = drawn
    listed = [*truth["clean"], *(name for copies in truth["groups"].values() for name in copies)]
    for part in ("lookalikes", "oddballs", "broken", "misnamed"):
        listed += [name for names in truth[part].values() for name in names]
    assert sorted(listed) == sorted(contents(images))
    assert set(source(truth)) <= set(listed)


def test_copies_are_copies_of_their_photo(drawn: tuple[Path, dict[str, Any]]) -> None:
    images, truth = drawn
    originals = {name: pixels(images / name) for name in truth["clean"]}
    assert Counter(kind for group in truth["groups"].values() for kind in group.values()) == dict.fromkeys(
        copies.COPIES, 2
    )
    for original, group in truth["groups"].items():
        for name, kind in group.items():
            copy = pixels(images / name)[:, :: -1 if kind == "hflip" else 1]
            close = {other: alike(copy, of) for other, of in originals.items()}
            assert max(close, key=close.__getitem__) == original and close[original] > 0.8, name
            _check(kind, images / original, images / name, originals[original], copy)


def _check(kind: str, original: Path, path: Path, of: np.ndarray, copy: np.ndarray) -> None:
    one, other = original.read_bytes(), path.read_bytes()
    height, width = of.shape[:2]
    assert (one == other) == (kind == "exact")
    assert np.array_equal(of, copy) == (kind in ("exact", "meta_only", "png_same_pixels")), kind
    if kind == "meta_only":
        first, second = broken.scan(one), broken.scan(other)
        assert one[first.start : first.stop] == other[second.start : second.stop]
    elif kind.startswith("jpeg"):
        low, high = (int(value) for value in kind[6:].split("_"))
        tables = Image.open(io.BytesIO(other)).quantization
        assert any(Image.open(io.BytesIO(jpeg(of, q))).quantization == tables for q in range(low, high + 1))
    elif kind.startswith(("resize", "crop")):
        low, high = (float(value) / 100 for value in kind.split("_")[1:])
        shares = np.array([copy.shape[0] / height, copy.shape[1] / width])
        shares = 1 - shares if kind.startswith("crop") else shares
        assert (shares > low - 0.01).all() and (shares < high + 0.01).all()
        if kind.startswith("crop"):
            assert cv2.matchTemplate(of, copy, cv2.TM_CCOEFF_NORMED).max() > 0.98
    elif kind == "grayscale":
        assert np.ptp(copy.astype(int), axis=2).max() == 0 < np.ptp(of.astype(int), axis=2).max()
    elif kind == "exif_rotated":
        stored = np.asarray(Image.open(io.BytesIO(other)))
        assert stored.shape != of.shape or alike(stored, of) < 0.9
        assert np.abs(copy.astype(int) - of).mean() < 4
    elif kind == "hflip":
        assert np.abs(copy.astype(int) - of).mean() < 4
    elif kind == "watermark":
        assert 0.001 < (np.abs(copy.astype(int) - of).max(axis=2) > 40).mean() < 0.3
    elif kind == "rotate_2_5":
        assert copy.shape == of.shape and alike(copy, of) < 0.999


def test_look_alikes_and_oddballs_differ_from_each_other(drawn: tuple[Path, dict[str, Any]]) -> None:
    images, truth = drawn
    names = [name for part in ("lookalikes", "oddballs") for names in truth[part].values() for name in names]
    pictures = {name: np.asarray(Image.open(io.BytesIO((images / name).read_bytes()))) for name in names}
    for a, b in combinations(names, 2):
        assert pictures[a].shape != pictures[b].shape or not np.array_equal(pictures[a], pictures[b]), (a, b)
    of = source(truth)
    sets = [{name for name in names if of.get(name) == of[group[0]]} for group in truth["alike"]]
    assert sets == [set(truth["oddballs"][kind]) for kind in ("solid", "one_pixel")]


def test_broken_files_are_broken_and_misnamed_ones_are_not(drawn: tuple[Path, dict[str, Any]]) -> None:
    images, truth = drawn
    for kind, names in truth["broken"].items():
        for number, name in enumerate(names):
            if kind.startswith("bit_rot_jpeg"):
                one, other = (images / truth["derived"][name]).read_bytes(), (images / name).read_bytes()
                flips = np.frombuffer(one, np.uint8) ^ np.frombuffer(other, np.uint8)
                places = broken.scan(one)
                assert one[places.start - 3 : places.start] == b"\0\x3f\0" and one[places.stop :] == b"\xff\xd9"
                assert np.bitwise_count(flips).sum() == np.bitwise_count(flips[places.start : places.stop]).sum()
                assert np.bitwise_count(flips).sum() == 4**number
            else:
                with pytest.raises((OSError, UnidentifiedImageError, SyntaxError)):
                    pixels(images / name)
    for names in truth["misnamed"].values():
        for name in names:
            assert np.array_equal(pixels(images / name), pixels(images / truth["derived"][name]))


def test_true_pairs_are_all_pairs_of_a_group() -> None:
    truth = {
        "groups": {"b": {"a": "gamma", "c": "exact"}},
        "clean": ["b", "d"],
        "derived": {"e": "d"},
        "alike": [["f"]],
    }
    assert true_pairs(truth) == {("a", "b"), ("a", "c"), ("b", "c")}
    assert source(truth) == {"a": "b", "b": "b", "c": "b", "d": "d", "e": "d", "f": "f"}


@given(st.integers(1, 1000), st.integers(0, 5))
def test_kinds_are_dealt_evenly(n: int, seed: int) -> None:
    dealt = copies.deal(np.random.default_rng(seed), n)
    assert len(dealt) == len(set(dealt)) == min(3 * n, 900)
    counts = Counter(kind for _, kind in dealt)
    if n <= 300:
        assert max(counts.values()) - min(counts[kind] for kind in copies.COPIES) <= 1
    assert all(0 <= original < n for original, _ in dealt)


def test_wrong_use_is_told(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no part is called 'copy'"):
        make(photos, tmp_path / "out", parts=("copy",))
    with pytest.raises(ValueError, match="originals is 13"):
        make(photos, tmp_path / "out", originals=13)
    (tmp_path / "texts").mkdir()
    with pytest.raises(ValueError, match="has no files"):
        make(tmp_path / "texts", tmp_path / "out")
    (tmp_path / "texts/a.txt").write_text("a")
    with pytest.raises(ValueError, match=r"a\.txt is no JPEG"):
        make(tmp_path / "texts", tmp_path / "out")
    with pytest.raises(ValueError, match="is not empty"):
        make(photos, tmp_path, parts=())


def test_scores_are_those_of_a_count_by_hand() -> None:
    truth = {
        "groups": {"a": {"a1": "exact", "a2": "gamma"}, "b": {"b1": "exact"}},
        "lookalikes": {"box": ["x", "y"]},
        "oddballs": {"solid": ["s", "t"], "dark": ["d"]},
        "broken": {"zero_byte": ["z", "w"]},
        "misnamed": {"no_ending": ["m"]},
        "derived": {"d": "b", "m": "c"},
        "alike": [["s", "t"]],
        "clean": ["a", "b", "c"],
    }
    # true: a-a1, a-a2, a1-a2; wrong: x-y, b-y; neither: s-t, d-b1, c-m, z-w, a-z
    given = pairs_of([("a1", "a"), ("y", "b"), ("s", "s"), ("z", "a")], [["a", "a1", "a2"], ["y", "x"], ["t", "s"]])
    given |= pairs_of([], [["d", "b1"], ["m", "c"], ["w", "z"]])
    found = score(truth, Found(given, {"z"}, {"s", "c"}, {"d", "a"}))
    assert (found["true"], found["wrong"], found["neither"]) == (3, 2, 5)
    assert (found["precision"], found["recall"], found["recall_copies"]) == (3 / 5, 3 / 4, 2 / 3)
    assert found["precision_photos"] == 1
    assert found["recall_kinds"] == {"exact": 1 / 2, "gamma": 1}
    assert found["wrong_between"] == {"box": 1, "box and photos": 1}
    assert (found["oddballs"], found["oddballs_potential"]) == ({"solid": 0.5, "dark": 0}, {"solid": 0.5, "dark": 1})
    assert (found["broken"], found["misnamed"]) == ({"zero_byte": 0.5}, {"no_ending": 0})
    assert (found["clean"], found["clean_potential"], found["copies"]) == (1 / 3, 2 / 3, 0)
    silent = score(truth, Found())
    assert (silent["precision"], silent["recall"], silent["clean"]) == (None, None, None)
