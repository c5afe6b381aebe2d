"""Which rows are flawed, against every pair looked at in turn."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pixsieve.images.detail import BANDS, apart, enlarged
from pixsieve.rules.originals import FLAWS, SAME_JPEG, SAME_PRINT, Looks, flaws

SHARP = np.full(BANDS, 120)
NOTHING_FINE = np.where(np.arange(BANDS) < 13, 120 - np.arange(BANDS), 60)
SPECTRA = np.stack([SHARP, SHARP - 1, SHARP - np.arange(BANDS) // 3, NOTHING_FINE]).astype(np.uint8)
SIZES = [(100, 80), (80, 100), (200, 160), (50, 40)]
ROW = st.tuples(
    st.integers(0, 4),  # item
    st.integers(0, 5),  # pixels
    st.sampled_from([False] * 5 + [True]),  # damaged
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(0, len(SIZES) - 1),
    st.integers(0, len(SPECTRA) - 1),
)


def slowly(looks: Looks, item: np.ndarray, pixel: np.ndarray, near: set[tuple[int, int]]) -> list[str]:
    n = len(item)

    def is_converted(row: int) -> bool:
        like_a_jpeg = looks.traces[row] or any(looks.jpeg[b] and pixel[b] == pixel[row] for b in range(n))
        return bool(looks.inks[row] or (like_a_jpeg and not looks.jpeg[row]))

    def flaw(row: int) -> str:
        if looks.damaged[row]:
            return "damaged"
        found = ""
        for b in range(n):
            if looks.damaged[b] or not (
                item[b] == item[row] or (item[row], item[b]) in near or (item[b], item[row]) in near
            ):
                continue
            mine, theirs = (looks.spectrum[side][None] for side in (row, b))
            areas = looks.sides[row].prod(), looks.sides[b].prod()
            if areas[0] > areas[1] and enlarged(mine, theirs, np.sqrt([areas[1] / areas[0]]))[0]:
                return "enlarged"
            same = sorted(looks.sides[row]) == sorted(looks.sides[b])
            most = SAME_PRINT if looks.inks[row] else SAME_JPEG
            if is_converted(row) and not is_converted(b) and same and apart(mine, theirs)[0] <= most:
                found = "converted"
        return found

    return [flaw(row) for row in range(n)]


@settings(deadline=None, max_examples=300)
@given(st.lists(ROW, min_size=1, max_size=9), st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=4))
def test_flaws_are_those_of_every_near_pair(rows, near):
    item, pixel, damaged, jpeg, traces, inks, size, of = (np.array(column) for column in zip(*rows, strict=True))
    number = np.unique(item, return_inverse=True)[1]
    names = np.unique(item).tolist()
    pairs = {(names.index(a), names.index(b)) for a, b in near if a in names and b in names and a < b}
    i, j = (np.array([pair[side] for pair in sorted(pairs)], np.int64) for side in (0, 1))
    looks = Looks(damaged, jpeg, traces, inks, np.array(SIZES)[size], SPECTRA[of])
    found = flaws(looks, number, pixel, i, j)
    assert [FLAWS[f] for f in found] == slowly(looks, number, pixel, pairs)


def test_the_drawn_spectra_are_of_all_sorts():
    sharp, _, softer, nothing_fine = (one[None] for one in SPECTRA)
    assert enlarged(nothing_fine, sharp, np.array([0.5]))[0] and not enlarged(sharp, nothing_fine, np.array([0.5]))[0]
    assert apart(softer, sharp)[0] > SAME_PRINT and not enlarged(softer, sharp, np.array([0.5]))[0]


def test_no_rows_have_no_flaws():
    none = np.empty(0, np.int64)
    looks = Looks(*(none.astype(bool) for _ in range(4)), np.empty((0, 2), np.int64), np.empty((0, BANDS), np.uint8))
    assert flaws(looks, none, none, none, none).tolist() == []
