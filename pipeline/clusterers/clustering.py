"""What every clusterer returns, and what several of them need."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from pixsieve import kernels
from pixsieve.folder.measure import Measure


class Clustering(NamedTuple):
    cluster: np.ndarray  # (n,) int64, numbered by the first row, -1 is noise
    strength: np.ndarray  # (n,) float64 in [0, 1], how sure the row is of its cluster; 0 for noise
    persistence: np.ndarray  # (clusters,) float64, NaN where the method has none


def chord(measure: Measure, similarity: float) -> float:
    """Euclidean distance of the unit coordinates of rows of this similarity; at least 1e-6, as libraries want more than
    0."""
    return max(float(np.sqrt(2 - 2 * measure.cosine(similarity))), 1e-6)


def partition(unit: np.ndarray, weights: np.ndarray, cluster: np.ndarray) -> Clustering:
    """A clustering without noise. Strength: the cosine of each row, of unit coordinates (n, d), and the mean of its
    cluster."""
    cluster = kernels.first_seen(cluster)
    count = int(cluster.max(initial=-1)) + 1
    rows, n = unit.astype(np.float64), len(unit)
    mean = csr_array((weights, (cluster, np.arange(n))), shape=(count, n)) @ rows
    length = np.maximum(np.linalg.norm(mean, axis=1), 1e-30)  # members that cancel out lie nowhere near their mean
    towards = np.einsum("ij,ij->i", rows, mean[cluster]) / length[cluster]
    return Clustering(cluster, np.clip(towards, 0, 1), np.full(count, np.nan))


def centres(x: np.ndarray, weights: np.ndarray, count: int, seed: int) -> np.ndarray:
    """(count, d) rows to begin with, far apart (k-means++: Arthur and Vassilvitskii, SODA 2007), drawn on the host: the
    same on every device. x: distinct rows, at least `count`."""
    from sklearn.cluster import kmeans_plusplus

    return kmeans_plusplus(x, count, sample_weight=weights.astype(x.dtype), random_state=seed)[0]
