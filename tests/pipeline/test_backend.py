"""The clusterers behind the backend: the CPU's against scikit-learn, the GPU's against the CPU's."""

import numpy as np
import pytest
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score

from pipeline import backend, demo
from pipeline.stages.cluster import representatives
from tests.pipeline.helpers import audit, by_key, unit_rows


def rows(seed: int, n: int = 600) -> np.ndarray:
    return backend.unit(unit_rows(np.random.default_rng(seed), n, 16, 0.12, copies=20)).astype(np.float16)


@pytest.mark.parametrize("seed", range(5))
def test_dbscan_equals_scikit_learn(seed: int):
    x = rows(seed)
    labels, core = backend.cpu().dbscan(x, 0.93, 5)
    wide = x.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    other = DBSCAN(eps=1 - 0.93, min_samples=5, metric="precomputed").fit(np.clip(1 - wide @ wide.T, 0, None))
    np.testing.assert_array_equal(np.flatnonzero(core), other.core_sample_indices_)
    np.testing.assert_array_equal(labels < 0, other.labels_ < 0)
    assert adjusted_rand_score(labels[core], other.labels_[core]) == 1


@pytest.mark.parametrize("n", [0, 1, 4])
def test_few_rows(n: int):
    x = rows(0, max(n, 1))[:n]
    for labels, _ in (backend.cpu().dbscan(x, 0.9, 5), backend.cpu().hdbscan(x, 5, 5)):
        assert labels.tolist() == [-1] * n


def test_hdbscan_finds_groups():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 6, 300)
    x = backend.unit(rng.normal(size=(6, 16))[truth] + 0.05 * rng.normal(size=(300, 16))).astype(np.float16)
    labels, strength = backend.cpu().hdbscan(x, 5, 5)
    assert adjusted_rand_score(labels, truth) > 0.95
    assert strength.min() >= 0 and strength.max() <= 1


def test_representatives():
    x = rows(1)
    labels, _ = backend.cpu().dbscan(x, 0.93, 5)
    found = representatives(x, labels, np.arange(len(x)) + 1000)
    wide = x.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    assert len(found["row"]) == labels.max() + 1
    for label in range(labels.max() + 1):
        members = np.flatnonzero(labels == label)
        mean = wide[members].mean(axis=0)
        medoid = members[np.argmax(wide[members] @ mean)]
        assert (found["size"][label], found["row"][label]) == (len(members), medoid + 1000)
        assert found["radius"][label] == pytest.approx((wide[members] @ wide[medoid]).min())
        np.testing.assert_allclose(found["mean"][label], mean, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("seed", range(3))
def test_the_gpu_agrees(seed: int):
    """Cores and their partition are the CPU's; a border row may go to any cluster that it touches."""
    x = rows(seed, 3000)
    labels, core = backend.gpu().dbscan(x, 0.93, 5)
    expected, expected_core = backend.cpu().dbscan(x, 0.93, 5)
    np.testing.assert_array_equal(core, expected_core)
    np.testing.assert_array_equal(labels < 0, expected < 0)
    assert adjusted_rand_score(labels[core], expected[core]) == 1
    one, _ = backend.gpu().hdbscan(x, 5, 5)
    two, _ = backend.cpu().hdbscan(x, 5, 5)
    assert adjusted_rand_score(one, two) > 0.95


@pytest.mark.gpu
def test_the_gpu_takes_few_rows():
    x = rows(0, 4)
    for n in (0, 1, 4):
        assert (backend.gpu().dbscan(x[:n], 0.9, 5)[0] == -1).all()
        assert (backend.gpu().hdbscan(x[:n], 5, 5)[0] == -1).all()
    backend.gpu().release()


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["inline", "local"])
def test_the_flow_on_a_gpu_finds_what_it_finds_on_a_cpu(tmp_path, kind: str):
    demo.draw(tmp_path / "images", scenes=60)
    cut = ("run.batch_rows=32", "run.block_rows=64")
    for device in ("cpu", "gpu"):
        audit(tmp_path / "images", tmp_path / device, *cut, f"workers.device={device}", f"workers.kind={kind}")
    for name in ("labels", "duplicates"):
        assert by_key(tmp_path / "gpu", name) == by_key(tmp_path / "cpu", name)
