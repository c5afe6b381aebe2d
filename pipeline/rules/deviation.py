"""Robust deviations: how far values lie from what is usual, and from where on that is called odd."""

from typing import NamedTuple

import numpy as np

# Iglewicz and Hoaglin, "How to detect and handle outliers", 1993, call 3.5 robust deviations an outlier.
STRONG_CUT, POTENTIAL_CUT = 3.5, 2.5
# The median absolute deviation of normal values, times this, is their standard deviation.
NORMAL = 1.4826


def score(deviation: np.ndarray) -> np.ndarray:
    """In [0, 1]: z / (z + 3.5), so that 0.5 is the cut of the strong level; 0 up to the usual, 1 for infinity."""
    over = np.maximum(deviation, 0) / STRONG_CUT
    return np.where(np.isinf(over), 1.0, over / (1 + np.where(np.isinf(over), 0, over)))


def level(deviation: np.ndarray) -> np.ndarray:
    """0, 1 from 2.5 and 2 from 3.5 deviations on."""
    return (deviation >= POTENTIAL_CUT).astype(np.int64) + (deviation >= STRONG_CUT)


class Grouped(NamedTuple):
    """n values in groups, as `medians` takes them."""

    values: np.ndarray  # (n,) floats
    groups: np.ndarray  # (n,) integers in 0 .. n_groups - 1
    n_groups: int


def of_clusters_and_all(values: np.ndarray, cluster: np.ndarray, use: np.ndarray) -> Grouped:
    """What `medians` takes, for a group of each cluster and, as the last, one of all rows; of the rows to `use`.

    values: (n,) floats; cluster: (n,) of each, -1 for none; use: (n,) booleans.
    """
    clusters = int(cluster.max(initial=-1)) + 1
    own = use & (cluster >= 0)
    groups = np.concatenate([cluster[own], np.full(int(use.sum()), clusters)])
    return Grouped(np.concatenate([values[own], values[use]]), groups, clusters + 1)


def median_and_scale(values: np.ndarray, groups: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Median and 1.4826 median absolute deviation of each group; NaN for an empty one.

    values: (n,) floats; groups: (n,) integers in 0 .. count - 1. Returns (count,), (count,).
    """
    median = medians(values, groups, count)
    return median, NORMAL * medians(np.abs(values - median[groups]), groups, count)


def medians(values: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """(count,) median of each group, of an even number the mean of the two in the middle; NaN for an empty one."""
    order = np.lexsort((values, groups))
    values = values[order]
    start = np.searchsorted(groups[order], np.arange(count + 1))
    size = np.diff(start)
    found = np.full(count, np.nan)
    some = size > 0
    low, high = (start[:-1] + (size - 1) // 2)[some], (start[:-1] + size // 2)[some]
    found[some] = (values[low] + values[high]) / 2
    return found
