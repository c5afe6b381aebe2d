"""Rows to cluster, and every method of clustering with settings that suit them."""

import numpy as np

from pixsieve import backend, clusterers, kernels
from pixsieve.config.cluster import Agglomerative, Clusterer, Dbscan, GaussianMixture, Hdbscan, Kmeans, Leiden
from tests.pipeline.helpers import GIVEN, unit_rows

METHODS = {
    "dbscan": Dbscan(similarity=0.9, min_samples=4),
    "hdbscan": Hdbscan(min_samples=4, min_cluster_size=5),
    "hdbscan-at-most-60": Hdbscan(min_samples=4, min_cluster_size=5, max_cluster_size=60),
    "hdbscan-or-one": Hdbscan(min_samples=4, min_cluster_size=5, allow_single_cluster=True),
    "kmeans": Kmeans(n_clusters=6),
    **{
        f"agglomerative-{linkage}": Agglomerative(n_clusters=6, linkage=linkage)
        for linkage in ("single", "complete", "average", "ward")
    },
    "agglomerative-cut": Agglomerative(linkage="complete", similarity=0.8),
    "agglomerative-single-cut": Agglomerative(linkage="single", similarity=0.95),
    "gaussian_mixture": GaussianMixture(n_clusters=6),
    "leiden": Leiden(neighbours=6, min_cluster_size=2),
}


def rows(seed: int, n: int = 600, copies: int = 20) -> np.ndarray:
    return GIVEN.points(unit_rows(np.random.default_rng(seed), n, 16, 0.12, copies=copies)).astype(np.float16)


def distinct_rows(n: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 16)).astype(np.float16)


def fit(x: np.ndarray, method: str | Clusterer, on: backend.Backend | None = None) -> clusterers.Clustering:
    return clusterers.fit(x, METHODS[method] if isinstance(method, str) else method, 0, GIVEN, on or backend.cpu())


def wide(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def same(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether two labellings are the same but for the numbers."""
    return kernels.first_seen(one).tolist() == kernels.first_seen(two).tolist()
