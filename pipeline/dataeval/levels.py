"""The merges of a linkage as DataEval's Clusterer sees them: clusters with an id, at levels.

Two rows make a cluster with the next id, at level 0. A row that joins one takes it to its next level. Of two that join,
the lower id (outer) goes on, one level above the higher of the two; the other (inner) ends. Until then the lower one is
there on every level in between as a copy of itself.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixsieve.dataeval.linkage import Floats, Linkage, dendrogram
from pixsieve.kernels import Index

Singles = NDArray[np.float32]
Marks = NDArray[np.bool_]
# What a cluster of one merge has as its deviation.
LEAST = 1e-5


class Levels(NamedTuple):
    """Of n rows, n - 1 merges and c ids. Arrays are (n - 1,), of the cluster that each merge makes, if nothing is said.

    The rows of an id stand together, in the order in which they came to it: those of a cluster from `start` on, the
    first `size`. An inner cluster's rows are the last of what it becomes part of.
    """

    rows: Index  # (n,) the row at each position
    start: Index
    size: Index
    id: Index
    level: Index
    outer: Index  # the merge that made what the cluster is made of, or -1: two rows
    inner: Index  # the merge that made what is absorbed, or -1: a row
    newest: Index  # the row that DataEval names as the newest
    height: Floats
    mean: Singles  # of the heights inside the cluster
    deviation: Floats
    one: Marks  # whether the height is more than one deviation above the mean
    two: Marks
    end: Index  # (c,) the last level of each id
    chains: list[Index]  # (c,) the merges of each id, ascending
    top: int  # the highest level at which a cluster joins another; at least 1
    least: int  # rows of a cluster that counts


def levels(merges: Linkage) -> Levels:
    """The clusters of a single linkage."""
    n = len(merges.height) + 1
    left, right = merges.left.tolist(), merges.right.tolist()
    size, newest = [1] * n, list(range(n))
    ids, level, outer, inner = ([0] * (n - 1) for _ in range(4))
    chains: list[list[int]] = []
    end: list[int] = []
    swapped, top = np.zeros(n - 1, bool), 1
    for k, (i, j) in enumerate(zip(left, right, strict=True)):
        a, b = i - n, j - n
        size.append(size[i] + size[j])
        newest.append(newest[j] if size[i] >= size[j] else newest[i])
        if b < 0:  # the left one has the lower number: a row first
            ids[k], outer[k], inner[k] = len(chains), -1, -1
            chains.append([])
            end.append(0)
        elif a < 0:
            ids[k], level[k], outer[k], inner[k] = ids[b], level[b] + 1, b, -1
            swapped[k], newest[n + k] = True, i
        else:
            swapped[k] = ids[b] < ids[a]
            one, other = (b, a) if swapped[k] else (a, b)
            high = max(level[a], level[b])
            top, end[ids[other]] = max(top, high), high
            ids[k], level[k], outer[k], inner[k] = ids[one], high + 1, one, other
        chains[ids[k]].append(k)
        end[ids[k]] = level[k]
    rows, start = dendrogram(
        n, np.where(swapped, merges.right, merges.left), np.where(swapped, merges.left, merges.right)
    )
    return Levels(
        rows,
        start[n:],
        np.array(size[n:]),
        np.array(ids),
        np.array(level),
        np.array(outer),
        np.array(inner),
        np.array(newest[n:]),
        merges.height,
        *_heights(merges),
        np.array(end),
        [np.array(chain) for chain in chains],
        top,
        min(max(2, int(n * 0.05)), 100),
    )


def entries(of: Levels, merge: int) -> Index:
    """(size,) the level at which each row of the cluster that a merge makes came to its id, in their order."""
    chain = of.chains[of.id[merge]]
    chain = chain[: np.searchsorted(chain, merge) + 1]
    return np.repeat(of.level[chain], np.diff(of.size[chain], prepend=0))


class _Inside(NamedTuple):
    """The heights inside the cluster of each merge."""

    mean: Singles
    deviation: Floats
    one_above: Marks  # its own height is above mean + deviation
    two_above: Marks  # and above mean + 2 deviations


def _heights(merges: Linkage) -> _Inside:
    """Mean and deviation of the heights inside each cluster, and how its own stands to them.

    All is rounded to float32, and added in DataEval's order, in which the heights of every cluster stand together:
    those of the right part, of the left part, its own. Where all are equal, rounding decides.
    """
    n = len(merges.height) + 1
    low, high = merges.left.tolist(), merges.right.tolist()
    inside = [0] * n
    for i, j in zip(low, high, strict=True):
        inside.append(inside[i] + inside[j] + 1)
    begin = [0] * (2 * n - 1)
    for k in range(n - 2, -1, -1):
        begin[high[k]] = begin[n + k]
        begin[low[k]] = begin[n + k] + inside[high[k]]
    own, count = merges.height.astype(np.float32), np.array(inside[n:])
    first = np.array(begin[n:])
    heights = np.empty_like(own)
    heights[first + count - 1] = own
    mean, deviation = own.copy(), np.full(n - 1, LEAST)
    for k in np.flatnonzero(count > 1).tolist():
        part = heights[begin[n + k] : begin[n + k] + inside[n + k]]
        average = part.mean(keepdims=True)
        mean[k], deviation[k] = average[0], part.std(mean=average)
    above = mean.astype(np.float64) + deviation
    return _Inside(mean, deviation, own > above, own > above + deviation)
