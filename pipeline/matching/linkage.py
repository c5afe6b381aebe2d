"""Agglomerative clustering of groups of rows by their moments: what the rows themselves would do from there on.

The squared distance of two groups A and B with n members each, mean m and mean square distance v of the members to it:

    ward      2 nA nB / (nA + nB) |mA - mB|^2, by what a merge adds to the sum of squares (Ward, 1963), exactly
    average   |mA - mB|^2 + vA + vB, the mean of the squared distances of their members, exactly

Both are reducible: a merge brings nothing nearer to a third group. So all pairs that are each other's nearest may be
merged at once, and the tree is that of one merge at a time (Murtagh, 1983); no matrix of all distances is held.
"""

from typing import Literal, NamedTuple

import numpy as np

from pixsieve import kernels

AT_A_TIME = 2**22  # distances in memory


class Groups(NamedTuple):
    """Of c groups."""

    size: np.ndarray  # (c,) float64 rows
    mean: np.ndarray  # (c, d) float64
    variance: np.ndarray  # (c,) float64 mean square distance of the rows to the mean

    def some(self, which: np.ndarray) -> "Groups":
        return Groups(*(part[which] for part in self))


class Tree(NamedTuple):
    """Of c groups and t merges, in no order."""

    edges: np.ndarray  # (t, 2) a group of each side
    heights: np.ndarray  # (t,) float64 distances


def joined(groups: Groups, label: np.ndarray) -> Groups:
    """The moments of the unions 0 .. g - 1 of groups by label (c,), of which each has one."""
    count = int(label.max(initial=-1)) + 1
    size = np.bincount(label, groups.size, count)
    mean = np.zeros((count, groups.mean.shape[1]))
    np.add.at(mean, label, groups.size[:, None] * groups.mean)
    mean /= size[:, None]
    off = groups.mean - mean[label]
    within = groups.size * (groups.variance + np.einsum("ij,ij->i", off, off))
    return Groups(size, mean, np.bincount(label, within, count) / size)


def tree(groups: Groups, linkage: Literal["ward", "average"], cut: float = np.inf) -> Tree:
    """All merges of a distance below `cut`."""
    first = np.arange(len(groups.size))  # the group that stands for each of those that are left
    nearest, apart = _nearest(groups, first, linkage)
    edges, heights = [np.empty((0, 2), np.int64)], [np.empty(0)]
    while len(first) > 1 and apart.min() < cut**2:
        here = np.arange(len(first))
        pair = (nearest[nearest] == here) & (here < nearest) & (apart < cut**2)
        if not pair.any():  # rounding tells the two sides of a pair apart
            pair[apart.argmin()] = True
        i, j = here[pair], nearest[pair]
        edges.append(np.column_stack([first[i], first[j]]))
        heights.append(np.sqrt(apart[i]))
        into = here.copy()
        into[j] = i
        left = np.flatnonzero(into == here)
        place = np.searchsorted(left, into)
        merged = np.zeros(len(here), bool)
        merged[i] = merged[j] = True
        stale = np.flatnonzero((merged | merged[nearest])[left])
        groups = joined(groups, place)
        first, nearest, apart = first[left], place[nearest[left]], apart[left]
        nearest[stale], apart[stale] = _nearest(groups, stale, linkage)
    return Tree(np.concatenate(edges), np.concatenate(heights))


def _nearest(groups: Groups, of: np.ndarray, linkage: str) -> tuple[np.ndarray, np.ndarray]:
    """For some groups the nearest other, the first of equals, and its squared distance; infinity where there is none."""
    size, mean, variance = groups
    square = np.einsum("ij,ij->i", mean, mean)
    nearest, apart = np.zeros(len(of), np.int64), np.full(len(of), np.inf)
    step = max(1, AT_A_TIME // max(len(size), 1))
    for at in range(0, len(of), step):
        own = of[at : at + step]
        far = np.maximum(square[own, None] + square - 2 * (mean[own] @ mean.T), 0)
        if linkage == "ward":
            far *= 2 * size[own, None] * size / (size[own, None] + size)
        else:
            far += variance[own, None] + variance
        far[np.arange(len(own)), own] = np.inf
        nearest[at : at + step] = far.argmin(axis=1)
        apart[at : at + step] = far[np.arange(len(own)), nearest[at : at + step]]
    return nearest, apart


def cut_at(found: Tree, groups: int, count: int) -> np.ndarray:
    """(groups,) labels 0 .. count - 1 (or fewer groups): all but the highest merges of a whole tree."""
    kept = np.argsort(found.heights, kind="stable")[: max(groups - count, 0)]
    return kernels.components(groups, *found.edges[kept].T)
