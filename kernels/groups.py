"""Rows taken together: equal rows, and the statistics of labelled groups."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.exact import Array, Index


class GroupStatistics(NamedTuple):
    """Of the groups 0 .. g - 1."""

    size: Array  # (g,) int64
    mean: Array  # (g, d) float64
    std: Array  # (g, d) float64, of the population
    medoid: Array  # (g,) int64, the row nearest to the mean, the first of equals; -1 for an empty group


def distinct(x: NDArray[np.generic]) -> tuple[Index, Index]:
    """Equal rows of x (n, d) collapsed: (m,) the first row of each set, ascending, and (n,) which of these each is."""
    bits = np.ascontiguousarray(x)
    keys = bits.view(np.dtype((np.void, bits.dtype.itemsize * bits.shape[1])))[:, 0] if x.size else np.zeros(len(x))
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(first), np.int64)
    place[order] = np.arange(len(first))
    return first[order].astype(np.int64), place[inverse]


def group_statistics(x: Array, labels: Array) -> GroupStatistics:
    """Size, mean, standard deviation and medoid of each group of rows.

    x: (n, d) floats; labels: (n,) integers, negative for rows of no group. Sums are float64 and go in the order of the
    rows (deviations from the mean in a second pass), so that the host's result depends on nothing else. The medoid is
    the member of least Euclidean distance to the mean. ValueError for NaN or infinity, or another number of labels.
    Memory: O(groups * d) and a chunk of rows.
    """
    from kernels.engines import engine_of

    xp = engine_of(x).xp
    if x.ndim != 2 or labels.shape != (len(x),):
        raise ValueError(f"x is {x.shape}, labels are {labels.shape}; (n, d) and (n,) are needed")
    groups = int(labels.max()) + 1 if len(labels) else 0
    members = xp.flatnonzero(labels >= 0)
    members = members[xp.argsort(labels[members], kind="stable")]
    size = xp.bincount(labels[members], minlength=groups)
    count = xp.maximum(size, 1)[:, None]
    total, squared = xp.zeros((groups, x.shape[1])), xp.zeros((groups, x.shape[1]))
    chunks = [members[at : at + 4096] for at in range(0, len(members), 4096)]
    for part in chunks:
        rows = x[part].astype(np.float64)
        if not bool(xp.isfinite(rows).all()):
            bad = part[~xp.isfinite(rows).all(axis=1)]
            raise ValueError(f"row {int(bad[0])} holds NaN or infinity")
        xp.add.at(total, labels[part], rows)
    mean = total / count
    nearest = xp.full(groups, np.inf)
    distance = xp.empty(len(members))
    for at, part in enumerate(chunks):
        off = x[part].astype(np.float64) - mean[labels[part]]
        off *= off
        xp.add.at(squared, labels[part], off)
        distance[at * 4096 : (at + 1) * 4096] = off.sum(axis=1)
    xp.minimum.at(nearest, labels[members], distance)
    medoid = xp.full(groups, len(x))
    best = distance == nearest[labels[members]]
    xp.minimum.at(medoid, labels[members[best]], members[best])
    return GroupStatistics(size, mean, xp.sqrt(squared / count), xp.where(size > 0, medoid, -1))
