"""density_hierarchy against its definition, followed level by level over all distances, and scikit-learn."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

from pixsieve import kernels


def distances(x):
    return np.sqrt(((x[:, None] - x[None]) ** 2).sum(axis=2))


def core_distances(apart, min_samples):
    return np.sort(apart, axis=1)[:, min_samples - 1]


def by_definition(reach, least, selection, largest=None, single=False):
    """Labels, probabilities, scores and persistence of rows from their (n, n) mutual reachability; the edges of a level
    are removed at once."""
    n = len(reach)
    clusters = [{"birth": 0.0, "parent": -1, "size": n}]
    left, level = np.zeros(n, int), np.zeros(n)
    todo = [(np.arange(n), 0)]
    while todo:
        rows, own = todo.pop()
        inside = reach[np.ix_(rows, rows)]
        heights = np.unique(inside)
        # The greatest level at which the rows are no longer one.
        for height in heights[::-1]:
            graph = (inside < height) & (inside.diagonal() < height)[:, None] & (inside.diagonal() < height)
            count, part = connected_components(graph, directed=False)
            if count > 1 or height == heights[0]:
                break
        lam = np.inf if height == 0 else 1 / height
        pieces = [rows[part == p] for p in range(count)]
        big = [piece for piece in pieces if len(piece) >= least and (reach[piece, piece] < height).all()]
        kept = np.concatenate([np.empty(0, int), *big])
        gone = np.setdiff1d(rows, kept)
        left[gone], level[gone] = own, lam
        for piece in big:
            if len(big) > 1:
                clusters.append({"birth": lam, "parent": own, "size": len(piece)})
            todo.append((piece, len(clusters) - 1 if len(big) > 1 else own))
    k = len(clusters)
    children = [[c for c in range(k) if clusters[c]["parent"] == p] for p in range(k)]
    stability = np.array(
        [
            (level[left == c] - clusters[c]["birth"]).sum()
            + sum(clusters[d]["size"] * (clusters[d]["birth"] - clusters[c]["birth"]) for d in children[c])
            for c in range(k)
        ]
    )

    def under(c):
        return [c] + [d for child in children[c] for d in under(child)]

    def best(c):
        below = [best(d) for d in children[c]]
        total = sum(value for value, _ in below)
        if (c or single) and stability[c] >= total and clusters[c]["size"] <= (largest or n):
            return stability[c], [c]
        return total, [d for _, found in below for d in found]

    chosen = [c for c in range(1, k) if not children[c]] if selection == "leaf" else best(0)[1]
    labels, probability, score = np.full(n, -1), np.zeros(n), np.zeros(n)
    persistence = {}
    finite = level[np.isfinite(level)]
    for c in chosen:
        most = max([*level[left == c], *(clusters[d]["birth"] for d in children[c])])
        labels[np.isin(left, under(c)) & ((level >= most) | (c > 0))] = c
        own = labels == c
        probability[own] = [1 if np.isinf(v) or not most else min(v, most) / most for v in level[own]]
        mass = clusters[c]["size"] * finite.max(initial=0)
        persistence[c] = min(stability[c] / mass, 1) if mass else 1.0
    for row in range(n):
        most = max(level[np.isin(left, under(left[row]))])
        score[row] = 0 if np.isinf(level[row]) else 1 - (level[row] / most if most else 1)
    return labels, probability, score, persistence


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 70),
    min_samples=st.integers(1, 6),
    least=st.integers(2, 9),
    selection=st.sampled_from(["eom", "leaf"]),
    decimals=st.sampled_from([None, 1, 0]),
    copies=st.booleans(),
    largest=st.sampled_from([None, 9, 20, 60]),
    single=st.booleans(),
)
def test_it_is_what_the_definition_says_however_copies_are_held(
    seed, n, min_samples, least, selection, decimals, copies, largest, single
):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4, 2))[rng.integers(4, size=n)] * 4 + rng.normal(size=(n, 2)) * rng.uniform(0.2, 1, (n, 1))
    x = x if decimals is None else np.round(x, decimals)
    if copies:
        x[rng.integers(n, size=n // 3)] = x[rng.integers(n)]
    apart = distances(x)
    core = core_distances(apart, min(min_samples, n))
    reach = np.maximum(apart, np.maximum(core[:, None], core))
    labels, probability, score, persistence = by_definition(reach, least, selection, largest, single)
    first, place = kernels.distinct(x)
    for rows, of in ((np.arange(n), np.arange(n)), (first, place)):
        order = rng.permutation(len(rows))
        nodes = rows[order]
        weights = np.bincount(of, minlength=len(rows))[order]
        edges, lengths = kernels.spanning_tree(x[nodes], core=core[nodes])
        found = kernels.density_hierarchy(
            edges,
            lengths,
            core[nodes],
            weights,
            min_cluster_size=least,
            selection=selection,
            max_cluster_size=largest,
            allow_single_cluster=single,
        )
        back = np.argsort(order)[of]
        label = found.label[back]
        np.testing.assert_array_equal(kernels.first_seen(label), kernels.first_seen(labels))
        np.testing.assert_allclose(found.probability[back], probability, rtol=1e-9)
        np.testing.assert_allclose(found.outlier_score[back], score, rtol=1e-9, atol=1e-12)
        for c, value in persistence.items():
            assert found.persistence[label[labels == c][0]] == pytest.approx(value)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("selection", ["eom", "leaf"])
def test_without_ties_it_equals_scikit_learn(seed, selection):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(6, 4))[rng.integers(6, size=300)] * 3 + rng.normal(size=(300, 4)) * rng.uniform(
        0.1, 1, (300, 1)
    )
    edges, lengths = kernels.spanning_tree(x)
    least = int(rng.integers(2, 20))
    found = kernels.density_hierarchy(
        edges, lengths, np.zeros(300), np.ones(300, int), min_cluster_size=least, selection=selection
    )
    other = HDBSCAN(min_cluster_size=least, min_samples=1, cluster_selection_method=selection, copy=True).fit(x)
    np.testing.assert_array_equal(kernels.first_seen(found.label), kernels.first_seen(other.labels_))
    np.testing.assert_allclose(found.probability, other.probabilities_, rtol=1e-9)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("blobs", [1, 2, 6])
@pytest.mark.parametrize("largest", [None, 40, 120])
def test_limits_of_size_are_those_of_scikit_learn(seed, blobs, largest):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(blobs, 4))[rng.integers(blobs, size=200)] * 3 + rng.normal(size=(200, 4))
    edges, lengths = kernels.spanning_tree(x)
    single = largest is None  # of both, scikit-learn does not count the rows that the whole sheds one by one
    limits = {"min_cluster_size": int(rng.integers(2, 20)), "max_cluster_size": largest, "allow_single_cluster": single}
    found = kernels.density_hierarchy(edges, lengths, np.zeros(200), np.ones(200, int), **limits)
    other = HDBSCAN(min_samples=1, copy=True, **limits).fit(x)
    np.testing.assert_array_equal(kernels.first_seen(found.label), kernels.first_seen(other.labels_))
    np.testing.assert_allclose(found.probability, other.probabilities_, rtol=1e-9)


def test_one_dense_group_among_few_others_is_a_cluster_where_that_is_allowed():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(150, 2)) * 0.1, rng.uniform(-9, 9, (10, 2))])
    edges, lengths = kernels.spanning_tree(x)
    of = (edges, lengths, np.zeros(160), np.ones(160, int))
    found = kernels.density_hierarchy(*of, min_cluster_size=40, allow_single_cluster=True)
    assert found.label.max() == 0 and (found.label[150:] == -1).all() and len(found.persistence) == 1
    assert (kernels.density_hierarchy(*of, min_cluster_size=40).label == -1).all()


@pytest.mark.parametrize("seed", range(10))
def test_with_ties_only_rows_that_a_split_frees_differ_from_scikit_learn(seed):
    """Mutual reachability is full of ties: a row's core distance is the length of several edges."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(8, 6))[rng.integers(8, size=500)] * 2 + rng.normal(size=(500, 6)) * 0.5
    core = core_distances(distances(x), 5)
    edges, lengths = kernels.spanning_tree(x, core=core)
    found = kernels.density_hierarchy(edges, lengths, core, np.ones(500, int), min_cluster_size=20)
    other = HDBSCAN(min_cluster_size=20, min_samples=5, copy=True).fit(x).labels_
    both = found.label >= 0
    assert (other[both] >= 0).all() and adjusted_rand_score(found.label[both], other[both]) == 1
    freed = np.flatnonzero(~both & (other >= 0))
    assert len(freed) <= 5 and np.isin(core[freed], lengths).all()


def test_few_nodes_and_wrong_arguments():
    none = kernels.density_hierarchy(
        np.empty((0, 2), int), np.empty(0), np.empty(0), np.empty(0, int), min_cluster_size=5
    )
    assert none.label.shape == none.persistence.shape == (0,)
    one = kernels.density_hierarchy(np.empty((0, 2), int), np.empty(0), np.zeros(1), np.array([9]), min_cluster_size=5)
    assert one.label.tolist() == [-1] and one.outlier_score.tolist() == [0]
    with pytest.raises(ValueError, match="at least 2"):
        kernels.density_hierarchy(np.empty((0, 2), int), np.empty(0), np.zeros(1), np.ones(1, int), min_cluster_size=1)
    with pytest.raises(ValueError, match="no tree of 3"):
        kernels.density_hierarchy(np.array([[0, 1]]), np.ones(1), np.zeros(3), np.ones(3, int), min_cluster_size=5)
    with pytest.raises(ValueError, match="closes a ring"):
        kernels.density_hierarchy(
            np.array([[0, 1], [1, 0]]), np.ones(2), np.zeros(3), np.ones(3, int), min_cluster_size=5
        )
