"""Groups against slow loops over the same pairs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pixsieve.images.symmetries import inverse
from pixsieve.rules.groups import NearPairs, better, grouped, items, once

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed: int) -> tuple[NearPairs, np.ndarray]:
    """NearPairs of up to 12 items in any order, many of them twice; and the rank of each item."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(1, 12)), int(rng.integers(0, 30))
    i, j = rng.integers(n, size=(2, p))
    similarity = rng.choice([0.7, 0.8, 0.9, 1.0], p)
    return NearPairs(i, j, similarity, rng.integers(8, size=p).astype(np.int8)), rng.permutation(n)


@given(SEEDS)
def test_each_pair_once_at_its_best(seed):
    pairs, _ = drawn(seed)
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for i, j, similarity, symmetry in zip(*(column.tolist() for column in pairs), strict=True):
        if i != j:
            pair, turn = ((i, j), symmetry) if i < j else ((j, i), inverse(symmetry))
            best[pair] = min(best.get(pair, (0.0, 9)), (-similarity, turn))
    found = once(pairs)
    assert list(zip(found.i, found.j, strict=True)) == sorted(best)
    for pair, similarity, symmetry in zip(
        zip(found.i, found.j, strict=True), found.similarity, found.symmetry, strict=True
    ):
        assert best[pair] == (-similarity, symmetry)


@given(SEEDS)
def test_groups_are_those_of_a_loop_over_the_ranks(seed):
    pairs, rank = drawn(seed)
    pairs = once(pairs)
    near = {frozenset(p): (s, y) for *p, s, y in zip(*(column.tolist() for column in pairs), strict=True)}
    kept: list[int] = []
    own = {}
    for one in np.argsort(rank).tolist():
        if not any(frozenset((one, other)) in near for other in kept):
            kept.append(one)
    for one in range(len(rank)):
        reach = [other for other in kept if frozenset((one, other)) in near and rank[other] < rank[one]]
        own[one] = one if one in kept else min(reach, key=lambda o: (-near[frozenset((one, o))][0], rank[o]))
    found = grouped(pairs, rank)
    assert found.own.tolist() == [own[one] for one in range(len(rank))]
    for one in range(len(rank)):
        if own[one] == one:
            assert (found.similarity[one], found.symmetry[one]) == (1, 0)
        else:
            similarity, symmetry = near[frozenset((one, own[one]))]
            turns = inverse(symmetry) if one < own[one] else symmetry
            assert (found.similarity[one], found.symmetry[one]) == (similarity, turns)


@given(SEEDS, st.sampled_from([0.7, 0.8, 0.9, 1.0]))
def test_the_best_similarity_to_a_better_one_serves_every_higher_threshold(seed, threshold):
    pairs, rank = drawn(seed)
    pairs = once(pairs)
    to, best = better(pairs, rank)
    for one in range(len(rank)):
        found = [
            (-s, rank[i + j - one], i + j - one)
            for i, j, s, _ in zip(*pairs, strict=True)
            if one in (i, j) and rank[i + j - one] < rank[one]
        ]
        assert (to[one], best[one]) == ((min(found)[2], -min(found)[0]) if found else (-1, 0))
    above = NearPairs(*(column[pairs.similarity >= threshold] for column in pairs))
    again = better(above, rank)
    assert np.array_equal(again[0] >= 0, best >= threshold)
    assert np.array_equal(again[1][best >= threshold], best[best >= threshold])


@given(SEEDS)
def test_items_hang_together_by_nodes_and_pixels(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 15))
    node, pixel = rng.integers(-1, 8, n), rng.integers(0, 8, n)
    same = (pixel[:, None] == pixel) | ((node[:, None] == node) & (node[:, None] >= 0))
    for _ in range(n):
        same = same @ same
    item = items(node, pixel)
    assert np.array_equal(item[:, None] == item, same)
    assert set(item.tolist()) == set(range(int(item.max()) + 1))
