"""The exact minimum spanning tree of all pairs, or of the pairs of two blocks, and of mutual reachability."""

import heapq
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from pixsieve.kernels.boruvka import Lengths, Tree, length_of, rounds, searching
from pixsieve.kernels.engines.dispatch import engine_of
from pixsieve.kernels.graph import Ints
from pixsieve.kernels.groups import distinct
from pixsieve.kernels.pairs import neighbours
from pixsieve.kernels.search.exact import Array, Index, Metric, Space, closeness_of, space, to_host
from pixsieve.kernels.search.part import Engine
from pixsieve.kernels.search.plan import Prefix

# Up to so many rows, a row at a time (Prim) costs less than lists and rounds.
FEW = 1024
LISTED = 16


class Proved(NamedTuple):
    """What lists of neighbours prove of a minimum spanning tree."""

    tree: Tree  # of its edges, those that the lists prove
    between: Tree  # the shortest listed edges between the components that those make, a forest
    component: Index  # (n,) these components


def spanning_tree(
    a: Array,
    b: Array | None = None,
    *,
    metric: Metric = "euclidean",
    core: Array | None = None,
    component: Array | None = None,
    known: tuple[Index, Lengths] | None = None,
    prefix: Prefix = "auto",
) -> Tree:
    """The minimum spanning tree of the complete graph of the rows of a (n, d), or of the graph of all pairs of a row of
    a and a row of b (m, d), whose rows count on from those of a.

    The length of an edge is the distance of its rows: Euclidean, or 1 - similarity for the other metrics. With core
    (n + m,), it is at least the core distances of both rows: mutual reachability (Campello, Moulavi and Sander, PAKDD
    2013, definition 3). component: (n + m,) labels of rows that hang together already; the tree then is that of the
    components. known: (e, 2) labels of components and (e,) lengths of edges that there are elsewhere; returned are the
    edges that the tree of these and of the pairs has beside them, and the less of them the better they are. prefix: as
    for `pairs`.

    Returns (edges, 2) int64 and their float64 lengths, ascending. Of one block without components, equal lengths come
    in the order in which Prim's algorithm finds them from row 0, as in SciPy's single linkage: up to 1,024 rows by the
    same choices among equal candidates, so that a linkage made of the edges is SciPy's; above, those of one of the
    minimum trees. Where the pairs do not connect all components, a tree for each connected part. Memory:
    O((n + m) (d + 16)).
    """
    closeness_of(metric, 0.0)
    engine = engine_of(a)
    n = len(a) + (0 if b is None else len(b))
    reach = np.zeros(n) if core is None else to_host(core).astype(np.float64)
    if reach.shape != (n,) or not np.isfinite(reach).all() or (reach < 0).any():
        raise ValueError(f"core is {reach.shape}; ({n},) distances are needed, finite and not negative")
    rows = space(engine, a, b, metric)
    if b is None and component is None:
        if n <= FEW:
            edges, lengths = _prim(engine, rows, reach)
        else:
            edges, lengths = _with_copies(engine, a, metric, reach, prefix)
            edges, lengths = _as_found(n, edges, lengths)
    else:
        parts = np.arange(n) if component is None else to_host(component)
        if parts.shape != (n,):
            raise ValueError(f"component is {parts.shape}; ({n},) labels are needed")
        # An edge that there is elsewhere joins two rows that have no other, one in each of its components.
        outside, far = (np.empty((0, 2), np.int64), np.empty(0)) if known is None else known
        extra = 2 * len(far)
        parts = np.unique(np.concatenate([parts, outside.ravel()]), return_inverse=True)[1]
        index = np.concatenate([np.full(n, -1), n + (np.arange(extra) ^ 1)])[:, None]
        length = np.concatenate([np.full(n, np.inf), np.repeat(far, 2)])[:, None]
        sure = np.concatenate([reach, np.full(extra, np.inf)])
        (edges, lengths), _ = rounds(parts, index, length, sure, searching(engine, a, b, metric, reach, prefix))
        inside = edges[:, 0] < n
        edges, lengths = edges[inside], lengths[inside]
    order = np.argsort(lengths, kind="stable")
    return Tree(engine.xp.asarray(edges[order]), engine.xp.asarray(lengths[order]))


def proved_edges(index: Index, length: Lengths, beyond: Lengths, core: Lengths) -> Proved:
    """The part of the minimum spanning tree of mutual reachability that lists of neighbours prove.

    index, length: (n, k) listed rows (-1: none) and their distances; beyond: (n,) every row that is not listed is at
    least this far; core: (n,).
    """
    n = len(index)
    far, sure = reached(index, length, beyond, core)
    tree, component = rounds(np.arange(n), index, far, sure)
    i, place = np.nonzero((index >= 0) & (component[index] != component[:, None]))
    edges, lengths = np.column_stack([i, index[i, place]]), far[i, place]
    order = np.lexsort((*edges.T[::-1], lengths))
    edges, lengths = edges[order], lengths[order]
    ends = np.sort(component[edges], axis=1)
    _, first = np.unique(ends @ [n, 1], return_index=True)  # of two components the shortest
    first.sort()
    kept = _kruskal(n, ends[first], lengths[first])
    return Proved(tree, Tree(edges[first][kept], lengths[first][kept]), component)


