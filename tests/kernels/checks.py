"""Answers against the references of brute.py. `on` is what answers: the package, or the package by way of a GPU."""

from itertools import combinations_with_replacement

import numpy as np

from pixsieve import kernels
from tests.kernels import brute


def collected(chunks):
    i, j, s = (np.concatenate(side) for side in zip(*chunks, strict=True))
    order = np.lexsort((j, i))
    return i[order], j[order], s[order]


def check_pairs(a, b, metric, threshold, on=kernels, **options):
    values, mask = brute.hits(a, b, metric, threshold)
    i, j, s = collected(on.pairs(a, b, threshold=threshold, metric=metric, **options))
    assert list(zip(i, j, strict=True)) == list(zip(*np.nonzero(mask), strict=True))
    np.testing.assert_array_equal(s, values[i, j])
    options.pop("memory", None)
    expected = mask.sum(axis=1) if b is not None else mask.sum(axis=1) + mask.sum(axis=0)
    np.testing.assert_array_equal(on.counts(a, b, threshold=threshold, metric=metric, **options), expected)


def check_neighbours(a, b, metric, k, on=kernels, **options):
    values = brute.closeness(a, a if b is None else b, metric)
    sign = -1 if metric == "euclidean" else 1
    ranked = sign * values
    if b is None:
        np.fill_diagonal(ranked, -np.inf)
    order = np.lexsort((np.broadcast_to(np.arange(ranked.shape[1]), ranked.shape), -ranked), axis=1)[:, :k]
    best = np.take_along_axis(ranked, order, 1)
    index, closest = on.neighbours(a, b, k=k, metric=metric, **options)
    width = order.shape[1]
    np.testing.assert_array_equal(index[:, :width], np.where(best > -np.inf, order, -1))
    np.testing.assert_array_equal(closest[:, :width], sign * best)
    assert (index[:, width:] == -1).all() and np.isinf(closest[:, width:]).all()


def _prim(lengths: np.ndarray) -> np.ndarray:
    """Sorted lengths of the minimum spanning tree of a full matrix."""
    n = len(lengths)
    near, out, found = np.full(n, np.inf), np.ones(n, bool), []
    here = 0
    for _ in range(n - 1):
        out[here] = False
        near = np.minimum(near, lengths[here])
        here = int(np.argmin(np.where(out, near, np.inf)))
        found.append(near[here])
    return np.sort(found)


def check_tree(x, metric, core=None, on=kernels):
    n = len(x)
    lengths = brute.closeness(x, x, metric)
    if metric != "euclidean":
        lengths = 1 - lengths
    if core is not None:
        lengths = np.maximum(lengths, np.maximum(core[:, None], core))
    edges, found = on.spanning_tree(x, metric=metric, core=core)
    assert edges.shape == (max(n - 1, 0), 2)
    np.testing.assert_array_equal(found, lengths[edges[:, 0], edges[:, 1]])
    np.testing.assert_array_equal(found, _prim(lengths))
    if n:
        assert kernels.components(n, *edges.T).max() == 0


def check_tree_of_blocks(x, metric, core, blocks, listed, with_known, on=kernels):
    """What lists of neighbours prove, and the trees of the rest over each pair of blocks, hold a minimum tree."""
    n = len(x)
    k = min(listed, max(n - 1, 0))
    index, value = on.neighbours(x, k=max(k, 1), metric=metric)
    far = value if metric == "euclidean" else 1 - value
    beyond = far[:, -1] if k < n - 1 else np.full(n, np.inf)
    proved, between, component = kernels.proved_edges(index, far, beyond, core)
    parts, weights = ([one, two] for one, two in zip(proved, between, strict=True))
    known = component[between[0]], between[1]
    for a, b in combinations_with_replacement(range(len(blocks)), 2):
        own = blocks[a] if a == b else np.concatenate([blocks[a], blocks[b]])
        other = None if a == b else x[blocks[b]]
        given = {"component": component[own], "known": known if with_known else None}
        found, far = on.spanning_tree(x[blocks[a]], other, metric=metric, core=core[own], **given)
        assert len(found) <= max(len(np.unique(component[own])) - 1, 0)
        parts.append(own[found])
        weights.append(far)
    edges, lengths = kernels.minimum_forest(n, np.concatenate(parts), np.concatenate(weights))
    np.testing.assert_array_equal(lengths, kernels.spanning_tree(x, metric=metric, core=core)[1])
    assert len(np.unique(kernels.components(n, *edges.T))) == min(n, 1)


