"""What a device has to be able to do for the walk."""

from typing import Any, NamedTuple, Protocol

import numpy as np

from kernels.exact import Array, Space
from kernels.screen import Frame, Screen


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

    @property
    def width(self) -> int:
        return self.columns.stop - self.columns.start if isinstance(self.columns, slice) else len(self.columns)

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
        return tile, 4 * (self.frame.depth + 10) * 2.0**-53 + 1e-14


class Found(NamedTuple):
    """Pairs of a part, by their places in it."""

    i: Array
    j: Array
    score: Array  # float64
    slack: float
    floor_row: Array
    floor_column: Array


class Engine(Protocol):
    """What a device has to be able to do. kernels/host.py says how it is done."""

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
    block: int
    gather: int
    overhead: int

    def squares(self, rows: Array, /) -> Array: ...
    def widened(self, rows: Array, /) -> Array: ...
    def closeness(self, space: Space, i: Array, j: Array, /) -> Array: ...
    def rounding(self, columns: int, /) -> float: ...
    def scan(self, part: Part, lows: Lows, /) -> Found: ...
    def scores(self, screen: Screen, i: Array, j: Array, /) -> Array: ...
    def merge(self, index: Array, value: Array, owner: Array, other: Array, closeness: Array, /) -> Array: ...
    def tally(self, counts: Array, weights: Array, i: Array, j: Array, /) -> None: ...
    def unite(self, label: Array, i: Array, j: Array, /) -> Array: ...
