"""Rows taken together: equal rows, and the statistics of labelled groups."""

from typing import Any, NamedTuple

import numpy as np

from pixsieve.kernels.engines.dispatch import engine_of
from pixsieve.kernels.search.exact import Array, check_finite, to_host

CHUNK = 4096
MIXER = np.uint64(0x9E3779B97F4A7C15)


class GroupStatistics(NamedTuple):
    """Of the groups 0 .. g - 1."""

    size: Array  # (g,) int64
    mean: Array  # (g, d) float64
    std: Array  # (g, d) float64, of the population
    medoid: Array  # (g,) int64, the row nearest to the mean, the first of equals; -1 for an empty group


def distinct(x: Array) -> tuple[Array, Array]:
    """Equal rows of x (n, d) collapsed: (m,) the first row of each set, ascending, and (n,) which of these each is."""
    xp = engine_of(x).xp
    n = len(x)
    if not x.size:
        return xp.arange(min(n, 1)), xp.zeros(n, np.int64)
    words = xp.ascontiguousarray(x).view(f"u{x.dtype.itemsize}")
    key = _hashed(xp, words)
    inverse = xp.unique(key, return_inverse=True)[1]
    first = xp.full(int(inverse.max()) + 1, n, np.int32)
    xp.minimum.at(first, inverse, xp.arange(n, dtype=np.int32))
    for at in range(0, n, CHUNK):
        if not bool((words[first[inverse[at : at + CHUNK]]] == words[at : at + CHUNK]).all()):
            # Two rows of one hash: rare enough to sort them all.
            bits = to_host(words)
            sorted_ = np.unique(bits.view(np.dtype((np.void, bits.dtype.itemsize * bits.shape[1])))[:, 0], True, True)
            first, inverse = xp.asarray(sorted_[1].astype(np.int32)), xp.asarray(sorted_[2])
            break
    order = xp.argsort(first)
    place = xp.empty(len(first), np.int64)
    place[order] = xp.arange(len(first))
    return first[order].astype(np.int64), place[inverse]


def _hashed(xp: Any, words: Array) -> Array:
    """(n,) uint64 of unsigned words (n, d): sums of mixed words times odd numbers."""
    mixer, factors = MIXER, xp.asarray(np.random.default_rng(0).integers(2**63, size=words.shape[1], dtype=np.uint64))
    out = xp.empty(len(words), np.uint64)
    for at in range(0, len(words), CHUNK):
        mixed = words[at : at + CHUNK].astype(np.uint64) * mixer
        mixed ^= mixed >> np.uint64(29)
        mixed *= factors * np.uint64(2) + np.uint64(1)
        out[at : at + CHUNK] = mixed.sum(axis=1, dtype=np.uint64)
    return out


def group_statistics(x: Array, labels: Array) -> GroupStatistics:
    """Size, mean, standard deviation and medoid of each group of rows.

    x: (n, d) floats; labels: (n,) integers, negative for rows of no group. Sums are float64 and go in the order of the
    rows (deviations from the mean in a second pass), so that the host's result depends on nothing else. The medoid is
    the member of least Euclidean distance to the mean. ValueError for NaN or infinity, or another number of labels.
    Memory: O(groups * d) and a chunk of rows.
    """
    xp = engine_of(x).xp
    if x.ndim != 2 or labels.shape != (len(x),):
        raise ValueError(f"x is {x.shape}, labels are {labels.shape}; (n, d) and (n,) are needed")
    check_finite(xp, "x", x)
    groups = max(int(labels.max()) + 1, 0) if len(labels) else 0
    members = xp.flatnonzero(labels >= 0)
    members = members[xp.argsort(labels[members], kind="stable")]
    size = xp.bincount(labels[members], minlength=groups)
    count = xp.maximum(size, 1)[:, None]
    total, squared = xp.zeros((groups, x.shape[1])), xp.zeros((groups, x.shape[1]))
    chunks = [members[at : at + 4096] for at in range(0, len(members), 4096)]
    for part in chunks:
        xp.add.at(total, labels[part], x[part].astype(np.float64))
    mean = total / count
    distance = xp.empty(len(members))
    for at, part in enumerate(chunks):
        off = x[part].astype(np.float64) - mean[labels[part]]
        off *= off
        xp.add.at(squared, labels[part], off)
        distance[at * 4096 : (at + 1) * 4096] = off.sum(axis=1)
    # By sorting: minima at scattered places named no member on a GPU (CuPy 14.2 on an H200).
    order = xp.argsort(distance, kind="stable")
    order = order[xp.argsort(labels[members[order]], kind="stable")]
    medoid = xp.full(groups, -1, np.int64)
    first = xp.concatenate([xp.zeros(1, np.int64), xp.cumsum(size)])[:-1]
    medoid[size > 0] = members[order[first[size > 0]]]
    return GroupStatistics(size, mean, xp.sqrt(squared / count), medoid)
