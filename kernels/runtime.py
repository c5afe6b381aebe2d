"""What the engine of the GPU is made of: arrays, launches of CUDA kernels, products of matrices."""

import warnings
from functools import lru_cache
from pathlib import Path
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from kernels.exact import Array

if TYPE_CHECKING:
    from kernels.fused import Fused

SOURCES = Path(__file__).parent / "cuda"
FILES = ("select", "exact", "graph", "hamming")
OPTIONS = ("-std=c++17", "--fmad=false")


def source(name: str) -> str:
    """CUDA C++ of one of FILES, complete."""
    return (SOURCES / "half.cuh").read_text() + (SOURCES / f"{name}.cu").read_text()


class Sides(NamedTuple):
    """What else than its product counts about a pair of a part, by the places of its row and its column; None: nothing
    does."""

    offset_row: Array = None  # float32, added to the product
    offset_column: Array = None
    group_row: Array = None  # int32, no pair inside a group counts
    group_column: Array = None
    cap_row: Array = None  # float32, the most that a score is
    cap_column: Array = None
    floor_row: Array = None  # float32, what is enough for a score
    floor_column: Array = None

    def of(self, rows: slice, columns: slice) -> "Sides":
        return Sides(*(x if x is None else x[columns if at % 2 else rows] for at, x in enumerate(self)))


class Out(NamedTuple):
    """Where the pairs go that are found."""

    count: Array  # (1,) int64, goes on beyond the room
    i: Array  # (room,) int32, places in the part
    j: Array
    score: Array  # (room,) float32, zeros; stay so where a screen only rules out


class Runtime(Protocol):
    """What the engine is made of: CuPy and its launches, or, in tests, NumPy and the same kernels on the CPU."""

    xp: Any
    fused: "Fused | None"  # where the GPU and the installed Triton allow it

    def launch(self, file: str, kernel: str, grid: tuple[int, ...], block: tuple[int, ...], *args: Any) -> None: ...
    def product(self, left: Array, right: Array, out: Array) -> None: ...
    def free_memory(self) -> int: ...


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
    device = cupy.cuda.Device()
    capability = int(device.compute_capability)
    # Scores that Blackwell's larger GPUs keep in tensor memory do not split: Triton 3.7 fails to compile that.
    if capability < 80 or 100 <= capability < 120:
        return None
    try:
        import torch
        import triton

        from kernels import fused
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
    large = device.attributes["MaxSharedMemoryPerBlockOptin"] >= fused.LARGE
    shapes = fused.HOPPER if large else fused.AMPERE
    return fused.Fused(cupy, torch.from_dlpack, device.attributes["MultiProcessorCount"], shapes)
