"""A mixture of Gaussians (Dempster, Laird and Rubin, 1977) on unit vectors, by scikit-learn (GPU: its array API)."""

import logging
import warnings

import numpy as np

import kernels
from pipeline.backend import Backend
from pipeline.clusterers.clustering import Clustering, centres, unit
from pipeline.config import Cluster

log = logging.getLogger("pixsieve")


def fit(x: np.ndarray, weights: np.ndarray, settings: Cluster, seed: int, backend: Backend) -> Clustering:
    """Strength: the probability of the component. At most as many components as there are distinct rows, and at least
    two rows are one component."""
    first, place = kernels.distinct(x)
    count = min(settings.n_clusters or 1, len(first))
    if len(x) == 1:
        return Clustering(np.zeros(1, np.int64), np.ones(1), np.full(1, np.nan))
    rows = unit(x).astype(np.float64)
    start = centres(rows[first], np.bincount(place), count, seed)
    try:
        labels, share = _fitted(backend.to_device(rows), backend.to_device(start), settings, seed, backend)
    except (TypeError, ValueError, AttributeError, ImportError, RuntimeError) as error:
        if backend.cuml is None:
            raise
        log.info("gaussian_mixture by scikit-learn on the host: its array API failed on CuPy (%s)", error)
        labels, share = _fitted(rows, start, settings, seed, None)
    own = share[np.arange(len(x)), labels]
    labels = kernels.first_seen(labels)
    return Clustering(labels, np.clip(own, 0, 1), np.full(int(labels.max(initial=-1)) + 1, np.nan))


def _fitted(
    rows: np.ndarray, start: np.ndarray, settings: Cluster, seed: int, backend: Backend | None
) -> tuple[np.ndarray, np.ndarray]:
    import sklearn
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(
        len(start),
        covariance_type=settings.covariance,
        means_init=start,
        init_params="random_from_data",  # the array API has no other; the means are given
        random_state=seed,
    )
    on_device = backend is not None and backend.cuml is not None
    with warnings.catch_warnings(record=True) as said, sklearn.config_context(array_api_dispatch=on_device):
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(rows)
        share = model.predict_proba(rows)
    for warning in said:
        log.info("gaussian_mixture: %s", warning.message)
    share = share if backend is None else backend.to_host(share)
    return share.argmax(axis=1), share
