"""DBSCAN (Ester, Kriegel, Sander and Xu, KDD 1996) on cosine similarity: on the host by the exact kernels."""

import numpy as np

from pixsieve import kernels
from pixsieve.backend import Backend
from pixsieve.clusterers.clustering import Clustering, chord
from pixsieve.config.cluster import Dbscan
from pixsieve.folder.measure import Measure


def fit(
    x: np.ndarray, weights: np.ndarray, settings: Dbscan, seed: int, measure: Measure, backend: Backend
) -> Clustering:
    """Strength: 1 for core rows, 0.5 for border rows."""
    if backend.cuml is None or measure.metric != "cosine":
        found = kernels.dbscan(
            [backend.to_device(x)],
            threshold=settings.similarity,
            min_samples=settings.min_samples,
            metric=measure.metric,
            weights=[backend.to_device(weights)],
        )
        cluster, core = (backend.to_host(part) for part in found)
    else:
        cluster, core = _by_cuml(x, weights, settings, measure, backend)
    strength = np.where(core, 1.0, np.where(cluster >= 0, 0.5, 0.0))
    return Clustering(cluster, strength, np.full(int(cluster.max(initial=-1)) + 1, np.nan))


def _by_cuml(
    x: np.ndarray, weights: np.ndarray, settings: Dbscan, measure: Measure, backend: Backend
) -> tuple[np.ndarray, np.ndarray]:
    # On unit vectors |x - y|^2 = 2 - 2 x.y.
    model = backend.cuml.DBSCAN(
        eps=chord(measure, settings.similarity),
        min_samples=settings.min_samples,
        metric="euclidean",
        max_mbytes_per_batch=megabytes(len(x), backend.free_bytes()),
    )
    # int64: with int32 products of rows overflow, 5 million x 768 numbers among them.
    model.fit(backend.to_device(measure.points(x)), sample_weight=backend.to_device(weights), out_dtype="int64")
    core = np.zeros(len(x), bool)
    core[backend.to_host(model.core_sample_indices_).astype(np.int64)] = True
    return kernels.first_seen(backend.to_host(model.labels_)), core


def megabytes(rows: int, free: int) -> int:
    """What cuML's DBSCAN may take for a batch. Its own estimate counts on 80 % of the device's memory, whoever else
    uses it; it must get its fixed part, 9 bytes for each row, and some for the batch."""
    return max(64, rows * 16 // 2**20 + 1, free // 2**22)
