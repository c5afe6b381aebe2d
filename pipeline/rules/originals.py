"""Which rows are worse than one near them although they may be larger: damaged, enlarged, or converted."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pixsieve.images.detail import apart, enlarged

# dB in any band: more, and one of the two has lost detail on its own way, as by a stronger compression.
SAME_JPEG, SAME_PRINT = 0.6, 2.0
AT_ONCE = 1 << 16  # pairs of looks
FLAWS = ("", "damaged", "converted", "enlarged")


class Looks(NamedTuple):
    """What is known of n rows."""

    damaged: np.ndarray  # (n,) booleans
    jpeg: np.ndarray  # (n,) booleans, of the file
    traces: np.ndarray  # (n,) booleans: the pixels have been a JPEG
    inks: np.ndarray  # (n,) booleans: the file holds CMYK
    sides: np.ndarray  # (n, 2) pixels
    spectrum: np.ndarray  # (n, BANDS) of images/detail.py

    def only(self, chosen: np.ndarray) -> "Looks":
        return Looks(*(column[chosen] for column in self))


def flaws(looks: Looks, item: np.ndarray, pixel: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """(n,) places in FLAWS of the rows, 0 for none.

    An enlarged row is larger than the one near it that it was made from. A converted one has the size and the detail of
    one near it that is not: it is CMYK, or its pixels have been a JPEG and are in a file that is none, or equal those
    of a JPEG. Rows are near if they are of one item (n,), or of two items i, j (p,). pixel: (n,) equal numbers for
    equal pixels.
    """
    from_jpeg = np.isin(pixel, pixel[looks.jpeg]) | looks.traces
    converted = looks.inks | (from_jpeg & ~looks.jpeg)
    met = np.bincount(item, minlength=1) > 1
    met[i] = met[j] = True
    found = np.where(looks.damaged, FLAWS.index("damaged"), 0)
    able = np.flatnonzero(met[item] & ~looks.damaged)
    about = np.column_stack([item, converted, looks.sides, looks.spectrum])[able]
    _, first, of_row = np.unique(about, axis=0, return_index=True, return_inverse=True)
    one, made = looks.only(able[first]), converted[able[first]]
    flaw = np.zeros(len(first), np.int64)
    area, longer = one.sides.prod(axis=1), one.sides.max(axis=1)
    within = np.unique(item[able])
    for a, b in _meetings(item[able[first]], np.concatenate([within, i, j]), np.concatenate([within, j, i])):
        same = made[a] & ~made[b] & (area[a] == area[b]) & (longer[a] == longer[b])
        copy, source = a[same], b[same]
        most = np.where(one.inks[copy], SAME_PRINT, SAME_JPEG)
        flaw[copy[apart(one.spectrum[copy], one.spectrum[source]) <= most]] = FLAWS.index("converted")
        larger = area[a] > area[b]
        large, small = a[larger], b[larger]
        ratio = np.sqrt(area[small] / area[large])
        flaw[large[enlarged(one.spectrum[large], one.spectrum[small], ratio)]] = FLAWS.index("enlarged")
    found[able] = flaw[of_row.reshape(len(able))]
    return found


def _meetings(item: np.ndarray, i: np.ndarray, j: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All pairs of one whose item is in i and another whose item is beside it in j. item: (m,) ascending."""
    counts = np.bincount(item, minlength=max(item.max(initial=-1), i.max(initial=-1), j.max(initial=-1)) + 1)
    starts = np.cumsum(counts) - counts
    ends = np.cumsum(counts[i] * counts[j])
    for at in range(0, int(ends[-1]) if len(ends) else 0, AT_ONCE):
        place = np.arange(at, min(at + AT_ONCE, int(ends[-1])))
        pair = np.searchsorted(ends, place, side="right")
        a, b = i[pair], j[pair]
        within = place - (ends[pair] - counts[a] * counts[b])
        yield starts[a] + within // counts[b], starts[b] + within % counts[b]
