"""Agglomerative clustering of groups of rows by their moments: what the rows themselves would do from there on.

The squared distance of two groups A and B of n rows each, with means m:

    ward      2 nA nB / (nA + nB) |mA - mB|^2, by what a merge adds to the sum of squares (Ward, 1963): exact
    average   |mA - mB|^2 + eA + eB, the mean of the squared distances of their rows; e: the mean square distance to m
    complete  |mA - mB|^2 + eA + eB, about the greatest of them; e: the greatest square distance to m

A merge brings nothing nearer to a third group: all are reducible. So all pairs that are each other's nearest may be
merged at once, and the tree is that of one merge at a time (Murtagh, 1983); no matrix of all distances is held.
"""

from typing import Literal, NamedTuple

import numpy as np

from pixsieve import kernels

AT_A_TIME = 2**22  # distances in memory

Linkage = Literal["ward", "average", "complete"]


class Groups(NamedTuple):
    """Of c groups."""

    size: np.ndarray  # (c,) float64 rows
    mean: np.ndarray  # (c, d) float64
    extent: np.ndarray  # (c,) float64 square distance of the rows to the mean, the mean one or (complete) the greatest


def joined(groups: Groups, label: np.ndarray, linkage: Linkage) -> Groups:
    """The moments of the unions 0 .. g - 1 of groups by label (c,); every union has a group."""
    count = int(label.max(initial=-1)) + 1
    size = np.bincount(label, groups.size, count)
    mean = np.zeros((count, groups.mean.shape[1]))
    np.add.at(mean, label, groups.size[:, None] * groups.mean)
    mean /= size[:, None]
    off = groups.mean - mean[label]
    around = groups.extent + np.einsum("ij,ij->i", off, off)
    if linkage != "complete":
        return Groups(size, mean, np.bincount(label, groups.size * around, count) / size)
    extent = np.zeros(count)
    np.maximum.at(extent, label, around)
    return Groups(size, mean, extent)


def tree(groups: Groups, linkage: Linkage, below: float = np.inf) -> kernels.Tree:
    """All merges of groups at a distance less than `below`: edges (t, 2), a group of either side, and their distances
    (t,), ascending. Time: O(c^2 d) for each round of merges, of fewer groups each."""
    first = np.arange(len(groups.size))  # the group that stands for each of those that are left
    nearest, apart = _nearest(groups, first, linkage)
    edges, squares = [np.empty((0, 2), np.int64)], [np.empty(0)]
    while len(first) > 1 and apart.min() < below**2:
        here = np.arange(len(first))
        pair = (nearest[nearest] == here) & (here < nearest) & (apart < below**2)
        if not pair.any():  # rounding tells the two sides of a pair apart
            pair[apart.argmin()] = True
        i, j = here[pair], nearest[pair]
        edges.append(np.column_stack([first[i], first[j]]))
        squares.append(apart[i])
        into = here.copy()
        into[j] = i
        left = np.flatnonzero(into == here)
        place = np.searchsorted(left, into)
        changed = np.zeros(len(here), bool)
        changed[i] = changed[j] = True
        stale = np.flatnonzero((changed | changed[nearest])[left])
        groups = joined(groups, place, linkage)
        first, nearest, apart = first[left], place[nearest[left]], apart[left]
        nearest[stale], apart[stale] = _nearest(groups, stale, linkage)
    found, length = np.concatenate(edges), np.sqrt(np.concatenate(squares))
    order = np.argsort(length, kind="stable")
    return kernels.Tree(found[order], length[order])


def _nearest(groups: Groups, of: np.ndarray, linkage: Linkage) -> tuple[np.ndarray, np.ndarray]:
    """For some groups the nearest other, the first of equals, and its squared distance; infinite if there is none."""
    size, mean, extent = groups
    square = np.einsum("ij,ij->i", mean, mean)
    nearest, apart = np.zeros(len(of), np.int64), np.full(len(of), np.inf)
    step = max(1, AT_A_TIME // max(len(size), 1))
    for at in range(0, len(of), step):
        own = of[at : at + step]
        far = np.maximum(square[own, None] + square - 2 * (mean[own] @ mean.T), 0)
        if linkage == "ward":
            far *= 2 * size[own, None] * size / (size[own, None] + size)
        else:
            far += extent[own, None] + extent
        far[np.arange(len(own)), own] = np.inf
        nearest[at : at + step] = far.argmin(axis=1)
        apart[at : at + step] = far[np.arange(len(own)), nearest[at : at + step]]
    return nearest, apart
