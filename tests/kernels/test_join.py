"""join against a brute force in float64 in every regime: sparse and dense tiles, ties, copies, zero rows, two sides."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pixsieve import kernels
from pixsieve.kernels.engines.host import Host
from tests.kernels import brute
from tests.kernels.checks import check_join, vectors


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 150),
    d=st.integers(1, 40),
    spread=st.sampled_from([0.001, 0.05, 0.3, 2.0]),
    copies=st.integers(0, 20),
    zeros=st.integers(0, 3),
    cut=st.none() | st.sampled_from([0.0, 1.0]) | st.floats(0, 1),
    tile=st.sampled_from([(8, 16), (16, 16), (32, 64)]),
    cluster=st.sampled_from([0.3, 0.8, 0.95, 1.0]),
    near=st.sampled_from([0.5, 0.9, 1.0]),
    min_samples=st.integers(1, 8),
    k=st.integers(0, 12),
)
def test_join_equals_brute_force(seed, n, d, spread, copies, zeros, cut, tile, cluster, near, min_samples, k):
    rng = np.random.default_rng(seed)
    x = vectors(rng, n, d, spread, copies, zeros)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Host, "tile", tile)
        check_join(
            x, None if cut is None else round(cut * n), rng.integers(1, 4, size=n), cluster, min_samples, near, k
        )


def test_full_size_tiles():
    rng = np.random.default_rng(0)
    check_join(vectors(rng, 2300, 63, 0.1, 100, 2), None, np.ones(2300, np.int64), 0.9, 5, 0.8, 10)
    check_join(vectors(rng, 2300, 63, 0.3, 100, 2), 1100, np.ones(2300, np.int64), 0.9, 5, 0.8, 10)


def test_a_pair_just_at_the_threshold_counts_and_one_just_below_does_not():
    x = vectors(np.random.default_rng(1), 400, 48, 0.2, 0, 0)
    i, j = np.triu_indices(400, 1)
    s = kernels.similarity(x, x, i, j)
    for threshold in np.sort(s)[-2000::97]:
        if threshold > 0:
            got = kernels.join(x, None, kernels.Questions(near=float(threshold)))
            assert got.near_total == np.count_nonzero(s >= threshold)
            above = kernels.join(x, None, kernels.Questions(near=float(np.nextafter(threshold, 2))))
            assert above.near_total == np.count_nonzero(s > threshold)


def test_dot_products_of_stored_vectors_do_not_depend_on_the_order_of_summation():
    rng = np.random.default_rng(2)
    x = vectors(rng, 64, 512, 1.0, 0, 0)
    order = rng.permutation(512)
    i, j = np.triu_indices(64, 1)
    shuffled = x[:, order]
    np.testing.assert_array_equal(kernels.similarity(x, x, i, j), kernels.similarity(shuffled, shuffled, i, j))


def test_copies_are_exactly_one():
    x = vectors(np.random.default_rng(3), 200, 63, 1.0, 0, 0)
    i = np.arange(200)
    assert (kernels.similarity(x, x.copy(), i, i) == 1.0).all()


def test_beyond_the_limit_the_best_and_the_first_pair_of_each_row_are_kept():
    rng = np.random.default_rng(4)
    x = vectors(rng, 300, 8, 0.001, 0, 0)
    asked = kernels.Questions(near=0.9, k=4)
    full = kernels.join(x, None, asked)
    cut = kernels.join(x, None, asked._replace(near_limit=1000))
    assert cut.near_total == full.near_total > 1000
    pairs = set(zip(*cut.near[:2], strict=True))
    assert pairs < set(zip(*full.near[:2], strict=True))
    for node in range(300):
        best = full.neighbours[node][full.similarity[node] >= 0.9]
        assert all((min(node, o), max(node, o)) in pairs for o in best)
        partners = [i + j - node for i, j in zip(*full.near[:2], strict=True) if node in (i, j)]
        assert not partners or (min(node, min(partners)), max(node, min(partners))) in pairs


@pytest.mark.parametrize("k", [0, 2])
def test_the_limit_holds_to_the_pair(monkeypatch, k):
    """Wherever it falls among the tiles: all pairs up to it, the same few of any number beyond."""
    monkeypatch.setattr(Host, "tile", (8, 16))
    x = vectors(np.random.default_rng(6), 40, 6, 0.3, 3, 1)
    values = brute.closeness(x, x, "cosine")
    np.fill_diagonal(values, -np.inf)
    near = float(np.sort(values[np.triu_indices(40, 1)])[-90])  # what a pair has
    few = set()
    for row, likeness in enumerate(values):
        ranked = np.lexsort((np.arange(40), -likeness))[:k]
        others = [*ranked[likeness[ranked] >= near], *np.flatnonzero(likeness >= near)[:1]]
        few |= {(min(row, other), max(row, other)) for other in others}
    every = set(zip(*np.nonzero(np.triu(values >= near)), strict=True))
    assert len(few) < len(every)
    for limit in range(len(every) + 2):
        found = kernels.join(x, None, kernels.Questions(near=near, near_limit=limit, k=k))
        assert found.near_total == len(every)
        i, j, similarity = found.near
        assert list(zip(i, j, strict=True)) == sorted(every if len(every) <= limit else few)
        assert (similarity == values[i, j]).all()


def test_many_neighbours_and_too_many():
    x = vectors(np.random.default_rng(5), 700, 16, 0.5, 30, 1)
    check_join(x, None, np.ones(700, np.int64), 0.9, 5, 0.9, 256)
    with pytest.raises(ValueError, match="at most 256"):
        kernels.join(x, None, kernels.Questions(k=257))