def minimum_forest(n: int, edges: Ints, lengths: Lengths) -> Tree:
    """Of (m, 2) edges those of a minimum spanning forest of n nodes, ascending; ties by the nodes (Kruskal, 1956)."""
    kept = _kruskal(n, edges, lengths)
    return Tree(edges[kept].astype(np.int64), lengths[kept])


def _kruskal(n: int, edges: Ints, lengths: Lengths) -> Index:
    """Which edges these are."""
    low, high = edges.min(axis=1, initial=n), edges.max(axis=1, initial=-1)
    order = np.lexsort((high, low, lengths))
    # Ranks instead of lengths: SciPy takes a length of zero for no edge, and adds up edges that are there twice.
    _, first = np.unique((low * n + high)[order], return_index=True)
    graph = coo_array((first + 1, (low[order][first], high[order][first])), shape=(n, n))
    return order[np.sort(minimum_spanning_tree(graph.tocsr()).data.astype(np.int64)) - 1]


def _prim(engine: Engine, rows: Space, reach: Lengths) -> Tree:
    """Row by row, the nearest first, the lower number first among equals (Prim, 1957)."""
    n, xp = rows.n, engine.xp
    edges, lengths = np.empty((max(n - 1, 0), 2), np.int64), np.empty(max(n - 1, 0))
    nearest, parent, out = np.full(n, np.inf), np.zeros(n, np.int64), np.ones(n, bool)
    last = 0
    for at in range(n - 1):
        out[last] = False
        open_ = np.flatnonzero(out)
        near = to_host(engine.closeness(rows, xp.full(len(open_), last), xp.asarray(open_)))
        length = np.maximum(length_of(rows.metric, near), np.maximum(reach[last], reach[open_]))
        closer = length < nearest[open_]
        nearest[open_[closer]], parent[open_[closer]] = length[closer], last
        last = int(open_[np.argmin(nearest[open_])])
        edges[at], lengths[at] = (parent[last], last), nearest[last]
    return Tree(edges, lengths)


def _with_copies(engine: Engine, a: Array, metric: Metric, reach: Lengths, prefix: Prefix) -> Tree:
    """Equal rows hang on the one of them that is easiest to reach; the tree is that of these."""
    _, place = distinct(a)
    place = to_host(place)
    by_reach = np.lexsort((reach, place))
    first = by_reach[np.flatnonzero(np.diff(place[by_reach], prepend=-1))]
    hung = np.setdiff1d(np.arange(len(place)), first)
    copies = np.column_stack([first[place[hung]], hung])
    xp = engine.xp
    apart = engine.closeness(space(engine, a, None, metric), *xp.asarray(copies.T))  # zero rows are, under cosine
    edges, lengths = _boruvka(engine, a[xp.asarray(first)], metric, reach[first], prefix)
    hanging = np.maximum(length_of(metric, to_host(apart)), reach[hung])
    return Tree(np.concatenate([first[edges], copies]), np.concatenate([lengths, hanging]))


def _boruvka(engine: Engine, x: Array, metric: Metric, reach: Lengths, prefix: Prefix) -> Tree:
    n = len(x)
    sign, _ = closeness_of(metric, 0.0)
    k = min(LISTED, n - 1)
    if not k:
        return Tree(np.empty((0, 2), np.int64), np.empty(0))
    index, value = (to_host(part) for part in neighbours(x, k=k, metric=metric, prefix=prefix))
    far = length_of(metric, sign * value)
    beyond = far[:, -1] if k < n - 1 else np.full(n, np.inf)
    length, sure = reached(index, far, beyond, reach)
    return rounds(np.arange(n), index, length, sure, searching(engine, x, None, metric, reach, prefix))[0]


def reached(index: Index, length: Lengths, beyond: Lengths, reach: Lengths) -> tuple[Lengths, Lengths]:
    """Lists of neighbours under mutual reachability: (n, k) lengths, and (n,) what every edge that a row does not list
    is at least. beyond: the same of the plain lengths."""
    return np.maximum(length, np.maximum(reach[:, None], reach[index])), np.maximum(reach, beyond)


def _as_found(n: int, edges: Index, lengths: Lengths) -> Tree:
    """The edges of a tree in the order in which Prim's algorithm finds them from row 0."""
    ends, twice = edges.ravel(order="F"), np.concatenate([np.arange(len(edges))] * 2)
    other = edges[:, ::-1].ravel(order="F")
    order = np.argsort(ends, kind="stable")
    start = np.searchsorted(ends[order], np.arange(n + 1)).tolist()
    to, edge = other[order].tolist(), twice[order].tolist()
    length = lengths.tolist()
    seen, found, here = [False] * n, np.empty(len(edges), np.int64), 0
    heap: list[tuple[float, int, int]] = []
    for at in range(len(edges)):
        seen[here] = True
        for place in range(start[here], start[here + 1]):
            if not seen[to[place]]:
                heapq.heappush(heap, (length[edge[place]], to[place], edge[place]))
        _, here, found[at] = heapq.heappop(heap)
    return Tree(edges[found], lengths[found])
