"""Image faults: the rule against a slow reference, its promises, and drawn images of every kind."""

from statistics import median

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixsieve.demo import scene
from pixsieve.images.statistics import STATISTICS, luma, reduce, statistics
from pixsieve.rules.faults import KINDS, MEASUREMENTS, Measurement, deviations, faults

FEW = settings(max_examples=60, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)
EACH = pytest.mark.parametrize("of", MEASUREMENTS, ids=lambda of: f"{of.kind}-{of.text[:9]}")


def drawn(of: Measurement, seed: int) -> np.ndarray:
    """(n,) values of a set whose usual value may lie anywhere about the lines."""
    rng = np.random.default_rng(seed)
    low, high = sorted((of.never, of.always))
    middle, spread, n = rng.uniform(0, 2 * high), rng.uniform(0, high - low), int(rng.integers(1, 40))
    values = np.abs(middle + spread * rng.normal(size=n))
    values[rng.random(n) < 0.2] = rng.uniform(0, 2 * high)
    values[rng.random(n) < 0.1] = np.nan
    return values


def slow(values: list[float], of: Measurement) -> list[float]:
    """One value at a time, without the clip."""

    def turned(value: float) -> float:
        value = float(np.log(max(value, 1e-9))) if of.ratio else value
        return value if of.always > of.never else -value

    step = float(np.log(of.step)) if of.ratio else of.step
    known = [turned(v) for v in values if v == v]
    if not known:
        return [0.0] * len(values)
    middle = median(known)
    scale = max(1.4826 * median([abs(v - middle) for v in known]), step)
    found = []
    for value in values:
        if value != value:
            found.append(0.0)
            continue
        z = (turned(value) - middle) / scale
        most = 2.5 + (turned(value) - turned(of.never)) / step
        least = 3.5 + (turned(value) - turned(of.always)) / step
        found.append(max(0.0, min(max(z, least), most)))
    return found


@EACH
@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_against_a_slow_reference(of: Measurement, seed: int):
    values = drawn(of, seed)
    np.testing.assert_allclose(deviations(values, of), slow(values.tolist(), of), rtol=1e-9, atol=1e-9)


@EACH
@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_no_set_moves_the_lines_and_more_is_worse(of: Measurement, seed: int):
    values, sign = drawn(of, seed), np.sign(of.always - of.never)
    z = deviations(values, of)
    assert (z[sign * values >= sign * of.always] >= 3.5).all()
    assert (z[sign * values < sign * of.never] < 2.5).all()
    order = np.argsort(sign * values)[: np.isfinite(values).sum()]
    assert (np.diff(z[order]) >= 0).all()
    lines = deviations(np.array([of.never, of.always]), of)
    assert lines[0] <= 2.5 and lines[1] >= 3.5


@EACH
def test_what_is_usual_is_no_fault(of: Measurement):
    """Between the lines, where all are like this."""
    value = np.sqrt(of.never * of.always) if of.ratio else (of.never + of.always) / 2
    assert (deviations(np.full(20, value), of) < 2.5).all()
    assert deviations(np.append(np.full(20, usual_far_from(of)), value), of)[-1] >= 3.5


def usual_far_from(of: Measurement) -> float:
    return of.never * (of.never / of.always) if of.ratio else max(0.0, 2 * of.never - of.always)


def measured(pixels: np.ndarray) -> dict[str, float]:
    height, width = pixels.shape[:2]
    grey = reduce(luma(pixels))
    named = dict(zip(STATISTICS, statistics(pixels, grey), strict=True))
    return {"width": width, "height": height, **named}


def columns(pictures: list[np.ndarray]) -> dict[str, np.ndarray]:
    records = [measured(pixels) for pixels in pictures]
    return {name: np.array([record[name] for record in records], float) for name in records[0]}