def _joined(x, split, weights, cluster, min_samples, near, k):
    n = len(x)
    wide = x.astype(np.float64)
    squares = (wide * wide).sum(1)
    scale = np.sqrt(np.outer(squares, squares))
    s = np.minimum(np.divide(wide @ wide.T, scale, out=np.zeros_like(scale), where=scale > 0), 1)
    allowed = ~np.eye(n, dtype=bool)
    if split is not None:
        side = np.arange(n) < split
        allowed = side[:, None] != side
    hit = (s >= cluster) & allowed
    counts = hit @ weights + (weights if split is None else 0)
    core = (counts + (0 if split is None else weights)) >= min_samples
    upper = np.triu(np.ones((n, n), bool), 1) & allowed
    near_pairs = set(zip(*np.nonzero((s >= near) & upper), strict=True))
    single = np.where(allowed, s, -np.inf)
    order = np.lexsort((np.broadcast_to(np.arange(n), (n, n)), -single), axis=1)[:, :k]
    best = np.take_along_axis(single, order, 1)
    return s, hit & upper, counts, core, near_pairs, np.where(best > -np.inf, order, -1), best


def vectors(rng, n, d, spread, copies, zeros):
    centres = rng.normal(size=(max(1, n // 12), d))
    x = centres[rng.integers(len(centres), size=n)] + spread * rng.normal(size=(n, d))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for _ in range(copies if n else 0):
        x[rng.integers(n)] = x[rng.integers(n)]
    x[rng.integers(n, size=zeros) if n else []] = 0
    return x.astype(np.float16)


def check_join(x, split, weights, cluster, min_samples, near, k, on=kernels):
    a, b = (x, None) if split is None else (x[:split], x[split:])
    asked = kernels.Questions(cluster=cluster, min_samples=min_samples, near=near, k=k)
    got = on.join(a, b, asked, weights=weights)
    s, hit, counts, core, near_pairs, index, best = _joined(x, split, weights, cluster, min_samples, near, k)
    np.testing.assert_array_equal(got.counts, counts)
    np.testing.assert_array_equal(got.core, core)
    i, j, v = got.near
    assert len(i) == got.near_total == len(near_pairs)
    assert set(zip(i, j, strict=True)) == near_pairs
    np.testing.assert_array_equal(v, s[i, j])
    both = core[:, None] & core
    n = len(x)
    np.testing.assert_array_equal(kernels.components(n, *got.forest.T), kernels.components(n, *np.nonzero(hit & both)))
    assert len(got.forest) == n - kernels.components(n, *got.forest.T).max(initial=-1) - 1
    i, j, v = got.edges
    assert list(zip(i, j, strict=True)) == list(zip(*np.nonzero(hit & ~both), strict=True))
    np.testing.assert_array_equal(v, s[i, j])
    if k:
        kk = index.shape[1]
        np.testing.assert_array_equal(got.neighbours[:, :kk], index)
        np.testing.assert_array_equal(got.similarity[:, :kk], best)
        assert (got.neighbours[:, kk:] == -1).all()


def check_dbscan(blocks, metric, threshold, min_samples, on=kernels, **options):
    labels, core = on.dbscan(blocks, threshold=threshold, min_samples=min_samples, metric=metric, **options)
    expected, expected_core = brute.dbscan(np.concatenate(blocks), metric, threshold, min_samples)
    np.testing.assert_array_equal(core, expected_core)
    np.testing.assert_array_equal(labels, expected)


def check_groups(x, labels, on=kernels):
    size, mean, std, medoid = on.group_statistics(x, labels)
    assert len(size) == labels.max(initial=-1) + 1
    for group in range(len(size)):
        members = np.flatnonzero(labels == group)
        assert size[group] == len(members)
        if not len(members):
            assert medoid[group] == -1 and not mean[group].any() and not std[group].any()
            continue
        wide = x[members].astype(np.float64)
        np.testing.assert_allclose(mean[group], wide.mean(axis=0), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(std[group], wide.std(axis=0), rtol=1e-9, atol=1e-12)
        assert medoid[group] in members
        distance = ((wide - mean[group]) ** 2).sum(axis=1)
        assert distance[members == medoid[group]] <= distance.min() * (1 + 1e-12)
