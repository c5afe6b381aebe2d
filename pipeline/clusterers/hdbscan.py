"""HDBSCAN (Campello, Moulavi and Sander, PAKDD 2013) on unit vectors, by scikit-learn."""

import numpy as np

import kernels


def hdbscan(x: np.ndarray, min_cluster_size: int, min_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and the strength of each membership in [0, 1]. x: (n, d) float32, unit length; Euclidean."""
    from sklearn.cluster import HDBSCAN

    if len(x) < max(min_cluster_size, min_samples, 2):
        return np.full(len(x), -1), np.zeros(len(x))
    model = HDBSCAN(min_cluster_size=min_cluster_size, min_samples=min_samples, copy=True).fit(x)
    return kernels.first_seen(model.labels_), model.probabilities_
