"""The k best neighbours of each node, kept while the tiles of a join go by."""

import numpy as np
from numpy.typing import NDArray

from kernels.exact import Floats, Index, Pairs, similarity


class Best:
    """The k best neighbours of each node seen so far, ties by index. Tiles come in ascending order of index, so a
    later pair displaces an earlier one only if it is strictly better."""

    def __init__(self, n: int, k: int) -> None:
        self.k = k
        self.index = np.full((n, k), -1, np.int64)
        self.similarity = np.full((n, k), -np.inf, np.float32)

    def wanted(
        self, rows: slice, columns: slice, tile: NDArray[np.float32], low: float, slack: float
    ) -> NDArray[np.bool_]:
        """The pairs of a screened tile that may be at or above `low`, or among the best of their row or column."""
        mask: NDArray[np.bool_]
        if not self.k:
            return tile >= np.float32(low - slack)
        loose = np.float32(2 * slack + 2.0**-23)
        mask = tile >= np.minimum(self._floor(rows, tile) - loose, np.float32(low - slack))[:, None]
        mask |= tile >= self._floor(columns, tile.T) - loose
        if rows.start == columns.start:
            mask &= tile > -np.inf
        return mask

    def _floor(self, own: slice, tile: NDArray[np.float32]) -> NDArray[np.float32]:
        worst = self.similarity[own, -1]
        return worst if worst.min() > -np.inf else np.maximum(worst, _kth(tile, self.k))

    def from_pairs(self, i: Index, j: Index, s: NDArray[np.float64]) -> None:
        if self.k:
            single = s.astype(np.float32)
            self._merge(j, i, single)
            self._merge(i, j, single)

    def from_tile(self, rows: slice, columns: slice, tile: NDArray[np.float64]) -> None:
        if self.k:
            single = tile.astype(np.float32)
            for own, other, values in ((columns, rows, single.T), (rows, columns, single)):
                at, to = np.nonzero(_top(values, self.k, self.similarity[own, -1]))
                self._merge(at + own.start, to + other.start, values[at, to])

    def _merge(self, node: Index, other: Index, s: NDArray[np.float32]) -> None:
        better = s > self.similarity[node, -1]
        node, other, s = node[better], other[better], s[better]
        changed, place = np.unique(node, return_inverse=True)
        owner = np.concatenate([np.repeat(np.arange(len(changed)), self.k), place])
        index = np.concatenate([self.index[changed].ravel(), other])
        value = np.concatenate([self.similarity[changed].ravel(), s])
        # One integer orders by owner, then value, best first, then position, which ascends with the index: newcomers
        # stand behind what is kept, and among themselves in the order of the tile.
        bits = (-value).view(np.int32)
        bits ^= (bits >> 31) & 0x7FFFFFFF
        order = (owner << 52) | ((bits.astype(np.int64) + 2**31) << 20) | np.arange(len(owner))
        order.sort()
        start = np.searchsorted(order, np.arange(len(changed)) << 52)
        top = order[start[:, None] + np.arange(self.k)] & (2**20 - 1)
        self.index[changed], self.similarity[changed] = index[top], value[top]

    def pairs(self, nodes: Floats, low: float, first: Index) -> Pairs:
        """The pairs of each node with its k best and with `first` (n where there is none), at or above `low`."""
        n = len(self.index)
        node = np.concatenate([np.repeat(np.arange(n), self.k), np.arange(n)])
        other = np.concatenate([self.index.ravel(), np.where(first < n, first, -1)])
        node, other = node[other >= 0], other[other >= 0]
        flat = np.unique(np.minimum(node, other) * n + np.maximum(node, other))
        i, j = flat // max(n, 1), flat % max(n, 1)
        s = similarity(nodes, nodes, i, j)
        return i[s >= low], j[s >= low], s[s >= low]


def _kth(tile: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """A lower bound of the k-th largest value of each row, and close to it: the k-th largest of the maxima of 4 k
    groups of columns."""
    width = tile.shape[1] // (4 * k)
    if width == 0:
        return np.full(len(tile), -np.inf, np.float32)
    maxima = np.stack([tile[:, at * width : (at + 1) * width].max(axis=1) for at in range(4 * k)], axis=1)
    return np.partition(maxima, 3 * k, axis=1)[:, 3 * k]


def _top(values: NDArray[np.float32], k: int, above: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Marks in each row the k largest values, ties by column, as far as they are greater than `above`."""
    width = values.shape[1]
    kth = np.partition(values, max(width - k, 0), axis=1)[:, max(width - k, 0)][:, None]
    greater, equal = values > kth, values == kth
    room = k - greater.sum(axis=1, keepdims=True)
    return (greater | (equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= room))) & (values > above[:, None])
