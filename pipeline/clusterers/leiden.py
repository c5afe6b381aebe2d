"""Leiden (Traag, Waltman and van Eck, Scientific Reports 9, 2019) on the graph of nearest neighbours: igraph's, on the
host, by modularity with a resolution (Reichardt and Bornholdt, Physical Review E 74, 2006)."""

import random

import numpy as np

from pixsieve import kernels
from pixsieve.backend import Backend
from pixsieve.clusterers.clustering import Clustering
from pixsieve.config.cluster import Leiden
from pixsieve.folder.measure import Measure
from pixsieve.folder.neighbours import once

ROUNDS = 10  # of which each begins with what the one before has found


def fit(
    x: np.ndarray, weights: np.ndarray, settings: Leiden, seed: int, measure: Measure, backend: Backend
) -> Clustering:
    """Strength: the share of the row's neighbours that are in its cluster."""
    if len(x) == 1:
        return communities(np.full((1, 1), -1), weights, settings, seed)
    k = min(settings.neighbours, len(x) - 1)
    index, _ = kernels.neighbours(backend.to_device(x), k=k, metric=measure.metric)
    return communities(once(backend.to_host(index), weights, settings.neighbours), weights, settings, seed)


def communities(index: np.ndarray, weights: np.ndarray, settings: Leiden, seed: int) -> Clustering:
    """index: (m, k) neighbours of each of m rows, -1 for none; either of two makes an edge. weights: (m,) how many
    equal rows each stands for."""
    import igraph

    m, k = index.shape
    if not m:
        return Clustering(np.empty(0, np.int64), np.empty(0), np.empty(0))
    one, other = np.repeat(np.arange(m), k)[index.ravel() >= 0], index[index >= 0]
    edges = np.unique(np.minimum(one, other) * m + np.maximum(one, other))
    graph = igraph.Graph(m, np.column_stack([edges // m, edges % m]))
    igraph.set_random_number_generator(random.Random(seed))
    try:
        found = graph.community_leiden("modularity", resolution=settings.resolution, n_iterations=ROUNDS)
    finally:
        igraph.set_random_number_generator(random)
    cluster = np.array(found.membership, np.int64)
    size = np.bincount(cluster, weights)
    cluster = kernels.first_seen(np.where(size[cluster] >= settings.min_cluster_size, cluster, -1))
    there = index >= 0
    same = (there & (cluster[index] == cluster[:, None])).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    strength = np.where(cluster >= 0, np.where(there.any(axis=1), same, 1.0), 0.0)
    return Clustering(cluster, strength, np.full(int(cluster.max(initial=-1)) + 1, np.nan))
