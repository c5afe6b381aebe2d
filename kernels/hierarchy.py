"""Clusters of a density hierarchy: HDBSCAN* after its spanning tree (Campello, Moulavi, Zimek and Sander, "Hierarchical
density estimates for data clustering, visualization, and outlier detection", TKDD 2015; McInnes and Healy, ICDMW 2017).

Edges of equal length are removed at once, as the first paper has it (section 3; scikit-learn and hdbscan take them one
by one, and the rows that a split frees fall to either side by the order of the rows). The hierarchy then is that of the
distances, whichever of several minimum spanning trees it is read from, and copies of a row, which join at its core
distance, are a single node of any weight. Level: lambda = 1 / distance.
"""

import math
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixsieve.kernels.graph import first_seen
from pixsieve.kernels.search.exact import Index

Floats = NDArray[np.float64]
Selection = Literal["eom", "leaf"]


class Hierarchy(NamedTuple):
    """Of n nodes and c clusters."""

    label: Index  # (n,) 0 .. c - 1 in the order of the first node, -1 for noise
    probability: Floats  # (n,) in [0, 1], how deep in its cluster; 0 for noise
    outlier_score: Floats  # (n,) in [0, 1], GLOSH (Campello et al., section 6)
    persistence: Floats  # (c,) in [0, 1]: stability per row, against the greatest finite lambda


class _Merges(NamedTuple):
    """Single linkage: nodes 0 .. n - 1, then one for each edge."""

    parent: Index  # the root's is itself
    height: Floats
    size: Index  # rows


class _Condensed(NamedTuple):
    """The hierarchy without the splits that only shed less than a cluster. Cluster 0 holds all; parents come first."""

    parent: Index  # (k,) -1 for cluster 0
    birth: Floats  # (k,) lambda
    size: Index  # (k,) rows at birth
    cluster: Index  # (n,) the cluster that each node falls out of
    level: Floats  # (n,) lambda at which it does


def density_hierarchy(
    edges: Index,
    lengths: Floats,
    core: Floats,
    weights: Index,
    *,
    min_cluster_size: int,
    selection: Selection = "eom",
    max_cluster_size: int | None = None,
    allow_single_cluster: bool = False,
) -> Hierarchy:
    """Clusters of the nodes of a minimum spanning tree of mutual reachability.

    edges: (n - 1, 2); lengths: (n - 1,), ascending, none below the core distances of its ends. core: (n,) distances, in
    the same unit. weights: (n,) how many equal rows each node stands for. min_cluster_size: rows, at least 2.
    selection: eom, the clusters of most excess of mass, or leaf, the smallest. max_cluster_size: rows; eom passes over
    larger clusters. All rows in one is no cluster, unless eom is allowed to choose it; rows that fall out of it before
    its deepest level are noise then, as in scikit-learn.
    """
    n = len(core)
    if min_cluster_size < 2:
        raise ValueError(f"min_cluster_size is {min_cluster_size}; at least 2 is needed")
    if len(edges) != max(n - 1, 0):
        raise ValueError(f"{len(edges)} edges are no tree of {n} nodes")
    if not n:
        return Hierarchy(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0))
    tree = _condense(edges, lengths, core, weights, min_cluster_size)
    stability = _stability(tree, weights)
    if selection == "leaf":
        chosen = _leaves(tree)
    else:
        may = (np.arange(len(stability)) > 0) | allow_single_cluster
        chosen = _excess_of_mass(tree, stability, may & (tree.size <= (max_cluster_size or np.inf)))
    within = np.full(len(chosen), -1)  # the chosen cluster that each is in
    for c in range(len(chosen)):
        within[c] = c if chosen[c] else within[tree.parent[c]] if c else -1
    own = _deepest(tree, below=False)
    found = within[tree.cluster]
    found[(found == 0) & (tree.level < own[0])] = -1
    label = first_seen(found)
    top = own[found]
    finite = np.isfinite(tree.level) & (top > 0)
    share = np.divide(np.minimum(tree.level, top), top, out=np.ones(n), where=finite)
    # Campello et al., definition 8: 1 - (level of the row) / (deepest level under the cluster that it leaves).
    deepest = _deepest(tree, below=True)[tree.cluster]
    finite = np.isfinite(tree.level) & (deepest > 0)
    score = 1 - np.divide(tree.level, deepest, out=np.ones(n), where=finite)
    order = np.full(label.max(initial=-1) + 1, 0)
    order[label[label >= 0]] = found[label >= 0]
    finest = tree.level[np.isfinite(tree.level)].max(initial=0.0)
    mass = tree.size[order] * finest
    persistence = np.divide(stability[order], mass, out=np.ones(len(order)), where=mass > 0)
    return Hierarchy(label, np.where(label < 0, 0.0, share), score, np.minimum(persistence, 1.0))


