"""Trees of groups by their moments: against one merge at a time, and against SciPy over rows."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import adjusted_rand_score

from pixsieve import kernels
from pixsieve.matching.linkage import Groups, joined, tree

LINKAGES = ("ward", "average", "complete")


def moments(x: np.ndarray, label: np.ndarray, how: str) -> Groups:
    """Of labelled rows, by definition."""
    parts = [x[label == own] for own in range(label.max() + 1)]
    squares = [((part - part.mean(axis=0)) ** 2).sum(axis=1) for part in parts]
    extent = [s.max() if how == "complete" else s.mean() for s in squares]
    return Groups(
        np.array([float(len(part)) for part in parts]),
        np.array([part.mean(axis=0) for part in parts]),
        np.array(extent),
    )


def one_at_a_time(groups: Groups, how: str) -> list[tuple[float, frozenset[int]]]:
    """The distance of each merge and the groups that it unites, the nearest pair first each time."""
    held = [(frozenset([i]), *each) for i, each in enumerate(zip(*groups, strict=True))]

    def square(a: tuple, b: tuple) -> float:
        apart = float(((a[2] - b[2]) ** 2).sum())
        return 2 * a[1] * b[1] / (a[1] + b[1]) * apart if how == "ward" else apart + a[3] + b[3]

    found = []
    while len(held) > 1:
        a, b = min(combinations(held, 2), key=lambda pair: square(*pair))
        size = a[1] + b[1]
        mean = (a[1] * a[2] + b[1] * b[2]) / size
        around = [each[3] + ((each[2] - mean) ** 2).sum() for each in (a, b)]
        extent = max(around) if how == "complete" else (a[1] * around[0] + b[1] * around[1]) / size
        found.append((np.sqrt(square(a, b)), a[0] | b[0]))
        held = [each for each in held if each is not a and each is not b] + [(a[0] | b[0], size, mean, extent)]
    return found


def drawn(seed: int, count: int) -> Groups:
    rng = np.random.default_rng(seed)
    return Groups(rng.integers(1, 9, count).astype(float), rng.normal(size=(count, 3)), rng.random(count))


@given(st.integers(0, 2**32), st.integers(1, 24), st.sampled_from(LINKAGES))
def test_the_tree_is_that_of_one_merge_at_a_time(seed: int, count: int, how):
    groups = drawn(seed, count)
    expected, found = one_at_a_time(groups, how), tree(groups, how)
    np.testing.assert_allclose(found.lengths, [height for height, _ in expected], rtol=1e-9)
    for at, (_, united) in enumerate(expected):
        label = kernels.components(count, *found.edges[: at + 1].T)
        assert set(np.flatnonzero(label == label[min(united)])) == united


@given(st.integers(0, 2**32), st.integers(1, 24), st.sampled_from(LINKAGES), st.floats(0, 3))
def test_below_a_distance_are_the_first_merges(seed: int, count: int, how, below: float):
    groups = drawn(seed, count)
    whole, part = tree(groups, how), tree(groups, how, below)
    kept = whole.lengths < below
    assert (np.sort(whole.edges[kept], axis=1) == np.sort(part.edges, axis=1)).all()
    np.testing.assert_array_equal(part.lengths, whole.lengths[kept])


@given(st.integers(0, 2**32), st.integers(2, 40))
def test_single_rows_are_clustered_as_scipy_does(seed: int, n: int):
    x = np.random.default_rng(seed).normal(size=(n, 4))
    groups = Groups(np.ones(n), x, np.zeros(n))
    i, j = np.triu_indices(n, 1)
    squares = ((x[i] - x[j]) ** 2).sum(axis=1)
    expected = {"ward": linkage(x, "ward"), "average": linkage(squares, "average")}
    expected["average"][:, 2] = np.sqrt(expected["average"][:, 2])
    for how in ("ward", "average"):
        found = tree(groups, how)
        np.testing.assert_allclose(found.lengths, expected[how][:, 2], rtol=1e-9)
        for count in (1, 2, n // 2 + 1):
            label = kernels.components(n, *found.edges[: n - count].T)
            assert label.max() + 1 == count
            assert adjusted_rand_score(label, fcluster(expected[how], count, "maxclust")) == 1


@given(st.integers(0, 2**32), st.sampled_from(LINKAGES))
def test_unions_have_the_moments_of_their_rows(seed: int, how):
    rng = np.random.default_rng(seed)
    x, fine = rng.normal(size=(40, 3)), np.append(np.arange(8), rng.integers(8, size=32))
    into = np.append(np.arange(3), rng.integers(3, size=5))
    found, expected = joined(moments(x, fine, how), into, how), moments(x, into[fine], how)
    np.testing.assert_array_equal(found.size, expected.size)
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-12)
    if how != "complete":
        np.testing.assert_allclose(found.extent, expected.extent, rtol=1e-9)


@given(st.integers(0, 2**32), st.integers(2, 12))
def test_ward_goes_on_from_its_own_clusters(seed: int, count: int):
    x = np.random.default_rng(seed).normal(size=(60, 4))
    whole = linkage(x, "ward")
    fine = fcluster(whole, 20, "maxclust") - 1
    found = tree(moments(x, fine, "ward"), "ward")
    np.testing.assert_allclose(found.lengths, whole[-19:, 2], rtol=1e-9)
    label = kernels.components(20, *found.edges[: 20 - count].T)[fine]
    assert adjusted_rand_score(label, fcluster(whole, count, "maxclust")) == 1


@pytest.mark.parametrize("how", LINKAGES)
def test_equal_groups(how):
    """Where all distances are equal, or only rounding tells them apart, there is a tree all the same."""
    x = np.tile(np.random.default_rng(0).normal(size=(3, 50)) / 7, (40, 1))
    found = tree(Groups(np.ones(120), x, np.zeros(120)), how)
    assert len(found.edges) == 119 and len(set(kernels.components(120, *found.edges.T))) == 1
    assert all(a <= b for a, b in pairwise(found.lengths))
    label = kernels.components(120, *found.edges[:117].T)
    assert adjusted_rand_score(label, np.tile(np.arange(3), 40)) == 1
    assert not len(tree(Groups(np.ones(1), x[:1], np.zeros(1)), how).edges)
