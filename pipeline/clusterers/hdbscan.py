"""HDBSCAN (Campello, Moulavi and Sander, PAKDD 2013) on the distances of unit vectors, by the exact kernels.

On a GPU by cuML, but for what it cannot do: equal rows (it aborts on many: rapidsai/cuml issue 4474), more numbers than
an int32 counts (issue 5393), and min_samples 1.
"""

import logging

import numpy as np

from pixsieve import kernels
from pixsieve.backend import Backend
from pixsieve.clusterers.clustering import Clustering
from pixsieve.config.cluster import Hdbscan
from pixsieve.folder.measure import Measure

log = logging.getLogger("pixsieve")


def fit(
    x: np.ndarray, weights: np.ndarray, settings: Hdbscan, seed: int, measure: Measure, backend: Backend
) -> Clustering:
    """Strength: the probability of the membership."""
    if weights.sum() < max(settings.min_cluster_size, settings.min_samples, 2):
        return Clustering(np.full(len(x), -1), np.zeros(len(x)), np.empty(0))
    if backend.cuml is not None:
        reason = beyond_cuml(measure.metric, x.shape, weights, settings.min_samples)
        if reason is None:
            return _by_cuml(measure.points(x), settings, backend)
        log.info("hdbscan of %d rows by our own tree instead of cuML's: %s", len(x), reason)
    rows = backend.to_device(x)
    index, similarity = kernels.neighbours(
        rows, k=max(1, min(settings.min_samples - 1, len(x) - 1)), metric=measure.metric
    )
    core = kernels.core_lengths(backend.to_host(index), 1 - backend.to_host(similarity), weights, settings.min_samples)
    edges, lengths = kernels.spanning_tree(rows, metric=measure.metric, core=core)
    found = hierarchy(backend.to_host(edges), backend.to_host(lengths), core, weights, settings, measure)
    return Clustering(found.label, found.probability, found.persistence)


def hierarchy(
    edges: np.ndarray,
    lengths: np.ndarray,
    core: np.ndarray,
    weights: np.ndarray,
    settings: Hdbscan,
    measure: Measure,
) -> kernels.Hierarchy:
    """Of a tree whose lengths, and core distances, are 1 - similarity."""
    return kernels.density_hierarchy(
        edges,
        measure.distance(lengths),
        measure.distance(core),
        weights,
        min_cluster_size=settings.min_cluster_size,
        selection=settings.selection,
        max_cluster_size=settings.max_cluster_size,
        allow_single_cluster=settings.allow_single_cluster,
    )


def beyond_cuml(metric: str, shape: tuple[int, ...], weights: np.ndarray, min_samples: int) -> str | None:
    """Why cuML's HDBSCAN cannot take these rows; None if it can."""
    if metric != "cosine":
        return f"rows are compared by {metric}"
    if shape[0] * shape[1] > 2**31 - 1:
        return f"{shape[0]} x {shape[1]} numbers are more than an int32 counts"
    if weights.max() > 1:
        return "some rows are equal"
    return "it has no min_samples 1" if min_samples == 1 else None


def _by_cuml(unit: np.ndarray, settings: Hdbscan, backend: Backend) -> Clustering:
    model = backend.cuml.HDBSCAN(
        min_cluster_size=settings.min_cluster_size,
        min_samples=settings.min_samples - 1,  # it does not count the row itself
        cluster_selection_method=settings.selection,
        max_cluster_size=settings.max_cluster_size or 0,
        allow_single_cluster=settings.allow_single_cluster,
        metric="euclidean",
    )
    model.fit(backend.to_device(unit))
    own = backend.to_host(model.labels_)
    cluster = kernels.first_seen(own)
    persistence = np.zeros(int(cluster.max(initial=-1)) + 1)
    persistence[cluster[cluster >= 0]] = backend.to_host(model.cluster_persistence_)[own[cluster >= 0]]
    return Clustering(cluster, backend.to_host(model.probabilities_).astype(np.float64), persistence)
