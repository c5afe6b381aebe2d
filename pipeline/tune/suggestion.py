"""Which threshold to take: the middle of the widest range in which the clusters stay what they are."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from pixsieve.tune import curves as at
from pixsieve.tune.axis import SIMILARITY, Axis
from pixsieve.tune.curves import Curves, Floats

# Figures are those of `python -m benchmarks.tune`: 105 draws of blobs, faces and copies, and data without clusters.
# Within a range the effective number of clusters changes by this factor at most (the mean adjusted Rand index of the
# suggestions is .925 to .950 for 1.1 to 2),
STEADY = 1.3
# and is at least this: the largest cluster has at most 95 % of the core rows, and does not hide that all others change.
SEVERAL = 1.1
# A range whose ends are lengths of a lesser ratio is no plateau. Without clusters (points drawn evenly from a sphere in
# 16 to 512 dimensions, one blob) the widest range has a ratio of 1.09 at most; with clusters 102 of 105 have more than
# this, and all at least 1.30. Embeddings of CIFAR-10, whose classes run into each other, have 1.2 to 1.4, and with a
# min_samples of 2 up to 2.7, by a few close pairs.
CLEAR = 1.35


@dataclass(frozen=True)
class Suggestion:
    value: float  # a similarity, or a distance
    least: float  # the range in which the clusters stay what they are
    most: float
    noise: int  # rows in no cluster, at the value
    clusters: int
    largest: int  # rows of the largest cluster


def suggest(curves: Curves, axis: Axis = SIMILARITY) -> Suggestion | str:
    """A value for DBSCAN, or why there is none to suggest.

    DBSCAN's authors read the length off the first valley of the sorted k-distance curve (Ester, Kriegel, Sander and Xu,
    KDD 1996, section 4.2), and Kneedle finds such a bend (Satopaa, Albrecht, Irwin and Raghavan, ICDCSW 2011). That
    curve does not see clusters: a bend is often too strict, and where most rows have no like it is anywhere. The tree
    sees them. Clusters that are there are found at many similarities: between the one at which they are complete and
    the one at which they are chained together, the effective number of clusters hardly changes (unlike their plain
    number, which a few small ones change). So: of all ranges of lengths in which it is `SEVERAL` and changes by a
    factor of `STEADY` at most the widest, and its middle. Over blobs, faces and copies the adjusted Rand index to the
    truth is .945 in the mean, where the best similarity has .983, the bend of the k-distance curve .887, and the range
    in which the plain number stays the same .890. It is worst for groups that touch: 8 blobs in 16 dimensions without
    noise have .38.
    """
    n, m = len(curves.core), curves.min_samples
    if not n:
        return "there are no rows to compare"
    if n < m:
        return f"there are fewer rows ({n}) than min_samples ({m}): none is ever core, and all is noise"
    found = plateau(curves, axis.bound)
    if found is None and curves.lengths.max(initial=0.0) <= 0:
        return f"all rows are alike: they are one cluster at any {axis.name}"
    if found is None:
        return f"at no {axis.name} above 0 is there more than one cluster of any size: all that is not noise is one"
    low, high = found
    if high < CLEAR * low:
        return (
            f"the clusters change with every small change of the {axis.name}: there are no groups that stand apart from"
            " each other. Another min_samples may show some, or another descriptor"
        )
    length = np.array([axis.value(value := _short(low, high, axis))])
    least, most = sorted((float(axis.value(low)), float(axis.value(high))))
    return Suggestion(
        value,
        least,
        most,
        int(at.noise(curves, length)[0]),
        int(at.clusters(curves, length)[0]),
        int(at.largest(curves, length)[0]),
    )


def plateau(curves: Curves, bound: float = 1.0) -> tuple[float, float] | None:
    """The widest range of lengths [low, high), below a bound, in which the effective number of clusters is at least
    `SEVERAL` and changes by a factor of `STEADY` at most; the one of least lengths of equals. None: it is less
    everywhere."""
    length = np.unique(np.concatenate([curves.core, curves.lengths]))
    length = length[length < bound]
    number = at.effective(curves, length)
    several = number >= SEVERAL
    end = np.append(length, bound)
    best: tuple[float, float] | None = None
    first, rising, falling = 0, deque[int](), deque[int]()  # the window, and its running minima and maxima
    for last in range(len(length)):
        if not several[last]:
            first = last + 1
            rising.clear()
            falling.clear()
            continue
        _push(rising, number, last)
        _push(falling, -number, last)
        while number[falling[0]] > STEADY * number[rising[0]]:
            first += 1
            for side in (rising, falling):
                if side[0] < first:
                    side.popleft()
        low, high = float(end[first]), float(end[last + 1])
        if best is None or high - low > best[1] - best[0]:
            best = low, high
    return best


def _push(window: deque[int], value: Floats, at: int) -> None:
    while window and value[window[-1]] >= value[at]:
        window.pop()
    window.append(at)


def _short(low: float, high: float, axis: Axis) -> float:
    """The value in the middle of a range of lengths, with as few digits as leave it in the middle half of it."""
    middle, quarter = (low + high) / 2, (high - low) / 4
    first = 2 if axis.falls else 1 - int(np.floor(np.log10(middle)))
    for digits in range(first, first + 14):
        value = round(float(axis.value(middle)), digits)
        if value > 0 and abs(axis.value(value) - middle) <= quarter:
            return value
    return float(axis.value(middle))
