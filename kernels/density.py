"""Density clustering (DBSCAN: Ester, Kriegel, Sander and Xu, KDD 1996) over pairs that come in any order, each once.

A pair of rows that are core already unites them, and is forgotten. Any other is kept until both are, or for ever: a row
that is not core has fewer than min_samples - 1 neighbours, so that at most n (min_samples - 2) pairs are ever kept.
"""

from typing import Any

import numpy as np

from kernels.exact import Array


class Density:
    """counts: (n,) weight of the neighbours seen so far. label: (n,) the least row of the component of cores."""

    def __init__(self, engine: Any, weights: Array, min_samples: int, counts: Array) -> None:
        self.engine, self.weights, self.min_samples = engine, weights, min_samples
        self.counts = counts.copy()
        self.seen_apart = weights - counts  # what a row's own weight adds to its count, where that is not in it
        self.label = engine.xp.arange(len(weights))
        self._waiting: list[tuple[Array, Array]] = []
        self._size, self._most = 0, max(2**20, len(weights))

    def core(self) -> Array:
        return self.counts + self.seen_apart >= self.min_samples

    def add(self, i: Array, j: Array) -> None:
        """Neighbours i, j."""
        add = self.engine.xp.add
        add.at(self.counts, i, self.weights[j])
        add.at(self.counts, j, self.weights[i])
        apart = self.label[i] != self.label[j]
        self._wait(i[apart], j[apart])
        if self._size > self._most:
            self._settle()
            self._most = max(self._most, 2 * self._size)

    def _wait(self, i: Array, j: Array) -> None:
        if len(i):
            self._waiting.append((i, j))
            self._size += len(i)

    def _settle(self) -> None:
        if not self._waiting:
            return
        i, j = (self.engine.xp.concatenate(side) for side in zip(*self._waiting, strict=True))
        core = self.core()
        both = core[i] & core[j]
        self.label = self.engine.unite(self.label, i[both], j[both])
        self._waiting, self._size = [], 0
        self._wait(i[~both], j[~both])

    def pending(self) -> tuple[Array, Array]:
        """The pairs of which not both rows are core, in ascending order."""
        self._settle()
        xp = self.engine.xp
        if not self._waiting:
            return xp.empty(0, np.int64), xp.empty(0, np.int64)
        i, j = self._waiting[0]
        order = xp.argsort(i * len(self.label) + j)
        return i[order], j[order]
