"""The engine of the GPU: cuBLAS products of half-precision tiles that stay in the L2 cache, looked at by CUDA kernels.

A part of the walk is a strip of such tiles. Its product and its selection are queued tile by tile, and the number of
pairs found is read once for the strip; if they do not fit, the strip is run again with room for all.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kernels.engine import Found, Lows, Part
from kernels.exact import Array, Space
from kernels.screen import Screen

SOURCES = Path(__file__).parent / "cuda"
FILES = ("select", "exact", "graph", "hamming")
OPTIONS = ("-std=c++17", "--fmad=false")
# Rows of a strip and columns of a tile: 40 MB of scores, which the 50 MB of the L2 cache of an H100 hold.
HEIGHT, WIDTH = 5120, 4096
THREADS = 256
CHUNK = 2**27  # numbers of pairs that are gathered at a time
# Bytes that a pair of a strip may come to take, and the share of the free memory that strips may use.
PER_PAIR, SHARE = 96, 4
# Widths of bit strings, in bits, that the tensor cores compare without a tile.
NEAR_BITS = (32, 64, 128, 256)
NULL = np.int64(0)


def source(name: str) -> str:
    """CUDA C++ of one of FILES, complete."""
    return (SOURCES / "half.cuh").read_text() + (SOURCES / f"{name}.cu").read_text()


class Runtime(Protocol):
    """What the engine is made of: CuPy and its launches, or, in tests, NumPy and the same kernels on the CPU."""

    xp: Any

    def launch(self, file: str, kernel: str, grid: tuple[int, ...], block: tuple[int, ...], *args: Any) -> None: ...
    def product(self, left: Array, right: Array, out: Array) -> None: ...
    def free_memory(self) -> int: ...


class Device:
    dtype = np.float16
    folds = False
    multiple = 8  # columns of operands, for the tensor cores
    most_counted = 2048  # whole numbers that half precision holds
    memory = np.inf  # the tile is what the free memory bears
    bits_directly = NEAR_BITS[-1]
    block = 1024
    gather = 400
    overhead = 128

    def __init__(self, runtime: Runtime | None = None) -> None:
        self.runtime = runtime or _cupy()
        self.xp = self.runtime.xp
        columns = self.runtime.free_memory() // SHARE // PER_PAIR // HEIGHT // WIDTH * WIDTH
        self.tile = (HEIGHT, int(min(max(columns, WIDTH), 16 * WIDTH)))
        self.bit_tile = self.tile
        self._tile = self.xp.empty((0, 0), np.float16)
        self._room = 2**20
        self._count = self.xp.zeros(1, np.uint64)

    def rounding(self, columns: int) -> float:
        """Error of a product of rows whose terms add up to at most 1 in magnitude: sums in float32 that may be cut off
        instead of rounded, four bits of margin (performance of tensor cores: Fasi, Higham, Mikaitis and Pranesh,
        "Numerical behavior of NVIDIA tensor cores", 2021), and a result rounded to half precision."""
        return columns * 2.0**-21 + 2.0**-11

    def widened(self, rows: Array) -> Array:
        return rows

    def squares(self, rows: Array) -> Array:
        here = self.xp.arange(len(rows))
        return self._sums(rows, here, here, distance=False)

    def _sums(self, rows: Array, i: Array, j: Array, distance: bool) -> Array:
        out = self.xp.empty(len(i))
        if len(i) and rows.shape[1]:
            kernel = {2: "sums_half", 4: "sums_float", 8: "sums_double"}[rows.dtype.itemsize]
            grid = (-(-len(i) // 128),)
            depth, pairs = np.int64(rows.shape[1]), np.int64(len(i))
            arrays = (self.xp.ascontiguousarray(x, np.int64) for x in (i, j))
            self.runtime.launch("exact", kernel, grid, (128,), rows, depth, *arrays, pairs, np.int32(distance), out)
        else:
            out[:] = 0
        return out

    def closeness(self, space: Space, i: Array, j: Array) -> Array:
        xp = self.xp
        if space.metric == "euclidean":
            return -xp.sqrt(self._sums(space.rows, i, j, distance=True)) * space.scale
        if space.metric == "cosine":
            norm = xp.sqrt(space.squares[i] * space.squares[j])
            dot = self._sums(space.rows, i, j, distance=False)
            return xp.clip(xp.where(norm > 0, dot / xp.where(norm > 0, norm, 1.0), 0.0), -1.0, 1.0)
        depth = space.rows.shape[1] * (8 if space.metric == "hamming" else 1)
        out = xp.empty(len(i))
        step = max(1, CHUNK // max(depth, 1))
        for at in range(0, len(i), step):
            part = slice(at, at + step)
            x, y = space.rows[i[part]], space.rows[j[part]]
            if space.metric == "jaccard":
                equal = (x == y).sum(axis=1)
            else:
                ones = xp.asarray(np.bitwise_count(np.arange(256, dtype=np.uint8)), np.int64)
                equal = depth - ones[x ^ y].sum(axis=1)
            out[part] = equal / max(depth, 1)
        return out

    def scan(self, part: Part, lows: Lows) -> Found:
        """The pairs of a part of the walk whose score may be at or above the lows of their row or column."""
        if part.space.metric == "hamming" and part.screen.left is None:
            return self._read(lambda *room: self._near(part, lows, *room), part.screen.slack, None, None)
        xp = self.xp
        slack = part.screen.slack * 1.001 + 1e-6  # what follows is float32
        left, right = self._operands(part)
        numbers = NULL if isinstance(part.columns, slice) else xp.ascontiguousarray(part.columns, np.int64)
        first = part.columns.start if isinstance(part.columns, slice) else 0
        sides: list[Any] = [NULL, NULL]
        if part.screen.offset is not None:
            sides = [part.screen.offset[part.rows], part.screen.offset[part.columns]]
        for row, column, dtype in (
            (lows.group_row, lows.group_column, np.int64),
            (lows.cap_row, lows.cap_column, np.float32),
        ):
            sides += (
                [NULL, NULL] if row is None else [xp.ascontiguousarray(row, dtype), xp.ascontiguousarray(column, dtype)]
            )
        floors: list[Any] = [NULL, NULL]
        if lows.k:
            floors = [xp.nextafter(x.astype(np.float32), -xp.inf) for x in (lows.floor_row, lows.floor_column)]
        plain = not lows.k and all(side is NULL for side in sides)
        unfilled = [bool(lows.k) and bool((floor == -np.inf).any()) for floor in floors]

        def run(count: Array, room: int, *out: Array) -> None:
            for at in range(0, part.width, WIDTH):
                tile = self._scores(part, left, right[at : at + WIDTH])
                height, width = tile.shape
                described = (
                    tile, np.int64(WIDTH), np.int32(height), np.int32(width), np.int32(part.rows.start), np.int32(at),
                    numbers, np.int32(first), np.int32(part.triangle), *sides,
                )  # fmt: skip
                for by_row, lines, floor in ((1, height, floors[0]), (0, width, floors[1])):
                    if unfilled[1 - by_row]:
                        rest = np.int32(by_row), np.int32(lows.k), np.float32(slack), floor
                        self.runtime.launch("select", "raise_floors", (lines,), (THREADS,), *described, *rest)
                kernel = "select_plain" if plain else "select_any"
                grid = (-(-width // (THREADS * 8)), min(height, 2048))
                rest = np.float32(lows.low), np.float32(slack), *floors, count, np.uint64(room), *out
                self.runtime.launch("select", kernel, grid, (THREADS,), *described, *rest)

        return self._read(run, slack, *(floor.astype(np.float64) if lows.k else None for floor in floors))

    def _operands(self, part: Part) -> tuple[Array, Array]:
        if part.space.metric == "jaccard":
            rows = part.space.rows
            return tuple(
                self.xp.ascontiguousarray(rows[part.order[ids]], np.int64) for ids in (part.rows, part.columns)
            )
        return part.screen.left[part.rows], self.xp.ascontiguousarray(part.screen.right[part.columns])

    def _scores(self, part: Part, left: Array, right: Array) -> Array:
        """A tile of products (height, width), rows WIDTH apart."""
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
        return tile

    def _near(self, part: Part, lows: Lows, count: Array, room: int, *out: Array) -> None:
        steps = next(bits for bits in NEAR_BITS if bits >= part.frame.depth)
        signs = [self._signs(part, ids, steps) for ids in (part.rows, part.columns)]
        height, columns = part.rows.stop - part.rows.start, 512
        grid = (-(-height // 512), -(-part.width // columns))
        first = part.columns.start if isinstance(part.columns, slice) else 0
        low = np.clip(np.ceil(lows.low - part.screen.slack), -(2**30), 2**30)
        sizes = (height, part.width, columns, part.rows.start, first, part.triangle, low)
        numbers = (np.int32(number) for number in sizes)
        self.runtime.launch(
            "hamming", f"near_{steps}", grid, (THREADS,), *signs, *numbers, count, np.uint64(room), *out
        )

    def _signs(self, part: Part, ids: Any, columns: int) -> Array:
        own = part.frame.rows(part.order[ids], np.int8)
        signs = self.xp.zeros((len(own), columns), np.int8)
        signs[:, : part.frame.depth] = own
        return signs

    def _read(self, run: Any, slack: float, floor_row: Array, floor_column: Array) -> Found:
        """Runs a selection into the room that there is, and again if there was too little."""
        xp = self.xp
        while True:
            out = xp.empty(self._room, np.int32), xp.empty(self._room, np.int32), xp.empty(self._room, np.float32)
            self._count[:] = 0
            run(self._count, self._room, *out)
            found = int(self._count[0])
            if found <= self._room:
                i, j, score = (side[:found] for side in out)
                return Found(
                    i.astype(np.int64), j.astype(np.int64), score.astype(np.float64), slack, floor_row, floor_column
                )
            self._room = found

    def scores(self, screen: Screen, i: Array, j: Array) -> Array:
        out = self.xp.empty(len(i))
        step = max(1, CHUNK // max(screen.left.shape[1], 1))
        for at in range(0, len(i), step):
            part = slice(at, at + step)
            one, two = screen.left[i[part]].astype(np.float32), screen.right[j[part]].astype(np.float32)
            out[part] = (one * two).sum(axis=1)
        return out if screen.offset is None else out + screen.offset[i] + screen.offset[j]

    def tally(self, counts: Array, weights: Array, i: Array, j: Array) -> None:
        self._each("tally", len(i), counts.view(np.uint64), weights, i, j, np.int64(len(i)))

    def unite(self, label: Array, i: Array, j: Array) -> Array:
        parent, flat = label.copy(), self.xp.empty_like(label)
        self._each("unite", len(i), parent, i, j, np.int64(len(i)))
        self._each("flatten", len(label), parent, np.int64(len(label)), flat)
        return flat

    def merge(self, index: Array, value: Array, owner: Array, other: Array, closeness: Array) -> Array:
        xp = self.xp
        better = closeness >= value[owner, -1]
        owner, other, closeness = owner[better], other[better], closeness[better]
        order = xp.argsort(owner)
        changed = xp.unique(owner)
        start = xp.searchsorted(owner[order], xp.concatenate([changed, xp.asarray([len(index)])]))
        lists = np.int64(len(changed))
        arguments = (changed, start.astype(np.int64), lists, other[order], closeness[order])
        self._each("merge_best", len(changed), index, value, np.int32(index.shape[1]), *arguments)
        return changed

    def _each(self, kernel: str, items: int, *args: Any) -> None:
        """One thread for each item. Kernels know no strides."""
        if items:
            args = tuple(self.xp.ascontiguousarray(arg) if getattr(arg, "ndim", 0) else arg for arg in args)
            self.runtime.launch("graph", kernel, (-(-items // THREADS),), (THREADS,), *args)


@lru_cache(1)
def _cupy() -> Runtime:
    return _Cupy()


class _Cupy:
    def __init__(self) -> None:
        import cupy

        self.xp = cupy
        self._modules: dict[str, Any] = {}
        self._kernels: dict[str, Any] = {}
        self._one, self._zero = np.float32(1).reshape(1), np.float32(0).reshape(1)

    def launch(self, file: str, kernel: str, grid: tuple[int, ...], block: tuple[int, ...], *args: Any) -> None:
        if kernel not in self._kernels:
            if file not in self._modules:
                self._modules[file] = self.xp.RawModule(code=source(file), options=OPTIONS)
            self._kernels[kernel] = self._modules[file].get_function(kernel)
        self._kernels[kernel](grid, block, args)

    def product(self, left: Array, right: Array, out: Array) -> None:
        """out (h, w), rows out.strides[0] apart, = left (h, d) @ right (w, d).T, sums in float32."""
        from cupy.cuda import device, runtime
        from cupy_backends.cuda.libs import cublas

        (height, depth), width = left.shape, len(right)
        if not depth:
            out[:] = 0
            return
        half, handle = runtime.CUDA_R_16F, device.get_cublas_handle()
        # Partial sums of a product that is split along its depth must not be rounded to half precision; see
        # cublasMath_t in the cuBLAS documentation.
        cublas.setMathMode(handle, 16)  # CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION
        # Column by column, cuBLAS sees the transposes of all three.
        cublas.gemmEx(
            handle, cublas.CUBLAS_OP_T, cublas.CUBLAS_OP_N, width, height, depth,
            self._one.ctypes.data, right.data.ptr, half, depth, left.data.ptr, half, depth,
            self._zero.ctypes.data, out.data.ptr, half, out.strides[0] // 2,
            cublas.CUBLAS_COMPUTE_32F, cublas.CUBLAS_GEMM_DEFAULT_TENSOR_OP,
        )  # fmt: skip
        cublas.setMathMode(handle, cublas.CUBLAS_DEFAULT_MATH)

    def free_memory(self) -> int:
        pool = self.xp.get_default_memory_pool()
        return int(self.xp.cuda.runtime.memGetInfo()[0] + pool.free_bytes())
