"""The rule for label errors: rows whose nearest neighbours and whose cluster have another label.

Equal rows are one node. A node's vote for a label is the share of its rows that have it. Of each node,

    p(c) = the mean over its k nearest other nodes, weighed by 1 / distance, of half their own vote for c and half the
           mean vote for c of their own neighbours, itself left out
    q(c) = the share of the label c in the cluster of the row, the row itself left out
    t(c) = the mean of p(c) over the rows of label c: how far neighbours agree where the label is c, which Northcutt,
           Jiang and Chuang ("Confident learning", JAIR 70, 2021) take for a threshold
    known(c) = (t(c) - s(c)) / (1 - s(c)), where s(c) is the share of c in the run: Cohen's kappa of neighbours and c

and the log odds that the label y of a row should be c are

    known * (log p(c)/p(y) + 1/4 log [q(c)/s(c)] / [q(y)/s(y)]) + copies * log 100

known is min(1, 2 known(y), 2 known(c)): where neighbours agree no more than by chance, they say nothing. copies: equal
rows with label c, less those with label y besides the row. One vote in a hundred is taken for chance: it is added to
all four shares.

A head (rules/head.py) that was not fitted on the row may be asked, too. Then what comes before the copies is a third of
itself and two thirds of log h(c)/h(y), h being what the head says, for labels that it knows. Of its many small shares
little is chance: 0.03 over the number of labels is added.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.special import expit

from pixsieve.rules.head import Heard

CHANCE = 0.01
HEAD = 2 / 3  # what the head weighs, where it knows both labels
HEAD_CHANCE = 0.03  # over the number of labels: the share that is added to what a head says of each
CLUSTER = 0.25  # what the cluster weighs against the neighbours
KNOWN = 0.5  # from this agreement on, votes count in full
ROWS_AT_CHANCE = 5  # added to each class and to each cluster, so that a few rows prove little
NEAREST = 0.1  # of the distance to the last neighbour: what is nearer weighs no more
SURE = 0.8  # p that is enough where t is higher
COPY = -np.log(CHANCE)  # the log odds that an equal row with another label brings
POTENTIAL, CERTAIN = np.log(10), np.log(30)
STEPS = 2.0**24  # votes are rounded to so many, so that their sums do not depend on the order of rows


class Mislabelled(NamedTuple):
    """Of n rows; of those without a label or a node nothing is known."""

    log_odds: np.ndarray  # (n,) float64 of the suggested label against the given one; NaN where nothing is known
    suggested: np.ndarray  # (n,) int64, the label with the greatest odds among those seen around; -1 for none
    level: np.ndarray  # (n,) int64: 1 from odds of 10 on; 2 from 30, if p(c) is at least t(c) or 0.8, a copy
    # has c, or heads know both
    own: np.ndarray  # (n,) float64, p of the given label
    other: np.ndarray  # (n,) float64, p of the suggested one
    copies: np.ndarray  # (n,) int64, equal rows with the suggested label
    known: np.ndarray  # (classes,) float64 in [0, 1], agreement of neighbours and labels beyond chance

    @property
    def score(self) -> np.ndarray:
        """(n,) in [0, 1], 0.5 at odds of 30; NaN where nothing is known."""
        return expit(self.log_odds - CERTAIN)


def mislabelled(
    node: np.ndarray,
    labels: np.ndarray,
    clusters: np.ndarray,
    index: np.ndarray,
    similarity: np.ndarray,
    heard: Heard | None = None,
) -> Mislabelled:
    """node: (n,) of each row, -1 for none; labels: (n,) integers from 0, -1 for none; clusters: (n,), -1 for none;
    index: (m, k) nearest other nodes of each node, nearest first, -1 for none; similarity: (m, k) cosines; heard: what
    heads say of the rows.
    """
    rows = np.flatnonzero((node >= 0) & (labels >= 0))
    classes = int(labels.max(initial=-1)) + 1
    at, y = node[rows], labels[rows]
    rows_of_node = np.bincount(node[node >= 0], minlength=len(index))
    held = _counts(at, y, (len(index), classes))
    p = votes(index, similarity, csr_array(held.multiply(1 / np.maximum(rows_of_node, 1)[:, None])))
    own = _look(p, at, y)
    size = np.bincount(y, minlength=classes)
    share = size / max(len(rows), 1)
    known, threshold = agreement(own, y, share)

    head = None if heard is None else heard.of(rows)
    i, c = _candidates([p, held], at, y) if head is None else _candidates([p, held, head.shares], at, y)
    copies = np.maximum(_look(held, at[i], c) - _look(held, at[i], y[i]) + 1, 0)
    lift = _cluster_odds(clusters[rows], y, share, i, c)
    other = _look(p, at[i], c)
    odds = _with(head, log_odds(own[i], other, lift, np.minimum(known[y[i]], known[c])), i, y, c) + COPY * copies
    best = np.lexsort((c, -odds, i))
    best = best[np.flatnonzero(np.diff(i[best], prepend=-1))]

    n = len(labels)
    whole, real = np.zeros(n, np.int64), np.zeros(n)
    found = Mislabelled(np.full(n, np.nan), whole - 1, whole.copy(), real.copy(), real.copy(), whole.copy(), known)
    found.own[rows] = own
    # A row that sees its own label only.
    found.log_odds[rows] = log_odds(own, np.zeros(len(own)), np.zeros(len(own)), known[y])
    where, c = rows[i[best]], c[best]
    found.log_odds[where], found.suggested[where] = odds[best], c
    found.other[where], found.copies[where] = _look(p, node[where], c), _look(held, node[where], c)
    sure = (found.other[where] >= np.minimum(threshold[c], SURE)) | (found.copies[where] > 0)
    if head is not None:
        sure |= head.knows[labels[where]] & head.knows[c]
    found.level[where] = (odds[best] >= POTENTIAL).astype(int) + ((odds[best] >= CERTAIN) & sure)
    return found


def nearest_with(
    node: np.ndarray, labels: np.ndarray, rank: np.ndarray, index: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """(n,) of each row the place of the nearest other row with the wanted label (n,), copies first, then the nodes of
    index (m, k) in order, of equals the least by rank (n,); -1 where none of these has it."""
    rows = np.flatnonzero((node >= 0) & (labels >= 0))
    rows = rows[np.argsort(rank[rows])]
    width = int(max(labels.max(initial=0), wanted.max(initial=0))) + 1
    codes, first = np.unique(node[rows] * width + labels[rows], return_index=True)
    seeking = np.flatnonzero((node >= 0) & (wanted >= 0))
    found = np.full(len(node), -1)
    own = node[seeking]
    for near in (own, *index[own].T):
        code = near * width + wanted[seeking]
        place = np.minimum(np.searchsorted(codes, code), len(codes) - 1)
        fits = (found[seeking] < 0) & (near >= 0) & (codes[place] == code)
        found[seeking[fits]] = rows[first[place[fits]]]
    return found


def votes(index: np.ndarray, similarity: np.ndarray, held: csr_array) -> csr_array:
    """(m, classes) p of each node. held: (m, classes) shares of each node's rows."""
    there = index >= 0
    distance = np.sqrt(np.maximum(2 - 2 * np.where(there, similarity, 1), 0))
    least = NEAREST * distance.max(axis=1, initial=0, keepdims=True)
    least[least == 0] = 1  # all are equally near
    weight = np.where(there, 1 / np.maximum(distance, least), 0)
    total = weight.sum(axis=1)
    start = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    i, j, w = np.repeat(np.arange(len(index)), np.diff(start)), index[there], weight[there]
    shape = (len(index), len(index))
    back = _look(csr_array((w, j, start), shape=shape), j, i)  # what the neighbour would hear from the node itself
    rest = total[j] - back
    onward = np.divide(w, rest, out=np.zeros(len(w)), where=rest > 0)
    direct = csr_array((w, j, start), shape=shape) @ held
    itself = np.bincount(i, onward * back, minlength=len(index))
    heard = direct + csr_array((onward, j, start), shape=shape) @ direct - csr_array(held.multiply(itself[:, None]))
    found = csr_array(heard.multiply(1 / np.where(total > 0, 2 * total, 1)[:, None]))
    found.data = np.round(np.maximum(found.data, 0) * STEPS) / STEPS
    found.eliminate_zeros()
    found.sort_indices()
    return found


