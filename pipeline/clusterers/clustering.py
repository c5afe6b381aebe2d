"""What every clusterer returns, and what several of them need."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from pixsieve import kernels


class Clustering(NamedTuple):
    labels: np.ndarray  # (n,) int64, numbered by the first row, -1 is noise
    strength: np.ndarray  # (n,) float64 in [0, 1], how sure the row is of its cluster; 0 for noise
    persistence: np.ndarray  # (clusters,) float64, NaN where the method has none


def unit(x: np.ndarray) -> np.ndarray:
    """x (n, d) in float32, each row at length 1. Rows must not be zero."""
    wide = x.astype(np.float32)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def chord(similarity: float) -> float:
    """Euclidean distance of unit vectors of this similarity; at least 1e-6, as libraries want more than 0."""
    return max(float(np.sqrt(2 - 2 * similarity)), 1e-6)


def partition(x: np.ndarray, weights: np.ndarray, labels: np.ndarray) -> Clustering:
    """A clustering without noise. Strength: the similarity of each row to the mean of its cluster."""
    labels = kernels.first_seen(labels)
    count = int(labels.max(initial=-1)) + 1
    rows = unit(x).astype(np.float64)
    mean = csr_array((weights, (labels, np.arange(len(x)))), shape=(count, len(x))) @ rows
    length = np.maximum(np.linalg.norm(mean, axis=1), 1e-30)  # members that cancel out lie nowhere near their mean
    towards = np.einsum("ij,ij->i", rows, mean[labels]) / length[labels]
    return Clustering(labels, np.clip(towards, 0, 1), np.full(count, np.nan))


def centres(x: np.ndarray, weights: np.ndarray, count: int, seed: int) -> np.ndarray:
    """(count, d) rows to begin with, far apart (k-means++: Arthur and Vassilvitskii, SODA 2007), drawn on the host: the
    same on every device. x: distinct rows, at least `count`."""
    from sklearn.cluster import kmeans_plusplus

    return kmeans_plusplus(x, count, sample_weight=weights.astype(x.dtype), random_state=seed)[0]
