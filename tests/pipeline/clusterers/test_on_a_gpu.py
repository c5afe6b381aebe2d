"""The clusterers on a GPU: what cuML is asked for, what is done without it, and the same results as on the host."""

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from pixsieve import backend, demo, kernels
from pixsieve.clusterers import agglomerative, dbscan, hdbscan
from tests.pipeline.clusterers.drawn import METHODS, distinct_rows, fit, rows, same
from tests.pipeline.helpers import audit, by_key


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


def test_a_mixture_by_the_array_api():
    """With torch in CuPy's place."""
    code = """
import os
import numpy as np, torch
from dataclasses import replace
from pixsieve import backend, clusterers
from tests.pipeline.clusterers.drawn import GIVEN, METHODS, rows
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
