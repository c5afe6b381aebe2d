"""Near duplicates by the spacing of their cluster, sentence by sentence."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixsieve import kernels
from pixsieve.rules.adaptive import near_pairs, radii
from tests.pipeline.rules.drawn import SEEDS, distances, rows

FEW = settings(max_examples=40, deadline=None)
SENSITIVITY = st.floats(0.01, 4)


def all_pairs(x: np.ndarray, labels: np.ndarray):
    """labels, nearest, i, j, distance of distinct rows and all their pairs."""
    between = distances(x)
    apart = np.where(between > 0, between, np.inf)
    i, j = np.triu_indices(len(x), 1)
    return labels, apart.min(axis=1, initial=np.inf), i, j, between[i, j]


def slow(labels, nearest, i, j, distance, sensitivity) -> list[bool]:
    def radius(label: int) -> float:
        inside = [d for d, own in zip(nearest, labels, strict=True) if label in (own, -1) and 0 < d < math.inf]
        return statistics.median(inside) if inside else 0.0

    return [
        d == 0 or d <= sensitivity * min(radius(labels[a]), radius(labels[b]))
        for a, b, d in zip(i, j, distance, strict=True)
    ]


@FEW
@given(SEEDS, SENSITIVITY)
def test_against_a_slow_reference(seed: int, sensitivity: float):
    given_ = all_pairs(*rows(seed, most=30))
    assert near_pairs(*given_, sensitivity).tolist() == slow(*(part.tolist() for part in given_), sensitivity)


@FEW
@given(SEEDS, SENSITIVITY, st.integers(-12, 12))
def test_scale_shift_and_order_do_not_matter(seed: int, sensitivity: float, power: int):
    x, labels = rows(seed)
    mask = near_pairs(*all_pairs(x, labels), sensitivity)
    np.testing.assert_array_equal(near_pairs(*all_pairs(x * 10.0**power, labels), sensitivity), mask)
    np.testing.assert_array_equal(near_pairs(*all_pairs(x + 31.7, labels), sensitivity), mask)
    order = np.random.default_rng(seed).permutation(len(x))
    _, _, i, j, _ = all_pairs(x, labels)
    _, _, new_i, new_j, _ = permuted = all_pairs(x[order], labels[order])
    after = near_pairs(*permuted, sensitivity)
    before = dict(zip(zip(i.tolist(), j.tolist(), strict=True), mask.tolist(), strict=True))
    for a, b, keep in zip(order[new_i].tolist(), order[new_j].tolist(), after.tolist(), strict=True):
        assert before[min(a, b), max(a, b)] == keep


@FEW
@given(SEEDS, st.floats(0, 4), st.floats(0, 4))
def test_more_sensitivity_keeps_more_and_identical_rows_always(seed: int, one: float, other: float):
    given_ = all_pairs(*rows(seed))
    less, more = (near_pairs(*given_, s) for s in sorted((one, other)))
    assert (less <= more).all()
    assert less[given_[-1] == 0].all()


@FEW
@given(SEEDS, st.floats(0.01, 0.8))
def test_one_far_point_changes_no_pair(seed: int, sensitivity: float):
    """However far it is, and though the cluster claims it: the classic way to make one group of a whole cluster."""
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(size=(31, 3)), np.zeros(32, np.int64)
    masks = []
    for far in (1e2, 1e9):
        labels_, nearest, i, j, distance = all_pairs(np.vstack([x, [[far, 0, 0]]]), labels)
        masks.append(near_pairs(labels_, nearest, i, j, distance, sensitivity))
        assert not masks[-1][j == 31].any()
    np.testing.assert_array_equal(*masks)
    # The median of one row more: at most the next of the distances.
    alone = np.sort(all_pairs(x, labels[:31])[1])
    assert alone[15] <= radii(labels, nearest)[0] <= alone[16]
    assert not masks[0].all()


@FEW
@given(SEEDS, SENSITIVITY)
def test_groups_do_not_chain(seed: int, sensitivity: float):
    """Each member is near to the one that is kept, not only to another member."""
    x, labels = rows(seed)
    i, j, distance = (part[near_pairs(*all_pairs(x, labels), sensitivity)] for part in all_pairs(x, labels)[2:])
    rank = np.random.default_rng(seed).permutation(len(x))
    kept = kernels.leaders(rank, i, j)
    upward = kept[np.where(rank[i] < rank[j], i, j)]
    leader = kernels.attach(kept, i[upward], j[upward], -distance[upward], rank)
    near = {(a, b) for a, b in zip([*i, *j], [*j, *i], strict=True)}
    for row in np.flatnonzero(~kept):
        assert kept[leader[row]] and (row, leader[row]) in near


def test_edges():
    none = np.empty(0, np.int64)
    assert near_pairs(none, np.empty(0), none, none, np.empty(0), 1.0).tolist() == []
    one = np.array([0])
    assert near_pairs(np.full(2, -1), np.full(2, np.inf), one, one + 1, np.zeros(1), 0.0).tolist() == [True]
    with pytest.raises(ValueError, match="sensitivity"):
        near_pairs(np.full(2, -1), np.ones(2), one, one + 1, np.ones(1), -1.0)
