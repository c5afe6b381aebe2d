"""What a device has to be able to do for the walk."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from pixsieve.kernels.search.exact import Array, Space, to_host
from pixsieve.kernels.search.screen import Frame, Screen


class Lows(NamedTuple):
    """What a pair of a part must reach to matter: `low`, or the floor of its row or its column, as scores."""

    low: float
    k: int = 0  # floors at -inf are raised to what k pairs of the tile reach
    floor_row: Array = None
    floor_column: Array = None
    group_row: Array = None  # pairs inside a group do not count
    group_column: Array = None
    cap_row: Array = None  # a pair's score is at most the caps of its rows
    cap_column: Array = None

    def of(self, rows: slice, columns: slice) -> "Lows":
        """Of some places of the part."""
        sides = (x if x is None else x[columns if at % 2 else rows] for at, x in enumerate(self[2:]))
        return Lows(self.low, self.k, *sides)


class Part(NamedTuple):
    """Positions of the walk: rows x columns of a screen."""

    space: Space
    frame: Frame
    screen: Screen
    order: Array
    rows: slice
    columns: slice | Array
    triangle: bool  # only pairs whose column stands behind the row
    once: bool  # not to be screened again in float64
    cells: Array | None = None  # numbers of the engine's cells that count, row by row; None: all
    place: tuple[int, int] = (0, 0)  # of its first pair in the part that it is a piece of

    @property
    def height(self) -> int:
        return self.rows.stop - self.rows.start

    @property
    def width(self) -> int:
        return self.columns.stop - self.columns.start if isinstance(self.columns, slice) else len(self.columns)

    def at(self, rows: slice, columns: slice) -> "Part":
        """Some of its places."""
        own, other = self.rows.start, self.columns
        if isinstance(other, slice):
            other = slice(other.start + columns.start, other.start + columns.stop)
        else:
            other = other[columns]
        place = self.place[0] + rows.start, self.place[1] + columns.start
        return self._replace(rows=slice(own + rows.start, own + rows.stop), columns=other, place=place)

    def row_numbers(self) -> Array:
        return np.arange(self.rows.start, self.rows.stop)

    def column_numbers(self) -> Array:
        columns = self.columns
        return np.arange(columns.start, columns.stop) if isinstance(columns, slice) else columns

    def again(self) -> tuple[Array, float]:
        """The scores in float64, and how far they are off."""
        x, y = self.frame.rows(self.order[self.rows]), self.frame.rows(self.order[self.columns])
        tile = x @ y.T
        if self.frame.distance:
            tile -= 0.5 * (x * x).sum(axis=1)[:, None]
            tile -= 0.5 * (y * y).sum(axis=1)
        return tile, 4 * (self.frame.depth + 10) * 2.0**-53 + 1e-14 + self.frame.rounding


class Found(NamedTuple):
    """Pairs of a part, by their places in it."""

    i: Array
    j: Array
    score: Array  # float64
    slack: float
    floor_row: Array
    floor_column: Array


class Engine(Protocol):
    """What a device has to be able to do. engines/host.py says how it is done."""

    @property
    def xp(self) -> Any: ...

    dtype: Any
    folds: bool
    tile: tuple[int, int]
    bit_tile: tuple[int, int]
    memory: float
    bits_directly: int
    most_counted: int
    multiple: int
    int8: bool  # whether it screens in whole numbers of 8 bits too
    block: int
    gather: int
    overhead: int

    def squares(self, rows: Array, /) -> Array: ...
    def widened(self, rows: Array, /) -> Array: ...
    def closeness(self, space: Space, i: Array, j: Array, /) -> Array: ...
    def rounding(self, columns: int, /) -> float: ...
    def scan(self, part: Part, lows: Lows, /) -> Found | None: ...
    def sift(self, part: Part, lows: Lows, /) -> tuple[Found, list[Part]] | None: ...
    def scores(self, screen: Screen, i: Array, j: Array, /) -> Array: ...
    def merge(self, index: Array, value: Array, owner: Array, other: Array, closeness: Array, /) -> Array: ...
    def tally(self, counts: Array, weights: Array, i: Array, j: Array, /) -> None: ...
    def unite(self, label: Array, i: Array, j: Array, /) -> Array: ...


def scans(engine: Engine, part: Part, lows: Lows) -> Iterator[tuple[Part, Found]]:
    """What a part holds, in as many parts as it takes."""
    found = engine.scan(part, lows)
    if found is not None:
        yield part, found
        return
    for half in halves(part, lows):
        yield from scans(engine, *half)


def halves(part: Part, lows: Lows) -> Iterator[tuple[Part, Lows]]:
    """A part in two, where it holds more pairs than there is room for."""
    if part.cells is not None:
        middle = len(part.cells) // 2
        yield part._replace(cells=part.cells[:middle]), lows
        yield part._replace(cells=part.cells[middle:]), lows
        return
    height, width = part.height, part.width
    down, across = (height // 2, width) if height >= width else (height, width // 2)
    for top in range(0, height, down):
        for left in range(0, width, across):
            rows, columns = slice(top, min(top + down, height)), slice(left, min(left + across, width))
            if part.triangle and isinstance(part.columns, slice):  # no pair stands before the diagonal
                columns = slice(max(left, top + part.rows.start - part.columns.start), columns.stop)
            if columns.start < columns.stop:
                yield part.at(rows, columns), lows.of(rows, columns)


def sift(engine: Engine, part: Part, lows: Lows) -> tuple[Found, list[Part]] | None:
    """The pairs of a part that a coarse screen leaves alone, and the parts in which it leaves too many to be looked at
    one by one: rows of blocks that hold such."""
    xp, block, first = engine.xp, engine.block, part.columns.start
    found = engine.scan(part, lows)
    if found is None:
        return None
    if not len(found.i):
        return found, []
    across = -(-part.width // block)
    cell = found.i // block * across + found.j // block
    crowded = xp.bincount(cell, minlength=-(-part.height // block) * across) > block * block / engine.gather
    alone = ~crowded[cell]
    crowded, parts = crowded.reshape(-1, across), []
    for at in np.flatnonzero(to_host(crowded.any(axis=1))):
        top = part.rows.start + int(at) * block
        columns = (first + xp.flatnonzero(crowded[at])[:, None] * block + xp.arange(block)).ravel()
        rows = slice(top, min(top + block, part.rows.stop))
        parts.append(part._replace(rows=rows, columns=columns[columns < part.columns.stop]))
    return found._replace(i=found.i[alone], j=found.j[alone], score=found.score[alone]), parts