def core_lengths(index: Index, length: Floats, weights: Index, min_samples: int) -> Floats:
    """(n,) distance of each node to its (min_samples - 1)-th other row, copies counted; 0 for min_samples 1.

    index, length: (n, k) neighbours of each node, closest first, -1 where there are none; weights: (m,) rows that each
    node stands for. inf where the lists do not reach so far.
    """
    listed = np.where(index >= 0, weights[index], 0)
    copies = weights[: len(index)] - 1
    reached = np.cumsum(listed, axis=1) + copies[:, None] >= min_samples - 1
    far = np.where(reached & (index >= 0), length, np.inf).min(axis=1, initial=np.inf)
    return np.where(copies >= min_samples - 1, 0.0, far)


def _condense(edges: Index, lengths: Floats, core: Floats, weights: Index, least: int) -> _Condensed:
    n = len(core)
    parent, height, size = _merges(edges, lengths, weights)
    nodes, root = np.arange(len(parent)), len(parent) - 1
    # A merge at the height of the one that it is part of is the same merge.
    same = (nodes >= n) & (nodes < root) & (height == height[parent])
    top = _followed(np.where(same, parent, nodes))
    above = np.where(nodes < root, top[parent], root)
    drop = np.concatenate([core, height[n:]])  # where each node falls apart
    big = (size >= least) & (drop < height[above]) & ~same
    big[root] = True
    count = np.bincount(above[big & (nodes < root)], minlength=len(nodes))
    head = _followed(np.where(big & (nodes < root) & (count[above] == 1), above, nodes))
    heads = np.flatnonzero(big & (head == nodes))[::-1]
    number = np.full(len(nodes), -1)
    number[heads] = np.arange(len(heads))
    number = number[head]
    # What is not big goes with the largest that it is part of and that is not big either.
    lost = _followed(np.where(~big & ~big[above] & (nodes < root), above, nodes))[:n]
    left = np.where(big[:n], np.arange(n), above[lost])
    with np.errstate(divide="ignore"):
        level = 1 / np.where(big[:n], core, height[left])
        birth = np.where(heads == root, 0.0, 1 / height[above[heads]])
    over = np.where(heads == root, -1, number[above[heads]])
    return _Condensed(over, birth, size[heads], number[left], level)


def _merges(edges: Index, lengths: Floats, weights: Index) -> _Merges:
    n = len(weights)
    total = n + len(edges)
    parent, size, root, tip = list(range(total)), [*weights.tolist(), *[0] * len(edges)], list(range(n)), list(range(n))
    for at, (i, j) in enumerate(edges.tolist(), n):
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        while root[j] != j:
            root[j] = root[root[j]]
            j = root[j]
        if i == j:
            raise ValueError(f"edge {at - n} closes a ring: no tree")
        one, two = tip[i], tip[j]
        parent[one] = parent[two] = at
        size[at] = size[one] + size[two]
        if size[one] < size[two]:
            i, j = j, i
        root[j] = i
        tip[i] = at
    return _Merges(np.array(parent), np.concatenate([np.zeros(n), lengths]), np.array(size))


def _followed(to: Index) -> Index:
    """Where each pointer leads in the end."""
    while True:
        further = to[to]
        if (further == to).all():
            return to
        to = further


def _stability(tree: _Condensed, weights: Index) -> Floats:
    """Excess of mass of each cluster. Sums are exact before they are rounded: neither the order of the nodes nor which
    equal rows are one node changes a bit."""
    levels = np.repeat(tree.level - tree.birth[tree.cluster], weights)
    cluster = np.repeat(tree.cluster, weights)
    order = np.argsort(cluster, kind="stable")
    ends = np.searchsorted(cluster[order], np.arange(len(tree.parent) + 1))
    levels = levels[order]
    terms = [levels[a:b].tolist() for a, b in pairwise(ends)]
    for child in range(1, len(tree.parent)):
        over = tree.parent[child]
        terms[over].append(float(tree.size[child] * (tree.birth[child] - tree.birth[over])))
    return np.array([math.fsum(part) for part in terms])


def _excess_of_mass(tree: _Condensed, stability: Floats, may: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The clusters, none inside another, of greatest total stability; a parent wins a draw. may: (k,) which can be
    chosen."""
    k = len(stability)
    inside: list[list[float]] = [[] for _ in range(k)]
    alone = np.zeros(k, bool)
    for c in range(k - 1, -1, -1):
        below = math.fsum(inside[c])
        alone[c] = may[c] and stability[c] >= below
        if c:
            inside[tree.parent[c]].append(float(stability[c]) if alone[c] else below)
    covered = np.zeros(k, bool)
    for c in range(1, k):
        covered[c] = covered[tree.parent[c]] or alone[tree.parent[c]]
    return alone & ~covered


def _leaves(tree: _Condensed) -> NDArray[np.bool_]:
    leaf = np.ones(len(tree.parent), bool)
    leaf[tree.parent[1:]] = False
    leaf[0] = False
    return leaf


def _deepest(tree: _Condensed, *, below: bool) -> Floats:
    """The greatest lambda of each cluster's own rows and of the births of its children, or of all under it."""
    deepest = tree.birth.copy()
    np.maximum.at(deepest, tree.cluster, tree.level)
    for c in range(len(deepest) - 1, 0, -1):
        over = tree.parent[c]
        deepest[over] = max(deepest[over], deepest[c] if below else tree.birth[c])
    return deepest
