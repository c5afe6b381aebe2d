"""The exact minimum spanning tree of all pairs, and of mutual reachability.

Boruvka's rounds: each component takes its shortest edge to another. Candidates come from lists of nearest neighbours. A
list vouches for its row as long as no edge outside it can be shorter than the component's candidate; only the rows that
no list vouches for look for their nearest row in another component (tried against the tree of the neighbour graph that
approximate methods build: the lists answer nearly always, and the rest makes the difference).
"""

import heapq

import numpy as np
from numpy.typing import NDArray

from kernels.best import Best
from kernels.dispatch import engine_of
from kernels.engine import Engine
from kernels.exact import Array, Index, Metric, Space, closeness_of, space, to_host
from kernels.graph import components
from kernels.groups import distinct
from kernels.pairs import neighbours
from kernels.walk import Prefix, Walk

Lengths = NDArray[np.float64]
Tree = tuple[Index, Lengths]

# Up to so many rows, a row at a time (Prim) costs less than lists and rounds.
FEW = 1024
LISTED = 16


def spanning_tree(
    a: Array, *, metric: Metric = "euclidean", core: Array | None = None, prefix: Prefix = "auto"
) -> tuple[Array, Array]:
    """The minimum spanning tree of the complete graph of the rows of a (n, d).

    The length of an edge is the distance of its rows: Euclidean, or 1 - similarity for the other metrics. With core
    (n,), it is at least the core distances of both rows: mutual reachability (Campello, Moulavi and Sander, PAKDD 2013,
    definition 3). prefix: as for `pairs`.

    Returns (n - 1, 2) int64 edges and (n - 1,) float64 lengths, ascending. Equal lengths come in the order in which
    Prim's algorithm finds them from row 0, as in SciPy's single linkage: up to 1,024 rows by the same choices among
    equal candidates, so that a linkage made of the edges is SciPy's; above, those of one of the minimum trees.
    Memory: O(n (d + 16)).
    """
    closeness_of(metric, 0.0)
    engine = engine_of(a)
    rows = space(engine, a, None, metric)
    reach = np.zeros(rows.n) if core is None else to_host(core).astype(np.float64)
    if reach.shape != (rows.n,) or not np.isfinite(reach).all() or (reach < 0).any():
        raise ValueError(f"core is {reach.shape}; ({rows.n},) distances are needed, finite and not negative")
    if rows.n <= FEW:
        edges, lengths = _prim(engine, rows, reach)
    else:
        edges, lengths = _with_copies(engine, a, metric, reach, prefix)
        edges, lengths = _as_found(rows.n, edges, lengths)
    order = np.argsort(lengths, kind="stable")
    return engine.xp.asarray(edges[order]), engine.xp.asarray(lengths[order])


def _length(metric: Metric, closeness: Lengths) -> Lengths:
    return -closeness if metric == "euclidean" else 1 - closeness


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
        length = np.maximum(_length(rows.metric, near), np.maximum(reach[last], reach[open_]))
        closer = length < nearest[open_]
        nearest[open_[closer]], parent[open_[closer]] = length[closer], last
        last = int(open_[np.argmin(nearest[open_])])
        edges[at], lengths[at] = (parent[last], last), nearest[last]
    return edges, lengths


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
    hanging = np.maximum(_length(metric, to_host(apart)), reach[hung])
    return np.concatenate([first[edges], copies]), np.concatenate([lengths, hanging])


def _boruvka(engine: Engine, x: Array, metric: Metric, reach: Lengths, prefix: Prefix) -> Tree:
    n = len(x)
    sign, _ = closeness_of(metric, 0.0)
    k = min(LISTED, n - 1)
    if not k:
        return np.empty((0, 2), np.int64), np.empty(0)
    index, value = (to_host(part) for part in neighbours(x, k=k, metric=metric, prefix=prefix))
    length = np.maximum(_length(metric, sign * value), np.maximum(reach[:, None], reach[index]))
    # Every row that is not in the list of a row, nor in its component, is at least this far.
    sure = np.maximum(reach, _length(metric, sign * value[:, -1])) if k < n - 1 else np.full(n, np.inf)
    looked = np.full(n, n), np.full(n, np.inf)  # the nearest row outside that a search found, and its distance
    component = np.arange(n)
    edges, lengths = [np.empty((0, 2), np.int64)], [np.empty(0)]
    while component.max() > 0:
        best, to = _from_lists(index, length, component)
        # What was nearest outside stays so until it comes inside.
        outside = (looked[0] < n) & (np.append(component, -1)[looked[0]] != component)
        best, to = _shorter((best, to), (np.where(outside, looked[1], np.inf), looked[0]))
        least = np.full(int(component.max()) + 1, np.inf)
        np.minimum.at(least, component, best)
        doubtful = np.flatnonzero((sure < least[component]) & ~outside)
        if len(doubtful):
            bound = least[component[doubtful]]
            found, row = _nearest_outside(engine, x, metric, reach, prefix, component, doubtful, bound)
            looked[0][doubtful], looked[1][doubtful] = row, found
            sure[doubtful] = np.maximum(sure[doubtful], np.minimum(found, bound))
            best[doubtful], to[doubtful] = _shorter((best[doubtful], to[doubtful]), (found, row))
        low, high = np.minimum(np.arange(n), to), np.maximum(np.arange(n), to)
        order = np.lexsort((high, low, best, component))
        pick = order[np.flatnonzero(np.diff(component[order], prepend=-1))]
        pick = pick[_without_cycles(component, low[pick], high[pick], best[pick])]
        edges.append(np.column_stack([low[pick], high[pick]]))
        lengths.append(best[pick])
        component = components(int(component.max()) + 1, component[low[pick]], component[high[pick]])[component]
    return np.concatenate(edges), np.concatenate(lengths)


