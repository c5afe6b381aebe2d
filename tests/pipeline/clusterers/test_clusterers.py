"""The clusterers: the host's against scikit-learn, the GPU's against the host's, and what cuML is asked for."""

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn import cluster as sk
from sklearn.metrics import adjusted_rand_score

from pixsieve import backend, clusterers, demo, kernels
from pixsieve.clusterers import agglomerative, dbscan, hdbscan
from pixsieve.clusterers.clustering import centres, chord
from pixsieve.clusterers.representatives import representatives
from pixsieve.config.cluster import Agglomerative, Clusterer, Dbscan, GaussianMixture, Hdbscan, Kmeans, Leiden
from tests.pipeline.helpers import GIVEN, audit, by_key, unit_rows

METHODS = {
    "dbscan": Dbscan(similarity=0.9, min_samples=4),
    "hdbscan": Hdbscan(min_samples=4, min_cluster_size=5),
    "hdbscan-at-most-60": Hdbscan(min_samples=4, min_cluster_size=5, max_cluster_size=60),
    "hdbscan-or-one": Hdbscan(min_samples=4, min_cluster_size=5, allow_single_cluster=True),
    "kmeans": Kmeans(n_clusters=6),
    **{
        f"agglomerative-{linkage}": Agglomerative(n_clusters=6, linkage=linkage)
        for linkage in ("single", "complete", "average", "ward")
    },
    "agglomerative-cut": Agglomerative(linkage="complete", similarity=0.8),
    "agglomerative-single-cut": Agglomerative(linkage="single", similarity=0.95),
    "gaussian_mixture": GaussianMixture(n_clusters=6),
    "leiden": Leiden(neighbours=6, min_cluster_size=2),
}


def rows(seed: int, n: int = 600, copies: int = 20) -> np.ndarray:
    return GIVEN.points(unit_rows(np.random.default_rng(seed), n, 16, 0.12, copies=copies)).astype(np.float16)


def distinct_rows(n: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 16)).astype(np.float16)


def fit(x: np.ndarray, method: str | Clusterer, on: backend.Backend | None = None) -> clusterers.Clustering:
    return clusterers.fit(x, METHODS[method] if isinstance(method, str) else method, 0, GIVEN, on or backend.cpu())


