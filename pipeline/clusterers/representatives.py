"""The rows that stand for the clusters of a batch when batches are matched."""

from typing import NamedTuple

import numpy as np

from pixsieve import kernels


class Representatives(NamedTuple):
    """Of c clusters, and r rows that stand for them, by cluster."""

    size: np.ndarray  # (c,) members
    mean: np.ndarray  # (c, d) float32, of the unit vectors
    spread: np.ndarray  # (c,) root mean square distance of the members to the mean
    reach: np.ndarray  # (c,) greatest distance of a member to the mean
    cluster: np.ndarray  # (r,)
    row: np.ndarray  # (r,) the medoid of the cluster, then the farthest from those before it, each time
    covers: np.ndarray  # (r,) members that are nearest to this one
    radius: np.ndarray  # (r,) least similarity of these to it

    @property
    def medoid(self) -> np.ndarray:
        """(c,) rows."""
        return self.row[np.searchsorted(self.cluster, np.arange(len(self.size)))]


def representatives(
    x: np.ndarray, cluster: np.ndarray, rows: np.ndarray, dense: np.ndarray, most: int
) -> Representatives:
    """Medoid: the member most similar to the mean. The others by farthest-point traversal (Gonzalez, 1985), at most
    `most` in all, until every member is a copy of one.

    x: (n, d) float16, not zero; cluster, rows: (n,); dense: (n,) whether a row may stand for its cluster; each cluster
    has one that may. Ties go to the first row.
    """
    wide = x.astype(np.float64)
    wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-30)
    about = kernels.group_statistics(wide, np.where(dense, cluster, -1))
    whole = kernels.group_statistics(wide, cluster)
    own, count = np.flatnonzero(cluster >= 0), len(whole.size)
    group = cluster[own]
    best, nearest = np.full(len(own), -np.inf), np.zeros(len(own), np.int64)
    picks = [about.medoid]
    for turn in range(most):
        pick = picks[-1]
        near = np.where(pick[group] >= 0, np.einsum("ij,ij->i", wide[own], wide[pick[group]]), -np.inf)
        closer = near > best
        best[closer], nearest[closer] = near[closer], turn
        # Rounding must not make a second pick of a copy.
        far = np.where(dense[own] & (best < 1 - 1e-9), best, np.inf)
        least = np.full(count, np.inf)
        np.minimum.at(least, group, far)
        place = np.full(count, len(own), np.int64)
        hit = (far == least[group]) & np.isfinite(far)
        np.minimum.at(place, group[hit], np.flatnonzero(hit))
        picks.append(np.where(place < len(own), np.append(own, -1)[place], -1))
    table = np.stack(picks[:most], axis=1)
    cluster, filled = np.nonzero(table >= 0)
    covers, radius = np.zeros(table.shape, np.int64), np.full(table.shape, np.inf)
    np.add.at(covers, (group, nearest), 1)
    np.minimum.at(radius, (group, nearest), best)
    spread = np.sqrt((whole.std**2).sum(axis=1))
    reach = np.zeros(count)
    np.maximum.at(reach, group, np.linalg.norm(wide[own] - whole.mean[group], axis=1))
    return Representatives(
        whole.size,
        whole.mean.astype(np.float32),
        spread,
        reach,
        cluster,
        rows[table[cluster, filled]],
        covers[cluster, filled],
        np.clip(radius[cluster, filled], -1, 1),
    )
