"""DBSCAN at every similarity at once: noise, clusters and members, exactly, from one pass over neighbours and one
spanning tree. Functions of vectors: NumPy arrays are worked on by the host, CuPy arrays by the GPU.

A length is 1 - similarity; to compare lengths is to compare similarities, but for two below 0.5 that differ by less
than 1e-16. `min_samples` counts the row itself, and equal rows are rows of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pixsieve import kernels
from pixsieve.config.cluster import MOST_SAMPLES
from pixsieve.kernels import Array, Metric, to_host

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Curves:
    """What DBSCAN makes of n rows, at every length."""

    min_samples: int
    core: Floats  # (n,) the row is core from this length on; inf: never
    joins: Floats  # (n,) the row is in a cluster from this length on, as core or as border row; inf: never
    edges: Ints  # (n - 1, 2) the tree of mutual reachability; (0, 2) where no row is ever core
    lengths: Floats  # (n - 1,) of the edges, ascending
    pairs: Ints  # (n - 1,) pairs of core rows that are in one cluster once this edge is there
    biggest: Ints  # (n - 1,) core rows of the largest cluster once this edge is there
    near: Ints  # (n, min_samples - 1) the nearest other rows, closest first; -1 where there are none
    through: Floats  # (n, min_samples - 1) the length from which each of these is core and a neighbour of the row


def measure(x: Array, min_samples: int, metric: Metric = "cosine") -> Curves:
    """The curves of the rows of x (n, d), which can be compared by the metric; min_samples: 1 to 256.

    The core distance is the length to the (min_samples - 1)-th nearest other row, and the tree is that of mutual
    reachability (Campello, Moulavi and Sander, "Density-based clustering based on hierarchical density estimates",
    PAKDD 2013, definitions 1 to 3): its edges of at most a length connect what DBSCAN at this length connects. A row
    that is not core at a length has fewer than min_samples - 1 other rows within it, all of which are among its
    nearest: these say whether, and to which cluster, it belongs as a border row.

    ValueError for rows with NaN or infinity, or another min_samples. Memory: O(n (d + min_samples)).
    """
    if not 1 <= min_samples <= MOST_SAMPLES:
        raise ValueError(f"min_samples is {min_samples}; 1 to {MOST_SAMPLES} are possible")
    n, others = len(x), min_samples - 1
    near, through, core = np.empty((n, others), np.int64), np.empty((n, others)), np.zeros(n)
    if n and others:
        near, similarity = (to_host(part) for part in kernels.neighbours(x, k=others, metric=metric))
        length = 1 - similarity
        core = length[:, -1]
        through = np.where(near >= 0, np.maximum(length, core[near]), np.inf)
    edges, lengths = np.empty((0, 2), np.int64), np.empty(0)
    if np.isfinite(core).all():  # otherwise there are fewer rows than min_samples, and none is
        edges, lengths = (to_host(part) for part in kernels.spanning_tree(x, metric=metric, core=core))
    joins = np.minimum(core, through.min(axis=1, initial=np.inf))
    return Curves(min_samples, core, joins, edges, lengths, *_united(n, edges), near, through)


def relengthened(curves: Curves, of: Callable[[Floats], Floats]) -> Curves:
    """The same curves over other lengths, which grow with these."""
    core, joins, lengths, through = map(of, (curves.core, curves.joins, curves.lengths, curves.through))
    return replace(curves, core=core, joins=joins, lengths=lengths, through=through)


def _united(n: int, edges: Ints) -> tuple[Ints, Ints]:
    """Edge by edge, the pairs of rows that are connected, and the size of the largest component."""
    parent, size = list(range(n)), [1] * n
    pairs, biggest = np.empty(len(edges), np.int64), np.empty(len(edges), np.int64)
    total, most = 0, 1

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for at, (i, j) in enumerate(edges.tolist()):
        small, large = sorted((root(i), root(j)), key=size.__getitem__)
        total += size[small] * size[large]
        parent[small] = large
        size[large] += size[small]
        most = max(most, size[large])
        pairs[at], biggest[at] = total, most
    return pairs, biggest


def noise(curves: Curves, length: Floats) -> Ints:
    """How many rows are in no cluster, at each of some lengths."""
    return len(curves.joins) - np.searchsorted(np.sort(curves.joins), length, side="right")


def clusters(curves: Curves, length: Floats) -> Ints:
    """How many clusters there are, at each of some lengths: each edge of the tree up to there joins two core rows."""
    return _cores(curves, length) - np.searchsorted(curves.lengths, length, side="right")


def effective(curves: Curves, length: Floats) -> Floats:
    """The effective number of clusters, at each of some lengths: that of as many clusters of one size as make two core
    rows meet in one cluster as often (Hill, "Diversity and evenness", Ecology 54, 1973, order 2). NaN without any."""
    core, edges = _cores(curves, length), np.searchsorted(curves.lengths, length, side="right")
    squares = core + 2 * np.concatenate([[0], curves.pairs])[edges]
    return np.divide(core.astype(np.float64) ** 2, squares, out=np.full(len(core), np.nan), where=core > 0)


def settled(curves: Curves, share: float = 0.99) -> float:
    """The length from which at least this share of the rows is in clusters, and of the core rows in one; inf: never."""
    if not len(curves.joins):
        return np.inf
    inside = np.sort(curves.joins)[int(np.ceil(share * len(curves.joins))) - 1]
    at = np.unique(np.concatenate([[inside], curves.lengths[curves.lengths >= inside]]))
    edges = np.searchsorted(curves.lengths, at, side="right")
    one = np.concatenate([[1], curves.biggest])[edges] >= share * _cores(curves, at)
    return float(at[np.argmax(one)]) if one.any() else np.inf


def _cores(curves: Curves, length: Floats) -> Ints:
    return np.searchsorted(np.sort(curves.core), length, side="right")


def assigned(curves: Curves, length: float) -> Ints:
    """(n,) the clusters of DBSCAN at a length, as `kernels.dbscan` numbers them; -1 is noise."""
    n = len(curves.core)
    i, j = curves.edges[: np.searchsorted(curves.lengths, length, side="right")].T
    graph = coo_array((np.ones(len(i), np.int8), (i, j)), shape=(n, n))
    core = curves.core <= length
    found = np.where(core, connected_components(graph, directed=False)[1], -1) if n else np.empty(0, np.int64)
    border = np.flatnonzero(~core & (curves.joins <= length))
    if len(border):
        found[border] = found[curves.near[border, np.argmax(curves.through[border] <= length, axis=1)]]
    return kernels.first_seen(found)


def largest(curves: Curves, length: Floats) -> Ints:
    """How many rows the largest cluster has, border rows too, at each of some lengths."""
    sizes = (np.bincount(found[found >= 0], minlength=1) for found in (assigned(curves, at) for at in length.tolist()))
    return np.array([size.max() for size in sizes], np.int64)
