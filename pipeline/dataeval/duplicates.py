"""Groups of rows that hang together by pairs up to a distance, or by pairs between two distances.

Up to a distance, groups are a cut through the single linkage. Pairs between two distances, exact < d <= near, make the
same groups as those up to `near` wherever no pair is up to `exact`. Elsewhere, rows without a partner up to `exact`
still hang together by their own single linkage, and only the pairs of the other rows have to be looked at.
"""

import numpy as np
from numpy.typing import NDArray

from pixsieve import kernels
from pixsieve.dataeval.levels import Levels
from pixsieve.dataeval.linkage import dendrogram, single_linkage
from pixsieve.kernels import Array, Index, to_host


def duplicates(x: Array, of: Levels, last: dict[int, int]) -> tuple[list[list[int]], list[list[int]]]:
    """Duplicates and near duplicates: pairs up to a hundredth of the usual deviation, and up to the whole of it."""
    spread = []
    for c, level in last.items():
        chain = of.chains[c]
        merge = chain[np.searchsorted(of.level[chain], level, "right") - 1]
        if of.size[merge] >= of.least:
            spread.append(of.deviation[merge] if of.level[merge] == level else 0.0)  # a copy's is zero
    if not spread:
        return [], []
    near = np.mean(spread)
    tight, wide = (_cut(of, limit) for limit in (near / 100, near))
    return _groups(of.rows, tight), _between(x, of.rows, tight, wide, near / 100, near)


def _cut(of: Levels, limit: float) -> Index:
    """(n,) which group each position is in, ascending: rows hang together by pairs up to the limit."""
    apart = np.empty(len(of.height), bool)
    apart[of.start + np.where(of.outer >= 0, of.size[of.outer], 1) - 1] = of.height > limit
    return np.concatenate([[0], np.cumsum(apart)])


def _between(x: Array, rows: Index, tight: Index, wide: Index, exact: float, near: float) -> list[list[int]]:
    """The groups that pairs with exact < d <= near make of the rows. tight, wide: (n,) their groups up to both."""
    torn = np.bincount(wide, np.bincount(tight)[tight] > 1)[wide] > 0  # groups with a pair that does not count
    found = _groups(rows[~torn], wide[~torn])
    if torn.any():
        rows, tight = rows[torn], tight[torn]
        first, place = (to_host(part) for part in kernels.distinct(_taken(x, rows)))
        label = _pairs_between(_taken(x, rows[first]), np.bincount(tight[first])[tight[first]] > 1, exact, near)
        linked = np.bincount(label)[label] > 1
        use = linked[place]  # copies of a row have its pairs
        found += _groups(rows[use], label[place[use]])
    return sorted(found)


def _pairs_between(x: Array, paired: NDArray[np.bool_], exact: float, near: float) -> Index:
    """(m,) components of the distinct rows x (m, d). paired: (m,) whether a row has a partner up to `exact`."""
    label = np.arange(len(x))
    alone = np.flatnonzero(~paired)
    if len(alone) > 1:
        merges = single_linkage(_taken(x, alone))
        order, start = dendrogram(len(alone), merges.left, merges.right)
        joined = start[merges.right][merges.height <= near]
        label = kernels.components(len(x), alone[order[joined - 1]], alone[order[joined]])
    partners = np.flatnonzero(paired)
    if len(partners):
        for i, j, far in kernels.pairs(_taken(x, partners), x, threshold=near, metric="euclidean"):
            i, j = (to_host(side[far > exact]) for side in (i, j))
            label = kernels.components(len(x), label[partners[i]], label[j])[label]
    return label


def _taken(x: Array, rows: Index) -> Array:
    return x[kernels.array_module(x).asarray(rows)]


def _groups(rows: Index, group: Index) -> list[list[int]]:
    """The rows of each group of at least two, ascending."""
    order = np.lexsort((rows, group))
    rows, group = rows[order], group[order]
    parts = np.split(rows, np.flatnonzero(np.diff(group)) + 1)
    return sorted(part.tolist() for part in parts if len(part) > 1)
