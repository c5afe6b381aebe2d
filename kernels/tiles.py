"""Rows in an order of one's choice, compared a rectangle of positions at a time up to bounds of their own."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixsieve.kernels.engines.dispatch import engine_of
from pixsieve.kernels.search import screen
from pixsieve.kernels.search.exact import Array, Index, Pairs, Space, space, to_host
from pixsieve.kernels.search.part import Engine, Lows, Part, scans
from pixsieve.kernels.search.screen import Frame, Screen

Floats = NDArray[np.float64]


class Tiles(NamedTuple):
    """Euclidean distances between positions: float64 sums in the order of the columns, as the host gets them."""

    engine: Engine
    space: Space
    frame: Frame
    screen: Screen
    order: Array  # (m,) the row at each position

    @classmethod
    def of(cls, x: Array, rows: Index) -> "Tiles":
        """x: (n, d) floats; rows: (m,) in the order of their positions. ValueError as for `pairs`."""
        engine = engine_of(x)
        every = space(engine, x, None, "euclidean")
        frame, order = Frame(engine.xp, every), engine.xp.asarray(rows)
        return cls(engine, every, frame, screen.full(engine, frame, order), order)

    def distances(self, i: Index, j: Index) -> Floats:
        """(m,) of the pairs of positions (i, j)."""
        i, j = (self.order[self.engine.xp.asarray(side)] for side in (i, j))
        return -to_host(self.engine.closeness(self.space, i, j))

    def within(self, rows: slice, columns: slice | Index, row_bound: Floats, column_bound: Floats) -> Iterator[Pairs]:
        """The pairs of a position in `rows` and one in `columns` that are at most as far from each other as the greater
        of their bounds, which are distances.

        Yields chunks: places in rows (i) and in columns (j), with distances in the place of similarities.
        """
        xp, (height, width) = self.engine.xp, self.engine.tile
        floors = [xp.asarray(self.frame.score(-bound)) for bound in (row_bound, column_bound)]
        for top in range(0, len(row_bound), height):
            down = slice(top, min(top + height, len(row_bound)))
            own = slice(rows.start + down.start, rows.start + down.stop)
            for left in range(0, len(column_bound), width):
                across = slice(left, min(left + width, len(column_bound)))
                if isinstance(columns, slice):
                    other: slice | Array = slice(columns.start + across.start, columns.start + across.stop)
                else:
                    other = xp.asarray(columns[across])
                whole = Part(self.space, self.frame, self.screen, self.order, own, other, False, False)
                for part, found in scans(self.engine, whole, Lows(np.inf, 1, floors[0][down], floors[1][across])):
                    pair = self.order[part.rows][found.i], self.order[part.columns][found.j]
                    far = to_host(-self.engine.closeness(self.space, *pair))
                    i, j = to_host(found.i) + top + part.place[0], to_host(found.j) + left + part.place[1]
                    near = far <= np.maximum(row_bound[i], column_bound[j])
                    yield Pairs(i[near], j[near], far[near])
