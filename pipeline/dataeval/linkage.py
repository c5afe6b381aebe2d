"""SciPy's single linkage of any number of rows, without a matrix of their distances.

SciPy walks the rows by Prim's algorithm from row 0, the lowest number among equals, sorts the steps by height, stably,
and joins each row with the one before it. Where all heights differ, every minimum spanning tree gives that linkage.
Where some are equal, the order of the walk decides. It is also the walk of the graph of all pairs whose distance is
their bottleneck (the least possible longest step of a way from one to the other): the shortest pairs between the rows
found and the others are among these. One tree tells the bottlenecks; one pass over rectangles of its dendrogram finds
the pairs.
"""

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import cdist, pdist

from pixsieve import kernels
from pixsieve.kernels import Array, Index, Pairs, Tiles, to_host

Floats = NDArray[np.float64]
Walked = tuple[Index, Floats]
# Up to so many rows, SciPy's own (n^2 / 2 float64, 256 MB) takes less time.
FEW = 8192
# Rows whose pairs are looked at without a screen.
LEAF = 32
# Pairs at their bottleneck for each row; with more, a row at a time takes less time than their graph, and less memory.
MOST_EQUAL = 64
# Steps of the walk between two looks at which rows are left.
STEPS = 1024


class Linkage(NamedTuple):
    """n - 1 merges, ascending. Cluster i < n is row i, cluster n + k is what merge k makes."""

    left: Index  # (n - 1,) the lower number
    right: Index
    height: Floats


def single_linkage(x: Array) -> Linkage:
    """The first three columns of scipy.cluster.hierarchy.linkage(x, "single"), to the bit.

    x: (n, d) float64 on the host or on a GPU, finite, n >= 2. Memory: O(n d) and a tile of pairs.
    """
    if len(x) <= FEW:
        merges = linkage(pdist(to_host(x)), "single")
        return Linkage(merges[:, 0].astype(np.int64), merges[:, 1].astype(np.int64), merges[:, 2].copy())
    edges, height = (to_host(part) for part in kernels.spanning_tree(x))
    if (np.diff(height) == 0).any():
        edges, height = _walked(x, edges, height)
    return _joined(len(x), edges, height)


def dendrogram(n: int, first: Index, second: Index) -> tuple[Index, Index]:
    """The rows in an order in which those of every cluster stand together.

    first, second: (n - 1,) the clusters of each merge, as in `Linkage`, in the order in which they are to stand.
    Returns (n,) rows, and (2 n - 1,) the position where each cluster begins.
    """
    ahead, behind = first.tolist(), second.tolist()
    size = [1] * n
    for one, other in zip(ahead, behind, strict=True):
        size.append(size[one] + size[other])
    start = [0] * (2 * n - 1)
    for k in range(n - 2, -1, -1):
        start[ahead[k]] = start[n + k]
        start[behind[k]] = start[n + k] + size[ahead[k]]
    begins, rows = np.array(start), np.empty(n, np.int64)
    rows[begins[:n]] = np.arange(n)
    return rows, begins


def _joined(n: int, edges: Index, height: Floats) -> Linkage:
    """The merges of the edges of a tree, which are ascending."""
    root, name, merges = list(range(n)), list(range(n)), []
    for made, (i, j) in enumerate(edges.tolist(), n):
        while root[i] != i:
            root[i] = i = root[root[i]]
        while root[j] != j:
            root[j] = j = root[root[j]]
        merges.append((min(name[i], name[j]), max(name[i], name[j])))
        root[i], name[j] = j, made
    pairs = np.array(merges, np.int64).reshape(-1, 2)
    return Linkage(pairs[:, 0], pairs[:, 1], height)


def _walked(x: Array, edges: Index, height: Floats) -> Walked:
    """The steps of SciPy's walk, ascending, from the edges of any minimum tree."""
    n = len(x)
    first, place = (to_host(part) for part in kernels.distinct(x))
    ends = place[edges]
    apart = ends[:, 0] != ends[:, 1]  # copies hang on the first of them
    graph = _at_bottlenecks(x, first, ends[apart], height[apart])
    if graph is None:
        edges, height = _row_by_row(to_host(x))
    else:
        hung = np.setdiff1d(np.arange(n), first)
        copies = np.column_stack([first[place[hung]], hung])
        edges, height = _prim(n, np.concatenate([graph[0], copies]), np.concatenate([graph[1], np.zeros(len(hung))]))
    order = np.argsort(height, kind="stable")
    return edges[order], height[order]


