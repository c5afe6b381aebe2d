"""What a caller of the kernels has to do with arrays, whether the host has them or a GPU."""

from typing import Any

from pixsieve.kernels.engines.dispatch import engine_of
from pixsieve.kernels.search import exact
from pixsieve.kernels.search.exact import Array


def array_module(x: Array) -> Any:
    """The module that works on an array: numpy or cupy. TypeError for what the kernels do not take."""
    return engine_of(x).xp


def check_finite(name: str, x: Array) -> None:
    """ValueError that names the first row of x (n, d) with NaN or infinity. name: what the error calls x."""
    exact.check_finite(array_module(x), name, x)


def fused_on_gpu() -> bool:
    """Whether pairs are searched by one fused kernel on the current GPU, or else tile by tile. ImportError without
    CuPy."""
    from pixsieve.kernels.engines.device import cupy_runtime

    return cupy_runtime().fused is not None
