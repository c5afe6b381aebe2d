"""What the engine of the GPU needs of a GPU, and what its kernels are given."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pixsieve.kernels.search.exact import Array

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
    fused: Any  # a kernels.fused.Fused where the GPU and the installed Triton allow it, else None

    def launch(self, file: str, kernel: str, grid: tuple[int, ...], block: tuple[int, ...], *args: Any) -> None: ...
    def product(self, left: Array, right: Array, out: Array) -> None: ...
    def free_memory(self) -> int: ...
