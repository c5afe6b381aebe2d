"""The default rule for outliers: rows that are far for their cluster, and farther than their neighbours are.

Of each row, d is the distance to its k-th nearest other row, copies counted (Ramaswamy, Rastogi and Shim, "Efficient
algorithms for mining outliers from large data sets", SIGMOD 2000), and r is d over the mean d of its k neighbours (the
simplified local outlier factor of Schubert, Zimek and Kriegel, "Local outlier detection reconsidered", Data Mining and
Knowledge Discovery 28, 2014; after Breunig et al., SIGMOD 2000). With the median and the median absolute deviation
(MAD) of logarithms,

    far   = (log d - median) / (1.4826 MAD), over the rows of the cluster
    alone = (log r - median) / (1.4826 MAD), over all rows

and the deviation is the square root of their product, where both are above 0, times the sensitivity. All rows stand in
for no cluster, and for one of no more than k rows: their k-th neighbours are not in it.
"""

from typing import NamedTuple

import numpy as np

from pixsieve.rules import deviation

# The logarithms deviate by at least this: where distances are all alike, 5 % more is one deviation.
LEAST = float(np.log(1.05))
DUST = 1e-9  # what a root would make visible of a rounding error: deviations below it are 0


class Outlying(NamedTuple):
    """Of n rows, (n,) float64 each."""

    deviation: np.ndarray  # times the sensitivity; 0 for what is not far or not alone
    far: np.ndarray  # -inf for a row with k copies
    alone: np.ndarray  # inf for a row without k copies all of whose neighbours have k
    usual: np.ndarray  # the median distance that the row is held against
    around: np.ndarray  # the mean distance of its neighbours

    @property
    def score(self) -> np.ndarray:
        return deviation.score(self.deviation)

    @property
    def level(self) -> np.ndarray:
        return deviation.level(self.deviation)


def but_for(found: Outlying, settled: np.ndarray) -> Outlying:
    """The rows `settled` (n,) are no outliers, whatever their distances: others are like them."""
    most = np.nextafter(deviation.POTENTIAL_CUT, 0)
    return found._replace(deviation=np.where(settled, np.minimum(found.deviation, most), found.deviation))


def outlying(distance: np.ndarray, index: np.ndarray, cluster: np.ndarray, sensitivity: float = 1.0) -> Outlying:
    """Only ratios of distances count: the result is the same for any scale of the data.

    distance: (n,) of each row to its k-th nearest other, >= 0; index: (n, k) its k nearest others, -1 for none;
    cluster: (n,), -1 for none. A row near to none in particular is held against the median of all. ValueError for a
    sensitivity that is not positive.
    """
    if not sensitivity > 0:
        raise ValueError(f"sensitivity is {sensitivity}; it must be above 0")
    apart = distance > 0
    log = np.log(np.where(apart, distance, 1))
    usual, scale = _usual(log, cluster, apart, index.shape[1])
    around = _around(distance, index)
    # A copy among copies is as near as its neighbours.
    ratio = np.divide(distance, around, out=np.full(len(distance), np.inf), where=around > 0)
    ratio = np.log(np.where(apart, ratio, 1))
    known = ratio[np.isfinite(ratio)]
    centre, spread = deviation.median_and_scale(known, np.zeros(len(known), np.int64), 1)
    far = _dusted(np.where(apart, (log - usual) / scale, -np.inf))
    alone = _dusted((ratio - np.nan_to_num(centre)) / np.fmax(spread, LEAST))
    both = np.sqrt(np.maximum(far, 0) * np.where(np.isinf(alone), 0, np.maximum(alone, 0)))
    both[np.isinf(alone) & (far >= 0)] = np.inf
    return Outlying(sensitivity * both, far, alone, np.nan_to_num(np.exp(usual)), around)


def _dusted(values: np.ndarray) -> np.ndarray:
    return np.where(np.abs(values) < DUST, 0, values)


def _usual(log: np.ndarray, cluster: np.ndarray, apart: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) median and scale of the logarithms that each row is held against; nothing but copies has none."""
    median, scale = deviation.median_and_scale(*deviation.of_clusters_and_all(log, cluster, apart))
    size = np.bincount(cluster[cluster >= 0], minlength=len(median))
    empty = np.isnan(median) | (size <= k)
    median[empty], scale[empty] = median[-1], scale[-1]
    return median[cluster], np.fmax(scale, LEAST)[cluster]


def _around(distance: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(n,) mean distance of the neighbours of each row; of a row without any, the median of all."""
    there = index >= 0
    # In order, so that the sum does not depend on how equally near rows are told apart.
    near = np.sort(np.where(there, distance[index] if len(index) else 0, 0), axis=1)
    count = there.sum(axis=1)
    median = np.median(distance) if len(distance) else 0.0
    return np.divide(near.sum(axis=1), count, out=np.full(len(index), median), where=count > 0)
