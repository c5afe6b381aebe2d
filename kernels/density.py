"""Density clustering (DBSCAN: Ester, Kriegel, Sander and Xu, KDD 1996) in one pass over the pairs, in any order.

A pair of rows that are core already unites them, and is forgotten. Any other is kept until both are, or for ever: a row
that is not core has fewer than min_samples - 1 neighbours, so that at most n (min_samples - 2) pairs are kept in the
end, and a constant number more in between.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pixsieve.kernels.engines.dispatch import engine_of
from pixsieve.kernels.graph import density_labels, first_seen
from pixsieve.kernels.groups import distinct
from pixsieve.kernels.search.exact import Array, Metric, check, closeness_of, space, to_host
from pixsieve.kernels.search.plan import Prefix, plan
from pixsieve.kernels.search.walk import Exactly, Walk


class Waiting(NamedTuple):
    """Pairs of which not both rows are core yet."""

    i: Array
    j: Array
    closeness: Array  # float64, NaN where it is not known yet


class Density:
    """counts: (n,) weight of the neighbours seen so far. label: (n,) the least row of the component of cores."""

    def __init__(self, engine: Any, weights: Array, min_samples: int, counts: Array) -> None:
        self.engine, self.weights, self.min_samples = engine, weights, min_samples
        self.counts = counts.copy()
        self._apart = weights - counts  # a row's own weight, where its count is without it
        self.label = engine.xp.arange(len(weights))
        self._waiting: list[Waiting] = []
        self._size, self._most = 0, max(2**20, len(weights))

    def core(self) -> Array:
        return self.counts + self._apart >= self.min_samples

    def add(self, i: Array, j: Array) -> None:
        """Rows i and j are neighbours."""
        xp = self.engine.xp
        self.engine.tally(self.counts, self.weights, i, j)
        apart = self.label[i] != self.label[j]
        self._wait(Waiting(i[apart], j[apart], xp.full(int(apart.sum()), np.nan)))
        if self._size > self._most:
            self._settle()
            self._most = max(self._most, 2 * self._size)

    def _wait(self, pairs: Waiting) -> None:
        if len(pairs.i):
            self._waiting.append(pairs)
            self._size += len(pairs.i)

    def _settle(self) -> Waiting:
        xp = self.engine.xp
        none = xp.empty(0, np.int64)
        i, j, s = (xp.concatenate(side) for side in zip((none, none, xp.empty(0)), *self._waiting, strict=True))
        core = self.core()
        both = core[i] & core[j]
        self.label = self.engine.unite(self.label, i[both], j[both])
        self._waiting, self._size = [], 0
        rest = Waiting(i[~both], j[~both], s[~both])
        self._wait(rest)
        return rest

    def pending(self, closeness: Callable[[Array, Array], Array]) -> Waiting:
        """The pairs seen so far of which not both rows are core, ascending. `closeness` is asked for those that came
        since the last call."""
        i, j, s = self._settle()
        new = self.engine.xp.flatnonzero(self.engine.xp.isnan(s))
        s[new] = closeness(i[new], j[new])
        order = self.engine.xp.argsort(i * len(self.label) + j)
        self._waiting, self._size = [], 0
        ascending = Waiting(i[order], j[order], s[order])
        self._wait(ascending)
        return ascending


def dbscan(
    blocks: Sequence[Array],
    *,
    threshold: float,
    min_samples: int,
    metric: Metric = "cosine",
    weights: Sequence[Array] | None = None,
    prefix: Prefix = "auto",
) -> tuple[Array, Array]:
    """DBSCAN of the rows of all blocks together, in one pass over their pairs.

    blocks: (n_b, d) arrays in a list, or in whatever has a length and gives block b at [b]; blocks are asked for again,
    and two are held at a time. threshold: least similarity of neighbours (euclidean: greatest distance). min_samples:
    neighbours that make a row core, itself included, at least 1. weights: (n_b,) integers in a list, how many equal
    rows each row stands for. metric, prefix: as for `pairs`.
    Returns labels (n,) int64, numbered by their first row, -1 for noise, and core (n,) bool. A row that is not core
    takes the label of the core row that is closest to it, ties by number. Memory: O(n min_samples) beside two blocks.
    """
    if min_samples < 1:
        raise ValueError(f"min_samples is {min_samples}; at least 1 is needed")
    _, low = closeness_of(metric, threshold)
    if not len(blocks):
        return np.empty(0, np.int64), np.empty(0, bool)
    engine = engine_of(blocks[0])
    xp = engine.xp
    firsts, places, heavy, start = [], [], [xp.empty(0, np.int64)], [0]
    for b in range(len(blocks)):
        check(xp, f"block {b}", blocks[b], metric)
        first, place = _alike(blocks[b], metric, low)
        firsts.append(first)
        places.append(place + start[-1])
        own = None if weights is None else xp.asarray(weights[b])
        heavy.append(xp.bincount(place, own, len(first)).astype(np.int64))
        start.append(start[-1] + len(first))
    weight = xp.concatenate(heavy)
    density = Density(engine, weight, min_samples, weight)
    for b in range(len(blocks)):
        ours = blocks[b][firsts[b]]
        for a in range(b + 1):
            left, right = (ours, None) if a == b else (blocks[a][firsts[a]], ours)
            nodes = space(engine, left, right, metric)
            split = start[a + 1] - start[a]
            walk = Walk(plan(engine, nodes, low=low, prefix=prefix))
            for hits in walk:
                found = Exactly(walk.plan, hits).at_least(low)
                density.add(hits.i[found] + start[a], hits.j[found] + (start[a] if a == b else start[b] - split))

            def closeness(i: Array, j: Array) -> Array:
                return engine.closeness(nodes, i - start[a], j - (start[a] if a == b else start[b] - split))  # noqa: B023

            waiting = density.pending(closeness)
    label, core = to_host(density.label), to_host(density.core())
    i, j, near = map(to_host, waiting)
    labels = density_labels(label, core, i, j, near, np.arange(len(label)))
    place = to_host(xp.concatenate(places))
    return xp.asarray(first_seen(labels[place])), xp.asarray(core[place])


def _alike(x: Array, metric: Metric, low: float) -> tuple[Array, Array]:
    """Equal rows collapsed, as `distinct` does, if they are neighbours; zero rows under cosine are not even like
    themselves."""
    if low > (0 if metric == "euclidean" else 1) or not x.shape[1]:
        here = engine_of(x).xp.arange(len(x))
        return here, here
    first, place = distinct(x)
    if metric == "cosine":
        xp = engine_of(x).xp
        zero = ~x.any(axis=1)
        owner = xp.where(zero, xp.arange(len(x)), first[place])
        first = xp.unique(owner)
        place = xp.searchsorted(first, owner)
    return first, place
