"""A mixture of Gaussians (Dempster, Laird and Rubin, 1977) on unit vectors, by scikit-learn (GPU: its array API)."""

import logging
import warnings
from typing import Any

import numpy as np

from pixsieve import kernels
from pixsieve.backend import Backend
from pixsieve.clusterers.clustering import Clustering, centres
from pixsieve.config.cluster import GaussianMixture
from pixsieve.folder.measure import Measure

log = logging.getLogger("pixsieve")
LEAST = 1e-6  # is added to every variance


def fit(
    x: np.ndarray, weights: np.ndarray, settings: GaussianMixture, seed: int, measure: Measure, backend: Backend
) -> Clustering:
    """Strength: the probability of the component. At most as many components as there are distinct rows, and at least
    two rows are one component."""
    first, place = kernels.distinct(x)
    count = min(settings.n_clusters or 1, len(first))
    if len(x) == 1:
        return Clustering(np.zeros(1, np.int64), np.ones(1), np.full(1, np.nan))
    rows = measure.unit(x).astype(np.float64)
    start = _start(rows, centres(rows[first], np.bincount(place), count, seed), settings.covariance)
    try:
        on_device = {name: backend.to_device(value) for name, value in start.items()}
        share = backend.to_host(_fitted(backend.to_device(rows), on_device, settings, seed, backend.cuml is not None))
    except (TypeError, ValueError, AttributeError, ImportError, RuntimeError, MemoryError) as error:
        if backend.cuml is None:
            raise
        log.info("gaussian_mixture by scikit-learn on the host: its array API failed on CuPy (%s)", error)
        share = _fitted(rows, start, settings, seed, False)
    cluster = share.argmax(axis=1)
    own = share[np.arange(len(x)), cluster]
    cluster = kernels.first_seen(cluster)
    return Clustering(cluster, np.clip(own, 0, 1), np.full(int(cluster.max(initial=-1)) + 1, np.nan))


def _start(rows: np.ndarray, centre: np.ndarray, covariance: str) -> dict[str, np.ndarray]:
    """Weights, means and precisions of the rows as they lie around their nearest centres. Each centre is a row."""
    apart = (rows * rows).sum(axis=1)[:, None] - 2 * rows @ centre.T + (centre * centre).sum(axis=1)
    nearest = np.unique(apart.argmin(axis=1), return_inverse=True)[1]  # two centres may be the same to rounding
    size, mean, *_ = kernels.group_statistics(rows, nearest)
    count, d = mean.shape
    off = rows - mean[nearest]
    if covariance in ("full", "tied"):
        parts = [off[nearest == c] for c in range(count)] if covariance == "full" else [off]
        spread = np.array([part.T @ part / len(part) + LEAST * np.eye(d) for part in parts])
        precisions = np.linalg.inv(spread if covariance == "full" else spread[0])
    else:
        spread = np.zeros((count, d))
        np.add.at(spread, nearest, off * off)
        spread = spread / size[:, None]
        precisions = 1 / ((spread if covariance == "diag" else spread.mean(axis=1)) + LEAST)
    return {"weights_init": size / len(rows), "means_init": mean, "precisions_init": precisions}


def _fitted(rows: Any, start: dict[str, Any], settings: GaussianMixture, seed: int, on_device: bool) -> Any:
    """(n, components) probabilities, where the rows are."""
    import sklearn
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(
        len(start["means_init"]),
        covariance_type=settings.covariance,
        reg_covar=LEAST,
        init_params="random_from_data",  # the array API wants one that it knows; all is given
        random_state=seed,
        **start,
    )
    with warnings.catch_warnings(record=True) as said, sklearn.config_context(array_api_dispatch=on_device):
        warnings.simplefilter("always", ConvergenceWarning)
        share = model.fit(rows).predict_proba(rows)
    for warning in said:
        log.info("gaussian_mixture: %s", warning.message)
    return share
