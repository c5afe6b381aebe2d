"""The engine of the host: NumPy and its BLAS.

Tiles of pairs are screened in float32. A tile in which many pairs remain is screened again in float64: rows that are
all alike differ by less than float32 can tell.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pixsieve.kernels.search import exact
from pixsieve.kernels.search.exact import Array, Index
from pixsieve.kernels.search.part import Found, Lows, Part, sift
from pixsieve.kernels.search.screen import Screen

# A tile of which more than this share remains is screened again.
DENSE = 1 / 32


class Host:
    xp = np
    dtype = np.float32
    folds = True  # operands hold the offsets of their rows
    multiple = 1  # of columns of operands
    int8 = False
    tile = (1024, 2048)
    memory = 2.0**28  # bytes for a tile and its pairs, if nobody says
    bit_tile = (64, 32768)  # of bit strings and signatures, which are compared a row at a time
    bits_directly = most_counted = 2**31  # bits that are compared without operands, and bits or entries at most
    block = 128  # rows and columns of the parts of a tile that a prefix screen leaves alone or not
    gather = 60  # a pair computed by itself costs as much as so many pairs of a tile
    overhead = 24  # looking at a pair of a tile costs as much as so many columns of the product

    squares = staticmethod(exact.squares)
    closeness = staticmethod(exact.closeness)

    def __init__(self) -> None:
        self._tile, self._mask = np.empty(0, np.float32), np.empty((2, 0), bool)

    @staticmethod
    def widened(rows: Array) -> Array:
        """The same values in a type that is quick to compute with."""
        return rows.astype(np.float32) if rows.dtype == np.float16 else rows

    @staticmethod
    def rounding(columns: int) -> float:
        """Error of a product of rows whose terms add up to at most 1 in magnitude, for any order of summation (Higham,
        "Accuracy and Stability of Numerical Algorithms", 2nd ed., section 3.1), with room for second-order terms."""
        return (columns + 10) * 2.0**-24

    def scan(self, part: Part, lows: Lows) -> Found:
        """The pairs of a part of the walk whose score may be at or above the lows of their row or column."""
        screen, rows, columns = part.screen, part.rows, part.columns
        shape = rows.stop - rows.start, part.width
        if part.space.metric == "hamming" and not lows.k and lows.group_row is None:
            return _differing_bits(part, lows)
        if part.space.metric == "jaccard":
            return self._select(part, lows, _equal_entries(part), screen.slack)
        tile = self._buffer(shape)
        np.matmul(screen.left[rows], screen.right[columns].T, out=tile)
        found = self._select(part, lows, tile, screen.slack)
        if part.once or len(found.i) <= DENSE * tile.size:
            return found
        return self._select(part, lows, *part.again())

    def sift(self, part: Part, lows: Lows) -> tuple[Found, list[Part]] | None:
        return sift(self, part, lows)

    def _buffer(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        size = shape[0] * shape[1]
        if size > self._tile.size:  # allocated once: fresh pages cost as much as a product of depth 64
            self._tile = np.empty(size, np.float32)
        return self._tile[:size].reshape(shape)

    def _select(self, part: Part, lows: Lows, tile: Array, slack: float) -> Found:
        if part.triangle:
            tile[part.column_numbers() <= part.row_numbers()[:, None]] = -np.inf
        if lows.group_row is not None:
            np.copyto(tile, -np.inf, where=lows.group_row[:, None] == lows.group_column)
        if lows.cap_row is not None:
            np.minimum(tile, lows.cap_row[:, None], out=tile)
            np.minimum(tile, lows.cap_column, out=tile)
        floor_row, floor_column = lows.floor_row, lows.floor_column
        if lows.k:
            floor_row = _raised(floor_row, tile, lows.k, slack)
            floor_column = _raised(floor_column, tile.T, lows.k, slack)
            if tile.size > self._mask.shape[1]:
                self._mask = np.empty((2, tile.size), bool)
            mask, other = (self._mask[side, : tile.size].reshape(tile.shape) for side in (0, 1))
            np.greater_equal(tile, _down(np.minimum(lows.low, floor_row) - slack)[:, None], out=mask)
            np.greater_equal(tile, _down(floor_column - slack), out=other)
            mask |= other
            if part.triangle or lows.group_row is not None:
                mask &= tile > -np.inf
        elif float(tile.max(initial=-np.inf)) < lows.low - slack:
            return Found(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), slack, floor_row, floor_column)
        else:
            mask = tile >= _down(np.float64(lows.low - slack))
        at = np.flatnonzero(mask)
        i, j = np.divmod(at, tile.shape[1])
        return Found(i, j, tile.ravel()[at].astype(np.float64), slack, floor_row, floor_column)

    @staticmethod
    def scores(screen: Screen, i: Index, j: Index) -> NDArray[np.float64]:
        """Scores of single pairs of positions, as the product would give them."""
        out = np.empty(len(i), np.float32)
        for at in range(0, len(i), exact.MOST_PAIRS):
            part = slice(at, at + exact.MOST_PAIRS)
            np.einsum("ij,ij->i", screen.left[i[part]], screen.right[j[part]], out=out[part])
        return out.astype(np.float64)

    @staticmethod
    def merge(index: Index, value: Array, owner: Index, other: Index, closeness: Array) -> Index:
        """Puts the pairs (owner, other) into the lists index and value (n, k). Returns the changed owners."""
        k = index.shape[1]
        worst, last = value[owner, -1], index[owner, -1]
        better = (closeness > worst) | ((closeness == worst) & ((other < last) | (last < 0)))
        owner, other, closeness = owner[better], other[better], closeness[better]
        changed, place = np.unique(owner, return_inverse=True)
        owners = np.concatenate([np.repeat(np.arange(len(changed)), k), place])
        indices = np.concatenate([index[changed].ravel(), other])
        values = np.concatenate([value[changed].ravel(), closeness])
        ranked = _ranked(owners, values, np.where(indices < 0, np.iinfo(np.int64).max, indices))
        start = np.cumsum(np.bincount(owners, minlength=len(changed))) - np.bincount(owners, minlength=len(changed))
        top = ranked[start[:, None] + np.arange(k)]
        index[changed], value[changed] = indices[top], values[top]
        return changed

    @staticmethod
    def tally(counts: Index, weights: Index, i: Index, j: Index) -> None:
        """Adds to the counts of both rows of each pair the weight of the other."""
        np.add.at(counts, i, weights[j])
        np.add.at(counts, j, weights[i])

    @staticmethod
    def unite(label: Index, i: Index, j: Index) -> Index:
        """Labels (n,) after the edges (i, j): each node's is the least node of its component."""
        n = len(label)
        graph = coo_array((np.ones(len(i), np.int8), (label[i], label[j])), shape=(n, n))
        part = connected_components(graph, directed=False)[1][label]
        least = np.full(int(part.max(initial=-1)) + 1, n)
        np.minimum.at(least, part, np.arange(n))
        return least[part]


