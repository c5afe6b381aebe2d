"""Exact pairwise kernels in NumPy: the specification that every faster kernel has to meet.

Tiles of pairs are screened in float32; what rounding leaves open is computed in float64 (kernels/exact.py).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.best import Best
from kernels.exact import Floats, Index, Pairs, divide, similarity_of, squares
from kernels.graph import components, spanning_forest

ROWS, COLUMNS = 1024, 2048
# A tile in which more than 1/32 of the pairs matter is computed in float64 as a whole instead of pair by pair.
DENSE = 32


class Joined(NamedTuple):
    """What one pass over the pairs of a block (or of two) found. Nodes: the rows of `a`, then the rows of `b`."""

    counts: NDArray[np.int64]  # (n,) weight of the neighbours at or above `cluster`; in a self join with the row's own
    core: NDArray[np.bool_]  # (n,) whether the neighbours seen here, and the row itself, reach min_samples
    forest: Index  # (m, 2) spanning forest of the pairs of core nodes
    edges: Pairs  # every other pair at or above `cluster`: i, j, similarity
    near: Pairs  # the pairs at or above `near`: i, j, similarity
    near_total: int  # how many there are; more than len(near[0]) when the limit was passed
    neighbours: Index  # (n, k) most similar nodes, best first, ties by index; -1 where there are fewer
    similarity: NDArray[np.float32]  # (n, k) theirs; -inf where there are fewer


def distinct(x: Floats) -> tuple[Index, Index]:
    """Equal rows of x (n, d) collapsed: (m,) the first row of each set, ascending, and (n,) which of these each is."""
    bits = np.ascontiguousarray(x)
    keys = bits.view(np.dtype((np.void, bits.dtype.itemsize * bits.shape[1])))[:, 0] if len(x) else np.empty(0)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(first), np.int64)
    place[order] = np.arange(len(first))
    return first[order].astype(np.int64), place[inverse]


def join(
    a: Floats,
    b: Floats | None = None,
    *,
    weights: NDArray[np.int64] | None = None,
    cluster: float | None = None,
    min_samples: int = 1,
    near: float | None = None,
    near_limit: int = 5_000_000,
    k: int = 0,
) -> Joined:
    """One pass over all pairs of a (n, d), or over all pairs of a row of `a` and a row of `b`.

    cluster, near: thresholds in (0, 1]; None leaves that question out. weights: (n,) how many equal rows each node
    stands for. k: at most 256. near_limit: above this many near pairs only the k best of each node, and its first,
    are kept.
    Memory: O(nodes * k + near_limit) and 1/32 of the pairs at most.
    """
    if k > 256:
        raise ValueError(f"k is {k}; at most 256 neighbours are kept")
    nodes = a if b is None else np.concatenate([a, b])
    n, split = len(nodes), None if b is None else len(a)
    weight = np.ones(n, np.int64) if weights is None else weights
    low = min((t for t in (cluster, near) if t is not None), default=np.inf)
    tiles = _Tiles(nodes, split)
    best = Best(n, k)
    counts = np.zeros(n, np.int64)
    hits, dense_near = [_nothing()], [_nothing()]
    dense: list[tuple[slice, slice]] = []
    first = np.full(n, n, np.int64)
    near_total = 0

    for rows, columns, tile in tiles:
        at = np.flatnonzero(best.wanted(rows, columns, tile, low, tiles.slack))
        if len(at) > tile.size // DENSE:
            exact = tiles.exact(rows, columns)
            best.from_tile(rows, columns, exact)
            if cluster is not None:
                near_by = exact >= cluster
                counts[rows] += near_by @ weight[columns]
                counts[columns] += weight[rows] @ near_by
                dense.append((rows, columns))
            if near is not None:
                mask = exact >= near
                near_total += int(np.count_nonzero(mask))
                if near_total <= near_limit:
                    dense_near.append(_pairs_of(rows, columns, exact, mask))
                _first_hits(first, rows, columns, mask)
            continue
        i, j = at // tile.shape[1] + rows.start, at % tile.shape[1] + columns.start
        s = tiles.similarity(i, j)
        best.from_pairs(i, j, s)
        hits.append(_at_least(low, (i, j, s)))
        if near is not None:
            near_total += int(np.count_nonzero(s >= near))

    sparse = _concatenate(hits)
    forest, edges, core = np.empty((0, 2), np.int64), _nothing(), np.zeros(n, bool)
    if cluster is not None:
        found = _at_least(cluster, sparse)
        counts += _weigh(n, found[0], found[1], weight)
        if b is None:
            counts += weight
            core = counts >= min_samples
        else:
            core = counts + weight >= min_samples
        forest, edges = _links(tiles, dense, core, found, cluster)
    pairs = _nothing()
    if near is not None:
        pairs = _concatenate([_at_least(near, sparse), *dense_near])
        if near_total > near_limit:
            np.minimum.at(first, pairs[0], pairs[1])
            np.minimum.at(first, pairs[1], pairs[0])
            pairs = best.pairs(nodes, near, first)
    return Joined(counts, core, forest, edges, pairs, near_total, best.index, best.similarity)


class _Tiles:
    """The tiles of similarities of the pairs i < j of nodes, or of those between the first `split` and the rest."""

    def __init__(self, nodes: Floats, split: int | None) -> None:
        self.nodes, self.split = nodes, split
        wide = nodes.astype(np.float32)
        self.squares = squares(nodes)
        norms = np.sqrt(self.squares)[:, None]
        self.unit = np.divide(wide, norms, out=wide, where=norms > 0, casting="unsafe")
        # |float32 dot product of two rounded unit vectors - the exact similarity|, for any order of summation: one
        # rounding per factor and d roundings of sums whose terms add up to at most 1 (Higham, "Accuracy and Stability
        # of Numerical Algorithms", 2nd ed., section 3.1), with room for the second-order terms.
        self.slack = (nodes.shape[1] + 8) * 2.0**-24
        self.lower = np.tri(ROWS, ROWS, dtype=bool)

    def __iter__(self) -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
        n = len(self.nodes)
        end = n if self.split is None else self.split
        for top in range(0, end, ROWS):
            rows = slice(top, min(top + ROWS, end))
            for left in range(top if self.split is None else end, n, COLUMNS):
                columns = slice(left, min(left + COLUMNS, n))
                tile = self.unit[rows] @ self.unit[columns].T
                if left == top:
                    self._blank(tile)
                yield rows, columns, tile

    def similarity(self, i: Index, j: Index) -> NDArray[np.float64]:
        return similarity_of(self.nodes, self.nodes, i, j, self.squares, self.squares)

    def exact(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        x, y = self.nodes[rows].astype(np.float64), self.nodes[columns].astype(np.float64)
        tile = divide(x @ y.T, self.squares[rows][:, None] * self.squares[columns])
        if rows.start == columns.start:
            self._blank(tile)
        return tile

    def _blank(self, tile: Floats) -> None:
        height = len(tile)
        tile[:, :height][self.lower[:height, :height]] = -np.inf


def _nothing() -> Pairs:
    return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)


def _concatenate(parts: list[Pairs]) -> Pairs:
    i, j, s = zip(*parts, strict=True)
    return np.concatenate(i), np.concatenate(j), np.concatenate(s)


def _at_least(threshold: float, pairs: Pairs) -> Pairs:
    i, j, s = pairs
    use = s >= threshold
    return i[use], j[use], s[use]


def _pairs_of(rows: slice, columns: slice, tile: NDArray[np.float64], mask: NDArray[np.bool_]) -> Pairs:
    i, j = np.nonzero(mask)
    return i + rows.start, j + columns.start, tile[i, j]


def _first_hits(first: Index, rows: slice, columns: slice, mask: NDArray[np.bool_]) -> None:
    for own, other, hit in ((rows, columns, mask), (columns, rows, mask.T)):
        nearest = np.where(hit.any(axis=1), hit.argmax(axis=1) + other.start, len(first))
        first[own] = np.minimum(first[own], nearest)


def _weigh(n: int, i: Index, j: Index, weight: NDArray[np.int64]) -> NDArray[np.int64]:
    total = np.bincount(i, weight[j], minlength=n) + np.bincount(j, weight[i], minlength=n)
    return total.astype(np.int64)


def _links(
    tiles: _Tiles,
    dense: list[tuple[slice, slice]],
    core: NDArray[np.bool_],
    pairs: Pairs,
    threshold: float,
) -> tuple[Index, Pairs]:
    """Forest and other edges of the pairs and of those in the dense tiles, which are computed again: only now
    is it known which nodes are core, and their pairs are too many to keep."""
    n = len(core)
    i, j, s = pairs
    both = core[i] & core[j]
    forest = spanning_forest(n, i[both], j[both])
    edges = [(i[~both], j[~both], s[~both])]
    label = components(n, forest[:, 0], forest[:, 1])
    for rows, columns in dense:
        tile = tiles.exact(rows, columns)
        hit = tile >= threshold
        cores = hit & core[rows][:, None] & core[columns]
        edges.append(_pairs_of(rows, columns, tile, hit & ~cores))
        # Each row and each column links to its first neighbour of another component, until no two components are left
        # to link: every component takes part, so each round at least halves them (Boruvka, 1926).
        while True:
            cores &= label[rows][:, None] != label[columns]
            at, to = np.flatnonzero(cores.any(axis=1)), np.flatnonzero(cores.any(axis=0))
            if not len(at):
                break
            by_row = np.column_stack([at + rows.start, cores[at].argmax(axis=1) + columns.start])
            by_column = np.column_stack([cores[:, to].argmax(axis=0) + rows.start, to + columns.start])
            forest = np.concatenate([forest, by_row, by_column])
            label = components(n, forest[:, 0], forest[:, 1])
    forest = spanning_forest(n, forest[:, 0], forest[:, 1])
    ei, ej, es = _concatenate(edges)
    order = np.lexsort((ej, ei))
    return forest, (ei[order], ej[order], es[order])
