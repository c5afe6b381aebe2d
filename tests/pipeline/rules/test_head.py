"""Heads are not fitted on the rows that they are asked of, and make label errors easier to find."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from pixsieve import kernels
from pixsieve.rules import head
from pixsieve.rules.head import FEW, cross_fitted, fit
from pixsieve.rules.mislabels import mislabelled


def classes(n: int = 600, count: int = 6, apart: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Directions, of which a dozen axes tell of the class and four times as many do not."""
    rng = np.random.default_rng(0)
    labels = rng.integers(count, size=n)
    x = np.hstack([apart * rng.normal(size=(count, 12))[labels], np.zeros((n, 52))]) + rng.normal(size=(n, 64))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16), labels


def turned(labels: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    wrong, count = rng.random(len(labels)) < share, int(labels.max()) + 1
    return np.where(wrong, (labels + rng.integers(1, count, len(labels))) % count, labels), wrong


def asked(x: np.ndarray, labels: np.ndarray, parts: int = 1) -> head.Heard | None:
    known = np.flatnonzero(labels >= 0)
    return cross_fitted(labels, np.arange(len(x)), 0, lambda at: x[at], np.array_split(known, parts))


def test_a_head_is_the_regression_of_scikit_learn():
    x, labels = classes()
    for count in (2, 6):
        own, few = x[labels < count], labels[labels < count]
        found = fit(own, few)
        wide = own.astype(np.float64)
        wide = (wide - wide.mean(axis=0)) / wide.std(axis=0) / np.sqrt(64)
        model = LogisticRegression(C=1 / (head.RIDGE * 64), max_iter=2000, tol=1e-8).fit(wide, few)
        np.testing.assert_allclose(found.probabilities(own), model.predict_proba(wide), atol=0.05)


def test_one_class_or_few_rows_make_none():
    x, _ = classes(FEW * 2)
    assert fit(x, np.zeros(len(x), int)) is None
    assert fit(x, np.arange(len(x)) // (FEW - 1)) is None
    assert asked(x, np.full(len(x), -1)) is None


def test_no_row_is_asked_of_a_head_that_knows_it():
    """Labels at random: a head that had seen them would agree with them."""
    x, _ = classes(400)
    labels = np.random.default_rng(3).integers(4, size=400)
    heard = asked(x, labels)
    own = heard.shares[np.arange(400), labels]
    assert np.mean(own) < 0.35


def test_parts_do_not_matter_and_equal_rows_share_a_fold():
    x, labels = classes(300)
    one, many = asked(x, labels), asked(x, labels, 7)
    np.testing.assert_array_equal(one.shares.todense(), many.shares.todense())
    groups, seen = np.arange(300) // 2, []
    cross_fitted(labels, groups, 0, lambda at: seen.append(at) or x[at], [])
    assert len(seen) == head.FOLDS
    for rows in seen:
        assert (np.bincount(groups[rows], minlength=150) % 2 == 0).all()


def test_rare_labels_are_left_to_the_neighbours():
    x, labels = classes(300)
    labels[:3] = 6
    heard = asked(x, labels)
    assert not heard.knows[6] and heard.knows[:6].all()


def test_errors_are_found_better_with_heads_and_none_in_noise():
    x, labels = classes(1500, apart=0.9)
    given, wrong = turned(labels, 0.04)
    index, similarity = kernels.neighbours(x, k=10)
    nodes, alone = np.arange(len(x)), np.full(len(x), -1)
    without = mislabelled(nodes, given, alone, index, similarity)
    found = mislabelled(nodes, given, alone, index, similarity, asked(x, given))

    def best(one) -> float:
        """Precision among as many rows as are wrong, the most likely ones."""
        return float(wrong[np.argsort(-np.nan_to_num(one.log_odds, nan=-99))[: wrong.sum()]].mean())

    assert best(found) > best(without) + 0.05
    random = np.random.default_rng(5).integers(6, size=len(x))
    assert not mislabelled(nodes, random, alone, index, similarity, asked(x, random)).level.any()


def test_without_labels_on_some_rows():
    x, labels = classes(300)
    labels[::3] = -1
    heard = asked(x, labels)
    found = mislabelled(np.arange(300), labels, np.full(300, -1), *kernels.neighbours(x, k=5), heard)
    assert np.isnan(found.log_odds[::3]).all() and np.isfinite(found.log_odds[1::3]).all()
