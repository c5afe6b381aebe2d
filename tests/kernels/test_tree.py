"""spanning_tree against SciPy: the total and each length, the linkage made of it, mutual reachability, copies, ties."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.cluster.hierarchy import DisjointSet, linkage

from pixsieve import kernels
from pixsieve.kernels import boruvka, tree
from tests.kernels import brute
from tests.kernels.checks import check_tree, check_tree_of_blocks


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 160),
    d=st.integers(1, 12),
    metric=st.sampled_from(["cosine", "euclidean", "proximity", "hamming", "jaccard"]),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    reach=st.booleans(),
    few=st.sampled_from([0, 1000]),
    listed=st.integers(1, 8),
    decimals=st.sampled_from([None, 1]),
)
def test_the_tree_is_minimal(seed, n, d, metric, dtype, reach, few, listed, decimals):
    rng = np.random.default_rng(seed)
    x = brute.rows(rng, n, d, metric, dtype)
    if decimals is not None and metric in ("cosine", "euclidean", "proximity"):
        x = np.round(x, decimals)
    core = None
    if reach:
        lengths = brute.closeness(x, x, metric)
        lengths = lengths if metric == "euclidean" else 1 - lengths
        core = np.sort(lengths, axis=1)[:, min(3, n - 1)] if n else np.empty(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "FEW", few)
        patch.setattr(tree, "LISTED", listed)
        check_tree(x, metric, core)


def as_linkage(n, edges, lengths):
    """SciPy's form of a tree: clusters merged, height, size."""
    sets, name = DisjointSet(range(n)), {i: i for i in range(n)}
    rows = []
    for (i, j), length in zip(edges.tolist(), lengths.tolist(), strict=True):
        a, b = sorted((name[sets[i]], name[sets[j]]))
        sets.merge(i, j)
        name[sets[i]] = n + len(rows)
        rows.append((a, b, length, sets.subset_size(i)))
    return np.array(rows).reshape(-1, 4)


@pytest.mark.parametrize("seed", range(30))
def test_its_linkage_is_scipys_with_ties_too(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 160)), int(rng.integers(1, 24))
    x = np.round(rng.normal(size=(n, d)) * 10.0 ** rng.integers(-2, 3), int(rng.integers(0, 3)))
    x[rng.integers(n, size=n // 8)] = x[rng.integers(n, size=n // 8)]
    np.testing.assert_array_equal(as_linkage(n, *kernels.spanning_tree(x)), linkage(x, "single"))


def test_many_rows():
    """Groups far apart, and rows between: lists do not vouch for all."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 8))[rng.integers(12, size=3000)] * 5 + rng.normal(size=(3000, 8)) * 0.2
    x[:300] = rng.normal(size=(300, 8)) * 5
    _, lengths = kernels.spanning_tree(x)
    np.testing.assert_array_equal(lengths, linkage(x, "single")[:, 2])
    core = kernels.neighbours(x, k=4, metric="euclidean")[1][:, -1]
    check_tree(x, "euclidean", core)


@pytest.mark.parametrize("core", [np.ones(3), np.full(4, np.nan), np.full(4, -1.0)])
def test_wrong_core_distances(core):
    with pytest.raises(ValueError, match="distances are needed, finite and not negative"):
        kernels.spanning_tree(np.eye(4), core=core)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 90),
    cuts=st.integers(1, 4),
    metric=st.sampled_from(["cosine", "euclidean", "proximity"]),
    reach=st.booleans(),
    listed=st.integers(1, 8),
    scouts=st.integers(1, 4),
    with_known=st.booleans(),
    decimals=st.sampled_from([None, 0]),
)
def test_blocks_make_the_tree_of_the_whole(seed, n, cuts, metric, reach, listed, scouts, with_known, decimals):
    """What lists prove, and the trees of the rest over each pair of blocks, hold a minimum tree of all rows."""
    rng = np.random.default_rng(seed)
    x = brute.rows(rng, n, 4, metric, "float64")
    x = x if decimals is None else np.round(x, decimals)
    apart = brute.closeness(x, x, metric)
    apart = apart if metric == "euclidean" else 1 - apart
    np.fill_diagonal(apart, np.inf)
    core = np.sort(apart, axis=1)[:, 1] if reach and n > 2 else np.zeros(n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boruvka, "SCOUTS", scouts)
        check_tree_of_blocks(x, metric, core, np.array_split(rng.permutation(n), cuts), listed, with_known)


def test_forest_keeps_edges_of_no_length_and_counts_none_twice():
    edges = np.array([[0, 1], [1, 0], [1, 2], [0, 2], [3, 4]])
    found, lengths = kernels.minimum_forest(5, edges, np.array([0.0, 0.0, 0.5, 0.25, 0.0]))
    assert found.tolist() == [[0, 1], [3, 4], [0, 2]] and lengths.tolist() == [0, 0, 0.25]


def test_wrong_components():
    with pytest.raises(ValueError, match="labels are needed"):
        kernels.spanning_tree(np.eye(4), component=np.zeros(3, int))


@pytest.mark.parametrize("seed", range(8))
def test_blocks_of_groups_of_groups(seed):
    """Lists join some components, and leave groups far apart that no list sees."""
    rng = np.random.default_rng(seed)
    centres = 50 * rng.normal(size=(3, 1, 3)) + 3 * rng.normal(size=(3, 4, 3))
    x = centres.reshape(-1, 3)[rng.integers(12, size=150)] + rng.normal(size=(150, 3)) * rng.uniform(0.1, 1.5, (150, 1))
    core = np.sort(brute.closeness(x, x, "euclidean"), axis=1)[:, 2]
    for listed in (2, 4, 8):
        check_tree_of_blocks(x, "euclidean", core, np.array_split(rng.permutation(150), 3), listed, True)
