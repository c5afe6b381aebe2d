"""The clusterers on the host, against scikit-learn and against each other."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn import cluster as sk
from sklearn.metrics import adjusted_rand_score

from pixsieve import backend, clusterers, kernels
from pixsieve.clusterers import hdbscan
from pixsieve.clusterers.clustering import centres, chord
from pixsieve.config.cluster import Agglomerative, Dbscan, GaussianMixture, Hdbscan, Kmeans
from tests.pipeline.clusterers.drawn import METHODS, distinct_rows, fit, rows, same, wide
from tests.pipeline.helpers import GIVEN


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [0, 1, 2, 4, 300])
def test_the_contract(method: str, n: int):
    x = rows(0, max(n, 1), 0)[:n]
    found = fit(x, method)
    assert found.cluster.shape == found.strength.shape == (n,)
    assert found.cluster.tolist() == kernels.first_seen(found.cluster).tolist()
    assert (found.strength[found.cluster < 0] == 0).all()
    assert found.strength.min(initial=0) >= 0 and found.strength.max(initial=0) <= 1
    assert found.persistence.shape == (found.cluster.max(initial=-1) + 1,)
    if "dbscan" not in method and (method != "leiden" or n > 4):
        assert (found.cluster >= 0).all()
    if getattr(METHODS[method], "n_clusters", None):
        assert found.cluster.max(initial=-1) + 1 == min(6, n)


@pytest.mark.parametrize("seed", range(4))
def test_dbscan_equals_scikit_learn(seed: int):
    x = rows(seed)
    found = fit(x, Dbscan(similarity=0.93, min_samples=5))
    far = np.clip(1 - wide(x) @ wide(x).T, 0, None)
    other = sk.DBSCAN(eps=1 - 0.93, min_samples=5, metric="precomputed").fit(far)
    core = found.strength == 1
    np.testing.assert_array_equal(np.flatnonzero(core), other.core_sample_indices_)
    np.testing.assert_array_equal(found.cluster < 0, other.labels_ < 0)
    assert adjusted_rand_score(found.cluster[core], other.labels_[core]) == 1


@pytest.mark.parametrize("selection", ["eom", "leaf"])
def test_hdbscan_equals_scikit_learn_on_rows_that_no_split_frees(selection: str):
    x = rows(1, copies=0)
    found = fit(x, Hdbscan(min_samples=5, min_cluster_size=9, selection=selection))
    other = sk.HDBSCAN(min_cluster_size=9, min_samples=5, cluster_selection_method=selection, copy=True).fit(wide(x))
    inside = found.cluster >= 0
    assert inside.sum() > 300 and found.cluster.max() > 10
    assert adjusted_rand_score(found.cluster[inside], other.labels_[inside]) == 1
    assert (inside != (other.labels_ >= 0)).sum() <= found.cluster.max() + 1
    assert (found.persistence > 0).all() and (found.persistence <= 1).all()


def test_the_limits_of_the_libraries():
    """No cluster of more rows than are allowed, the whole as one, and no more rounds than are allowed."""
    x = rows(1, copies=0)
    sizes = [np.bincount(fit(x, Hdbscan(max_cluster_size=most)).cluster + 1)[1:].max() for most in (None, 30)]
    assert sizes[0] > 30 >= sizes[1]
    one = GIVEN.points(np.random.default_rng(0).normal(1, 0.02, (90, 16)))
    assert fit(one, Hdbscan()).persistence.shape[0] != 1
    assert fit(one, Hdbscan(min_cluster_size=40, allow_single_cluster=True)).persistence.shape == (1,)
    x = distinct_rows(400)
    start = centres(GIVEN.points(x), np.ones(len(x)), 6, 0)
    for most in (1, 2, 300):
        other = sk.KMeans(6, init=start, n_init=1, max_iter=most).fit(GIVEN.points(x))
        assert same(fit(x, Kmeans(n_clusters=6, max_iter=most)).cluster, other.labels_)
    assert not same(fit(x, Kmeans(n_clusters=6, max_iter=1)).cluster, fit(x, "kmeans").cluster)
    mixtures = [fit(x, GaussianMixture(n_clusters=6, max_iter=most)).strength for most in (1, 100)]
    assert abs(mixtures[0] - mixtures[1]).max() > 1e-6


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(8, 60), most=st.integers(2, 9))
def test_equal_rows_change_nothing_but_the_time(seed, n, most):
    """Each method on rows with copies gives what scikit-learn gives on all of them."""
    rng = np.random.default_rng(seed)
    distinct = rows(seed, n, 0)
    x = distinct[rng.permutation(np.repeat(np.arange(n), rng.integers(1, most, n)))]
    first, place = kernels.distinct(x)
    apart = wide(x)

    found = fit(x, METHODS["dbscan"])
    far = np.clip(1 - apart @ apart.T, 0, None)
    near = np.sort(np.abs(far - 0.1).ravel())
    if near[0] > 1e-9:
        other = sk.DBSCAN(eps=0.1, min_samples=4, metric="precomputed").fit(far)
        assert set(np.flatnonzero(found.strength == 1)) == set(other.core_sample_indices_)
        assert ((found.cluster < 0) == (other.labels_ < 0)).all()

    kmeans = METHODS["kmeans"]
    start = centres(GIVEN.points(x[first]), np.bincount(place), min(6, len(first)), 0)
    whole = sk.KMeans(len(start), init=start, n_init=1).fit(GIVEN.points(x))
    assert same(fit(x, kmeans).cluster, whole.labels_)

    for linkage in ("single", "complete"):
        chosen = METHODS[f"agglomerative-{linkage}"]
        if len(first) > 6:
            whole = sk.AgglomerativeClustering(6, linkage=linkage).fit(apart)
            assert same(fit(x, chosen).cluster, whole.labels_)

    labels = fit(x, METHODS["hdbscan"]).cluster
    nodes = hdbscan.fit(x, np.ones(len(x), np.int64), METHODS["hdbscan"], 0, GIVEN, backend.cpu())
    assert same(labels, nodes.cluster)


def test_many_equal_points():
    """What cuML's HDBSCAN aborts on."""
    x = np.repeat(rows(0, 3, 0), 400, axis=0)
    found = fit(x, METHODS["hdbscan"])
    assert same(found.cluster, np.repeat(np.arange(3), 400)) and (found.strength == 1).all()


