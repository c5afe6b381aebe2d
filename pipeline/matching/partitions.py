"""The clusters of the batches matched by their moments: size, mean and spread of each, all with all at once.

Batches are cut into more clusters than are asked for (`finer`), so that their borders can follow those of the whole.
Then, with as many clusters as the whole is to have:

kmeans            Ward's linkage, then Lloyd's iteration over the weighted means; each row goes to the nearest centre
gaussian_mixture  Ward's linkage, then one step of expectation-maximisation over all rows
agglomerative     its own linkage; `single` by the nearest representatives
each its own      Ward's linkage, as batches differ in their methods. The variance ratio (Calinski and Harabasz, 1974),
                  which follows from the moments, says how many; they are no fewer than the median batch has

Clusters go by their means, not by their batches: the order of the batches is nothing.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pixsieve import files, kernels
from pixsieve.clusterers import gaussian_mixture
from pixsieve.clusterers.clustering import chord, nearness
from pixsieve.config.cluster import Agglomerative, Clusterer, GaussianMixture, Kmeans
from pixsieve.folder import sample
from pixsieve.folder.measure import Measure
from pixsieve.folder.run_folder import Run
from pixsieve.matching import Matched, linkage

PIECES = 4  # of a cluster, in a batch


class Pieces(NamedTuple):
    """The c clusters of all batches, in the order of their means."""

    groups: linkage.Groups
    number: np.ndarray  # (c,) of each, as they are numbered on from batch to batch
    counts: np.ndarray  # (batches,) how many each batch has


class Rows(NamedTuple):
    """The clustered rows of one batch."""

    rows: np.ndarray  # (n,)
    points: np.ndarray  # (n, d) float64, of the measure


def finer(settings: Clusterer, measure: Measure) -> Clusterer:
    """The settings for a batch whose clusters are to be matched: half as wide where they are not counted."""
    if not isinstance(settings, Kmeans | GaussianMixture | Agglomerative):
        return settings
    if settings.n_clusters:
        return settings.model_copy(update={"n_clusters": PIECES * settings.n_clusters})
    assert isinstance(settings, Agglomerative)
    half = measure.at_chord(measure.chord(settings.similarity) / 2)
    return settings.model_copy(update={"similarity": half})


def matched(run: Run, settings: Clusterer, own: bool, batches: Matched) -> Matched:
    """settings: what is asked for of the whole. own: batches have chosen their own."""
    pieces = read(run, isinstance(settings, Agglomerative) and settings.linkage == "complete")
    if len(pieces.counts) < 2 or len(pieces.number) < 2:
        return batches
    if own:
        return _renumbered(batches, pieces, by_variance_ratio(pieces.groups, int(np.median(pieces.counts))))
    if isinstance(settings, Agglomerative):
        label = _agglomerated(run, settings, pieces)
        centre = linkage.joined(pieces.groups, label, "ward").mean
        return _nearest(run, _renumbered(batches, pieces, label), centre, moved=False)
    assert isinstance(settings, Kmeans | GaussianMixture)
    label = cut(linkage.tree(pieces.groups, "ward"), len(pieces.number), settings.n_clusters or 1)
    if isinstance(settings, Kmeans):
        return _nearest(run, batches, _lloyd(pieces.groups, label, settings.max_iter), moved=True)
    return _expected(run, settings, _renumbered(batches, pieces, label), linkage.joined(pieces.groups, label, "ward"))


def read(run: Run, greatest: bool) -> Pieces:
    """greatest: whether extents are the greatest square distances of members to the mean, instead of the mean ones."""
    parts = [files.read_arrays(run.path / f"representatives/{name}.npz") for name in run.manifest.batch_names()]
    size, mean, spread, reach = (
        np.concatenate([part[name] for part in parts]).astype(np.float64)
        for name in ("size", "mean", "spread", "reach")
    )
    order = ordered(size, mean, spread)
    groups = linkage.Groups(size, mean, (reach if greatest else spread) ** 2)
    return Pieces(
        linkage.Groups(*(part[order] for part in groups)), order, np.array([len(part["size"]) for part in parts])
    )


def ordered(size: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """(c,) an order of groups that says nothing of the batches that they come from."""
    return np.lexsort((spread, size, *mean.T[::-1]))


def cut(tree: kernels.Tree, groups: int, count: int) -> np.ndarray:
    """(groups,) labels of `count` clusters: the edges are merges of a whole tree, ascending."""
    return kernels.components(groups, *tree.edges[: max(groups - count, 0)].T)


def by_variance_ratio(groups: linkage.Groups, least: int) -> np.ndarray:
    """(c,) labels: the cut of Ward's tree of the best variance ratio, with at least so many clusters; of equals the one
    with the fewest. By chance the ratio is 1: that is what one cluster has."""
    tree, c, rows = linkage.tree(groups, "ward"), len(groups.size), groups.size.sum()
    # A merge at height h adds h^2 / 2 to the squares within.
    within = groups.size @ groups.extent + np.append(0, np.cumsum(tree.lengths**2 / 2))
    count = c - np.arange(c)
    between = within[-1] - within
    ratio = between * (rows - count) / (np.maximum(count - 1, 1) * np.maximum(within, 1e-30))
    ratio = np.where(count == 1, 1.0, ratio)[: c - min(max(least, 1), c) + 1]
    return cut(tree, c, int(count[len(ratio) - 1 - ratio[::-1].argmax()]))


def _renumbered(batches: Matched, pieces: Pieces, label: np.ndarray) -> Matched:
    of = np.full(len(label) + 1, -1)
    of[pieces.number] = label
    return batches._replace(cluster=of[batches.cluster])


def _agglomerated(run: Run, settings: Agglomerative, pieces: Pieces) -> np.ndarray:
    count, c = settings.n_clusters, len(pieces.number)
    if settings.linkage == "single":
        tree = _by_representatives(run, pieces)
        below = tree.lengths <= 1 - settings.similarity
    else:
        height = np.inf if count else chord(run.measure, settings.similarity)
        tree = linkage.tree(pieces.groups, settings.linkage, height)
        below = tree.lengths < height
    return cut(tree, c, count) if count else kernels.components(c, *tree.edges[below].T)


def _by_representatives(run: Run, pieces: Pieces) -> kernels.Tree:
    """The minimum spanning tree of the clusters, two of which are as far as their nearest representatives."""
    parts, seen = [], 0
    for name, count in zip(run.manifest.batch_names(), pieces.counts, strict=True):
        part = files.read_arrays(run.path / f"representatives/{name}.npz")
        parts.append((part["row"], part["cluster"] + seen))
        seen += count
    rows, cluster = (np.concatenate(side) for side in zip(*parts, strict=True))
    place = np.argsort(pieces.number)[cluster]
    order = np.argsort(place, kind="stable")
    tree = kernels.spanning_tree(run.backend.to_device(sample.read(run, rows[order])), metric=run.measure.metric)
    edges, lengths = (run.backend.to_host(part) for part in tree)
    edges = place[order][edges]
    between = edges[:, 0] != edges[:, 1]
    return kernels.minimum_forest(len(pieces.number), edges[between], lengths[between])


def _lloyd(groups: linkage.Groups, label: np.ndarray, max_iter: int) -> np.ndarray:
    """(k, d) centres."""
    from sklearn.cluster import KMeans

    start = linkage.joined(groups, label, "ward").mean
    model = KMeans(len(start), init=start, n_init=1, max_iter=max_iter).fit(groups.mean, sample_weight=groups.size)
    return np.asarray(model.cluster_centers_)


def _clustered(run: Run, batches: Matched) -> Iterator[Rows]:
    """Batch by batch."""
    for batch, at, offset in run.manifest.by_batch(rows := np.flatnonzero(batches.cluster >= 0)):
        yield Rows(rows[at], run.measure.points(run.store.read([batch]).vectors[offset]).astype(np.float64))


def _nearest(run: Run, batches: Matched, centre: np.ndarray, moved: bool) -> Matched:
    """Strength: as of `clustering.partition`, by the centres. moved: each row goes to the nearest."""
    cluster, strength = batches.cluster.copy(), batches.strength.copy()
    length = np.maximum(np.linalg.norm(centre, axis=1), 1e-30)
    for rows, points in _clustered(run, batches):
        if moved:
            cluster[rows] = (2 * points @ centre.T - length**2).argmax(axis=1)
        own = cluster[rows]
        if run.measure.euclidean:
            strength[rows] = np.linalg.norm(points - centre[own], axis=1)
        else:
            strength[rows] = np.clip(np.einsum("ij,ij->i", points, centre[own]) / length[own], 0, 1)
    if run.measure.euclidean:
        known = cluster >= 0
        strength[known] = nearness(strength[known], cluster[known], np.ones(int(known.sum())))
    return batches._replace(cluster=cluster, strength=strength)


def _expected(run: Run, settings: GaussianMixture, batches: Matched, groups: linkage.Groups) -> Matched:
    """Covariances of the rows as they are labelled, then the most probable component of each row."""
    cluster, strength = batches.cluster.copy(), batches.strength.copy()
    scatter = sum(
        gaussian_mixture.scatter(points, batches.cluster[rows], groups.mean, settings.covariance)
        for rows, points in _clustered(run, batches)
    )
    components = gaussian_mixture.components(groups.size, groups.mean, np.asarray(scatter), settings.covariance)
    for rows, points in _clustered(run, batches):
        share = gaussian_mixture.shares(points, components, settings.covariance)
        cluster[rows] = share.argmax(axis=1)
        strength[rows] = np.clip(share.max(axis=1), 0, 1)
    return batches._replace(cluster=cluster, strength=strength)
