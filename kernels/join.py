"""The one pass over the pairs of a block, or of two, that serves everyone who needs pairs."""

from typing import Any, NamedTuple

import numpy as np

from pixsieve.kernels.density import Density
from pixsieve.kernels.engines.dispatch import engine_of
from pixsieve.kernels.search.best import Best
from pixsieve.kernels.search.exact import Array, Metric, Pairs, closeness_of, space
from pixsieve.kernels.search.plan import Prefix, plan
from pixsieve.kernels.search.walk import Exactly, Walk

MOST_NEIGHBOURS = 256


class Questions(NamedTuple):
    """What one pass over pairs is to answer."""

    metric: Metric = "cosine"  # or hamming or jaccard: search/exact.py says what the rows hold
    cluster: float | None = None  # least similarity of neighbours; None: counts, core, forest and edges are not asked
    min_samples: int = 1  # rows at or above `cluster`, itself included, that make a row core
    near: float | None = None  # least similarity of near pairs; None: these are not asked for
    near_limit: int = 5_000_000  # above so many near pairs only the k best of each node, and its first, are kept
    k: int = 0  # neighbours of each node, at most 256
    prefix: Prefix = "auto"  # as for `pairs`; changes the time, never the answers


class Joined(NamedTuple):
    """What one pass over the pairs of a block (or of two) found. Nodes: the rows of `a`, then the rows of `b`."""

    counts: Array  # (n,) int64 weight of the neighbours at or above `cluster`; in a self join with the row's own
    core: Array  # (n,) bool, whether the neighbours seen here, and the row itself, reach min_samples
    forest: Array  # (m, 2) int64, a tree for each component of the pairs of core nodes: its least node with the others
    edges: Pairs  # every other pair at or above `cluster`
    near: Pairs  # the pairs at or above `near`
    near_total: int  # how many there are; more than len(near.i) when the limit was passed
    neighbours: Array  # (n, k) int64 most similar nodes, best first, ties by index; -1 where there are fewer
    similarity: Array  # (n, k) float64 theirs; -inf where there are fewer


def join(a: Array, b: Array | None, questions: Questions, *, weights: Array | None = None) -> Joined:
    """One pass over all pairs of a row of `a` (n, d) and a row of `b` (m, d), or over all pairs of `a` (b: None).

    weights: (nodes,) int64, how many equal rows each node stands for; None: one. ValueError for rows that cannot be
    compared, and for questions that cannot be answered.
    Memory: O(nodes * (depth + k + min_samples) + near_limit), and the pairs of one tile.
    """
    metric, cluster, min_samples, near, near_limit, k, prefix = questions
    if not 0 <= k <= MOST_NEIGHBOURS:
        raise ValueError(f"k is {k}; at most {MOST_NEIGHBOURS} neighbours are kept")
    if metric == "euclidean":
        raise ValueError("join counts similarities; euclidean is a distance")
    engine = engine_of(a)
    xp = engine.xp
    nodes = space(engine, a, b, metric)
    n = nodes.n
    weight = xp.ones(n, np.int64) if weights is None else xp.asarray(weights, np.int64)
    if weight.shape != (n,):
        raise ValueError(f"weights are {weight.shape}; one for each of {n} rows is needed")
    for threshold in (cluster, near):
        closeness_of(metric, 0.0 if threshold is None else threshold)
    density = Density(engine, weight, min_samples, weight if b is None else xp.zeros(n, np.int64))
    low = min((t for t in (cluster, near) if t is not None), default=np.inf)
    walk = Walk(plan(engine, nodes, low=low, k=k, prefix=prefix))
    best = Best(walk)
    close = _Near(xp, n, near_limit)
    for hits in walk:
        exactly = Exactly(walk.plan, hits)
        if cluster is not None:
            found = exactly.at_least(cluster)
            density.add(hits.i[found], hits.j[found])
        if near is not None:
            found = exactly.at_least(near)
            close.add(hits.i[found], hits.j[found])
        if k:
            wanted = best.wanted(hits)
            i, j, s = hits.i[wanted], hits.j[wanted], exactly.closeness(wanted)
            best.add(xp.concatenate([i, j]), xp.concatenate([j, i]), xp.concatenate([s, s]))
    edges = density.pending(lambda i, j: engine.closeness(nodes, i, j))
    core = xp.zeros(n, bool) if cluster is None else density.core()
    under = xp.flatnonzero(density.label != xp.arange(n))
    i, j = close.pairs(best.index)
    s = engine.closeness(nodes, i, j)
    if near is not None and close.total > near_limit:
        i, j, s = i[s >= near], j[s >= near], s[s >= near]
    return Joined(
        density.counts,
        core,
        xp.stack([density.label[under], under], axis=1),
        Pairs(*edges),
        Pairs(i, j, s),
        close.total,
        best.index,
        best.closeness,
    )


class _Near:
    """Near pairs, up to a limit; beyond it, the first partner of each node."""

    def __init__(self, xp: Any, n: int, limit: int) -> None:
        self.xp, self.limit, self.total = xp, limit, 0
        self.kept: list[tuple[Array, Array]] = []
        self.first = xp.full(n, n, np.int32)

    def add(self, i: Array, j: Array) -> None:
        before, self.total = self.total, self.total + len(i)
        if self.total <= self.limit:
            self.kept.append((i, j))
            return
        if before <= self.limit:
            for pair in self.kept:
                self._first(*pair)
            self.kept = []
        self._first(i, j)

    def _first(self, i: Array, j: Array) -> None:
        self.xp.minimum.at(self.first, i, j)
        self.xp.minimum.at(self.first, j, i)

    def pairs(self, best: Array) -> tuple[Array, Array]:
        """Ascending. All, or each node's first and those in the lists `best` (n, k)."""
        xp, n = self.xp, max(len(best), 1)
        if self.total <= self.limit:
            none = xp.empty(0, np.int64)
            i, j = (xp.concatenate(side) for side in zip((none, none), *self.kept, strict=True))
        else:
            i = xp.concatenate([xp.repeat(xp.arange(n), best.shape[1]), xp.arange(n)])
            j = xp.concatenate([best.ravel(), xp.where(self.first < n, self.first, -1)])
            i, j = i[j >= 0], j[j >= 0]
        flat = xp.unique(xp.minimum(i, j) * n + xp.maximum(i, j))
        return flat // n, flat % n
