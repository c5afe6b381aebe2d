"""The k best neighbours of each row, kept while the tiles of a walk go by."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pixsieve.kernels.search.exact import Array, Index
from pixsieve.kernels.search.walk import Hits, Walk

Lists = NDArray[np.float64]


class Best:
    """The k closest rows of each row seen so far: closeness first, then the number of the row."""

    def __init__(self, walk: Walk, value_of: Callable[[Array], Array] = lambda closeness: closeness) -> None:
        """value_of: makes closeness of what the lists hold, if that is something else."""
        xp, lists = walk.plan.engine.xp, (walk.plan.space.n, walk.plan.k)
        self.walk, self.value_of = walk, value_of
        self.index = xp.full(lists, -1, np.int64)
        self.closeness = xp.full(lists, -np.inf)

    def wanted(self, hits: Hits) -> Array:
        """Which of the pairs may be among the best of one of their rows."""
        xp, floor = self.walk.plan.engine.xp, self.walk.floor
        return hits.score + hits.slack >= xp.minimum(floor[hits.i], floor[hits.j])

    def add(self, owner: Array, other: Array, closeness: Array) -> None:
        """Puts `other` into the lists of `owner`, where it is among the best."""
        floor, plan = self.walk.floor, self.walk.plan
        if not len(owner):
            return
        changed = plan.engine.merge(self.index, self.closeness, owner, other, closeness)
        worst = self.closeness[changed, -1]
        full = worst > -np.inf
        changed, worst = changed[full], worst[full]
        floor[changed] = plan.engine.xp.maximum(floor[changed], plan.frame.score(self.value_of(worst)))


def with_copies(
    index: Index, closeness: Lists, place: Index, other_place: Index, itself: Lists | None
) -> tuple[Index, Lists]:
    """The lists of all rows, from those of distinct rows.

    index, closeness: (m, k) of the distinct rows. place: (n,) which of these each row is; other_place: (n',) the same
    of the rows that are listed. itself: (n,) the closeness of each row to its own copies, if the rows are listed among
    themselves; a row is not in its own list. Where a row's list has no copies in it, nothing changes but the numbers.
    """
    k = index.shape[1]
    members = np.argsort(other_place, kind="stable")
    size = np.bincount(other_place, minlength=int(index.max(initial=-1)) + 1)
    first = np.concatenate([[0], np.cumsum(size)])[:-1]
    nodes, values = index[place], closeness[place]
    if itself is not None:
        nodes, values = np.column_stack([place, nodes]), np.column_stack([itself, values])
    found, near = np.full((len(place), k), -1, np.int64), np.full((len(place), k), -np.inf)
    if not len(members):
        return found, near
    most = min(k + 1, int(size.max(initial=1)))
    step = max(1, 2**22 // (nodes.shape[1] * most))
    for at in range(0, len(place), step):
        part = slice(at, at + step)
        node, value = nodes[part, :, None], values[part, :, None]
        nth = np.arange(most)
        there = (node >= 0) & (nth < size[node])
        rows = members[np.where(there, first[node] + nth, 0)]
        if itself is not None:
            there &= rows != np.arange(len(place))[part, None, None]
        rows = np.where(there, rows, len(other_place)).reshape(len(node), -1)
        value = np.where(there, value, -np.inf).reshape(len(node), -1)
        order = np.lexsort((rows, -value), axis=1)[:, :k]
        width = order.shape[1]
        near[part, :width] = np.take_along_axis(value, order, 1)
        rows = np.take_along_axis(rows, order, 1)
        found[part, :width] = np.where(rows < len(other_place), rows, -1)
    return found, near
