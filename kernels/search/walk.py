"""The walk over all pairs of a space, tile by tile, that every all-pairs answer is made of.

A tile is screened (search/screen.py); the pairs that the screen cannot rule out are handed on with their scores. Where
it pays (search/plan.py decides), a prefix screen goes first and the whole product is only made for the parts of a tile
that it leaves open (search/locality.py); the rows are then walked in an order that puts like rows side by side, so that
few parts are.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pixsieve.kernels.search.exact import Array
from pixsieve.kernels.search.part import Lows, Part, halves, scans
from pixsieve.kernels.search.plan import Plan, tiles


class Hits(NamedTuple):
    """Pairs i < j of rows of the space that may matter."""

    i: Array
    j: Array
    score: Array
    slack: float  # |score - exact score|, at most


class Walk:
    """A plan gone through, once.

    floor: (n,) for k > 0, the score that a pair must reach to be among the best of the row; raised by the walk, and by
    whoever keeps the lists.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.floor = plan.engine.xp.full(plan.space.n, -np.inf if plan.k else np.inf)

    def __iter__(self) -> Iterator[Hits]:
        plan = self.plan
        if plan.low == np.inf and not plan.k:
            return
        for rows, columns in tiles(plan):
            triangle = plan.space.split is None and columns.start < rows.stop
            part = Part(plan.space, plan.frame, plan.full, plan.order, rows, columns, triangle, plan.frame.counted)
            if plan.short is None or self._unfilled(rows, columns):
                yield from self._scan(part)
            else:
                yield from self._sift(part._replace(screen=plan.short, once=True))

    def _unfilled(self, rows: slice, columns: slice) -> bool:
        floors = self.floor[self.plan.order[rows]], self.floor[self.plan.order[columns]]
        return bool(self.plan.k) and min(float(floor.min()) for floor in floors) == -np.inf

    def _scan(self, part: Part) -> Iterator[Hits]:
        xp, order = self.plan.engine.xp, self.plan.order
        for each, found in scans(self.plan.engine, part, self._lows(part)):
            own, other = order[each.rows], order[each.columns]
            if self.plan.k:
                self.floor[own] = xp.maximum(self.floor[own], found.floor_row)
                self.floor[other] = xp.maximum(self.floor[other], found.floor_column)
            yield self._hits(own[found.i], other[found.j], found.score, found.slack)

    def _sift(self, part: Part) -> Iterator[Hits]:
        plan, lows = self.plan, self._lows(part)
        sifted = plan.engine.sift(part, lows)
        if sifted is None:
            for half, _ in halves(part, lows):
                yield from self._sift(half)
            return
        alone, crowded = sifted
        yield self._singly(part.rows.start + alone.i, part.columns.start + alone.j)
        for each in crowded:
            yield from self._scan(each._replace(screen=plan.full, once=plan.frame.counted))

    def _hits(self, i: Array, j: Array, score: Array, slack: float) -> Hits:
        xp = self.plan.engine.xp
        return Hits(xp.minimum(i, j), xp.maximum(i, j), score, slack)

    def _lows(self, part: Part) -> Lows:
        plan = self.plan
        own, other = plan.order[part.rows], plan.order[part.columns]
        pairs: list[Array] = [self.floor[own], self.floor[other]] if plan.k else [None, None]
        for values in (plan.groups, plan.caps):
            pairs += [None, None] if values is None else [values[own], values[other]]
        return Lows(plan.low, plan.k, *pairs)

    def _singly(self, i: Array, j: Array) -> Hits:
        """Pairs of positions that are not worth a product, screened one by one."""
        plan, xp = self.plan, self.plan.engine.xp
        score = plan.engine.scores(plan.full, i, j)
        own, other = plan.order[i], plan.order[j]
        low = plan.low
        if plan.caps is not None:
            score = xp.minimum(score, xp.minimum(plan.caps[own], plan.caps[other]))
        if plan.k:
            low = xp.minimum(low, xp.minimum(self.floor[own], self.floor[other]))
        use = score >= low - plan.full.slack
        if plan.groups is not None:
            use &= plan.groups[own] != plan.groups[other]
        return self._hits(own[use], other[use], score[use], plan.full.slack)


class Exactly:
    """The exact side of the hits of a walk. Closeness is computed once, and only where a question needs it."""

    def __init__(self, plan: Plan, hits: Hits) -> None:
        self.plan, self.hits = plan, hits
        self._known = plan.engine.xp.full(len(hits.i), np.nan)

    def closeness(self, mask: Array) -> Array:
        """Of the pairs marked."""
        plan, xp, hits = self.plan, self.plan.engine.xp, self.hits
        open_ = xp.flatnonzero(mask & xp.isnan(self._known))
        if len(open_):
            self._known[open_] = plan.engine.closeness(plan.space, hits.i[open_], hits.j[open_])
        return self._known[mask]

    def at_least(self, threshold: float) -> Array:
        """Which pairs are at or above the threshold: the screen's word where that is beyond its slack."""
        score, slack = self.hits.score, self.hits.slack
        low = self.plan.frame.score(threshold)
        result = score >= low - slack
        open_ = result & (score < low + slack)
        result[self.plan.engine.xp.flatnonzero(open_)] = self.closeness(open_) >= threshold
        return result
