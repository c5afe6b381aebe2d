"""k-means (Lloyd, 1982) on unit vectors."""

import warnings

import numpy as np

from pixsieve.backend import Backend
from pixsieve.clusterers.clustering import Clustering, centres, partition
from pixsieve.config.cluster import Kmeans
from pixsieve.folder.measure import Measure


def fit(
    x: np.ndarray, weights: np.ndarray, settings: Kmeans, seed: int, measure: Measure, backend: Backend
) -> Clustering:
    """At most as many clusters as there are distinct rows."""
    rows = measure.points(x)
    count = min(settings.n_clusters or 1, len(x))
    start = centres(rows, weights, count, seed)
    if backend.cuml is None:
        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            # Fewer clusters than asked for: rows that differ in float16 may be one at length 1.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = KMeans(count, init=start, n_init=1, max_iter=settings.max_iter)
            cluster = model.fit(rows, sample_weight=weights).labels_
    else:
        # scikit-learn's tolerance is relative to the variance of the rows; cuML's as it stands ends earlier.
        # It wants more than 0, also of rows that are all equal.
        close = 1e-4 * float(rows.var(axis=0).mean()) or 1e-4
        start = backend.to_device(start)
        model = backend.cuml.KMeans(n_clusters=count, init=start, n_init=1, tol=close, max_iter=settings.max_iter)
        model.fit(backend.to_device(rows), sample_weight=backend.to_device(weights.astype(np.float32)))
        cluster = backend.to_host(model.labels_)
    return partition(rows, weights, cluster, measure)
