"""Boruvka's rounds: each component takes its shortest edge to another.

Candidates come from lists of nearest neighbours. A list vouches for its row as long as no edge outside it can be
shorter than the component's candidate; only the rows that no list vouches for look for their nearest row in another
component (tried against the tree of the neighbour graph that approximate methods build: the lists answer nearly always,
and the rest makes the difference). The largest component never looks: all others find it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixsieve.kernels.graph import components
from pixsieve.kernels.search.best import Best
from pixsieve.kernels.search.exact import Array, Index, Metric, space, to_host
from pixsieve.kernels.search.part import Engine
from pixsieve.kernels.search.plan import Prefix, plan
from pixsieve.kernels.search.walk import Walk

Lengths = NDArray[np.float64]
# Rows, bounds of their lengths, components: the shortest edges to another component up to the bounds (inf: there is
# none), and the other rows.
Search = Callable[[Index, Lengths, Index], tuple[Lengths, Index]]
# Rows whose nearest foreign rows bound what every component has to look for, where no list does.
SCOUTS = 256


class Tree(NamedTuple):
    """Edges of a tree, or of a forest."""

    edges: Index  # (m, 2)
    lengths: Lengths  # (m,)


def length_of(metric: Metric, closeness: Lengths) -> Lengths:
    return -closeness if metric == "euclidean" else 1 - closeness


def rounds(
    component: Index, index: Index, length: Lengths, sure: Lengths, search: Search | None = None
) -> tuple[Tree, Index]:
    """Edges of the minimum spanning tree (or forest) of the components, and what they leave apart.

    component: (n,) 0 .. c - 1, contracted from the start. index, length: (n, k) listed edges of each row, index -1
    where there is none. sure: (n,) every edge of a row that is not listed is at least this long. Without a search the
    edges are those that the lists prove. Returns edges (m, 2) with lengths, and (n,) the component of each row
    afterwards.
    """
    n = len(component)
    sure = sure.copy()
    looked = np.full(n, n), np.full(n, np.inf)  # the nearest row outside that a search found, and its distance
    edges, lengths = [np.empty((0, 2), np.int64)], [np.empty(0)]
    while component.max(initial=0) > 0:
        best, to = _from_lists(index, length, component)
        # What was nearest outside stays so until it comes inside.
        outside = (looked[0] < n) & (np.append(component, -1)[looked[0]] != component)
        best, to = _shorter((best, to), (np.where(outside, looked[1], np.inf), looked[0]))
        doubtful = sure < _least(best, component)[component]
        if search and doubtful.any():
            doubtful &= component != np.bincount(component).argmax()
            open_ = ~np.isfinite(_least(best, component))
            if open_[component[doubtful]].any():
                best, to = _shorter((best, to), _scouted(search, component, open_[component] & np.isfinite(sure)))
            asked = np.flatnonzero(doubtful)
            bound = _least(best, component)[component[asked]]
            found, row = search(asked, bound, component)
            row = np.where(np.isfinite(found), row, n)
            looked[0][asked], looked[1][asked] = row, found
            sure[asked] = np.maximum(sure[asked], np.minimum(found, bound))
            best[asked], to[asked] = _shorter((best[asked], to[asked]), (found, row))
            doubtful = sure < _least(best, component)[component]
        proved = np.isfinite(_least(best, component))
        proved[component[doubtful]] = False
        low, high = np.minimum(np.arange(n), to), np.maximum(np.arange(n), to)
        order = np.lexsort((high, low, best, component))
        pick = order[np.flatnonzero(np.diff(component[order], prepend=-1))]
        pick = pick[proved[component[pick]]]
        if not len(pick):
            break
        pick = pick[_without_cycles(component, low[pick], high[pick], best[pick])]
        edges.append(np.column_stack([low[pick], high[pick]]))
        lengths.append(best[pick])
        component = components(int(component.max()) + 1, component[low[pick]], component[high[pick]])[component]
    return Tree(np.concatenate(edges), np.concatenate(lengths)), component


def searching(engine: Engine, a: Array, b: Array | None, metric: Metric, reach: Lengths, prefix: Prefix) -> Search:
    """Searches among the pairs inside a, or among those of a row of a and a row of b (numbered after a's)."""
    split = len(a)
    n = split + (0 if b is None else len(b))

    def rows_of(numbers: Index) -> Array:
        if b is None or numbers[-1] < split:
            return a[engine.xp.asarray(numbers)]
        return b[engine.xp.asarray(numbers - split)]

    def among(
        left: Index, right: Index | None, asked: Index, bound: Lengths, component: Index
    ) -> tuple[Lengths, Index]:
        """The answers to `asked`, rows of left or right, from the pairs of left and right, or inside left."""
        xp = engine.xp
        numbers = left if right is None else np.concatenate([left, right])
        both = space(engine, rows_of(left), None if right is None else rows_of(right), metric)
        own = reach[numbers]
        caps = None if not own.any() else xp.asarray(-own if metric == "euclidean" else 1 - own)
        walk = Walk(plan(engine, both, k=1, groups=xp.asarray(component[numbers]), caps=caps, prefix=prefix))
        known = np.isfinite(bound)
        wanted = np.full(n, np.inf)
        wanted[asked[~known]] = -np.inf
        wanted[asked[known]] = to_host(
            walk.plan.frame.score(xp.asarray(-bound[known] if metric == "euclidean" else 1 - bound[known]))
        )
        walk.floor = xp.asarray(wanted[numbers])
        # The lists hold lengths, negative: a length as closeness and back is not the same to the last bit.
        best = Best(walk, lambda value: value if metric == "euclidean" else 1 + value)
        far = xp.asarray(own)
        for hits in walk:
            use = best.wanted(hits)
            i, j = hits.i[use], hits.j[use]
            near = xp.minimum(-length_of(metric, engine.closeness(both, i, j)), -xp.maximum(far[i], far[j]))
            best.add(xp.concatenate([i, j]), xp.concatenate([j, i]), xp.concatenate([near, near]))
        place = np.full(n, -1)
        place[numbers[::-1]] = np.arange(len(numbers))[::-1]
        found, length = to_host(best.index[:, 0])[place[asked]], -to_host(best.closeness[:, 0])[place[asked]]
        beyond = (found < 0) | (length > bound)
        return np.where(beyond, np.inf, length), np.where(beyond, -1, numbers[found])

    def search(asked: Index, bound: Lengths, component: Index) -> tuple[Lengths, Index]:
        every = np.arange(n)
        if b is None:
            # Pairs inside a, each once, are fewer when most rows ask.
            if 2 * len(asked) > n:
                return among(every, None, asked, bound, component)
            return among(asked, every, asked, bound, component)
        sides = asked < split
        pairs = int(sides.sum()) * (n - split) + int((~sides).sum()) * split
        if pairs > split * (n - split):
            return among(every[:split], every[split:], asked, bound, component)
        found, row = np.full(len(asked), np.inf), np.full(len(asked), -1)
        for side, others in ((sides, every[split:]), (~sides, every[:split])):
            if side.any() and len(others):
                found[side], row[side] = among(asked[side], others, asked[side], bound[side], component)
        return found, row

    return search


def _scouted(search: Search, component: Index, may: NDArray[np.bool_]) -> tuple[Lengths, Index]:
    """(n,) some edges to other components, from a few of the rows that may look: those of the components that have none
    to go by."""
    best, to = np.full(len(component), np.inf), np.full(len(component), len(component))
    rows = np.flatnonzero(may)
    by_component = rows[np.argsort(component[rows], kind="stable")]
    scouts = np.unique(by_component[np.linspace(0, len(rows) - 1, min(SCOUTS, len(rows))).astype(np.int64)])
    found, row = search(scouts, np.full(len(scouts), np.inf), component)
    there = np.isfinite(found)
    best[scouts[there]], to[scouts[there]] = found[there], row[there]
    # The other end has the edge, too.
    order = np.argsort(-found[there], kind="stable")
    best[row[there][order]], to[row[there][order]] = found[there][order], scouts[there][order]
    return best, to


def _least(best: Lengths, component: Index) -> Lengths:
    least = np.full(int(component.max(initial=-1)) + 1, np.inf)
    np.minimum.at(least, component, best)
    return least


def _from_lists(index: Index, length: Lengths, component: Index) -> tuple[Lengths, Index]:
    """(n,) the shortest listed edge of each row to another component, ties by index (inf, n: none)."""
    outside = (index >= 0) & (component[index] != component[:, None])
    best = np.where(outside, length, np.inf).min(axis=1, initial=np.inf)
    to = np.where(outside & (length == best[:, None]), index, len(index)).min(axis=1, initial=len(index))
    return best, to


def _shorter(one: tuple[Lengths, Index], two: tuple[Lengths, Index]) -> tuple[Lengths, Index]:
    """Edge by edge the shorter of two, ties by index."""
    second = (two[0] < one[0]) | ((two[0] == one[0]) & (two[1] < one[1]))
    return np.where(second, two[0], one[0]), np.where(second, two[1], one[1])


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
