"""The one switch between CPU and GPU: a record of functions, made by `cpu()` or by `gpu()`."""

import gc
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil

from pixsieve import kernels
from pixsieve.errors import ConfigError

log = logging.getLogger("pixsieve")
DRIVER = Path("/proc/driver/nvidia/version")  # there where Linux has NVIDIA's driver


@dataclass(frozen=True)
class Backend:
    name: Literal["cpu", "gpu"]
    torch_device: str
    autocast: bool  # whether precision "auto" of a model means bfloat16
    cuml: Any  # the module, None on the CPU
    to_device: Callable[[np.ndarray], Any]
    to_host: Callable[[Any], np.ndarray]
    free_bytes: Callable[[], int]  # of the memory that clusterers work in
    join: Callable[..., kernels.Joined]  # kernels.join of NumPy arrays
    block_rows: int  # rows on each side of a unit of pairs, where the configuration does not say
    release: Callable[[], None]
    versions: dict[str, str]


def choose(device: str) -> Literal["cpu", "gpu"]:
    """What "auto" means on this machine. ConfigError for "gpu" without one."""
    if device == "cpu":
        return "cpu"
    reason = _why_no_gpu()
    if reason is None:
        return "gpu"
    if device == "gpu":
        raise ConfigError(f"workers.device is gpu, but {reason}")
    log.info("device auto: cpu (%s)", reason)
    return "cpu"


def _why_no_gpu() -> str | None:
    try:
        import cupy

        if not cupy.cuda.is_available():
            return "cupy sees no CUDA device"
        import cuml  # noqa: F401
    except ImportError as error:
        there = "a GPU is there, but not the GPU packages" if DRIVER.exists() else "the GPU packages are not installed"
        return f"{there}: {error}; see the README"
    return None


def of(device: Literal["cpu", "gpu"]) -> Backend:
    return gpu() if device == "gpu" else cpu()


@lru_cache(1)
def cpu() -> Backend:
    return Backend(
        "cpu",
        "cpu",
        False,
        None,
        _same,
        _same,
        lambda: psutil.virtual_memory().available,
        kernels.join,
        32_768,
        _collect,
        _versions("torch"),
    )


@lru_cache(1)
def gpu() -> Backend:
    # scikit-learn asks for it before it works on CuPy arrays.
    os.environ.setdefault("SCIPY_ARRAY_API", "1")
    import cuml
    import cupy

    log.info("pairs on the GPU: %s", "one fused kernel" if kernels.fused_on_gpu() else "tile by tile, without Triton")

    def host(x: Any) -> np.ndarray:
        return cupy.asnumpy(cupy.asarray(x))

    def join(
        a: np.ndarray, b: np.ndarray | None, questions: kernels.Questions, *, weights: np.ndarray | None = None
    ) -> kernels.Joined:
        one, two, heavy = (None if x is None else cupy.asarray(x) for x in (a, b, weights))
        joined = kernels.join(one, two, questions, weights=heavy)
        return kernels.Joined(*(_mapped(host, part) for part in joined))

    # Two blocks of 2,048 numbers a row, as they come, together and as operands, take a fifth of the memory.
    block_rows = min(2**20, cupy.cuda.runtime.memGetInfo()[1] >> 17)

    def release() -> None:
        _collect()
        if "torch" in sys.modules:
            sys.modules["torch"].cuda.empty_cache()
        cupy.get_default_memory_pool().free_all_blocks()
        cupy.get_default_pinned_memory_pool().free_all_blocks()

    versions = {"cupy": cupy.__version__, "cuml": cuml.__version__} | _versions("torch")
    return Backend(
        "gpu",
        "cuda",
        True,
        cuml,
        cupy.asarray,
        host,
        lambda: cupy.cuda.runtime.memGetInfo()[0],
        join,
        block_rows,
        release,
        versions,
    )


def _versions(package: str) -> dict[str, str]:
    """Of a package that may be installed."""
    try:
        return {package: version(package)}
    except PackageNotFoundError:
        return {}


def _mapped(function: Callable[[Any], Any], part: Any) -> Any:
    """A field of a result with the function applied to its arrays."""
    if isinstance(part, kernels.Pairs):
        return kernels.Pairs(*map(function, part))
    return part if isinstance(part, int) else function(part)


def _same(x: Any) -> Any:
    return x


def _collect() -> None:
    gc.collect()


def describe(backend: Backend) -> dict[str, Any]:
    """Attributes of the store: what made it."""
    return {"backend": backend.name, "versions": backend.versions | {"numpy": np.__version__}}
