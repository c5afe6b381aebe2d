"""The pairs of a part tile by tile: a cuBLAS product in half precision, which stays in the L2 cache, looked at by a
CUDA kernel. It needs no more than CuPy, does what the fused kernel does not, and starts lists of neighbours off.
"""

from typing import Any, NamedTuple

import numpy as np

from pixsieve.kernels.engines.runtime import Out, Runtime, Sides
from pixsieve.kernels.search.exact import Array
from pixsieve.kernels.search.part import Part

# Rows of a strip and columns of a tile: 40 MB of scores, which the 50 MB of the L2 cache of an H100 hold.
HEIGHT, WIDTH = 5120, 4096
THREADS = 256
NULL = np.int64(0)


class Scores(NamedTuple):
    """A tile of products and what the kernels have to know of it: the arguments that select.cu calls PART."""

    tile: Array  # (height, width) float16, rows `stride` apart
    stride: np.int64
    height: np.int32
    width: np.int32
    row: np.int32  # the number of the part's first row
    column: np.int32  # the tile's first column, by its place in the part
    numbers: Any  # (columns of the part,) int64 where they do not follow each other
    first: np.int32  # the number of the part's first column where they do
    triangle: np.int32
    offset_row: Any  # these as in Sides
    offset_column: Any
    group_row: Any
    group_column: Any
    cap_row: Any
    cap_column: Any


class Tiled:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.xp = runtime, runtime.xp
        self._tile = self.xp.empty((0, 0), np.float16)

    def select(self, part: Part, sides: Sides, low: float, slack: float, k: int, room: int, out: Out) -> None:
        """Queues the search for the pairs whose score, off by `slack`, may reach `low` or the floor of their row or
        column. Floors at -inf are raised to what k pairs of a tile reach."""
        left, right = self._operands(part)
        plain = all(side is None for side in sides)
        unfilled = [bool(k) and bool((floor == -np.inf).any()) for floor in sides[-2:]]
        floors = [NULL if floor is None else floor for floor in sides[-2:]]
        for at in range(0, part.width, WIDTH):
            scores = self._scores(part, sides, left, right[at : at + WIDTH], at)
            for by_row in (1, 0):
                if unfilled[1 - by_row]:
                    self._raise(scores, by_row, k, slack, floors[1 - by_row])
            grid = (-(-int(scores.width) // (THREADS * 8)), min(int(scores.height), 2048))
            rest = np.float32(low), np.float32(slack), *floors, out.count, np.uint64(room), out.i, out.j, out.score
            self.runtime.launch("select", "select_plain" if plain else "select_any", grid, (THREADS,), *scores, *rest)

    def fill(self, part: Part, sides: Sides, k: int, slack: float) -> None:
        """Raises floors at -inf to what k pairs of each row with the first columns reach, and of each column with the
        first rows. On the diagonal, where most rows have no pair with the first columns, a row has one floor as row
        and as column."""
        sizes, firsts = (part.height, part.width), (HEIGHT, WIDTH)
        for by_row in (1, 0):
            floor, size, step = sides[-1 - by_row], sizes[1 - by_row], firsts[1 - by_row]
            if not (floor == -np.inf).any():
                continue
            others = slice(0, min(firsts[by_row], sizes[by_row]))
            for at in range(0, size, step):
                own = slice(at, min(at + step, size))
                rows, columns = (own, others) if by_row else (others, own)
                piece = part.at(rows, columns)
                scores = self._scores(piece, sides.of(rows, columns), *self._operands(piece), 0)
                self._raise(scores, by_row, k, slack, floor[own])
        if part.triangle:
            row, column = part.rows, part.columns
            first = max(row.start, column.start)
            last = max(first, min(row.stop, column.stop))
            above, beside = sides.floor_row[first - row.start : last - row.start], sides.floor_column
            beside = beside[first - column.start : last - column.start]
            above[:] = beside[:] = self.xp.maximum(above, beside)

    def _raise(self, scores: Scores, by_row: int, k: int, slack: float, floor: Array) -> None:
        lines = int(scores.height if by_row else scores.width)
        rest = np.int32(by_row), np.int32(k), np.float32(slack), floor
        self.runtime.launch("select", "raise_floors", (lines,), (THREADS,), *scores, *rest)

    def _operands(self, part: Part) -> tuple[Array, Array]:
        xp, rows = self.xp, part.space.rows
        if part.space.metric == "jaccard":
            return tuple(xp.ascontiguousarray(rows[part.order[ids]], np.int64) for ids in (part.rows, part.columns))
        return part.screen.left[part.rows], xp.ascontiguousarray(part.screen.right[part.columns])

    def _scores(self, part: Part, sides: Sides, left: Array, right: Array, at: int) -> Scores:
        """Queues the products of all rows with the columns from place `at` on, rows of WIDTH."""
        height, width = len(left), len(right)
        if len(self._tile) < height:
            self._tile = self.xp.empty((height, WIDTH), np.float16)
        tile = self._tile[:height, :width]
        if part.space.metric == "jaccard":
            grid = (-(-width // 16), -(-height // 16))
            sizes = np.int32(height), np.int32(width), np.int32(left.shape[1])
            self.runtime.launch("select", "equal_entries", grid, (16, 16), left, right, *sizes, tile, np.int64(WIDTH))
        else:
            self.runtime.product(left, right, tile)
        numbers, first = NULL, 0
        if isinstance(part.columns, slice):
            first = part.columns.start
        else:
            numbers = self.xp.ascontiguousarray(part.columns, np.int64)
        return Scores(
            tile, np.int64(WIDTH), np.int32(height), np.int32(width), np.int32(part.rows.start), np.int32(at),
            numbers, np.int32(first), np.int32(part.triangle), *(NULL if x is None else x for x in sides[:6]),
        )  # fmt: skip
