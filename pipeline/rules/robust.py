"""The default rule for outliers: rows that are far for their cluster, and farther than their neighbours are.

Of each row, d is the mean distance to its k nearest other rows, copies too (Angiulli and Pizzuti, "Fast outlier
detection in high dimensional spaces", PKDD 2002), and r is d over the mean d of these neighbours (the simplified local
outlier factor of Schubert, Zimek and Kriegel, "Local outlier detection reconsidered", Data Mining and Knowledge
Discovery 28, 2014, with mean distances). With medians and median absolute deviations (MAD) of logarithms,

    far   = (log d - median) / (1.4826 MAD) over the rows of the cluster
    alone = (log r - median) / (1.4826 MAD) over all rows

and the deviation is their mean, times the sensitivity. A row of no cluster is held against the cluster that most of its
neighbours are in, or against all rows if most of them are in none.
"""

from typing import NamedTuple

import numpy as np

from pipeline.rules import deviation

# The logarithms deviate by at least this: where distances are all alike, 5 % more is one deviation.
LEAST = float(np.log(1.05))


class Outlying(NamedTuple):
    """Of n rows."""

    deviation: np.ndarray  # (n,) float64, times the sensitivity; -inf for a row whose neighbours are all its copies
    far: np.ndarray  # (n,) float64
    alone: np.ndarray  # (n,) float64
    usual: np.ndarray  # (n,) float64, the median distance that the row is held against
    distance: np.ndarray  # (n,) float64, d
    around: np.ndarray  # (n,) float64, the mean d of its neighbours

    @property
    def score(self) -> np.ndarray:
        return deviation.score(self.deviation)

    @property
    def level(self) -> np.ndarray:
        return deviation.level(self.deviation)


def outlying(distance: np.ndarray, index: np.ndarray, labels: np.ndarray, sensitivity: float = 1.0) -> Outlying:
    """Only ratios of distances count: the result is the same for any scale of the data.

    distance: (n, k) of each row to its nearest others, ascending, NaN where there are fewer; index: (n, k) which these
    are, -1 for none in particular; labels: (n,) clusters, -1 for none. ValueError for a sensitivity that is
    not positive.
    """
    if not sensitivity > 0:
        raise ValueError(f"sensitivity is {sensitivity}; it must be above 0")
    n, clusters = len(distance), int(labels.max(initial=-1)) + 1
    own = _means(distance)
    own[np.isnan(own)] = 0  # nothing to be far from
    apart = own > 0  # what has k copies has no logarithm and is not far
    log = np.log(np.where(apart, own, 1))
    usual, scale = _usual(log, labels, apart, clusters)
    reference = np.where(labels >= 0, labels, _around(labels, index))
    usual, scale = usual[reference], scale[reference]
    # In order, so that the sum does not depend on how equal neighbours are told apart.
    around = _means(np.sort(np.where(index >= 0, own[index], np.nan), axis=1)) if n else own
    around[np.isnan(around)] = np.median(own) if n else 0
    ratio = np.divide(own, around, out=np.full(n, np.inf), where=around > 0)
    ratio = np.log(np.where(apart, ratio, 1))  # a copy among copies is as near as its neighbours
    known = ratio[np.isfinite(ratio)]
    centre, spread = deviation.median_and_scale(known, np.zeros(len(known), np.int64), 1)
    far = np.where(apart, (log - usual) / scale, -np.inf)
    alone = (ratio - np.nan_to_num(centre)) / np.fmax(spread, LEAST)
    return Outlying(sensitivity * (far + alone) / 2, far, alone, np.nan_to_num(np.exp(usual)), own, around)


def _usual(log: np.ndarray, labels: np.ndarray, apart: np.ndarray, clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """(clusters + 1,) median and scale of the logarithms; the last is of all rows, which also stands in for a cluster
    of nothing but copies."""
    own = apart & (labels >= 0)
    values = np.concatenate([log[own], log[apart]])
    groups = np.concatenate([labels[own], np.full(int(apart.sum()), clusters)])
    median, scale = deviation.median_and_scale(values, groups, clusters + 1)
    empty = np.isnan(median)
    median[empty], scale[empty] = median[-1], scale[-1]
    return median, np.fmax(scale, LEAST)


def _around(labels: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(n,) the label that most of the neighbours of each row have, of equals the nearest; -1 where there are none."""
    near = np.where(index >= 0, labels[index], -2) if len(labels) else index
    found, most = np.full(len(labels), -1), np.zeros(len(labels), np.int64)
    for column in near.T:
        votes = (near == column[:, None]).sum(axis=1) * (column > -2)
        found, most = np.where(votes > most, column, found), np.maximum(votes, most)
    return found


def _means(values: np.ndarray) -> np.ndarray:
    """(n,) mean of what is a number in each row, NaN for a row without any."""
    there = ~np.isnan(values)
    count = there.sum(axis=1)
    total = np.where(there, values, 0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
