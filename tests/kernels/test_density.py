"""dbscan over a stream of blocks against a slow reference, scikit-learn, and itself cut otherwise."""

import tracemalloc

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.cluster import DBSCAN

from pixsieve import kernels
from pixsieve.kernels import density
from tests.kernels import brute
from tests.kernels.checks import check_dbscan


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 120),
    d=st.integers(1, 12),
    metric=st.sampled_from(["cosine", "euclidean", "proximity", "hamming", "jaccard"]),
    threshold=st.sampled_from([0.1, 0.7, 0.9, 1.0]),
    min_samples=st.integers(1, 9),
    cuts=st.lists(st.floats(0, 1), max_size=4),
)
def test_any_cut_into_blocks_gives_the_same_clusters(seed, n, d, metric, threshold, min_samples, cuts):
    rng = np.random.default_rng(seed)
    x = brute.rows(rng, n, d, metric)
    blocks = np.split(x, sorted(int(cut * n) for cut in cuts))
    check_dbscan(blocks, metric, threshold, min_samples)


@pytest.mark.parametrize("seed", range(10))
def test_scikit_learn_agrees(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 16))[rng.integers(40, size=1500)] + 0.3 * rng.normal(size=(1500, 16))
    eps = 1.5
    labels, core = kernels.dbscan([x[:400], x[400:401], x[401:]], threshold=eps, min_samples=6, metric="euclidean")
    model = DBSCAN(eps=eps, min_samples=6).fit(x)
    np.testing.assert_array_equal(np.flatnonzero(core), model.core_sample_indices_)
    np.testing.assert_array_equal(labels < 0, model.labels_ < 0)
    # Borders may go elsewhere; the partition of the cores is one.
    assert len(set(zip(labels[core], model.labels_[core], strict=True))) == labels.max() + 1 == model.labels_.max() + 1


def test_few_pairs_are_kept_where_nearly_all_count(monkeypatch):
    x = (1 + 0.001 * np.random.default_rng(0).normal(size=(6000, 4))).astype(np.float32)
    most = []
    settle = density.Density._settle
    monkeypatch.setattr(density.Density, "_settle", lambda self: (most.append(self._size), settle(self))[1])
    tracemalloc.start()
    labels, core = kernels.dbscan([x[:3000], x[3000:]], threshold=0.9, min_samples=5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert core.all() and (labels == 0).all()
    assert max(most) < 2**20 + 1024 * 2048 < 6000 * 5999 // 2 / 5
    assert peak < 400 * 2**20


def test_wrong_use():
    assert [len(part) for part in kernels.dbscan([], threshold=0.9, min_samples=5)] == [0, 0]
    with pytest.raises(ValueError, match="min_samples is 0"):
        kernels.dbscan([np.eye(3)], threshold=0.9, min_samples=0)
    with pytest.raises(ValueError, match="row 1 of block 1 holds NaN"):
        kernels.dbscan([np.eye(2), np.array([[0, 1], [0, np.nan]])], threshold=0.9, min_samples=5)