def log_odds(own: np.ndarray, other: np.ndarray, lift: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(n,) of another label against the own, without copies: p of both, the log odds of the cluster, the lesser
    `known`."""
    votes = np.log((other + CHANCE) / (own + CHANCE)) + CLUSTER * lift
    return np.asarray(np.minimum(known / KNOWN, 1) * votes)


def _with(head: Heard | None, odds: np.ndarray, i: np.ndarray, y: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The log odds of rows i for labels c, with what a head says."""
    if head is None:
        return odds
    chance = HEAD_CHANCE / head.shares.shape[1]
    said = np.log((_look(head.shares, i, c) + chance) / (_look(head.shares, i, y[i]) + chance))
    return np.where(head.knows[y[i]] & head.knows[c], (1 - HEAD) * odds + HEAD * said, odds)


def agreement(own: np.ndarray, labels: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """known and t of each class, (classes,) each, from p of the own label (n,) and the labels (n,)."""
    size = np.bincount(labels, minlength=len(share))
    total = np.bincount(labels, own, minlength=len(share))
    threshold = (total + ROWS_AT_CHANCE * share) / (size + ROWS_AT_CHANCE)
    return np.clip((threshold - share) / np.where(share < 1, 1 - share, 1), 0, 1), threshold


def _candidates(said: list[csr_array], at: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a row (its place in `at`) and a label other than its own that its neighbours or copies have, or a head
    names. said: of nodes; the third of the rows."""
    parts = []
    for matrix, places in zip(said, (at, at, np.arange(len(at))), strict=False):
        start, width = matrix.indptr[places], np.diff(matrix.indptr)[places]
        i = np.repeat(np.arange(len(at)), width)
        c = matrix.indices[np.arange(len(i)) - np.repeat(np.cumsum(width) - width - start, width)]
        parts.append(np.stack([i, c])[:, c != y[i]])
    i, c = np.concatenate(parts, axis=1).astype(np.int64)
    return i, c


def _cluster_odds(clusters: np.ndarray, y: np.ndarray, share: np.ndarray, i: np.ndarray, c: np.ndarray) -> np.ndarray:
    """log [q(c)/s(c)] / [q(y)/s(y)] of each candidate; 0 for rows in no cluster."""
    inside = clusters >= 0
    count = _counts(clusters[inside], y[inside], (int(clusters.max(initial=-1)) + 1, len(share)))
    size = np.bincount(clusters[inside], minlength=count.shape[0])
    some = inside[i]
    own, i, c = clusters[i[some]], i[some], c[some]

    def lift(label: np.ndarray, itself: int) -> np.ndarray:
        q = (_look(count, own, label) - itself + ROWS_AT_CHANCE * share[label]) / (size[own] - 1 + ROWS_AT_CHANCE)
        return np.log((q + CHANCE) / (share[label] + CHANCE))

    found = np.zeros(len(some))
    found[some] = lift(c, 0) - lift(y[i], 1)
    return found


def _counts(i: np.ndarray, j: np.ndarray, shape: tuple[int, int]) -> csr_array:
    """How often each pair occurs."""
    found = csr_array((np.ones(len(i)), (i, j)), shape=shape)
    found.sum_duplicates()  # and sorts
    return found


def _look(matrix: csr_array, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """(n,) the values at these places, 0 where there are none."""
    width = matrix.shape[1]
    codes = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)) * width + matrix.indices
    values, wanted = matrix.data, i * width + j
    if not len(codes):
        return np.zeros(len(wanted))
    if (codes[1:] < codes[:-1]).any():
        order = np.argsort(codes)
        codes, values = codes[order], values[order]
    place = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
    return np.where(codes[place] == wanted, values[place], 0.0)