def _differing_bits(part: Part, lows: Lows) -> Found:
    """The pairs of bit strings that differ in few bits, by population counts."""
    x, y = (_words(part.space.rows[part.order[ids]]) for ids in (part.rows, part.columns))
    tile: NDArray[np.unsignedinteger] = np.zeros((x.shape[1], y.shape[1]), _counts(part.frame.depth))
    other, count = np.empty(y.shape[1], np.uint64), np.empty(y.shape[1], np.uint8)
    for row, differing in zip(x.T, tile, strict=True):
        for at, (word, words) in enumerate(zip(row, y, strict=True)):
            np.bitwise_count(np.bitwise_xor(words, word, out=other), out=count if at else differing)
            if at:
                differing += count
    slack = part.screen.slack
    most = int(np.clip((part.frame.depth - lows.low + slack) / 2, -1, part.frame.depth))
    i, j = np.divmod(np.flatnonzero(tile <= most), max(len(tile.T), 1))
    if part.triangle:
        behind = part.column_numbers()[j] > part.row_numbers()[i]
        i, j = i[behind], j[behind]
    return Found(i, j, part.frame.depth - 2.0 * tile[i, j], slack, None, None)


def _counts(most: int) -> type:
    return np.uint8 if most < 2**8 else np.uint16 if most < 2**16 else np.uint32


def _words(rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """(words, n) of rows of bytes (n, bytes), filled up with zeros."""
    wide = np.zeros((len(rows), -(-rows.shape[1] // 8) * 8), np.uint8)
    wide[:, : rows.shape[1]] = rows
    return np.ascontiguousarray(wide.view(np.uint64).T)


def _equal_entries(part: Part) -> NDArray[np.float64]:
    """The tile of the numbers of equal entries of signatures."""
    x, y = part.space.rows[part.order[part.rows]], part.space.rows[part.order[part.columns]]
    equal = np.zeros((len(x), len(y)), np.int32)
    for one, other in zip(x.T, y.T, strict=True):
        equal += one[:, None] == other
    return equal.astype(np.float64)


def _down(low: Array) -> Array:
    """float32 at or below a float64."""
    single = low.astype(np.float32)
    return np.where(single > low, np.nextafter(single, np.float32(-np.inf)), single)


def _raised(floor: Array, tile: Array, k: int, slack: float) -> Array:
    return floor if floor.min(initial=np.inf) > -np.inf else np.maximum(floor, _kth(tile, k) - slack)


def _kth(tile: Array, k: int) -> NDArray[np.float64]:
    """A lower bound of the k-th largest value of each row, and close to it: the k-th largest of the maxima of up to 4 k
    groups of columns."""
    groups = min(4 * k, tile.shape[1])
    if groups < k:
        return np.full(len(tile), -np.inf)
    width = tile.shape[1] // groups
    maxima = np.stack([tile[:, at * width : (at + 1) * width].max(axis=1) for at in range(groups)], axis=1)
    return np.partition(maxima, groups - k, axis=1)[:, groups - k].astype(np.float64)


def _ranked(owner: Index, value: Array, index: Index) -> Index:
    """The order by owner, then value, greatest first, then index."""
    owners, places = (int(size).bit_length() for size in (owner.max(initial=0), len(owner)))
    if owners + places <= 32:
        # One integer orders by owner, rounded value and position, ten times as fast; where that is not enough to tell,
        # the sort below does.
        with np.errstate(over="ignore"):
            bits = (-value.astype(np.float32)).view(np.int32)
        bits ^= (bits >> 31) & 0x7FFFFFFF
        key = (owner.astype(np.uint64) << np.uint64(places + 32)) | np.arange(len(owner), dtype=np.uint64)
        key |= (bits.astype(np.int64) + 2**31).astype(np.uint64) << np.uint64(places)
        key.sort()
        order = (key & np.uint64(2**places - 1)).astype(np.int64)
        v, o, x = value[order], owner[order], index[order]
        wrong = (v[1:] > v[:-1]) | ((v[1:] == v[:-1]) & (x[1:] < x[:-1]))
        if not (wrong & (o[1:] == o[:-1])).any():
            return order
    return np.lexsort((index, -value, owner))
