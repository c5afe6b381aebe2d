"""The default rule for outliers, sentence by sentence."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixsieve.rules import robust
from tests.pipeline.rules.drawn import SEEDS, nearest, rows

K = 5
FEW = settings(max_examples=40, deadline=None)


def found(x: np.ndarray, labels: np.ndarray, keys: np.ndarray | None = None, sensitivity: float = 1.0):
    return robust.outlying(*nearest(x, np.arange(len(x)) if keys is None else keys, K), labels, sensitivity)


def same(one: robust.Outlying, other: robust.Outlying) -> None:
    np.testing.assert_allclose(one.score, other.score, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(one.level, other.level)


@FEW
@given(SEEDS, st.integers(-12, 12))
def test_the_scale_of_the_data_does_not_matter(seed: int, power: int):
    x, labels = rows(seed)
    same(found(x, labels), found(x * 10.0**power, labels))


@FEW
@given(SEEDS)
def test_a_shift_of_the_data_does_not_matter(seed: int):
    x, labels = rows(seed)
    same(found(x, labels), found(x + np.random.default_rng(seed).uniform(-100, 100, x.shape[1]), labels))


@FEW
@given(SEEDS)
def test_the_order_of_rows_and_the_names_of_clusters_do_not_matter(seed: int):
    x, labels = rows(seed)
    rng = np.random.default_rng(seed)
    order, names = rng.permutation(len(x)), np.append(rng.permutation(labels.max() + 1), -1)
    before, after = found(x, labels), found(x[order], names[labels][order], keys=order)
    np.testing.assert_array_equal(after.score, before.score[order])
    np.testing.assert_array_equal(after.level, before.level[order])


@FEW
@given(SEEDS, st.floats(0.05, 20), st.floats(0.05, 20))
def test_more_sensitivity_calls_more(seed: int, one: float, other: float):
    x, labels = rows(seed)
    less, more = (found(x, labels, sensitivity=s) for s in sorted((one, other)))
    assert (less.level <= more.level).all() and (less.score <= more.score).all()
    called = (less.score > 0) & (less.score < 1)
    assert (less.score[called] < more.score[called]).all() or one == other


@FEW
@given(SEEDS)
def test_every_row_has_a_score_and_the_level_that_goes_with_it(seed: int):
    one = found(*rows(seed, least=1))
    assert ((one.score >= 0) & (one.score <= 1)).all()
    np.testing.assert_array_equal(one.level, (one.score >= 2.5 / 6) * 1 + (one.score >= 0.5))


def slow(distance: np.ndarray, index: np.ndarray, labels: list[int]) -> list[float]:
    """The rule as the documentation has it, a row at a time."""
    n, own = len(distance), distance.tolist()

    def robustly(values: list[float]) -> tuple[float, float]:
        median = statistics.median(values)
        return median, max(1.4826 * statistics.median([abs(v - median) for v in values]), math.log(1.05))

    def dusted(value: float) -> float:
        return 0.0 if abs(value) < 1e-9 else value

    everywhere = [math.log(v) for v in own if v > 0]
    ratios = []
    for i in range(n):
        around = [own[j] for j in index[i] if j >= 0]
        mean = sum(around) / len(around) if around else statistics.median(own)
        ratios.append(1.0 if own[i] == 0 else math.inf if mean == 0 else own[i] / mean)
    centre, spread = robustly([math.log(r) for r in ratios if r < math.inf] or [0.0])
    deviations = []
    for i in range(n):
        members = [j for j in range(n) if labels[j] == labels[i] >= 0]
        inside = [math.log(own[j]) for j in members if own[j] > 0] if len(members) > index.shape[1] else []
        if own[i] == 0:
            deviations.append(0.0)
            continue
        median, scale = robustly(inside or everywhere)
        far = dusted((math.log(own[i]) - median) / scale)
        if ratios[i] == math.inf:
            deviations.append(math.inf if far >= 0 else 0.0)
        else:
            alone = dusted((math.log(ratios[i]) - centre) / spread)
            deviations.append(math.sqrt(far * alone) if far > 0 and alone > 0 else 0.0)
    return deviations


@settings(max_examples=80, deadline=None)
@given(SEEDS)
def test_against_a_slow_reference(seed: int):
    x, labels = rows(seed, least=1, most=40)
    distance, index = nearest(x, np.arange(len(x)), K)
    lost = np.random.default_rng(seed).random(len(x)) < 0.1
    distance[lost], index[lost] = 70.0, -1  # rows without direction: far from all, near to none in particular
    got = robust.outlying(distance, index, labels).deviation
    np.testing.assert_allclose(got, slow(distance, index, labels.tolist()), rtol=1e-9, atol=1e-9)


@FEW
@given(SEEDS, st.floats(0, 1), st.floats(20, 1e6))
def test_a_far_row_is_an_outlier_whether_a_cluster_claims_it_or_not(seed: int, share: float, times: float):
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(size=(40, 4)), np.where(rng.random(40) < share, 0, -1)
    x = np.vstack([x, times * np.eye(4)[0]])
    for label in (-1, 0):
        one = found(x, np.append(labels, label))
        assert one.level[-1] == 2 and one.score[-1] == one.score.max()
        alone = found(x[:-1], labels)
        assert (one.level[:-1] == 2).sum() <= (alone.level == 2).sum() + 1  # it makes no others of them


def test_rows_between_copies_and_of_nothing_but_copies():
    x, labels = np.zeros((30, 3)), np.zeros(30, np.int64)
    assert (found(x, labels).score == 0).all()
    x[7], labels[7] = 5, -1
    one = found(x, labels)
    assert one.level[7] == 2 and one.score[7] == 1 and (np.delete(one.score, 7) == 0).all()
    x[9], labels[9] = -5, -1
    assert found(x, labels).level[[7, 9]].tolist() == [2, 2]


def test_small_sets_and_wrong_sensitivity():
    for n in (0, 1, 2):
        one = found(np.arange(n, dtype=float)[:, None], np.full(n, -1))
        assert one.level.tolist() == [0] * n and len(one.score) == n
    for wrong in (0, -1, math.nan):
        with pytest.raises(ValueError, match="sensitivity"):
            found(np.zeros((2, 1)), np.zeros(2, np.int64), sensitivity=wrong)


def test_the_standard_is_that_of_the_cluster():
    """What is far in a dense cluster would be near in a wide one."""
    rng = np.random.default_rng(0)
    dense, wide = rng.normal(size=(60, 3)) * 0.01, 50 + rng.normal(size=(200, 3))
    x = np.vstack([dense, wide, [[0.2, 0, 0]]])
    one = found(x, np.repeat([0, 1, 0], [60, 200, 1]))
    assert one.level[-1] == 2 and one.usual[-1] == one.usual[0] < 0.1 < one.usual[100]
    assert found(x, np.full(261, -1)).level[-1] == 0


def test_a_few_copies_of_other_rows_make_no_row_an_outlier():
    """Where most images have near copies, those that have none are twice as far from their nearest."""
    called = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(60, 20))
        many = np.vstack([x, *(x[:45] + 0.01 * rng.normal(size=(45, 20)) for _ in range(seed % 4 + 1))])
        called += int((found(many, np.full(len(many), -1)).level == 2).sum())
    assert called <= 0.01 * 20 * 60


def test_a_row_near_a_burst_is_no_outlier():
    """The frames of a burst are nearest to many rows, and to each other nearer than any."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 30))
    burst = x[:4].repeat(12, axis=0) + 0.001 * rng.normal(size=(48, 30))
    one = found(np.vstack([x, 0.5 * burst]), np.repeat([-1, 0, 1, 2, 3], [80, 12, 12, 12, 12]))
    assert (one.level[:80] == 2).sum() == 0
