"""The engine of the GPU: parts of the walk are searched by one fused kernel, or tile by tile; what is exact is done by
CUDA kernels.

A search is queued, and the number of pairs found is read at its end; if they do not fit, it is run again with room for
all, or the part is refused.
"""

import warnings
from collections.abc import Callable
from functools import lru_cache
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, Any

import numpy as np

from pixsieve.kernels.engines.runtime import OPTIONS, Out, Runtime, Sides, source
from pixsieve.kernels.engines.tiled import HEIGHT, THREADS, WIDTH, Tiled
from pixsieve.kernels.search.exact import DISTANCES, Array, Space, closeness_at
from pixsieve.kernels.search.part import Found, Lows, Part, sift
from pixsieve.kernels.search.screen import Screen

if TYPE_CHECKING:
    from pixsieve.kernels.engines.fused import Fused

CHUNK = 2**27  # numbers of pairs that are gathered at a time
# Bytes that a pair of a part may come to take, and the share of the free memory that parts may use.
PER_PAIR, SHARE = 96, 4
# Widths of bit strings, in bits, that the tensor cores compare without a tile.
NEAR_BITS = (32, 64, 128, 256)
# Error of a score in half precision.
HALF = 2.0**-11
# Rows and columns of a part where no tile is stored: what the fused kernel takes a twentieth of a second for.
FUSED = 2**17


