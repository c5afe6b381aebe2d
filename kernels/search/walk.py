"""The walk over all pairs of a space, tile by tile, that every all-pairs answer is made of.

A tile is screened (search/screen.py); the pairs that the screen cannot rule out are handed on with their scores. Where
it pays, a prefix screen goes first and the whole product is only made for the parts of a tile that it leaves open
(search/locality.py); the rows are then walked in an order that puts like rows side by side, so that few parts are.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from pixsieve.kernels.search import locality, screen
from pixsieve.kernels.search.exact import Array, Space, to_host
from pixsieve.kernels.search.part import Engine, Lows, Part, halves, scans
from pixsieve.kernels.search.screen import Frame, Screen

Prefix = Literal["auto", "off"] | int
# Bytes that a pair of a tile may take while it is looked at (score, marks, numbers, what is returned), and a number of
# its rows, if the tile is screened again.
PER_PAIR, PER_NUMBER = 96, 24


class Hits(NamedTuple):
    """Pairs i < j of rows of the space that may matter."""

    i: Array
    j: Array
    score: Array
    slack: float  # |score - exact score|, at most


def _within(memory: float, tile: tuple[int, int], depth: int) -> tuple[int, int]:
    """The tile, halved until it takes no more bytes."""
    height, width = tile
    while height * width > 1 and height * width * PER_PAIR + (height + width) * depth * PER_NUMBER > memory:
        height, width = (height, width // 2) if width > height else (height // 2, width)
    return height, width


class Walk:
    """low: the least closeness that matters; k: how many best pairs of each row matter whatever they are.

    floor: (n,) for k > 0, the score that a pair must reach to be among the best of the row; raised by the walk, and by
    whoever keeps the lists. groups: (n,) no pair inside a group counts. caps: (n,) closeness that a pair of the row has
    at most. memory: bytes that a tile, and what is found in it, may take.
    """

    def __init__(
        self,
        engine: Engine,
        space: Space,
        *,
        low: float = np.inf,
        k: int = 0,
        floor: Array | None = None,
        groups: Array | None = None,
        caps: Array | None = None,
        prefix: Prefix = "auto",
        memory: float = np.inf,
    ) -> None:
        self.engine, self.space, self.k = engine, space, k
        xp = engine.xp
        self.frame = Frame(xp, space)
        self.tile = _within(memory, engine.bit_tile if self.frame.counted else engine.tile, self.frame.depth)
        if self.frame.counted and self.frame.depth > engine.most_counted:
            raise ValueError(f"rows have {self.frame.depth} entries to compare; at most {engine.most_counted} on a GPU")
        if not (prefix in ("auto", "off") or (isinstance(prefix, int) and 1 <= prefix <= max(locality.LENGTHS))):
            raise ValueError(f"prefix is {prefix!r}; auto, off, or a number from 1 to {max(locality.LENGTHS)}")
        self.low = float(self.frame.score(low)) if np.isfinite(low) else low
        self.floor = xp.full(space.n, -np.inf if k else np.inf) if floor is None else floor
        self.groups = groups
        self.caps = None if caps is None else self.frame.score(caps)
        self.order = self.place = xp.arange(space.n)
        self.short: Screen | None = None
        directly = space.metric == "hamming" and not k and groups is None and self.frame.depth <= engine.bits_directly
        if space.metric == "jaccard" or directly:
            self.full = Screen(None, None, None, 0.5)
            return
        axes = None
        if prefix == "auto":
            # Lists want whatever is best: few tiles can be left out, and those that are left cost more than all (20,000
            # rows of 512 numbers: 2.5 to 4.4 times, on a busy machine; `benchmarks.join --lists`).
            axes = None if k else locality.axes(engine, self.frame, self.low)
        elif prefix != "off" and space.metric != "hamming":
            axes = locality.principal(engine.xp, self.frame)[:, :prefix]
        if axes is not None:
            self.order, self.place = locality.order(engine, self.frame, axes)
            axes = locality.choose(engine, self.frame, self.order, self.low, axes) if prefix == "auto" else axes
        self.full = screen.full(engine, self.frame, self.order)
        if axes is not None:
            self.short = screen.prefix(engine, self.frame, self.order, axes)
        elif prefix == "auto" and not k and groups is caps is None:
            pays = locality.whole_pays(engine, self.frame, self.order, self.low)
            self.short = screen.whole(engine, self.frame, self.order, self.low) if pays else None

    def score(self, closeness: Any) -> Any:
        return self.frame.score(closeness)

    def __iter__(self) -> Iterator[Hits]:
        if self.low == np.inf and not self.k:
            return
        for rows, columns in self._tiles():
            triangle = self.space.split is None and columns.start < rows.stop
            part = Part(self.space, self.frame, self.full, self.order, rows, columns, triangle, self.frame.counted)
            if self.short is None or self._unfilled(rows, columns):
                yield from self._scan(part)
            else:
                yield from self._sift(part._replace(screen=self.short, once=True))

    def _tiles(self) -> Iterable[tuple[slice, slice]]:
        if self.short is None:
            return self._in_order()
        # Like rows first: their pairs raise the floors that rule out the others.
        where = to_host(self.place)
        return sorted(self._in_order(), key=lambda tile: abs(float(where[tile[0]].mean() - where[tile[1]].mean())))

    def _in_order(self) -> Iterator[tuple[slice, slice]]:
        n, (height, width), split = self.space.n, self.tile, self.space.split
        end = n if split is None else split
        for top in range(0, end, height):
            for left in range(top if split is None else end, n, width):
                yield slice(top, min(top + height, end)), slice(left, min(left + width, n))

    def _unfilled(self, rows: slice, columns: slice) -> bool:
        floors = self.floor[self.order[rows]], self.floor[self.order[columns]]
        return bool(self.k) and min(float(floor.min()) for floor in floors) == -np.inf

    def _scan(self, part: Part) -> Iterator[Hits]:
        for each, found in scans(self.engine, part, self._lows(part)):
            own, other = self.order[each.rows], self.order[each.columns]
            if self.k:
                self.floor[own] = self.engine.xp.maximum(self.floor[own], found.floor_row)
                self.floor[other] = self.engine.xp.maximum(self.floor[other], found.floor_column)
            yield self._hits(own[found.i], other[found.j], found.score, found.slack)

    def _sift(self, part: Part) -> Iterator[Hits]:
        lows = self._lows(part)
        sifted = self.engine.sift(part, lows)
        if sifted is None:
            for half, _ in halves(part, lows):
                yield from self._sift(half)
            return
        alone, crowded = sifted
        yield self._singly(part.rows.start + alone.i, part.columns.start + alone.j)
        for each in crowded:
            yield from self._scan(each._replace(screen=self.full, once=self.frame.counted))

    def _hits(self, i: Array, j: Array, score: Array, slack: float) -> Hits:
        xp = self.engine.xp
        return Hits(xp.minimum(i, j), xp.maximum(i, j), score, slack)

    def _lows(self, part: Part) -> Lows:
        own, other = self.order[part.rows], self.order[part.columns]
        pairs: list[Array] = [self.floor[own], self.floor[other]] if self.k else [None, None]
        for values in (self.groups, self.caps):
            pairs += [None, None] if values is None else [values[own], values[other]]
        return Lows(self.low, self.k, *pairs)

    def _singly(self, i: Array, j: Array) -> Hits:
        """Pairs of positions that are not worth a product, screened one by one."""
        xp = self.engine.xp
        score = self.engine.scores(self.full, i, j)
        own, other = self.order[i], self.order[j]
        low = self.low
        if self.caps is not None:
            score = xp.minimum(score, xp.minimum(self.caps[own], self.caps[other]))
        if self.k:
            low = xp.minimum(low, xp.minimum(self.floor[own], self.floor[other]))
        use = score >= low - self.full.slack
        if self.groups is not None:
            use &= self.groups[own] != self.groups[other]
        return self._hits(own[use], other[use], score[use], self.full.slack)


class Exactly:
    """The exact side of the hits of a walk. Closeness is computed once, and only where a question needs it."""

    def __init__(self, walk: Walk, hits: Hits) -> None:
        self.walk, self.hits = walk, hits
        self._known = walk.engine.xp.full(len(hits.i), np.nan)

    def closeness(self, mask: Array) -> Array:
        """Of the pairs marked."""
        xp, hits = self.walk.engine.xp, self.hits
        open_ = xp.flatnonzero(mask & xp.isnan(self._known))
        if len(open_):
            self._known[open_] = self.walk.engine.closeness(self.walk.space, hits.i[open_], hits.j[open_])
        return self._known[mask]

    def at_least(self, threshold: float) -> Array:
        """Which pairs are at or above the threshold: the screen's word where that is beyond its slack."""
        score, slack = self.hits.score, self.hits.slack
        low = self.walk.score(threshold)
        result = score >= low - slack
        open_ = result & (score < low + slack)
        result[self.walk.engine.xp.flatnonzero(open_)] = self.closeness(open_) >= threshold
        return result