def _at_bottlenecks(x: Array, first: Index, edges: Index, height: Floats) -> Walked | None:
    """All pairs of the distinct rows x[first] (m, d) whose distance is their bottleneck, and these distances: the edges
    of all minimum trees. None where there are too many. edges: (m - 1, 2) places in `first`, a minimum tree."""
    m = len(first)
    merges = _joined(m, edges, height)
    order, start = dendrogram(m, merges.left, merges.right)
    between = np.empty(m - 1)  # bottlenecks of neighbours: of two positions it is the greatest between them
    between[start[merges.right] - 1] = merges.height
    rows, room = first[order], MOST_EQUAL * m
    pairs, lengths = [np.empty((0, 2), np.int64)], [np.empty(0)]
    for i, j, far in _halved(x, rows, between):
        pairs.append(np.column_stack([rows[i], rows[j]]))
        lengths.append(far)
        room -= len(far)
        if room < 0:
            return None
    return np.concatenate(pairs), np.concatenate(lengths)


def _halved(x: Array, rows: Index, between: Floats) -> Iterator[Pairs]:
    """The pairs of positions whose distance, in the place of a similarity, is at most the greatest of `between` from
    one to the other."""
    tiles, waiting = Tiles.of(x, rows), [(0, len(rows))]
    while waiting:
        low, high = waiting.pop()
        steps = between[low : high - 1]
        if high - low <= LEAF:
            i, j = np.triu_indices(high - low, 1)
            bound = np.maximum.accumulate(np.triu(np.broadcast_to(steps, (len(steps),) * 2)), axis=1)[i, j - 1]
            own = to_host(x[tiles.order[low:high]])
            far = cdist(own, own)[i, j]
            near = far <= bound
            yield Pairs(low + i[near], low + j[near], far[near])
            continue
        half = (high - low) // 2
        waiting += [(low, low + half), (low + half, high)]
        # From left of the middle to right of it: the greater of the bottlenecks to the first row right of it.
        back = np.maximum.accumulate(steps[:half][::-1])[::-1]
        ahead = np.maximum.accumulate(np.concatenate([[0.0], steps[half:]]))
        for i, j, far in tiles.within(slice(low, low + half), slice(low + half, high), back, ahead):
            yield Pairs(low + i, low + half + j, far)


def _prim(n: int, edges: Index, lengths: Floats) -> Walked:
    """The edges by which Prim's algorithm reaches the nodes of a graph from node 0, the lowest number among equals."""
    ends, length = np.concatenate([edges, edges[:, ::-1]]), np.concatenate([lengths, lengths])
    order = np.argsort(ends[:, 0], kind="stable")
    start = np.searchsorted(ends[order, 0], np.arange(n + 1)).tolist()
    to, far = ends[order, 1].tolist(), length[order].tolist()
    seen, here = [False] * n, 0
    heap: list[tuple[float, int, int]] = []
    found, heights = np.empty((n - 1, 2), np.int64), np.empty(n - 1)
    for at in range(n - 1):
        seen[here] = True
        for k in range(start[here], start[here + 1]):
            if not seen[to[k]]:
                heapq.heappush(heap, (far[k], to[k], here))
        while seen[heap[0][1]]:
            heapq.heappop(heap)
        heights[at], here, parent = heapq.heappop(heap)
        found[at] = parent, here
    return found, heights


def _row_by_row(x: Floats) -> Walked:
    """The same of the graph of all pairs of rows."""
    n = len(x)
    found, heights = np.empty((n - 1, 2), np.int64), np.empty(n - 1)
    rows, left, here = np.arange(n), x, 0
    open_, nearest, parent = np.ones(n, bool), np.full(n, np.inf), np.zeros(n, np.int64)
    for at in range(n - 1):
        row = rows[here]
        open_[here], nearest[here] = False, np.inf
        if at % STEPS == 0:
            rows, left, nearest, parent = rows[open_], left[open_], nearest[open_], parent[open_]
            open_ = open_[open_]
        far = cdist(x[row : row + 1], left)[0]
        closer = open_ & (far < nearest)
        nearest[closer], parent[closer] = far[closer], row
        here = int(np.argmin(nearest))
        found[at], heights[at] = (parent[here], rows[here]), nearest[here]
    return found, heights
