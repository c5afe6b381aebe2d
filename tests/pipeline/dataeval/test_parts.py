"""The parts of Clusterer: those for many rows made to work on few, and each against a slow one."""

import tracemalloc

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.cluster.hierarchy import linkage as linkage_of_scipy
from scipy.spatial.distance import pdist, squareform

from pixsieve import Clusterer
from pixsieve.dataeval import gaps, levels, linkage
from pixsieve.dataeval.lists import outliers
from pixsieve.kernels import tree
from pixsieve.kernels.engines import device, host
from tests.kernels.cuda_cpu import Shim
from tests.pipeline.dataeval import reference as dataeval_reference
from tests.pipeline.dataeval.test_clusterer import drawn


def large(patch, most_equal=64):
    """Every bound so low that few rows are many."""
    patch.setattr(tree, "FEW", 0)
    patch.setattr(linkage, "FEW", 1)
    patch.setattr(linkage, "LEAF", 3)
    patch.setattr(linkage, "MOST_EQUAL", most_equal)
    patch.setattr(linkage, "STEPS", 7)
    patch.setattr(gaps, "FEW", 0)
    patch.setattr(gaps, "SHORTEST", 2)
    patch.setattr(gaps, "LONGEST", 8)


def check_linkage(x):
    expected = linkage_of_scipy(pdist(x), "single")
    np.testing.assert_array_equal(np.column_stack(linkage.single_linkage(x)), expected[:, :3])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 120),
    d=st.integers(1, 12),
    most_equal=st.sampled_from([0, 1, 64]),
)
def test_linkage_as_scipys(seed, n, d, most_equal):
    with pytest.MonkeyPatch.context() as patch:
        large(patch, most_equal)
        check_linkage(drawn(seed, n, d))


@pytest.mark.parametrize("most_equal", [0, 64])
@pytest.mark.parametrize(
    "x",
    [
        np.zeros((20, 3)),
        np.eye(12),
        np.repeat(np.eye(4), 5, axis=0)[np.random.default_rng(0).permutation(20)],
        np.argwhere(np.ones((7, 7))).astype(float),
        np.array([[0.0], [1e-170], [0.0], [1.0], [2e-170], [1.0]]),  # distances whose squares vanish
    ],
    ids=["equal", "simplex", "copies", "grid", "vanishing"],
)
def test_linkage_of_ties(monkeypatch, x, most_equal):
    large(monkeypatch, most_equal)
    check_linkage(x)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 120), d=st.integers(1, 3))
def test_every_cluster_at_its_level(seed, n, d):
    """Members, what came last, and means and deviations to the last bit."""
    x = drawn(seed, n, d)
    at, ids, top = dataeval_reference.clusters(linkage_of_scipy(pdist(x), "single"))
    of = levels.levels(linkage.single_linkage(x))
    assert (len(of.chains), of.top) == (ids, top)
    assert of.end.tolist() == [max(level for level in at if c in at[level]) for c in range(ids)]
    for k in range(n - 1):
        members, heights, (mean, std), one, two, inner = at[of.level[k]][of.id[k]]
        place = slice(of.start[k], of.start[k] + of.size[k])
        assert sorted(of.rows[place].tolist()) == sorted(members) and of.newest[k] == members[-1]
        assert (of.mean[k], of.deviation[k], of.height[k].astype(np.float32)) == (mean, std, heights[-1])
        assert (of.one[k], of.two[k]) == (one, two)
        assert inner is None if of.inner[k] < 0 else of.id[of.inner[k]] == inner
        came = [min(q for q in at if row in at[q].get(of.id[k], ([],))[0]) for row in of.rows[place].tolist()]
        assert levels.entries(of, k).tolist() == came


