"""Pictures of one thing that are no copies of each other: look-alikes, and bursts, which one camera took at once."""

from typing import NamedTuple

import numpy as np

from pixsieve import kernels


class Alike(NamedTuple):
    """Of n rows."""

    other: np.ndarray  # (n,) the place of the row that it is like, -1 for none
    similarity: np.ndarray  # (n,) float64 to that one; NaN for none
    frames: np.ndarray  # (n,) of its burst, 0 for a row in none
    seconds: np.ndarray  # (n,) from the first frame of its burst to the last, 0 for a row in none


def alike(
    pairs: np.ndarray,
    similarity: np.ndarray,
    seconds: np.ndarray,
    camera: np.ndarray,
    sharpness: np.ndarray,
    within: float,
) -> Alike:
    """pairs: (m, 2) places of rows that are alike, in an order of rows that is always the same; similarity: (m,);
    seconds: (n,) when each was taken, NaN where that is not known; camera: (n,) integers; sharpness: (n,); within:
    seconds between two frames of a burst, at most.

    Of a burst every frame but the sharpest has an entry, about the sharpest. Of other pairs the later row has one,
    about the one before it that it is most like.
    """
    n = len(seconds)
    i, j = np.sort(pairs, axis=1).T
    with np.errstate(invalid="ignore"):
        at_once = (np.abs(seconds[i] - seconds[j]) <= within) & (camera[i] == camera[j])
    burst = kernels.components(n, i[at_once], j[at_once])
    frames = np.bincount(burst, minlength=n)[burst]
    inside = frames > 1
    sharp = np.where(np.isnan(sharpness), -np.inf, sharpness)
    order = np.lexsort((np.arange(n), -sharp, burst))
    first = np.flatnonzero(np.diff(burst[order], prepend=-1))
    sharpest = np.empty(n, np.int64)
    sharpest[burst[order[first]]] = order[first]
    other, found = np.full(n, -1), np.full(n, np.nan)
    best = np.lexsort((i, -similarity, j))
    best = best[burst[i[best]] != burst[j[best]]]
    best = best[np.flatnonzero(np.diff(j[best], prepend=-1))]
    other[j[best]], found[j[best]] = i[best], similarity[best]
    frame = inside & (sharpest[burst] != np.arange(n))
    other[frame] = sharpest[burst[frame]]
    found[frame] = _between(np.column_stack([i, j]), similarity, np.flatnonzero(frame), other)
    frames[~frame] = 0
    length = np.zeros(n)
    if inside.any():
        low, high = np.full(n, np.inf), np.full(n, -np.inf)
        np.minimum.at(low, burst[inside], seconds[inside])
        np.maximum.at(high, burst[inside], seconds[inside])
        length[frame] = (high - low)[burst[frame]]
    return Alike(other, found, frames, length)


def _between(pairs: np.ndarray, similarity: np.ndarray, rows: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of each of the rows the similarity to its other one, if they are a pair; else the best that it has."""
    best: dict[int, float] = {}
    direct: dict[tuple[int, int], float] = {}
    for (i, j), value in zip(pairs.tolist(), similarity.tolist(), strict=True):
        direct[i, j] = value
        for row in (i, j):
            best[row] = max(best.get(row, 0.0), value)
    return np.array([direct.get((min(r, o), max(r, o)), best[r]) for r, o in zip(rows, other[rows], strict=True)])