def _from_lists(index: Index, length: Lengths, component: Index) -> tuple[Lengths, Index]:
    """(n,) the shortest listed edge of each row to another component, ties by index (inf, n: none)."""
    outside = component[index] != component[:, None]
    best = np.where(outside, length, np.inf).min(axis=1)
    to = np.where(outside & (length == best[:, None]), index, len(index)).min(axis=1)
    return best, to


def _shorter(one: tuple[Lengths, Index], two: tuple[Lengths, Index]) -> tuple[Lengths, Index]:
    """Edge by edge the shorter of two, ties by index."""
    second = (two[0] < one[0]) | ((two[0] == one[0]) & (two[1] < one[1]))
    return np.where(second, two[0], one[0]), np.where(second, two[1], one[1])


def _nearest_outside(
    engine: Engine,
    x: Array,
    metric: Metric,
    reach: Lengths,
    prefix: Prefix,
    component: Index,
    rows: Index,
    bound: Lengths,
) -> tuple[Lengths, Index]:
    """For some rows the shortest edge to another component, if it is as short as the row's bound: length and other row
    (inf, n: none)."""
    xp, n = engine.xp, len(x)
    every = 2 * len(rows) > n  # pairs inside x, each once, are then fewer
    own = np.arange(n) if every else np.concatenate([rows, np.arange(n)])
    asked = rows if every else np.arange(len(rows))
    both = space(engine, x if every else x[xp.asarray(rows)], None if every else x, metric)
    caps = None if not reach.any() else xp.asarray(-reach[own] if metric == "euclidean" else 1 - reach[own])
    walk = Walk(engine, both, k=1, groups=xp.asarray(component[own]), caps=caps, prefix=prefix)
    floor, known = np.full(len(own), np.inf), np.isfinite(bound)
    floor[asked[~known]] = -np.inf
    floor[asked[known]] = to_host(walk.score(xp.asarray(-bound[known] if metric == "euclidean" else 1 - bound[known])))
    walk.floor = xp.asarray(floor)
    # The lists hold lengths, negative: a length as closeness and back is not the same to the last bit.
    best = Best(walk, 1, lambda value: value if metric == "euclidean" else 1 + value)
    own_reach = xp.asarray(reach[own])
    for hits in walk:
        wanted = best.wanted(hits)
        i, j = hits.i[wanted], hits.j[wanted]
        near = -_length(metric, engine.closeness(both, i, j))
        near = xp.minimum(near, -xp.maximum(own_reach[i], own_reach[j]))
        best.add(xp.concatenate([i, j]), xp.concatenate([j, i]), xp.concatenate([near, near]))
    found, length = to_host(best.index[:, 0])[asked], -to_host(best.closeness[:, 0])[asked]
    beyond = (found < 0) | (length > bound)
    return np.where(beyond, np.inf, length), np.where(beyond, n, found if every else found - len(rows))


def _without_cycles(component: Index, low: Index, high: Index, length: Lengths) -> NDArray[np.bool_]:
    """Marks the picks, shortest first, that join what is still apart. Two components may pick the same edge; among
    equal lengths picks may close a ring."""
    keep = np.zeros(len(low), bool)
    parent = np.arange(int(component.max()) + 1)

    def root(c: int) -> int:
        while parent[c] != c:
            parent[c] = parent[parent[c]]
            c = int(parent[c])
        return c

    for at in np.lexsort((high, low, length)):
        one, two = root(int(component[low[at]])), root(int(component[high[at]]))
        if one != two:
            parent[max(one, two)] = min(one, two)
            keep[at] = True
    return keep


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
    return edges[found], lengths[found]
