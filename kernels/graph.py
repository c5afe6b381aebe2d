"""Functions of graphs given as edge lists: components, spanning forests, density labels, leaders."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from pixsieve.kernels.engines.dispatch import engine_of
from pixsieve.kernels.search.exact import Array

Ints = NDArray[np.integer]


def components(n: int, i: Array, j: Array) -> Array:
    """Connected components of the undirected graph of `n` nodes and edges (i, j), integers of the host or of a GPU.

    Returns (n,) int64 labels, numbered in the order of each component's smallest node. ValueError for an edge to a node
    that is not there.
    """
    engine = engine_of(i)
    xp = engine.xp
    for side in (i, j):
        if len(side) and not 0 <= int(side.min()) <= int(side.max()) < n:
            raise ValueError(f"edges name nodes {int(side.min())} to {int(side.max())}; there are {n}")
    least = engine.unite(xp.arange(n), i.astype(np.int64, copy=False), j.astype(np.int64, copy=False))
    return xp.unique(least, return_inverse=True)[1]


def first_seen(labels: Ints) -> NDArray[np.int64]:
    """(n,) labels renumbered from 0 in the order in which they first occur; negative labels become -1."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    known = labels[first] >= 0
    order = np.full(len(first), -1, np.int64)
    order[np.flatnonzero(known)[np.argsort(first[known])]] = np.arange(known.sum())
    return order[inverse]


def spanning_forest(n: int, i: Ints, j: Ints) -> NDArray[np.int64]:
    """(m, 2) edges, a subset of (i, j) without cycles that connects what (i, j) connects."""
    low, high = np.minimum(i, j), np.maximum(i, j)
    flat = np.unique(low.astype(np.int64) * n + high)
    graph = coo_array((np.ones(len(flat), np.float32), (flat // max(n, 1), flat % max(n, 1))), shape=(n, n))
    forest = minimum_spanning_tree(graph.tocsr()).tocoo()
    return np.column_stack([forest.row, forest.col]).astype(np.int64)


def attach(core: NDArray[np.bool_], i: Ints, j: Ints, similarity: NDArray[np.float64], rank: Ints) -> NDArray[np.int64]:
    """For each node that is not core, the core node it is most similar to among the edges (i, j), ties by rank.

    Returns (n,) node numbers: -1 for core nodes and for nodes without a core at the other end of an edge.
    """
    nearest = np.full(len(core), -1, np.int64)
    border, other = np.concatenate([i, j]), np.concatenate([j, i])
    weight = np.concatenate([similarity, similarity])
    use = ~core[border] & core[other]
    border, other, weight = border[use], other[use], weight[use]
    order = np.lexsort((rank[other], -weight, border))
    border, other = border[order], other[order]
    first = np.flatnonzero(np.diff(border, prepend=-1))
    nearest[border[first]] = other[first]
    return nearest


def density_labels(
    label: Ints, core: NDArray[np.bool_], i: Ints, j: Ints, similarity: NDArray[np.float64], rank: Ints
) -> NDArray[np.int64]:
    """(n,) labels: core rows keep theirs; a border row takes that of the core row that it is most similar to among the
    edges (i, j), ties by rank; the rest is noise, -1."""
    nearest = attach(core, i, j, similarity, rank)
    source = np.where(core, np.arange(len(core)), nearest)
    return np.where(source >= 0, label[source], -1)


def leaders(rank: Ints, i: Ints, j: Ints) -> NDArray[np.bool_]:
    """The nodes that keep their place when each node, best rank first, stands back for a better-ranked neighbour that
    has kept its own: the lexicographically first maximal independent set of the graph.

    rank: (n,) distinct, small is better. Returns (n,) booleans. Computed in rounds (Blelloch, Fineman and Shun, "Greedy
    sequential maximal independent set and matching are parallel on average", SPAA 2012, section 3).
    """
    better, worse = np.where(rank[i] < rank[j], i, j), np.where(rank[i] < rank[j], j, i)
    keep = np.ones(len(rank), bool)
    open_ = np.ones(len(rank), bool)
    while len(better):
        waiting = np.zeros(len(rank), bool)
        waiting[worse] = True
        decided = open_ & ~waiting
        out = worse[decided[better]]
        keep[out] = False
        open_[out] = False
        open_[decided] = False
        live = open_[better] & open_[worse]
        better, worse = better[live], worse[live]
    return keep
