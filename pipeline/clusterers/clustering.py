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
    """Euclidean distance of the points of rows of this similarity; at least 1e-6, as libraries want more than 0."""
    return max(measure.chord(similarity), 1e-6)


def partition(points: np.ndarray, weights: np.ndarray, cluster: np.ndarray, measure: Measure) -> Clustering:
    """A clustering without noise of points (n, d) of the measure. Strength: of directions the cosine of each row and
    the mean of its cluster; else 1 / (1 + r), r being its distance to the mean over the root mean square of these."""
    cluster = kernels.first_seen(cluster)
    count = int(cluster.max(initial=-1)) + 1
    rows, n = points.astype(np.float64), len(points)
    total = csr_array((weights, (cluster, np.arange(n))), shape=(count, n)) @ rows
    if measure.euclidean:
        centre = total / np.bincount(cluster, weights, count)[:, None]
        strength = nearness(np.linalg.norm(rows - centre[cluster], axis=1), cluster, weights)
    else:
        length = np.maximum(np.linalg.norm(total, axis=1), 1e-30)  # members that cancel out lie nowhere near their mean
        strength = np.clip(np.einsum("ij,ij->i", rows, total[cluster]) / length[cluster], 0, 1)
    return Clustering(cluster, strength, np.full(count, np.nan))


def nearness(apart: np.ndarray, cluster: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n,) 1 / (1 + r), r being the distances apart (n,) of rows to the mean of their cluster over the root mean square
    of these; 1 where all are 0."""
    size = np.maximum(np.bincount(cluster, weights), 1e-30)
    usual = np.sqrt(np.bincount(cluster, weights * apart**2) / size)[cluster]
    return 1 / (1 + np.divide(apart, usual, out=np.zeros(len(apart)), where=usual > 0))


def centres(x: np.ndarray, weights: np.ndarray, count: int, seed: int) -> np.ndarray:
    """(count, d) rows to begin with, far apart (k-means++: Arthur and Vassilvitskii, SODA 2007), drawn on the host: the
    same on every device. x: distinct rows, at least `count`."""
    from sklearn.cluster import kmeans_plusplus

    return kmeans_plusplus(x, count, sample_weight=weights.astype(x.dtype), random_state=seed)[0]
