"""Agglomerative clustering on the distances of unit vectors: `n_clusters` of them, or all merges up to `similarity`."""

import logging

import numpy as np

from pixsieve import kernels
from pixsieve.backend import Backend
from pixsieve.clusterers.clustering import Clustering, chord, partition
from pixsieve.config.cluster import Agglomerative
from pixsieve.folder.measure import Measure

log = logging.getLogger("pixsieve")


def fit(
    x: np.ndarray, weights: np.ndarray, settings: Agglomerative, seed: int, measure: Measure, backend: Backend
) -> Clustering:
    """Single linkage by cuML if all distances fit the device, else by our exact spanning tree; the others by
    scikit-learn on the host, in O(n^2) memory. At most as many clusters as there are distinct rows."""
    count = None if settings.n_clusters is None else min(settings.n_clusters, len(x))
    if len(x) == 1:
        cluster = np.zeros(1, np.int64)
    elif settings.linkage != "single":
        from sklearn.cluster import AgglomerativeClustering

        if backend.cuml is not None:
            log.info("agglomerative, linkage %s, by scikit-learn on the host: cuML has single only", settings.linkage)
        cut = chord(measure, settings.similarity) if count is None else None
        cluster = (
            AgglomerativeClustering(count, linkage=settings.linkage, distance_threshold=cut)
            .fit(measure.points(x))
            .labels_
        )
    elif backend.cuml is not None and count is not None and pairwise(len(x), backend.free_bytes()):
        model = backend.cuml.AgglomerativeClustering(n_clusters=count, metric="euclidean", connectivity="pairwise")
        cluster = backend.to_host(model.fit(backend.to_device(measure.points(x))).labels_)
    else:
        tree = kernels.spanning_tree(backend.to_device(x), metric=measure.metric)
        edges, lengths = (backend.to_host(part) for part in tree)
        kept = edges[: len(x) - count] if count is not None else edges[1 - lengths >= settings.similarity]
        cluster = kernels.components(len(x), *kept.T)
    return partition(measure.points(x), weights, cluster, measure)


def pairwise(rows: int, free: int) -> bool:
    """Whether cuML can hold all distances, of which an int32 counts the numbers, with as much room to work."""
    return rows * rows < 2**31 and 8 * rows * rows <= free