def odd(kind: str, rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    changed = {
        "dark": lambda: picture * 0.06,
        "bright": lambda: 255 - (255.0 - picture) * 0.06,
        "low_contrast": lambda: 120 + (picture - 120.0) * 0.06,
        "blurred": lambda: cv2.GaussianBlur(picture, (0, 0), 0.03 * picture.shape[1]),
        "noisy": lambda: picture + 60 * rng.normal(size=picture.shape),
        "flat": lambda: (
            np.where(picture.mean(axis=2, keepdims=True) > np.quantile(picture, 0.95), 20, 230) * np.ones(3)
        ),
        "tiny": lambda: cv2.resize(picture, (16, 12), interpolation=cv2.INTER_AREA),
        "huge": lambda: picture,
        "odd_aspect": lambda: picture[:20] if rng.random() < 0.5 else picture[:, :20],
    }[kind]()
    return np.clip(changed, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def scenes() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [scene(rng) for _ in range(40)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_found_among_scenes_and_scenes_are_not(kind: str, scenes: list[np.ndarray]):
    rng = np.random.default_rng(1)
    table = columns([*scenes, *(odd(kind, rng, picture) for picture in scenes[:4])])
    if kind == "huge":
        table["width"][40:] *= 18
        table["height"][40:] *= 18
    found = faults(table, np.ones(44, bool))
    assert found.keys() == set(KINDS)
    assert (found[kind].level[40:] == 2).all() and all(found[kind].reason[40:])
    for fault in found.values():
        assert (fault.level[:40] < 2).all() and ((fault.score >= 0) & (fault.score <= 1)).all()
        assert [bool(text) for text in fault.reason] == (fault.level > 0).tolist()
        np.testing.assert_array_equal(fault.level == 2, fault.score >= 0.5)


def test_a_set_of_dark_or_small_images_is_not_at_fault(scenes: list[np.ndarray]):
    """Dark as night, or thumbnails: as long as they are not absurd."""
    night = [(picture * 0.22).astype(np.uint8) for picture in scenes]
    small = [cv2.resize(picture, (40, 30), interpolation=cv2.INTER_AREA) for picture in scenes]
    for pictures, kind in ((night, "dark"), (small, "tiny")):
        found = faults(columns(pictures), np.ones(40, bool))[kind]
        assert (found.level < 2).all()
        mixed = faults(columns([*scenes, pictures[0]]), np.ones(41, bool))[kind]
        assert mixed.level[-1] == 2


def test_what_cannot_be_read_has_no_score_and_changes_nothing(scenes: list[np.ndarray]):
    whole = columns([*scenes[:10], np.zeros((30, 40, 3), np.uint8)])
    holed = {name: np.insert(values, [0, 5], np.nan) for name, values in whole.items()}
    before = faults(whole, np.ones(11, bool))
    after = faults(holed, np.isfinite(holed["width"]))
    for kind in KINDS:
        assert np.isnan(after[kind].score[[0, 6]]).all() and not after[kind].level[[0, 6]].any()
        np.testing.assert_array_equal(np.delete(after[kind].score, [0, 6]), before[kind].score)
    none = faults({name: values[:0] for name, values in whole.items()}, np.ones(0, bool))
    assert all(len(fault.score) == 0 for fault in none.values())
    unread = faults({name: np.full(3, np.nan) for name in whole}, np.zeros(3, bool))
    assert all(np.isnan(fault.score).all() for fault in unread.values())


@FEW
@given(SEEDS)
def test_the_order_of_the_rows_does_not_matter(seed: int):
    rng = np.random.default_rng(seed)
    table = {name: rng.uniform(0, 1, 20) for name in (*STATISTICS, "width", "height")}
    readable, order = rng.random(20) < 0.8, rng.permutation(20)
    before = faults(table, readable)
    after = faults({name: values[order] for name, values in table.items()}, readable[order])
    for kind in KINDS:
        np.testing.assert_array_equal(after[kind].score, before[kind].score[order])
        assert after[kind].reason == [before[kind].reason[at] for at in order]


def test_the_lines_leave_room():
    for of in MEASUREMENTS:
        distance = np.log(of.always / of.never) if of.ratio else of.always - of.never
        assert abs(distance) >= (np.log(of.step) if of.ratio else of.step)
