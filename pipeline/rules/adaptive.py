"""Near duplicates by the spacing of their own cluster, instead of one similarity for all."""

import numpy as np

from pixsieve.rules.deviation import medians, of_clusters_and_all


def near_pairs(
    cluster: np.ndarray, nearest: np.ndarray, i: np.ndarray, j: np.ndarray, distance: np.ndarray, sensitivity: float
) -> np.ndarray:
    """(p,) which pairs are near duplicates: those whose distance is at most the sensitivity times the radius of the
    clusters of both their rows; so all at distance 0. Only ratios of distances count.

    The radius of a cluster is the median of its rows' distances to their nearest others: one far row leaves it where
    the other rows have it. Rows in no cluster have the radius of all rows.
    cluster: (n,) clusters of distinct rows, -1 for none; nearest: (n,) distance of each to the nearest other, infinite
    for none; i, j: (p,) places of the rows of each pair; distance: (p,). ValueError for a negative sensitivity.
    """
    if not sensitivity >= 0:
        raise ValueError(f"sensitivity is {sensitivity}; it must be 0 or more")
    reach = sensitivity * radii(cluster, nearest)
    return distance <= np.minimum(reach[cluster[i]], reach[cluster[j]])


def radii(cluster: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """(clusters + 1,) the radius of each cluster and, as the last, of all rows; 0 where no row has another."""
    known = np.isfinite(nearest) & (nearest > 0)
    return np.nan_to_num(medians(*of_clusters_and_all(nearest, cluster, known)))