@pytest.mark.parametrize("linkage", ["single", "complete", "average"])
def test_agglomerative_up_to_a_similarity(linkage: str):
    x = rows(3, 200, 0)
    found = fit(x, Agglomerative(linkage=linkage, similarity=0.9))
    other = sk.AgglomerativeClustering(None, linkage=linkage, distance_threshold=chord(GIVEN, 0.9)).fit(wide(x))
    assert same(found.cluster, other.labels_) and found.cluster.max() > 5


def test_mixtures_take_no_rows_together_and_say_how_sure_they_are():
    x = np.concatenate([rows(0, 100, 0), rows(0, 100, 0)])
    found = fit(x, METHODS["gaussian_mixture"])
    assert (found.cluster[:100] == found.cluster[100:]).all()
    assert found.strength.min() > 1 / 6 - 1e-9


@pytest.mark.parametrize("method", ["kmeans", "gaussian_mixture"])
def test_the_seed_decides_and_nothing_else(method: str):
    x = rows(5)
    one, two = (clusterers.fit(x, METHODS[method], seed, GIVEN, backend.cpu()).cluster for seed in (7, 7))
    assert (one == two).all()
    assert any(
        (clusterers.fit(x, METHODS[method], seed, GIVEN, backend.cpu()).cluster != one).any() for seed in range(4)
    )


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("d", [8, 32, 64])
def test_mixtures_find_groups_that_stand_apart(covariance: str, d: int):
    rng = np.random.default_rng(d)
    truth = rng.integers(6, size=800)
    x = (4 * rng.normal(size=(6, d))[truth] + rng.normal(size=(800, d)) * (1 if d > 8 else 0.5)).astype(np.float16)
    found = fit(x, GaussianMixture(n_clusters=6, covariance=covariance))
    assert adjusted_rand_score(found.cluster, truth) > 0.97
