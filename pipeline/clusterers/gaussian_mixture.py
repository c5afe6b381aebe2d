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
    rows = measure.points(x).astype(np.float64)
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
    return components(size, mean, scatter(rows, nearest, mean, covariance), covariance)


def scatter(rows: np.ndarray, component: np.ndarray, mean: np.ndarray, covariance: str) -> np.ndarray:
    """Sums of the products of what rows (n, d) lie off the means (k, d) of their components (n,): (k, d, d) for full,
    (d, d) for tied, else (k, d) of the squares. They add over rows."""
    off = rows - mean[component]
    if covariance == "tied":
        return off.T @ off
    if covariance == "full":
        return np.array([(part := off[component == c]).T @ part for c in range(len(mean))])
    squares = np.zeros(mean.shape)
    np.add.at(squares, component, off * off)
    return squares


def components(size: np.ndarray, mean: np.ndarray, scatter: np.ndarray, covariance: str) -> dict[str, np.ndarray]:
    """What scikit-learn's mixture begins with: weights, means and precisions of k components of `size` (k,) rows."""
    d = mean.shape[1]
    if covariance in ("full", "tied"):
        rows = size[:, None, None] if covariance == "full" else size.sum()
        precisions = np.linalg.inv(scatter / rows + LEAST * np.eye(d))
    else:
        spread = scatter / size[:, None]
        precisions = 1 / ((spread if covariance == "diag" else spread.mean(axis=1)) + LEAST)
    return {"weights_init": size / size.sum(), "means_init": mean, "precisions_init": precisions}


def shares(rows: np.ndarray, components: dict[str, np.ndarray], covariance: str) -> np.ndarray:
    """(n, k) probabilities of the components for rows (n, d)."""
    from sklearn.mixture import GaussianMixture

    weights, means, precisions = components.values()
    model = GaussianMixture(len(means), covariance_type=covariance)
    model.weights_, model.means_ = weights, means
    whole = covariance in ("full", "tied")
    model.precisions_cholesky_ = np.linalg.cholesky(precisions) if whole else np.sqrt(precisions)
    return np.asarray(model.predict_proba(rows))


def _fitted(rows: Any, start: dict[str, Any], settings: GaussianMixture, seed: int, on_device: bool) -> Any:
    """(n, components) probabilities, where the rows are."""
    import sklearn
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(
        len(start["means_init"]),
        covariance_type=settings.covariance,
        max_iter=settings.max_iter,
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
