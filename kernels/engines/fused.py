"""The pairs of a part in one kernel: product, threshold and compaction of a tile stay in the registers of the GPU.

Programs, as many as the GPU runs at once, share the tiles of the part; tiles near each other are computed at the same
time, so that their rows come from the L2 cache. A tile none of whose scores reaches what it must, which is nearly every
one, costs its product and one maximum for each score. Of any other, the pairs are written out a few columns at a time:
the places of all columns would not fit into registers beside the scores. The count goes on when the room is full, so
that the caller knows how much is needed.

Launched on PyTorch's current stream and device, which are to be CuPy's: nothing here changes either.

Written in Triton (Tillet, Kung and Cox, "Triton: an intermediate language and compiler for tiled neural network
computations", 2019). Rows come through tensor descriptors: the copy engine of an sm_90 GPU, pointers before it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from pixsieve.kernels.engines.runtime import Out, Sides
from pixsieve.kernels.search.exact import Array
from pixsieve.kernels.search.part import Part


class Shape(NamedTuple):
    """Of a tile, and of how it is computed."""

    rows: int
    columns: int
    depth: int  # halves of a row that are multiplied at a time, or twice as many whole numbers of 8 bits
    area: int  # rows and columns of a square of tiles that are computed one after the other
    chunk: int  # columns whose pairs are written out at a time
    warps: int
    stages: int  # loads under way


class Shapes(NamedTuple):
    """Which tile for which part."""

    deep: Shape
    shallow: Shape  # two programs share a multiprocessor: one looks at a tile while the other computes
    laden: Shape  # with more warps, there are registers for what else counts
    pointers: bool  # no copy engine


# Up to this depth a part counts as shallow.
SHALLOW = 128
# What an H100 has room for in the shared memory of a block, in bytes, and the tiles that need it; and the others.
LARGE = 200_000
HOPPER = Shapes(
    Shape(128, 256, 64, 1024, 8, 8, 4), Shape(128, 128, 64, 1024, 8, 4, 3), Shape(128, 128, 64, 1024, 8, 8, 4), False
)
AMPERE = Shapes(
    Shape(128, 128, 32, 1024, 8, 4, 4), Shape(128, 128, 32, 1024, 8, 4, 4), Shape(128, 128, 32, 1024, 8, 8, 4), True
)


class Fused:
    """xp: of the arrays. tensor: gives one to Triton. multiprocessors: of the GPU."""

    def __init__(self, xp: Any, tensor: Callable[[Array], Any], multiprocessors: int, shapes: Shapes) -> None:
        self.xp, self.tensor, self.multiprocessors, self.shapes = xp, tensor, multiprocessors, shapes

    def cells(self, part: Part) -> tuple[int, int]:
        """How many cells there are down and across a part: tiles of the shallow shape."""
        rows, columns = self.shapes.shallow[:2]
        return -(-part.height // rows), -(-part.width // columns)

    def select(
        self,
        part: Part,
        sides: Sides,
        low: float,
        slack: float,
        room: int,
        out: Out,
        crowds: Array | None = None,
        most: int = 0,
    ) -> None:
        """Queues the search for the pairs whose score, off by `slack`, may reach `low` or the floor of their row or
        column.

        room: how many pairs `out` holds; out.count goes on. crowds: (down, across) int32, zeros, takes how many pairs
        each cell has; of cells with more than `most`, none is written out.
        """
        unit, least = part.screen.unit, low - slack
        if unit:
            low = int(np.clip(np.floor((least - part.frame.itself) / unit) - 1, -(2**30), 2**30))
        else:
            low = float(np.nextafter(np.float32(least), np.float32(-np.inf)))
        if sides.floor_row is not None:
            floors = (self.xp.nextafter(floor - np.float32(slack), np.float32(-np.inf)) for floor in sides[-2:])
            sides = Sides(*sides[:-2], *floors)
        left, right, start = part.screen.left, part.screen.right, 0
        if isinstance(part.columns, slice):
            start = part.columns.start
        else:
            assert not part.triangle  # the kernel knows the numbers of columns that follow each other
            right = right[part.columns]
        shape = self._shape(part, sides, crowds is not None)
        square = start == part.rows.start and part.height == part.width
        folded = part.triangle and square and part.cells is None
        depth = shape.depth * 2 // left.dtype.itemsize
        down, across = (-(-size // shape.area) for size in (part.height, part.width))
        tiles = (down * (down + 1) // 2 if folded else down * across) * shape.area**2 // (shape.rows * shape.columns)
        tiles = tiles if part.cells is None else len(part.cells)
        operands = [self.tensor(left), self.tensor(right)]
        if not self.shapes.pointers:
            blocks = [shape.rows, depth], [shape.columns, depth]
            operands = [TensorDescriptor.from_tensor(x, block) for x, block in zip(operands, blocks, strict=True)]
        programs = self.multiprocessors * (8 // shape.warps)
        _select[(max(1, min(programs, tiles)),)](
            *operands,
            *(each if each is None else self.tensor(each) for each in (*sides, part.cells, crowds)),
            *(self.tensor(each) for each in out),
            tiles, -(-left.shape[1] // depth), part.rows.start, start, part.height, part.width,
            start - part.rows.start if part.triangle else 2**30, low, most, room,
            ROWS=shape.rows, COLUMNS=shape.columns, DEPTH=depth, AREA=shape.area, CHUNK=shape.chunk, FOLDED=folded,
            POINTERS=self.shapes.pointers, INT8=bool(unit), num_warps=shape.warps, num_stages=shape.stages,
        )  # fmt: skip

    def _shape(self, part: Part, sides: Sides, sifting: bool) -> Shape:
        if sides.group_row is not None or sides.cap_row is not None:
            return self.shapes.laden
        if part.screen.left.shape[1] > SHALLOW and part.cells is None and not sifting:
            # Two programs of whole numbers on one multiprocessor have too few registers (Triton 3.8 spills).
            return self.shapes.laden if part.screen.unit and self.shapes.pointers else self.shapes.deep
        return self.shapes.shallow if all(side is None for side in sides) else self.shapes.laden


@triton.jit
def _margins(score, i, j, lows):
    """By how much the scores of rows i and columns j reach what they must."""
    height, width, _, low, group_row, group_column, floor_row, floor_column = lows
    margin = score
    if floor_row is not None:
        row = tl.load(floor_row + i, mask=i < height, other=float("inf"))
        column = tl.load(floor_column + j, mask=j < width, other=float("inf"))
        margin -= tl.minimum(row[:, None], tl.minimum(column, low)[None, :])
    else:
        margin -= low
    if group_row is not None:
        row = tl.load(group_row + i, mask=i < height, other=-1)
        column = tl.load(group_column + j, mask=j < width, other=-1)
        margin = tl.where(row[:, None] == column[None, :], float("-inf"), margin)
    return margin


@triton.jit
def _reached(score, i, j, lows):
    """Whether any of them does."""
    _, _, _, low, group_row, _, floor_row, _ = lows
    if group_row is None and floor_row is None:
        return tl.max(tl.max(score, axis=1), axis=0) >= low
    else:
        return tl.max(tl.max(_margins(score, i, j, lows), axis=1), axis=0) >= 0


@triton.jit
def _hits(score, i, j, lows):
    """Which of them do, of the pairs that there are."""
    height, width, shift, _, _, _, _, _ = lows
    there = (i < height)[:, None] & (j < width)[None, :] & (i[:, None] < j[None, :] + shift)
    return (_margins(score, i, j, lows) >= 0) & there


@triton.jit
def _piece(score, number, HALVINGS: tl.constexpr):
    """The number-th of the 2^HALVINGS equal pieces of its columns, by halves of halves: columns cannot be taken by
    their numbers."""
    some = score
    for level in tl.static_range(HALVINGS):
        halves = tl.reshape(some, (some.shape[0], 2, some.shape[1] // 2))
        first, second = tl.split(tl.permute(halves, (0, 2, 1)))
        some = first if (number >> (HALVINGS - 1 - level)) % 2 == 0 else second
    return some


# For numbers that are 1 or multiples of 16, and arrays that begin at such an address, Triton would compile anew.
NUMBERS = ("tiles", "steps", "top", "start", "height", "width", "shift", "low", "most", "room")
OPTIONAL = (*Sides._fields, "cells", "crowds")


@triton.jit(do_not_specialize=NUMBERS, do_not_specialize_on_alignment=OPTIONAL)
def _select(
    left, right, offset_row, offset_column, group_row, group_column, cap_row, cap_column, floor_row, floor_column,
    cells, crowds, count, out_i, out_j, out_score, tiles, steps, top, start, height, width, shift, low, most, room,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr, AREA: tl.constexpr, CHUNK: tl.constexpr,
    FOLDED: tl.constexpr, POINTERS: tl.constexpr, INT8: tl.constexpr,
):  # fmt: skip
    DOWN: tl.constexpr = AREA // ROWS
    ACROSS: tl.constexpr = AREA // COLUMNS
    QUARTER: tl.constexpr = COLUMNS // 4
    CHUNKS: tl.constexpr = (QUARTER // CHUNK).bit_length() - 1
    lows = (height, width, shift, low, group_row, group_column, floor_row, floor_column)
    across = tl.cdiv(width, COLUMNS)
    areas = tl.cdiv(width, AREA)
    for t in range(tl.program_id(0), tiles, tl.num_programs(0)):
        if cells is not None:
            cell = tl.load(cells + t)
            ti = cell // across
            tj = cell % across
        else:
            area = t // (DOWN * ACROSS)
            inside = t % (DOWN * ACROSS)
            if FOLDED:
                # Row r of the triangle and the r-th row from its end fill one row of areas + 1.
                row = area // (areas + 1)
                column = area % (areas + 1)
                behind = column >= areas - row
                ai = tl.where(behind, areas - 1 - row, row)
                aj = tl.where(behind, column - 1, row + column)
            else:
                ai = area // areas
                aj = area % areas
            ti = ai * DOWN + inside % DOWN
            tj = aj * ACROSS + inside // DOWN
        i = ti * ROWS + tl.arange(0, ROWS)
        j = tj * COLUMNS + tl.arange(0, COLUMNS)
        score = tl.zeros((ROWS, COLUMNS), tl.int32 if INT8 else tl.float32)
        if POINTERS:
            k = tl.arange(0, DEPTH)
            x_at = left + (top + tl.minimum(i, height - 1)).to(tl.int64)[:, None] * (steps * DEPTH) + k[None, :]
            y_at = right + (start + tl.minimum(j, width - 1)).to(tl.int64)[None, :] * (steps * DEPTH) + k[:, None]
            for step in range(steps):
                score = tl.dot(tl.load(x_at + step * DEPTH), tl.load(y_at + step * DEPTH), score, out_dtype=score.dtype)
        else:
            for step in range(steps):
                x = left.load([top + ti * ROWS, step * DEPTH])
                y = right.load([start + tj * COLUMNS, step * DEPTH])
                score = tl.dot(x, y.T, score, out_dtype=score.dtype)
        if offset_row is not None:
            row = tl.load(offset_row + i, mask=i < height, other=0)
            column = tl.load(offset_column + j, mask=j < width, other=0)
            score += row[:, None] + column[None, :]
        if cap_row is not None:
            row = tl.load(cap_row + i, mask=i < height, other=0)
            column = tl.load(cap_column + j, mask=j < width, other=0)
            score = tl.minimum(score, tl.minimum(row[:, None], column[None, :]))
        if _reached(score, i, j, lows):
            few = True
            if crowds is not None:
                found = tl.sum(tl.sum(_hits(score, i, j, lows).to(tl.int32), axis=1), axis=0)
                tl.store(crowds + ti * across + tj, found, mask=found > 0)
                few = found <= most
            if few:
                for quarter in tl.static_range(4):
                    some = _piece(score, quarter, 2)
                    first = tj * COLUMNS + quarter * QUARTER
                    if _reached(some, i, first + tl.arange(0, QUARTER), lows):
                        for chunk in tl.static_range(2**CHUNKS):
                            own = _piece(some, chunk, CHUNKS)
                            at = first + chunk * CHUNK + tl.arange(0, CHUNK)
                            hit = _hits(own, i, at, lows)
                            where = count + tl.zeros((ROWS, CHUNK), tl.int32)
                            place = tl.atomic_add(where, hit.to(tl.int64), mask=hit, sem="relaxed")
                            hit = hit & (place < room)
                            tl.store(out_i + place, tl.broadcast_to(i[:, None], (ROWS, CHUNK)), mask=hit)
                            tl.store(out_j + place, tl.broadcast_to(at[None, :], (ROWS, CHUNK)), mask=hit)
                            if not INT8:  # whose scores nobody reads
                                tl.store(out_score + place, own, mask=hit)
