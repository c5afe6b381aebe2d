"""What does not belong to a set: rows that lie far from the mean of its features.

The features of a network crowd into a cone, and what shows nothing that the others show, as a chart among photos, lies
outside of it, however many others are like it. The deviation of a row is (log a - median) / (1.4826 MAD), a being its
distance from the mean; the largest of several distances. It is held against the rows of its cluster where these are a
population of their own, more than one row in ten, and against all rows elsewhere.
"""

import numpy as np

from pixsieve.rules import deviation

POPULATION = 0.1  # of the rows
ENOUGH = 30  # rows that a median and a deviation are taken of
LEAST = float(np.log(1.02))  # the logarithms deviate by at least this


def foreign(apart: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """(n,) float64 deviations, 0 or more. apart: (n, m) distances from the mean, 0 where nothing is known; cluster:
    (n,), -1 for none."""
    found = np.zeros(len(apart))
    size = np.bincount(cluster[cluster >= 0], minlength=1)
    own = np.where((cluster >= 0) & (size[cluster] > POPULATION * len(apart)), cluster, -1)
    for column in apart.T:
        known = column > 0
        if known.sum() < ENOUGH:
            continue
        log = np.log(np.where(known, column, 1))
        median, scale = deviation.median_and_scale(*deviation.of_clusters_and_all(log, own, known))
        with np.errstate(invalid="ignore"):
            far = (log - median[own]) / np.fmax(scale[own], LEAST)
        found = np.fmax(found, np.where(known, far, 0))
    return found
