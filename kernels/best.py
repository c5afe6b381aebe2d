"""The k best neighbours of each row, kept while the tiles of a walk go by."""

from collections.abc import Callable
from typing import Any

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


def merge(index: Any, value: Any, owner: Any, other: Any, closeness: Any) -> Any:
    """Puts the pairs (owner, other) into the lists index and value (n, k) on the host. Returns the changed owners."""
    k = index.shape[1]
    worst, last = value[owner, -1], index[owner, -1]
    better = (closeness > worst) | ((closeness == worst) & ((other < last) | (last < 0)))
    owner, other, closeness = owner[better], other[better], closeness[better]
    changed, place = np.unique(owner, return_inverse=True)
    owners = np.concatenate([np.repeat(np.arange(len(changed)), k), place])
    indices = np.concatenate([index[changed].ravel(), other])
    values = np.concatenate([value[changed].ravel(), closeness])
    ranked = _ranked(owners, values, np.where(indices < 0, np.iinfo(np.int64).max, indices))
    start = np.cumsum(np.bincount(owners, minlength=len(changed))) - np.bincount(owners, minlength=len(changed))
    top = ranked[start[:, None] + np.arange(k)]
    index[changed], value[changed] = indices[top], values[top]
    return changed


def _ranked(owner: Any, value: Any, index: Any) -> Any:
    """The order by owner, then value, greatest first, then index."""
    owners, places = (int(size).bit_length() for size in (owner.max(initial=0), len(owner)))
    if owners + places <= 32:
        # One integer orders by owner, rounded value and position, ten times as fast; where that is not enough to tell,
        # the sort below does.
        with np.errstate(over="ignore"):
            bits = (-value.astype(np.float32)).view(np.int32)
        bits ^= (bits >> 31) & 0x7FFFFFFF
        key = (owner.astype(np.uint64) << np.uint64(places + 32)) | np.arange(len(owner), dtype=np.uint64)
        key |= (bits.astype(np.int64) + 2**31).astype(np.uint64) << np.uint64(places)
        key.sort()
        order = (key & np.uint64(2**places - 1)).astype(np.int64)
        v, o, x = value[order], owner[order], index[order]
        wrong = (v[1:] > v[:-1]) | ((v[1:] == v[:-1]) & (x[1:] < x[:-1]))
        if not (wrong & (o[1:] == o[:-1])).any():
            return order
    return np.lexsort((index, -value, owner))
