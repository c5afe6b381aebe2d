"""The rows that stand for the clusters of a batch when batches are matched."""

from typing import NamedTuple

import numpy as np

from pixsieve import kernels

COPY = 1e-14  # of the square of its length: a row so near to another is its copy


class Representatives(NamedTuple):
    """Of c clusters, and r rows that stand for them, by cluster."""

    size: np.ndarray  # (c,) members
    mean: np.ndarray  # (c, d) float32, of the points
    spread: np.ndarray  # (c,) root mean square distance of the members to the mean
    reach: np.ndarray  # (c,) greatest distance of a member to the mean
    cluster: np.ndarray  # (r,)
    row: np.ndarray  # (r,) the medoid of the cluster, then the farthest from those before it, each time
    covers: np.ndarray  # (r,) members that are nearest to this one
    radius: np.ndarray  # (r,) greatest distance of these to it

    @property
    def medoid(self) -> np.ndarray:
        """(c,) rows."""
        return self.row[np.searchsorted(self.cluster, np.arange(len(self.size)))]


def representatives(
    points: np.ndarray, cluster: np.ndarray, rows: np.ndarray, dense: np.ndarray, most: int
) -> Representatives:
    """Medoid: the member nearest to the mean. The others by farthest-point traversal (Gonzalez, 1985), at most `most`
    in all, until every member is a copy of one.

    points: (n, d) of the measure; cluster, rows: (n,); dense: (n,) whether a row may stand for its cluster; each
    cluster has one that may. Ties go to the first row.
    """
    wide = points.astype(np.float64)
    about = kernels.group_statistics(wide, np.where(dense, cluster, -1))
    whole = kernels.group_statistics(wide, cluster)
    own, count = np.flatnonzero(cluster >= 0), len(whole.size)
    group = cluster[own]
    best, nearest = np.full(len(own), np.inf), np.zeros(len(own), np.int64)  # squared distances
    # Rounding must not make a second pick of a copy.
    copy = COPY * np.einsum("ij,ij->i", wide[own], wide[own])
    picks = [about.medoid]
    for turn in range(most):
        pick = picks[-1]
        off = wide[own] - wide[pick[group]]
        apart = np.where(pick[group] >= 0, np.einsum("ij,ij->i", off, off), np.inf)
        closer = apart < best
        best[closer], nearest[closer] = apart[closer], turn
        far = np.where(dense[own] & (best > copy), best, -1)
        most_far = np.full(count, -1.0)
        np.maximum.at(most_far, group, far)
        place = np.full(count, len(own), np.int64)
        hit = (far == most_far[group]) & (far >= 0)
        np.minimum.at(place, group[hit], np.flatnonzero(hit))
        picks.append(np.where(place < len(own), np.append(own, -1)[place], -1))
    table = np.stack(picks[:most], axis=1)
    cluster, filled = np.nonzero(table >= 0)
    covers, radius = np.zeros(table.shape, np.int64), np.zeros(table.shape)
    np.add.at(covers, (group, nearest), 1)
    np.maximum.at(radius, (group, nearest), np.where(best > copy, np.sqrt(best), 0))
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
        radius[cluster, filled],
    )
