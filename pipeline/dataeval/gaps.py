"""How far two clusters that join were from each other at every level before: the minimum distances of what each held.

A pair of rows counts from the level on at which both are there. Most merges of small clusters with large ones ask for
the same rows of the large one again: all questions about one id are answered in one pass over its rows, in the order
in which they came. What is known of a question rules out nearly all further pairs.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from pixsieve.dataeval.levels import Levels, Singles, entries
from pixsieve.dataeval.linkage import Floats
from pixsieve.kernels import Array, Index, Tiles, to_host

# Pairs of two clusters that are compared at once.
FEW = 4096
# Rows of an id looked at first, and at most at once; each look is twice as long as the one before.
SHORTEST, LONGEST = 16, 1024


def gaps(x: Array, of: Levels, merges: Index, average: NDArray[np.bool_]) -> Singles:
    """(m,) of each of these merges of two clusters the gap at level 0, or the mean of those at all levels before it.

    x: (n, d) float64 on the host or on a GPU. average: (m,) which is asked for. Of levels, only those below `of.top`
    count. Memory: O(n) and a tile of pairs.
    """
    tiles = Tiles.of(x, of.rows)
    own, other = of.start[merges], of.start[merges] + of.size[of.outer[merges]]
    seeds = [tiles.distances(own + i, other + j) for i in (0, 1) for j in (0, 1)]
    first = np.min(seeds, axis=0)
    out = first.astype(np.float32)
    asked = np.flatnonzero(average)
    pairs = of.size[of.outer[merges[asked]]] * of.size[of.inner[merges[asked]]]
    here = to_host(x)
    for at in asked[pairs <= FEW].tolist():
        out[at] = _directly(here, of, merges[at])
    rest = asked[pairs > FEW]
    rest = rest[np.argsort(of.id[merges[rest]], kind="stable")]
    for part in np.split(rest, np.flatnonzero(np.diff(of.id[merges[rest]])) + 1) if len(rest) else ():
        out[part] = _together(tiles, of, merges[part], first[part])
    return out


def _directly(x: Floats, of: Levels, merge: int) -> np.float32:
    """The mean of one merge. x: (n, d) on the host."""
    start, middle, stop = of.start[merge] + np.array([0, of.size[of.outer[merge]], of.size[merge]])
    far = cdist(x[of.rows[start:middle]], x[of.rows[middle:stop]])
    since = np.maximum.outer(entries(of, of.outer[merge]), entries(of, of.inner[merge]))
    gap = np.full(of.level[merge], np.inf)
    np.minimum.at(gap, since.ravel(), far.ravel())
    gap = np.minimum.accumulate(gap).astype(np.float32)
    return gap[: of.top].mean()


def _together(tiles: Tiles, of: Levels, merges: Index, first: Floats) -> Singles:
    """The means of merges with one outer id, ascending. first: their gaps at level 0."""
    outer, inner = of.outer[merges], of.inner[merges]
    start, held, came = of.start[merges[0]], of.size[outer], entries(of, outer[-1])
    asks = np.repeat(np.arange(len(merges)), of.size[inner])
    columns = np.concatenate([start + h + np.arange(m) for h, m in zip(held, of.size[inner], strict=True)])
    since = np.concatenate([entries(of, merge) for merge in inner])
    span = int(of.level[merges].max()) + 1
    # Steps of the gaps: merge * span + level, and the gap from there on.
    steps, gap = np.arange(len(merges)) * span, first
    at, length = 0, SHORTEST
    while True:
        # A pair with a row from `at` on counts from when both are there, if it is nearer than what is known then. Rows
        # that came with the merge or after it count from too late a level.
        least = gap[np.searchsorted(steps, asks * span + np.maximum(came[at], since), "right") - 1]
        open_ = np.flatnonzero((least > of.height[merges][asks]) & (held[asks] > at))
        if not len(open_):
            break
        stop = min(at + length, len(came))
        more_steps, more_gaps = [steps], [gap]
        rows = slice(start + at, start + stop)
        for i, j, far in tiles.within(rows, columns[open_], np.zeros(stop - at), least[open_]):
            j = open_[j]
            more_steps.append(asks[j] * span + np.maximum(came[at + i], since[j]))
            more_gaps.append(far)
        steps, gap = _falling(np.concatenate(more_steps), np.concatenate(more_gaps), span)
        if stop == len(came):
            break
        at, length = stop, min(2 * length, LONGEST)
    ends = np.searchsorted(steps, np.arange(len(merges) + 1) * span)
    out = np.empty(len(merges), np.float32)
    for k, levels in enumerate(np.minimum(of.level[merges], of.top).tolist()):
        part = slice(ends[k], ends[k + 1])
        from_ = np.minimum(steps[part] - k * span, levels)
        out[k] = np.repeat(gap[part].astype(np.float32), np.diff(from_, append=levels)).mean()
    return out


def _falling(steps: Index, gap: Floats, span: int) -> tuple[Index, Floats]:
    """The steps, ascending, at which the least gap of a question falls."""
    order = np.lexsort((gap, steps))
    steps, gap = steps[order], gap[order]
    rank = np.empty(len(gap), np.int64)
    rank[np.argsort(gap, kind="stable")] = np.arange(len(gap))
    rank -= steps // span * len(gap)  # below all of the question before: one running minimum serves all
    falls = rank == np.minimum.accumulate(rank)
    return steps[falls], gap[falls]
