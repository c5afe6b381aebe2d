"""Functions of graphs against slow references, on few numbers: nearly everything is tied."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pixsieve import kernels

FEW = settings(max_examples=80, deadline=None)
GRAPHS = st.builds(
    lambda seed, n, m: drawn(np.random.default_rng(seed), n, m),
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.integers(0, 30),
)


def drawn(rng: np.random.Generator, n: int, m: int):
    """Nodes' ranks (n,), in another order than their numbers, and edges (m,) between different nodes."""
    i = rng.integers(n, size=m)
    j = rng.integers(n, size=m)
    return rng.permutation(n), i[i != j], j[i != j], rng


def nearest_core(core, i, j, similarity, rank, node) -> int:
    edges = zip([*i, *j], [*j, *i], [*similarity, *similarity], strict=True)
    found = [(-s, rank[other], other) for here, other, s in edges if here == node and core[other]]
    return min(found)[2] if found and not core[node] else -1


@FEW
@given(graph=GRAPHS)
def test_a_border_node_goes_to_its_most_similar_core_and_of_several_to_the_best_ranked(graph):
    rank, i, j, rng = graph
    n = len(rank)
    core, similarity = rng.random(n) < 0.5, rng.integers(0, 3, size=len(i)) / 2
    expected = [nearest_core(core, i, j, similarity, rank, node) for node in range(n)]
    assert kernels.attach(core, i, j, similarity, rank).tolist() == expected
    label = rng.integers(0, 5, size=n)
    labels = [label[node] if core[node] else label[of] if of >= 0 else -1 for node, of in enumerate(expected)]
    assert kernels.density_labels(label, core, i, j, similarity, rank).tolist() == labels


@pytest.mark.parametrize("rank, owner", [([0, 1, 2], 0), ([1, 0, 2], 1)])
def test_the_first_node_can_take_in_a_border_node(rank, owner):
    """Two cores, equally near."""
    core, i, j, ones = np.array([True, True, False]), np.array([0, 1]), np.array([2, 2]), np.ones(2)
    assert kernels.attach(core, i, j, ones, np.array(rank)).tolist() == [-1, -1, owner]
    assert kernels.density_labels(np.array([7, 8, 9]), core, i, j, ones, np.array(rank)).tolist() == [7, 8, 7 + owner]


@FEW
@given(graph=GRAPHS)
def test_leaders_are_those_of_the_queue(graph):
    """One node at a time, best rank first."""
    rank, i, j, _ = graph
    kept: set[int] = set()
    for node in np.argsort(rank).tolist():
        beside = {*i[j == node].tolist(), *j[i == node].tolist()}
        kept |= set() if beside & kept else {node}
    assert np.flatnonzero(kernels.leaders(rank, i, j)).tolist() == sorted(kept)


@FEW
@given(labels=st.lists(st.integers(-3, 4), max_size=12))
def test_labels_are_numbered_as_they_are_first_seen(labels):
    names = {label: number for number, label in enumerate(dict.fromkeys(label for label in labels if label >= 0))}
    assert kernels.first_seen(np.array(labels, int)).tolist() == [names.get(label, -1) for label in labels]


@FEW
@given(graph=GRAPHS)
def test_components_and_forests(graph):
    rank, i, j, _ = graph
    n = len(rank)
    reach = np.eye(n, dtype=bool)
    reach[i, j] = reach[j, i] = True
    for node in range(n):
        reach |= reach[:, [node]] & reach[node]
    least = reach.argmax(axis=1)
    assert kernels.components(n, i, j).tolist() == np.unique(least, return_inverse=True)[1].tolist()
    forest = kernels.spanning_forest(n, i, j)
    edges = {*zip(i.tolist(), j.tolist(), strict=True), *zip(j.tolist(), i.tolist(), strict=True)}
    assert {(a, b) for a, b in forest.tolist()} <= edges
    assert len(forest) == n - len(set(least.tolist()))
    assert kernels.components(n, *forest.T).tolist() == kernels.components(n, i, j).tolist()
