"""Groups of duplicates: rows taken together as items, and items that stand back for a better one.

Items are ranked by the policy of keeping. An item is kept unless a better-ranked kept one is near to it, and then joins
the one of these that it is most similar to, ties by rank: no group hangs together by a chain only.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from pixsieve import kernels
from pixsieve.images.symmetries import SYMMETRIES, inverse

UNDONE = np.array([inverse(symmetry) for symmetry in range(len(SYMMETRIES))], np.int8)


class NearPairs(NamedTuple):
    """Near pairs of items, or of the rows that stand for nodes."""

    i: np.ndarray  # (p,)
    j: np.ndarray
    similarity: np.ndarray
    symmetry: np.ndarray  # int8, what turns j into what looks like i

    def only(self, chosen: np.ndarray | slice) -> "NearPairs":
        """Those at these places, or where it is true."""
        return NearPairs(*(column[chosen] for column in self))


class Groups(NamedTuple):
    own: np.ndarray  # (n,) the kept item of the group of each item
    similarity: np.ndarray  # (n,) to it, 1 for itself
    symmetry: np.ndarray  # (n,) int8, what turns the item into what looks like it


def items(node: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """(n,) item of each row: what equal nodes (n,), -1 for none, and equal pixels (n,) hold together."""
    n = len(node)
    first_pixel = np.full(pixel.max(initial=-1) + 1, -1, np.int64)
    first_pixel[pixel[::-1]] = np.arange(n)[::-1]
    known = np.flatnonzero(node >= 0)
    _, first, inverse = np.unique(node[known], return_index=True, return_inverse=True)
    i = np.concatenate([np.arange(n), known])
    j = np.concatenate([first_pixel[pixel], known[first[inverse]]])
    return kernels.components(n, i, j)


def apart(item: np.ndarray, sort: np.ndarray) -> np.ndarray:
    """(n,) item of each row where only rows of one sort (n,) may be together."""
    return np.unique(np.stack([item, sort]), axis=1, return_inverse=True)[1].reshape(len(item))


def together(parts: Iterable[NearPairs]) -> NearPairs:
    none = np.empty(0, np.int64)
    empty = NearPairs(none, none, np.empty(0), np.empty(0, np.int8))
    return NearPairs(*(np.concatenate(column) for column in zip(empty, *parts, strict=True)))


def once(pairs: NearPairs) -> NearPairs:
    """Pairs of items in any order, some several times: each at its best, i < j, ascending; without those of an item
    and itself."""
    i, j, similarity, symmetry = pairs.only(pairs.i != pairs.j)
    symmetry = np.where(i < j, symmetry, UNDONE[symmetry])
    return best_of_each(NearPairs(np.minimum(i, j), np.maximum(i, j), similarity, symmetry))


def best_of_each(pairs: NearPairs) -> NearPairs:
    """Of those with the same i and j the most similar one, of equals that of the least symmetry; ascending."""
    i, j, similarity, symmetry = pairs
    order = np.lexsort((symmetry, -similarity, j, i))
    other = (np.diff(i[order], prepend=-1) != 0) | (np.diff(j[order], prepend=-1) != 0)
    return pairs.only(order[other])


def grouped(pairs: NearPairs, rank: np.ndarray) -> Groups:
    """pairs: of items, each `once`; rank: (n,) of the items, all different, the least is the best."""
    i, j, similarity, symmetry = pairs
    kept = kernels.leaders(rank, i, j)
    upward = kept[np.where(rank[i] < rank[j], i, j)]  # what is kept is better than all that stands back for it
    leader = kernels.attach(kept, i[upward], j[upward], similarity[upward], rank)
    own = np.where(kept, np.arange(len(kept)), leader)
    found, turn = np.ones(len(own)), np.zeros(len(own), np.int8)
    for low, high, turns in ((i, j, UNDONE[symmetry]), (j, i, symmetry)):
        mine = own[low] == high
        found[low[mine]], turn[low[mine]] = similarity[mine], turns[mine]
    return Groups(own, found, turn)


def better(pairs: NearPairs, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each item (n,): the better-ranked item that is most similar to it, of equals the best-ranked, and how similar
    it is; -1 and 0 where none is near."""
    i, j, similarity, _ = pairs
    worse = np.where(rank[i] > rank[j], i, j)
    other = i + j - worse
    order = np.lexsort((rank[other], -similarity, worse))
    first = order[np.flatnonzero(np.diff(worse[order], prepend=-1))]
    to, best = np.full(len(rank), -1, np.int64), np.zeros(len(rank))
    to[worse[first]], best[worse[first]] = other[first], similarity[first]
    return to, best


def leaks(group: np.ndarray, split: np.ndarray) -> np.ndarray:
    """(n,) booleans: rows whose group has rows of two or more splits. group, split: (n,) numbers, -1 for an unknown
    split."""
    known = split >= 0
    width = split.max(initial=0) + 1
    different = np.unique(group[known] * width + split[known]) // width
    return np.bincount(different, minlength=group.max(initial=-1) + 1)[group] > 1