# The first seeds are those of 3,000 at which one copy of a cluster, or the order of the ids, makes a difference.
@pytest.mark.parametrize("seed", [39, 481, 888, 281, 960, 1252, *range(30)])
def test_outliers_whatever_the_last_levels(seed):
    rng = np.random.default_rng(seed)
    x = drawn(seed, int(rng.integers(10, 120)), int(rng.integers(1, 4)))
    at, ids, _ = dataeval_reference.clusters(linkage_of_scipy(pdist(x), "single"))
    of = levels.levels(linkage.single_linkage(x))._replace(least=int(rng.integers(5, 130)))
    for _ in range(6):
        some = rng.permutation(ids)[: rng.integers(ids + 1)].tolist()
        last = {c: int(rng.choice([0, 0, rng.integers(of.end[c] + 1)])) for c in some}
        assert outliers(of, last) == dataeval_reference.outliers(at, last, of.least)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(4, 120), d=st.integers(1, 12), few=st.sampled_from([0, 30, 10_000])
)
def test_gaps_at_every_level(seed, n, d, few):
    x = drawn(seed, n, d)
    far = squareform(pdist(x))
    at, _, top = dataeval_reference.clusters(linkage_of_scipy(pdist(x), "single"))
    of = levels.levels(linkage.single_linkage(x))
    merges = np.flatnonzero(of.inner >= 0)
    every = {}
    for level in at:
        for outer, (_, _, _, _, _, inner) in at[level].items():
            if inner is not None:
                members = [(at[q][outer][0], at[q][inner][0]) for q in range(min(level, top))]
                every[level, outer] = np.array([far[np.ix_(a, b)].min() for a, b in members], np.float32)
    expected = [every[key] for key in zip(of.level[merges].tolist(), of.id[merges].tolist(), strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        large(patch)
        patch.setattr(gaps, "FEW", few)
        found = [gaps.gaps(x, of, merges, np.full(len(merges), average)) for average in (True, False)]
    assert len(every) == len(merges) and of.top == top
    np.testing.assert_array_equal(found[0], [values.mean() for values in expected])
    np.testing.assert_array_equal(found[1], [values.max() for values in expected])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 160), d=st.integers(1, 23))
def test_lists_of_many_rows_are_those_of_few(seed, n, d):
    x = drawn(seed, n, d)
    expected = Clusterer(x).evaluate()
    with pytest.MonkeyPatch.context() as patch:
        large(patch)
        assert Clusterer(x).evaluate() == expected


@pytest.mark.parametrize("seed", range(4))
def test_through_the_engine_of_the_gpu(monkeypatch, seed):
    x = drawn(seed, 100, 3)
    expected = Clusterer(x).evaluate()
    runtime = Shim()
    monkeypatch.setattr(host, "Host", lambda: device.Device(runtime))
    large(monkeypatch)
    check_linkage(x)
    assert Clusterer(x).evaluate() == expected
    assert runtime.launched


@pytest.mark.parametrize("seed", [2, 3, 6])
def test_near_duplicates_among_copies(monkeypatch, seed):
    """Groups torn apart by the exact pairs in them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(12, 2))[rng.integers(12, size=150)]
    x += rng.choice([0, 1e-5, 3e-3, 0.1], (150, 1)) * rng.normal(size=(150, 2))
    expected, _ = dataeval_reference.evaluate(x)
    assert expected["duplicates"] and expected["near_duplicates"]
    large(monkeypatch)
    assert Clusterer(x).evaluate() == expected


@pytest.mark.slow
def test_no_matrix():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 16))[rng.integers(20, size=20_000)] * 3 + rng.normal(size=(20_000, 16))
    x[:100] = x[100:200]
    tracemalloc.start()
    lists = Clusterer(x).evaluate()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400e6  # a matrix of float32 has 1.6 GB
    assert lists.duplicates == [[i, i + 100] for i in range(100)]


@pytest.mark.slow
def test_more_rows_than_scipy_is_asked_for():
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=(30, 8))[rng.integers(30, size=9000)] * 3 + rng.normal(size=(9000, 8)), 1)
    x[:500] = x[500:1000]
    assert len(x) > linkage.FEW
    check_linkage(x)
