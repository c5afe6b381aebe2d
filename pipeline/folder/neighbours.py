"""The nearest neighbours in the whole run, merged from what the pair units list of their blocks."""

from typing import NamedTuple, Self

import numpy as np

from pixsieve import files, kernels
from pixsieve.folder import pair_files
from pixsieve.folder.run_folder import Run

ROUNDING = 1e-9  # of a similarity in float64, amply


class Nodes:
    """The node of each row (-1: none), and of each node how many living rows it has, and the least and the second least
    of them by key (-1: none)."""

    @classmethod
    def of(cls, run: Run) -> Self:
        return cls(pair_files.node_of_rows(run), run.manifest.live(), run.manifest.key_rank())

    def __init__(self, node: np.ndarray, live: np.ndarray, rank: np.ndarray) -> None:
        self.node, self.key_rank = node, rank
        rows = np.flatnonzero(live & (node >= 0))
        rows = rows[np.argsort(rank[rows])]
        self.weight = np.bincount(node[rows], minlength=len(node))
        self.first, self.second = np.full(len(node), -1, np.int64), np.full(len(node), -1, np.int64)
        self.first[node[rows][::-1]] = rows[::-1]
        rest = rows[self.first[node[rows]] != rows]
        self.second[node[rest][::-1]] = rest[::-1]
        # The dead come first among equals, so that a list in which one displaced another is seen to be spoilt.
        self.rank = np.where(self.first >= 0, rank[self.first], -1)
        self.rows = np.flatnonzero(self.weight)


def nearest_nodes(run: Run, nodes: Nodes, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(numbers, k) nearest living nodes of each node and their similarities, merged from the units, ties by key; -1 and
    -inf where there are fewer. k: at most what the pair units list."""
    n = len(nodes.weight)
    index, similarity = np.full((n, k), -1, np.int64), np.full((n, k), -np.inf)
    for _, path in pair_files.each(run, pair_files.NEIGHBOURS):
        unit = files.read_arrays(path)
        own = unit["nodes"]
        other = np.where(unit["index"] >= 0, own[unit["index"]], -1) if len(own) else unit["index"]
        # Most units bring a node nothing that its list does not already better.
        news = unit["similarity"][:, 0] >= similarity[own, -1]
        own, other, others = own[news], other[news], unit["similarity"][news]
        index[own], similarity[own] = _best(index[own], similarity[own], other, others, nodes.rank, k)
    # A node that has died took a place from one that a unit has not written down: these lists are made again.
    spoilt = nodes.rows[((index[nodes.rows] >= 0) & (nodes.weight[index[nodes.rows]] == 0)).any(axis=1)]
    if len(spoilt):
        index[spoilt], similarity[spoilt] = _again(run, spoilt, nodes, k)
    return index, similarity


def equal_nodes(run: Run, nodes: Nodes, similarity: np.ndarray) -> np.ndarray:
    """(numbers,) for each node the least one with the same vector: nodes are those of a block, and equal rows may lie
    in several. similarity: as `nearest_nodes` gives it."""
    least = np.arange(len(nodes.weight))
    near = nodes.rows[similarity[nodes.rows, 0] > 1 - ROUNDING]  # equal ones list each other, or ones equal to both
    if len(near):
        vectors = np.concatenate([_vectors(run, block, near) for block in range(len(run.manifest.blocks))])
        first, place = kernels.distinct(vectors)
        least[near] = near[first[place]]
    return least


class Distinct(NamedTuple):
    """m distinct rows, equal ones taken for one, and the k nearest others of each."""

    place: np.ndarray  # (numbers,) which of the m each row is, -1 for none
    nearest: np.ndarray  # (m, k) which of the m, -1 from where k rows come before, so that no cut into blocks matters
    similarity: np.ndarray  # (m, k)


def distinct_neighbours(run: Run, nodes: Nodes, k: int) -> Distinct:
    """Equal rows of all blocks taken for one, and their nearest others."""
    index, similarity = nearest_nodes(run, nodes, k)
    least = equal_nodes(run, nodes, similarity)
    kept = np.unique(least[nodes.rows])
    place = np.full(len(nodes.weight) + 1, -1)  # what stands at -1 is that of no node
    place[nodes.rows] = np.searchsorted(kept, least[nodes.rows])
    weight = np.bincount(place[nodes.rows], nodes.weight[nodes.rows], len(kept))
    index, similarity = place[index[kept]], similarity[kept]
    return Distinct(place[nodes.node], once(index, weight, k), similarity)


def once(index: np.ndarray, weight: np.ndarray, k: int) -> np.ndarray:
    """The lists (m, k) of nodes without the node itself and without repetitions, as far as fewer than k other rows come
    before: so far a list is complete, however the rows were cut into blocks. weight: (m,) rows of each node."""
    own = np.arange(len(index))[:, None]
    seen = np.concatenate([own, index], axis=1)
    again = np.stack([(seen[:, : at + 1] == column[:, None]).any(axis=1) for at, column in enumerate(index.T)], axis=1)
    rows = np.where(again | (index < 0), 0, weight[index])
    before = weight[own] - 1 + np.cumsum(rows, axis=1) - rows
    return np.where((rows > 0) & (before < k), index, -1)


def _best(
    index: np.ndarray, similarity: np.ndarray, other: np.ndarray, others: np.ndarray, rank: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Row by row the k best of two lists, ties by key."""
    index, similarity = np.concatenate([index, other], axis=1), np.concatenate([similarity, others], axis=1)
    places = np.where(index >= 0, rank[index], len(rank))
    order = np.lexsort((places, -similarity), axis=1)[:, :k]
    return np.take_along_axis(index, order, 1), np.take_along_axis(similarity, order, 1)


def _again(run: Run, wanted: np.ndarray, nodes: Nodes, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The neighbours of these nodes among all living nodes, from the vectors."""
    vectors = np.concatenate([_vectors(run, block, wanted) for block in range(len(run.manifest.blocks))])
    index, similarity = np.full((len(wanted), k), -1, np.int64), np.full((len(wanted), k), -np.inf)
    for block, batches in enumerate(run.manifest.blocks):
        inside = nodes.rows[run.manifest.lie_in(nodes.rows, batches)]
        inside = inside[np.argsort(nodes.rank[inside])]
        listed = run.backend.to_device(_vectors(run, block, inside))
        asking = run.backend.to_device(vectors)
        found_here = kernels.neighbours(asking, listed, k=k + 1, metric=run.measure.metric)  # each finds itself, too
        other, others = (run.backend.to_host(part) for part in found_here)
        found = other >= 0
        other[found] = inside[other[found]]
        others[other == wanted[:, None]] = -np.inf
        other[other == wanted[:, None]] = -1
        index, similarity = _best(index, similarity, other, others, nodes.rank, k)
    return index, similarity


def _vectors(run: Run, block: int, rows: np.ndarray) -> np.ndarray:
    """The vectors of those of `rows` (ascending by block) that lie in this block."""
    batches = run.manifest.blocks[block]
    numbers = run.manifest.rows_of(batches)
    inside = rows[(rows >= numbers.start) & (rows < numbers.stop)]
    return run.store.read(batches).vectors[inside - numbers.start]
