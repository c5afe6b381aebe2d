"""The one switch between CPU and GPU: a record of functions, made by `cpu()` or by `gpu()`."""

import gc
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

import kernels
from pipeline.config import ConfigError

log = logging.getLogger("pixsieve")

# Rows are (n, d) float16 of about unit length; labels (n,), -1 is noise.
Dbscan = Callable[[np.ndarray, float, int], tuple[np.ndarray, np.ndarray]]  # similarity, min_samples: labels, core
Hdbscan = Callable[
    [np.ndarray, int, int], tuple[np.ndarray, np.ndarray]
]  # min_cluster_size, min_samples: labels, strength


@dataclass(frozen=True)
class Backend:
    name: Literal["cpu", "gpu"]
    torch_device: str
    autocast: bool  # whether precision "auto" of a model means bfloat16
    dbscan: Dbscan
    hdbscan: Hdbscan
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
        import torch
    except ImportError as error:
        return f"torch cannot be imported: {error}"
    if not torch.cuda.is_available():
        return "torch sees no CUDA device"
    try:
        import cupy

        if not cupy.cuda.is_available():
            return "cupy sees no CUDA device"
        import cuml  # noqa: F401
    except ImportError as error:
        return f"a CUDA device is there, but not the GPU packages: {error}; see the README"
    return None


@lru_cache(1)
def cpu() -> Backend:
    import torch

    from pipeline.clusterers.dbscan import dbscan
    from pipeline.clusterers.hdbscan import hdbscan

    return Backend(
        "cpu",
        "cpu",
        False,
        dbscan,
        lambda x, size, samples: hdbscan(unit(x), size, samples),
        kernels.join,
        32_768,
        _collect,
        {"torch": torch.__version__},
    )


@lru_cache(1)
def gpu() -> Backend:
    import cuml
    import cupy
    import torch

    def host(x: Any) -> np.ndarray:
        return cupy.asnumpy(cupy.asarray(x))

    def dbscan(x: np.ndarray, similarity: float, min_samples: int) -> tuple[np.ndarray, np.ndarray]:
        core = np.zeros(len(x), bool)
        if not len(x):
            return np.empty(0, np.int64), core
        # cuML's own estimate counts on 80 % of the device's memory, whoever else uses it; it must get its fixed part.
        budget = max(64, len(x) * 16 // 2**20 + 1, cupy.cuda.runtime.memGetInfo()[0] // 2**22)
        # On unit vectors |x - y|^2 = 2 - 2 x.y; cuML wants eps > 0.
        eps = max(float(np.sqrt(2 - 2 * similarity)), 1e-6)
        model = cuml.DBSCAN(eps=eps, min_samples=min_samples, metric="euclidean", max_mbytes_per_batch=budget)
        model.fit(cupy.asarray(unit(x)), out_dtype="int64")
        core[host(model.core_sample_indices_).astype(np.int64)] = True
        return kernels.first_seen(host(model.labels_)), core

    def join(a: np.ndarray, b: np.ndarray | None = None, **options: Any) -> kernels.Joined:
        there = {name: cupy.asarray(value) if name == "weights" else value for name, value in options.items()}
        joined = kernels.join(cupy.asarray(a), None if b is None else cupy.asarray(b), **there)
        return kernels.Joined(*(_mapped(host, part) for part in joined))

    def hdbscan(x: np.ndarray, min_cluster_size: int, min_samples: int) -> tuple[np.ndarray, np.ndarray]:
        if len(x) < max(min_cluster_size, min_samples, 2):
            return np.full(len(x), -1), np.zeros(len(x))
        model = cuml.HDBSCAN(min_cluster_size=min_cluster_size, min_samples=min_samples, metric="euclidean")
        model.fit(cupy.asarray(unit(x)))
        return kernels.first_seen(host(model.labels_)), host(model.probabilities_)

    # Two blocks of 2,048 numbers a row, as they come, together and as operands, take a fifth of the memory.
    block_rows = min(2**20, cupy.cuda.runtime.memGetInfo()[1] >> 17)

    def release() -> None:
        _collect()
        torch.cuda.empty_cache()
        cupy.get_default_memory_pool().free_all_blocks()
        cupy.get_default_pinned_memory_pool().free_all_blocks()

    versions = {"torch": torch.__version__, "cupy": cupy.__version__, "cuml": cuml.__version__}
    return Backend("gpu", "cuda", True, dbscan, hdbscan, join, block_rows, release, versions)


def _mapped(function: Callable[[Any], Any], part: Any) -> Any:
    """A field of a result with the function applied to its arrays."""
    if isinstance(part, tuple):
        return tuple(function(each) for each in part)
    return part if isinstance(part, int) else function(part)


def unit(x: np.ndarray) -> np.ndarray:
    """x (n, d) in float32, each row at length 1. Rows must not be zero."""
    wide = x.astype(np.float32)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def _collect() -> None:
    gc.collect()


def describe(backend: Backend) -> dict[str, Any]:
    """Attributes of the store: what made it."""
    return {"backend": backend.name, "versions": backend.versions | {"numpy": np.__version__}}
