"""The k best neighbours of each row, kept while the tiles of a walk go by."""

from collections.abc import Callable

import numpy as np

from kernels.exact import Array
from kernels.walk import Hits, Walk


class Best:
    """The k closest rows of each row seen so far: closeness first, then the number of the row."""

    def __init__(self, walk: Walk, k: int, value_of: Callable[[Array], Array] = lambda closeness: closeness) -> None:
        """value_of: makes closeness of what the lists hold, if that is something else."""
        xp, n = walk.engine.xp, walk.space.n
        self.walk, self.value_of = walk, value_of
        self.index = xp.full((n, k), -1, np.int64)
        self.closeness = xp.full((n, k), -np.inf)

    def wanted(self, hits: Hits) -> Array:
        """Which of the pairs may be among the best of one of their rows."""
        xp, floor = self.walk.engine.xp, self.walk.floor
        return hits.score + hits.slack >= xp.minimum(floor[hits.i], floor[hits.j])

    def add(self, owner: Array, other: Array, closeness: Array) -> None:
        """Puts `other` into the lists of `owner`, where it is among the best."""
        walk, xp = self.walk, self.walk.engine.xp
        if not len(owner):
            return
        changed = walk.engine.merge(self.index, self.closeness, owner, other, closeness)
        worst = self.closeness[changed, -1]
        full = worst > -np.inf
        changed, worst = changed[full], worst[full]
        walk.floor[changed] = xp.maximum(walk.floor[changed], walk.score(self.value_of(worst)))
