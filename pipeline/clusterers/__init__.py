"""Clustering of rows in memory, one module a method, all behind one signature; noise is -1.

    fit(x, weights, settings, seed, measure, backend) -> Clustering

x: (n, width) usable rows of the measure, n >= 1. Methods that want Euclidean distances get those of the measure's
points. weights: (n,) how many equal rows each stands for; all 1 where the method does not take equal
rows together. GPU: by cuML where it has the method, else scikit-learn's array API on CuPy, else scikit-learn on the
host, and one line of the log says so.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from pixsieve import kernels
from pixsieve.backend import Backend
from pixsieve.clusterers import agglomerative, dbscan, gaussian_mixture, hdbscan, kmeans, leiden
from pixsieve.clusterers.clustering import Clustering
from pixsieve.config.cluster import Clusterer
from pixsieve.folder.measure import Measure

Fit = Callable[[np.ndarray, np.ndarray, Any, int, Measure, Backend], Clustering]
METHODS: dict[str, Fit] = {
    "dbscan": dbscan.fit,
    "hdbscan": hdbscan.fit,
    "leiden": leiden.fit,
    "kmeans": kmeans.fit,
    "agglomerative": agglomerative.fit,
    "gaussian_mixture": gaussian_mixture.fit,
}


def fit(x: np.ndarray, settings: Clusterer, seed: int, measure: Measure, backend: Backend) -> Clustering:
    """The clusters of usable rows x (n, width), numbered by their first row. Equal rows are taken together where that
    changes nothing but the time."""
    if not len(x):
        return Clustering(np.empty(0, np.int64), np.empty(0), np.empty(0))
    method = METHODS[settings.method]
    first, place = kernels.distinct(x) if settings.together else (np.arange(len(x)), np.arange(len(x)))
    found = method(x[first], np.bincount(place), settings, seed, measure, backend)
    # Distinct rows come in the order of their first ones: the numbers stay in order.
    return Clustering(found.cluster[place], found.strength[place], found.persistence)