def wide(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def same(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether two labellings are the same but for the numbers."""
    return kernels.first_seen(one).tolist() == kernels.first_seen(two).tolist()


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


class Recorder:
    """Stands where cuML stands, and keeps what it is asked for."""

    def __init__(self) -> None:
        self.asked: dict[str, dict] = {}

    def __getattr__(self, name: str):
        def make(**options):
            self.asked[name] = options

            def fit(x, **more):
                n = len(x)
                self.asked[name] |= {"rows": n, **more}
                arrays = {"labels_": np.zeros(n, np.int64), "core_sample_indices_": np.arange(n)}
                return SimpleNamespace(**arrays)

            model = SimpleNamespace(fit=fit, labels_=None, core_sample_indices_=None, probabilities_=None)
            model.cluster_persistence_ = np.ones(1)

            def fitted(x, **more):
                model.__dict__.update(fit(x, **more).__dict__, probabilities_=np.ones(len(x)))
                return model

            model.fit = fitted
            return model

        return make


def test_what_cuml_is_asked_for():
    cuml = Recorder()
    on = replace(backend.cpu(), name="gpu", cuml=cuml, free_bytes=lambda: 40 << 30)
    x = distinct_rows(50)
    for name in ("dbscan", "hdbscan", "kmeans", "agglomerative-single"):
        fit(x, name, on)
    asked = cuml.asked
    assert asked["DBSCAN"]["eps"] == pytest.approx(np.sqrt(0.2)) and asked["DBSCAN"]["min_samples"] == 4
    assert asked["DBSCAN"]["out_dtype"] == "int64" and asked["DBSCAN"]["max_mbytes_per_batch"] == 10 << 10
    assert asked["HDBSCAN"]["min_samples"] == 3  # the row itself does not count there
    assert asked["HDBSCAN"]["min_cluster_size"] == 5 and asked["HDBSCAN"]["max_cluster_size"] == 0  # none
    assert asked["HDBSCAN"]["allow_single_cluster"] is False and asked["KMeans"]["max_iter"] == 300
    assert asked["KMeans"]["init"].shape == (6, 16) and asked["KMeans"]["sample_weight"].tolist() == [1] * 50
    assert asked["AgglomerativeClustering"] == {
        "n_clusters": 6, "metric": "euclidean", "connectivity": "pairwise", "rows": 50
    }  # fmt: skip
    cuml.asked.clear()
    fit(np.concatenate([x, x[:5]]), "dbscan", on)
    assert asked["DBSCAN"]["rows"] == 50 and asked["DBSCAN"]["sample_weight"].tolist() == [2] * 5 + [1] * 45


def test_what_cuml_cannot_do_our_own_tree_does():
    cuml = Recorder()
    on = replace(backend.cpu(), name="gpu", cuml=cuml)
    x = np.repeat(rows(0, 30, 0), 2, axis=0)
    assert same(fit(x, "hdbscan", on).cluster, fit(x, "hdbscan").cluster) and not cuml.asked
    for linkage in ("complete", "average", "ward"):
        fit(x, f"agglomerative-{linkage}", on)
    fit(x, "agglomerative-single-cut", on)
    n = len(kernels.distinct(x)[0])
    fit(x, "agglomerative-single", replace(on, free_bytes=lambda: 8 * n * n - 1))
    assert not cuml.asked
    fit(x, "agglomerative-single", replace(on, free_bytes=lambda: 8 * n * n))
    assert cuml.asked["AgglomerativeClustering"]["rows"] == n
    assert not agglomerative.pairwise(46_341, 1 << 60)  # whose square an int32 does not hold


def test_more_numbers_than_an_int32_counts():
    """5 million rows of 768 numbers, of which only the shape is needed here."""
    ones = np.broadcast_to(np.int64(1), 5_000_000)
    assert "int32" in hdbscan.beyond_cuml("cosine", (5_000_000, 768), ones, 5)
    assert hdbscan.beyond_cuml("cosine", (1_000_000, 768), ones[:1_000_000], 5) is None
    assert "equal" in hdbscan.beyond_cuml("cosine", (1000, 768), np.array([1, 2]), 5)
    assert "min_samples 1" in hdbscan.beyond_cuml("cosine", (1000, 768), ones[:1000], 1)
    # The fixed part, 9 bytes for each row with int64 labels, must fit with room for a batch of some rows.
    for free in (0, 1 << 30, 80 << 30):
        for n in (1, 10_000, 5_000_000, 300_000_000):
            megabytes = dbscan.megabytes(n, free)
            assert megabytes * 2**20 > 9 * n and (megabytes * 2**20 - 9 * n) > 0.4 * 9 * n
            assert megabytes <= max(64, free >> 21, n >> 15)


def test_representatives():
    x = rows(1)
    found = fit(x, Dbscan(similarity=0.93, min_samples=5))
    dense = found.strength == 1
    standing = representatives(GIVEN.points(x), found.cluster, np.arange(len(x)) + 1000, dense, 4)
    count = found.cluster.max() + 1
    assert len(standing.size) == len(standing.medoid) == count
    for label in range(count):
        members = np.flatnonzero(found.cluster == label)
        mean = wide(x)[members].mean(axis=0)
        of = standing.cluster == label
        picks = standing.row[of] - 1000
        core = members[dense[members]]
        near_mean = ((wide(x)[core] - wide(x)[core].mean(axis=0)) ** 2).sum(axis=1)
        assert picks[0] == core[np.argmin(near_mean)] and standing.medoid[label] == picks[0] + 1000
        assert standing.size[label] == len(members) == standing.covers[of].sum()
        np.testing.assert_allclose(standing.mean[label], mean, atol=1e-6)
        near = wide(x)[members] @ wide(x)[picks].T
        owner = near.argmax(axis=1)
        for at in range(len(picks)):
            if (mine := owner == at).any():
                farthest = np.sqrt(np.maximum(2 - 2 * near[mine, at].min(), 0))
                assert standing.radius[of][at] == pytest.approx(farthest, abs=1e-6)
        # Each pick is the core row that was farthest from those before it.
        for at in range(1, len(picks)):
            covered = (wide(x)[core] @ wide(x)[picks[:at]].T).max(axis=1)
            assert covered[core == picks[at]][0] == pytest.approx(covered.min())
        assert dense[picks].all() and len(set(picks)) == len(picks) <= 4
    none = representatives(GIVEN.points(x)[:0], found.cluster[:0], np.arange(0), dense[:0], 4)
    assert len(none.size) == len(none.row) == 0


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("d", [8, 32, 64])
def test_mixtures_find_groups_that_stand_apart(covariance: str, d: int):
    rng = np.random.default_rng(d)
    truth = rng.integers(6, size=800)
    x = (4 * rng.normal(size=(6, d))[truth] + rng.normal(size=(800, d)) * (1 if d > 8 else 0.5)).astype(np.float16)
    found = fit(x, GaussianMixture(n_clusters=6, covariance=covariance))
    assert adjusted_rand_score(found.cluster, truth) > 0.97


def test_a_mixture_by_the_array_api():
    """With torch in CuPy's place."""
    code = """
import os
import numpy as np, torch
from dataclasses import replace
from pixsieve import backend, clusterers
from tests.pipeline.clusterers.test_clusterers import GIVEN, METHODS, rows
def there(x):
    asked.append(x.shape)
    return torch.from_numpy(np.ascontiguousarray(x))
os.environ["SCIPY_ARRAY_API"] = "1"  # as backend.gpu() does
asked, back = [], []
def here(x):
    back.append(type(x).__name__)
    return np.asarray(x)
x = rows(0, 300, 0)
on = replace(backend.cpu(), cuml=object(), to_device=there, to_host=here)
for covariance in ("diag", "full", "tied", "spherical"):
    settings = METHODS["gaussian_mixture"].model_copy(update={"covariance": covariance})
    one, two = (clusterers.fit(x, settings, 0, GIVEN, device) for device in (on, backend.cpu()))
    assert (one.cluster == two.cluster).all() and abs(one.strength - two.strength).max() < 1e-9
assert len(asked) == 16 and back == ["Tensor"] * 4
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.gpu
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_the_gpu_agrees(seed: int, method: str):
    """DBSCAN's cores and their partition are the CPU's; a border row may go to any cluster that it touches."""
    x = rows(seed, 2000)
    one, two = fit(x, method, backend.gpu()), fit(x, method)
    if method == "dbscan":
        core = two.strength == 1
        np.testing.assert_array_equal(one.strength == 1, core)
        np.testing.assert_array_equal(one.cluster < 0, two.cluster < 0)
        assert adjusted_rand_score(one.cluster[core], two.cluster[core]) == 1
    else:
        assert adjusted_rand_score(one.cluster, two.cluster) > 0.95


@pytest.mark.gpu
@pytest.mark.parametrize("method", METHODS)
def test_the_gpu_takes_few_rows(method: str):
    for n in (0, 1, 2, 4):
        assert fit(rows(0, max(n, 1), 0)[:n], method, backend.gpu()).cluster.shape == (n,)
    backend.gpu().release()


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["inline", "local"])
@pytest.mark.parametrize("method", ["dbscan", "hdbscan"])
def test_the_flow_on_a_gpu_finds_what_it_finds_on_a_cpu(tmp_path, kind: str, method: str):
    demo.draw(tmp_path / "images", scenes=60)
    cut = ("run.batch_rows=32", "run.block_rows=64", f"cluster.method={method}")
    for device in ("cpu", "gpu"):
        audit(tmp_path / "images", tmp_path / device, *cut, f"workers.device={device}", f"workers.kind={kind}")
    for name in ("assignments", "duplicates"):
        assert by_key(tmp_path / "gpu", name) == by_key(tmp_path / "cpu", name)
