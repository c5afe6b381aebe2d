"""A classifier on features, fitted to the labels as they are: multinomial logistic regression with a ridge, on features
of mean 0 and deviation 1. Asked of rows that it was not fitted on, it says which labels do not fit (Northcutt, Jiang
and Chuang, "Confident learning", JAIR 70, 2021)."""

import warnings
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

FEW = 10  # rows of a class, below which nothing is learned of it
RIDGE = 5e-4  # inverse of C, for each feature
ROUNDS = 100
LEAST = 1e-3  # deviation of a feature, of the largest
FOLDS, FITTED = 5, 20_000  # of the rows, and those that a head is fitted on, at most
KEPT = 8  # labels that are kept of each row
STEPS = 2.0**24  # probabilities are rounded to so many


class Heard(NamedTuple):
    """What heads say of n rows."""

    shares: csr_array  # (n, classes), the largest of each row, and that of its own label
    knows: np.ndarray  # (classes,) booleans: labels that all heads have learned

    def of(self, rows: np.ndarray) -> "Heard":
        return self._replace(shares=csr_array(self.shares[rows]))


class Head(NamedTuple):
    classes: np.ndarray  # (c,) the labels that it knows, ascending
    mean: np.ndarray  # (d,) float64
    weights: np.ndarray  # (d, c) float64, of features less the mean
    bias: np.ndarray  # (c,) float64

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """(n, c) float64 of the classes, for rows x (n, d)."""
        return np.asarray(softmax((x.astype(np.float64) - self.mean) @ self.weights + self.bias, axis=1))


def fit(x: np.ndarray, labels: np.ndarray) -> Head | None:
    """Of rows x (n, d), in an order that is always the same, with labels (n,); None where there are not two classes of
    FEW rows."""
    classes = np.flatnonzero(np.bincount(labels, minlength=1) >= FEW)
    if len(classes) < 2:
        return None
    known = np.isin(labels, classes)
    wide = x[known].astype(np.float64)
    mean, deviation = wide.mean(axis=0), wide.std(axis=0)
    scale = 1 / np.maximum(deviation, max(LEAST * deviation.max(), 1e-12))
    # lbfgs, whose first step is that of all features at length about 1.
    scale /= np.sqrt(x.shape[1])
    model = LogisticRegression(C=1 / (RIDGE * x.shape[1]), max_iter=ROUNDS)
    with warnings.catch_warnings(), threadpool_limits(1):  # sums of several threads may differ in their last bits
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit((wide - mean) * scale, labels[known])
    weights, bias = model.coef_, model.intercept_
    if len(classes) == 2:  # scikit-learn has one row for two
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return Head(classes, mean, weights.T * scale[:, None], bias)


def cross_fitted(
    labels: np.ndarray,
    groups: np.ndarray,
    seed: int,
    read: Callable[[np.ndarray], np.ndarray],
    parts: Iterable[np.ndarray],
) -> Heard | None:
    """What heads say of rows that they were not fitted on; None where no head can be fitted.

    labels: (n,) integers from 0, -1 for none, of rows in an order that is always the same; groups: (n,) integers from
    0, equal for rows that must not tell of each other, numbered in the same order; read: (m, d) features of some of the
    rows, by their places; parts: the places of all rows with a label, in parts that are read at a time.
    """
    rng = np.random.default_rng([seed, FOLDS])
    fold = rng.integers(FOLDS, size=int(groups.max(initial=-1)) + 1)[groups]
    heads = []
    for number in range(FOLDS):
        others = np.flatnonzero((labels >= 0) & (fold != number))
        drawn = np.sort(rng.permutation(others)[:FITTED])
        heads.append(fit(read(drawn), labels[drawn]) if len(drawn) else None)
    classes, n = int(labels.max(initial=-1)) + 1, len(labels)
    knows = np.ones(classes, bool)
    for head in heads:
        if head is None:
            return None
        knows &= np.isin(np.arange(classes), head.classes)
    found: list[tuple[np.ndarray, ...]] = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for places in parts:
        x = read(places)
        for number, head in enumerate(heads):
            here = fold[places] == number
            if head is not None and here.any():
                found.append(_largest(head, x[here], places[here], labels[places[here]]))
    i, c, share = (np.concatenate(column) for column in zip(*found, strict=True))
    shares = csr_array((share, (i, c)), shape=(n, classes))
    shares.sort_indices()
    return Heard(shares, knows)


def _largest(head: Head, x: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Row, label and probability: of each row the KEPT largest, and that of its own label."""
    said = np.round(head.probabilities(x) * STEPS) / STEPS
    kept = np.zeros(said.shape, bool)
    np.put_along_axis(kept, np.argsort(-said, axis=1, kind="stable")[:, :KEPT], True, axis=1)
    kept |= head.classes == labels[:, None]
    i, at = np.nonzero(kept & (said > 0))
    return rows[i], head.classes[at], said[i, at]