class Device:
    dtype = np.float16
    folds = False
    most_counted = 2048  # whole numbers that half precision holds
    memory = np.inf  # the tile is what the free memory bears
    bits_directly = NEAR_BITS[-1]
    multiple = 8  # columns of operands, for the tensor cores
    block = 1024
    gather = 400
    int8 = False
    _half = HALF
    overhead = 128

    def __init__(self, runtime: Runtime | None = None) -> None:
        self.runtime = runtime or cupy_runtime()
        self.xp = self.runtime.xp
        self.fused, self.tiled = self.runtime.fused, Tiled(self.runtime)
        self._most = max(self.runtime.free_memory() // SHARE // PER_PAIR, HEIGHT * WIDTH)
        # Of what is searched tile by tile, and of bit strings.
        self.bit_tile = self.tile = HEIGHT, int(min(self._most // HEIGHT // WIDTH, 16)) * WIDTH
        if self.fused:
            self.tile, self.block = (FUSED, FUSED), self.fused.shapes.shallow.rows
            self.multiple, self._half = self.fused.shapes.deep.depth, 0.0
            self.overhead, self.int8 = 40, True
        self._room = 2**20
        self._count = self.xp.zeros(1, np.int64)

    def rounding(self, columns: int) -> float:
        """Error of a product of rows whose terms add up to at most 1 in magnitude: sums in float32 that may be cut off
        instead of rounded, four bits of margin (performance of tensor cores: Fasi, Higham, Mikaitis and Pranesh,
        "Numerical behavior of NVIDIA tensor cores", 2021), and a tile in half precision, if there is one."""
        return columns * 2.0**-21 + self._half

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
        if space.metric in DISTANCES:
            distance = xp.sqrt(self._sums(space.rows, i, j, distance=True)) * space.scale
            return closeness_at(space.metric, distance)
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

    def scan(self, part: Part, lows: Lows) -> Found | None:
        """The pairs of a part of the walk whose score may be at or above the lows of their row or column; None: there
        are more than there is room for."""
        if part.space.metric == "hamming" and part.screen.left is None:
            return self._read(lambda room, out: self._near(part, lows, room, out), part.screen.slack, Sides())
        sides, slack = self._sides(part, lows), _loosened(part)
        if self.fused is None or part.space.metric == "jaccard":
            tiled = self.tiled.select
            return self._read(lambda room, out: tiled(part, sides, lows.low, slack, lows.k, room, out), slack, sides)
        if lows.k:
            self.tiled.fill(part, sides, lows.k, slack + 2 * HALF)
        fused = self.fused.select
        return self._read(lambda room, out: fused(part, sides, lows.low, slack, room, out), slack, sides)

    def sift(self, part: Part, lows: Lows) -> tuple[Found, list[Part]] | None:
        if self.fused is None:
            return sift(self, part, lows)
        if part.screen.unit:  # few are left, wherever they are
            found = self.scan(part, lows)
            return found if found is None else (found, [])
        fused, sides, slack = self.fused, self._sides(part, lows), _loosened(part)
        crowds, most = self.xp.zeros(fused.cells(part), np.int32), self.block**2 // self.gather

        def run(room: int, out: Out) -> None:
            fused.select(part, sides, lows.low, slack, room, out, crowds, most)

        found = self._read(run, slack, sides)
        cells = self.xp.flatnonzero(crowds > most).astype(np.int32)
        return found if found is None else (found, [part._replace(cells=cells)] if len(cells) else [])

    def _sides(self, part: Part, lows: Lows) -> Sides:
        xp, offset = self.xp, part.screen.offset
        sides: list[Array] = [None, None] if offset is None else [offset[part.rows], offset[part.columns]]
        sides += [x if x is None else xp.ascontiguousarray(x, np.int32) for x in (lows.group_row, lows.group_column)]
        sides += [x if x is None else xp.ascontiguousarray(x, np.float32) for x in (lows.cap_row, lows.cap_column)]
        if lows.k:
            sides += [xp.nextafter(x.astype(np.float32), -xp.inf) for x in (lows.floor_row, lows.floor_column)]
        return Sides(*sides)

    def _near(self, part: Part, lows: Lows, room: int, out: Out) -> None:
        steps = next(bits for bits in NEAR_BITS if bits >= part.frame.depth)
        signs = [self._signs(part, ids, steps) for ids in (part.rows, part.columns)]
        height, columns = part.height, 512
        grid = (-(-height // 512), -(-part.width // columns))
        first = part.columns.start if isinstance(part.columns, slice) else 0
        low = np.clip(np.ceil(lows.low - part.screen.slack), -(2**30), 2**30)
        sizes = (height, part.width, columns, part.rows.start, first, part.triangle, low)
        numbers = (np.int32(number) for number in sizes)
        rest = out.count, np.uint64(room), out.i, out.j, out.score
        self.runtime.launch("hamming", f"near_{steps}", grid, (THREADS,), *signs, *numbers, *rest)

    def _signs(self, part: Part, ids: Any, columns: int) -> Array:
        own = part.frame.rows(part.order[ids], np.int8)
        signs = self.xp.zeros((len(own), columns), np.int8)
        signs[:, : part.frame.depth] = own
        return signs

    def _read(self, run: Callable[[int, Out], None], slack: float, sides: Sides) -> Found | None:
        """Runs a search with the room that there is, and again if there was too little."""
        xp = self.xp
        while True:
            room = self._room
            out = Out(self._count, xp.empty(room, np.int32), xp.empty(room, np.int32), xp.zeros(room, np.float32))
            self._count[:] = 0
            run(room, out)
            found = int(self._count[0])
            if found <= room:
                i, j, score = out.i[:found].astype(np.int64), out.j[:found].astype(np.int64), out.score[:found]
                floors = (x if x is None else x.astype(np.float64) for x in sides[-2:])
                return Found(i, j, score.astype(np.float64), slack, *floors)
            if found > self._most:
                return None
            self._room = found

    def scores(self, screen: Screen, i: Array, j: Array) -> Array:
        xp, out = self.xp, self.xp.zeros(len(i), np.float32)
        if len(i) and screen.left.shape[1]:
            depth, pairs = np.int64(screen.left.shape[1]), np.int64(len(i))
            grid, numbers = (-(-len(i) // (THREADS // 32)),), (xp.ascontiguousarray(x, np.int64) for x in (i, j))
            operands = screen.left, screen.right, depth, *numbers, pairs, out
            self.runtime.launch("exact", "products", grid, (THREADS,), *operands)
        score = out.astype(np.float64)
        return score if screen.offset is None else score + screen.offset[i] + screen.offset[j]

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


def _loosened(part: Part) -> float:
    """The slack of a part whose scores are compared in float32."""
    return part.screen.slack * 1.001 + 1e-6


@lru_cache(1)
def cupy_runtime() -> Runtime:
    return Cupy()


class Cupy:
    def __init__(self) -> None:
        import cupy

        self.xp, self.fused = cupy, _fused(cupy)
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


def _fused(cupy: Any) -> "Fused | None":
    """The one choice between the fused kernel and tiles: a GPU with tensor cores that add in float32 what cp.async
    brings (compute capability 8.0), and Triton as it comes with PyTorch's builds for CUDA. A Triton that cannot launch,
    for want of the C compiler that it makes its launcher with, is warned about."""
    gpu = cupy.cuda.Device()
    capability = int(gpu.compute_capability)
    # Scores that Blackwell's larger GPUs keep in tensor memory do not split: Triton 3.7 fails to compile that.
    if capability < 80 or 100 <= capability < 120:
        return None
    try:
        import torch
        import triton

        from pixsieve.kernels.engines import fused
    except ImportError:
        return None
    if not torch.cuda.is_available():  # a build for the CPU
        return None
    torch.cuda.init()  # Triton launches in PyTorch's context
    try:
        _ = triton.runtime.driver.active.utils
    except (RuntimeError, OSError, AssertionError, CalledProcessError) as error:
        warnings.warn(f"pairs are searched tile by tile, which is slower: Triton cannot launch: {error}", stacklevel=2)
        return None
    large = gpu.attributes["MaxSharedMemoryPerBlockOptin"] >= fused.LARGE
    shapes = fused.HOPPER if large else fused.AMPERE
    return fused.Fused(cupy, torch.from_dlpack, gpu.attributes["MultiProcessorCount"], shapes)
