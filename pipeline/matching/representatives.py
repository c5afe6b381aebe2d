"""The clusters of the batches matched by the rows that represent them: all with all, then components; never in turn, so
that the order of the batches is nothing. Far cheaper than all pairs, and not exact: what is dense in the whole may be
thin in each batch. It says what it expects to lose before it begins, and how it did afterwards.

dbscan      representatives, which weigh as many rows as they cover, and all rows that are noise in their batch, go
            through one DBSCAN; what a batch has found to be one cluster stays one.
hdbscan     the same rows go through one HDBSCAN; a cluster of a batch takes the label of most of its representatives.
others      two clusters of two batches are one if each is the other's nearest there, and their means lie no farther
            apart than their members lie from the means.
"""

from collections.abc import Iterator
from itertools import combinations_with_replacement, pairwise

import numpy as np
from scipy.special import bdtr

import kernels
from pipeline import clusterers, files, sample, store
from pipeline.config import DENSITY, Cluster, ConfigError
from pipeline.folder import Run
from pipeline.matching import Matched
from pipeline.matching.density import Links, united

ASKED = 1024  # rows that the prediction is made from


def of_batches(run: Run, live: np.ndarray) -> Matched:
    """The clusters of the batches as they are."""
    n, seen = len(live), 0
    labels, strength, persistence = np.full(n, -1), np.zeros(n), []
    for name in run.manifest.batch_names():
        table = files.read_table(run.path / f"clusters/{name}.parquet")
        rows, own = table["row"].to_numpy(), table["label"].to_numpy()
        labels[rows] = np.where(own >= 0, own + seen, -1)
        strength[rows] = table["strength"].to_numpy()
        persistence.append(files.read_arrays(run.path / f"representatives/{name}.npz")["persistence"])
        seen += len(persistence[-1])
    return Matched(labels, strength, np.full(n, np.nan), np.concatenate([np.empty(0), *persistence]), {})


def matched(run: Run, settings: Cluster, live: np.ndarray, rank: np.ndarray) -> Matched:
    batches = of_batches(run, live)
    notes: dict[str, object] = {"unresolved": _unresolved(run, settings)} if settings.method in DENSITY else {}
    if settings.method in DENSITY:
        found = _density(run, settings, batches, live, rank)
    else:
        found = batches._replace(labels=np.append(_mutual(run), -1)[batches.labels])
    notes["agreement"] = _agreement(run, settings, found.labels)
    return found._replace(notes=notes, persistence=np.full(int(found.labels.max(initial=-1)) + 1, np.nan))


def _unresolved(run: Run, settings: Cluster) -> float | None:
    """The share of the dense rows of the whole that are expected not to be dense in their batch: a row with g
    neighbours keeps Bin(g, share of the batch) of them. ConfigError if that is more than is allowed."""
    limit, share = run.config.match.max_unresolved, None
    if settings.method == "dbscan":
        share = _thinned_out(run, settings)
    if limit < (1 if share is None else share):
        expected = "an unknown share" if share is None else f"{share:.0%}"
        raise ConfigError(
            f"match.mode 'representatives' would leave {expected} of the dense rows unresolved, and"
            f" match.max_unresolved is {limit}: set match.mode to 'exact', make run.batch_rows larger in a new run, or"
            " raise match.max_unresolved (1 allows anything)"
        )
    return share


def _thinned_out(run: Run, settings: Cluster) -> float:
    drawn = sample.draw(run, ASKED)
    if not len(drawn.rows):
        return 0.0
    count = np.zeros(len(drawn.rows), np.int64)
    size, live = run.manifest.batch_rows, run.manifest.live()
    for batches in run.manifest.blocks:
        vectors, _ = store.read(run.path, run.descriptor, batches)
        there = live[batches[0] * size : (batches[-1] + 1) * size] & vectors.any(axis=1)
        # With min_samples 1 all are core: no edge is kept.
        joined = run.backend.join(drawn.vectors, vectors[there], cluster=settings.similarity, min_samples=1)
        count += joined.counts[: len(count)]
    dense = count >= settings.min_samples
    if not dense.any():
        return 0.0
    others = [rows for rows, _ in run.manifest.batches]
    shares = np.array(others)[drawn.rows[dense] // size] / max(sum(others), 1)
    return float(_at_most(settings.min_samples - 2, count[dense] - 1, shares).mean())


def _at_most(k: int, n: np.ndarray, p: np.ndarray) -> np.ndarray:
    """P(Bin(n, p) <= k)."""
    return np.where(k < 0, 0.0, np.where(n <= k, 1.0, bdtr(float(max(k, 0)), np.maximum(n, k + 1), p)))


def _density(run: Run, settings: Cluster, batches: Matched, live: np.ndarray, rank: np.ndarray) -> Matched:
    standing, cluster, covers = _standing(run)
    noise = np.flatnonzero(_usable(run, live) & (batches.labels < 0))
    rows = np.concatenate([standing, noise])
    vectors = sample.read(run, rows)
    weight = np.concatenate([covers, np.ones(len(noise), np.int64)])
    labels, strength = batches.labels.copy(), batches.strength.copy()
    first = np.searchsorted(cluster, np.arange(len(batches.persistence)))
    if settings.method == "dbscan":
        links = list(_links(run, vectors, weight, settings))
        tied = np.column_stack([first[cluster], np.arange(len(standing))])
        sure = np.arange(len(rows)) < len(standing)
        found, core = united(lambda: iter(links), weight, rank[rows], settings.min_samples, core=sure, tied=tied)
        of_cluster = found[first]
        strength[noise] = np.where(found[len(standing) :] < 0, 0.0, np.where(core[len(standing) :], 1.0, 0.5))
    else:
        whole = clusterers.fit(vectors, settings, run.config.run.seed, run.backend)
        found = whole.labels
        of_cluster = _majority(cluster, found[: len(standing)], len(first))
        strength[noise] = whole.strength[len(standing) :]
    labels[noise] = found[len(standing) :]
    clustered = batches.labels >= 0
    labels[clustered] = of_cluster[batches.labels[clustered]]
    return batches._replace(labels=labels, strength=strength)


def _usable(run: Run, live: np.ndarray) -> np.ndarray:
    """(numbers,) living rows that have a direction."""
    usable = np.zeros(len(live), bool)
    for batch in range(len(run.manifest.batches)):
        vectors, status = store.read(run.path, run.descriptor, (batch,))
        usable[batch * len(status) : (batch + 1) * len(status)] = vectors.any(axis=1)
    return usable & live


def _standing(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of all batches: the rows that stand for clusters, the clusters, numbered on, and how many rows each covers."""
    parts, seen = [], 0
    for name in run.manifest.batch_names():
        part = files.read_arrays(run.path / f"representatives/{name}.npz")
        parts.append((part["row"], part["cluster"] + seen, part["covers"]))
        seen += len(part["size"])
    none = np.empty(0, np.int64)
    rows, cluster, covers = (
        (np.concatenate([none, *side]) for side in zip(*parts, strict=True)) if parts else [none] * 3
    )
    return rows, cluster, covers


def _links(run: Run, vectors: np.ndarray, weight: np.ndarray, settings: Cluster) -> Iterator[Links]:
    size = run.config.run.block_rows or run.backend.block_rows
    parts = [np.arange(at, min(at + size, len(vectors))) for at in range(0, len(vectors), size)]
    for a, b in combinations_with_replacement(range(len(parts)), 2):
        nodes = parts[a] if a == b else np.concatenate([parts[a], parts[b]])
        joined = run.backend.join(
            vectors[parts[a]],
            None if a == b else vectors[parts[b]],
            weights=weight[nodes],
            cluster=settings.similarity,
            min_samples=settings.min_samples,
        )
        i, j, similarity = joined.edges
        yield Links(nodes, joined.counts, nodes[joined.forest], np.column_stack([nodes[i], nodes[j]]), similarity)


def _majority(cluster: np.ndarray, found: np.ndarray, count: int) -> np.ndarray:
    """(count,) the label that most representatives of each cluster have, the least of equals; a label of its own where
    all are noise."""
    known = found >= 0
    labels = int(found.max(initial=-1)) + 1
    votes = np.zeros((count, labels), np.int64)
    np.add.at(votes, (cluster[known], found[known]), 1)
    best = votes.argmax(axis=1) if labels else np.zeros(count, np.int64)
    return np.where(votes.sum(axis=1) > 0, best, labels + np.arange(count))


def _mutual(run: Run) -> np.ndarray:
    """(clusters of all batches,) the component of each."""
    parts = [files.read_arrays(run.path / f"representatives/{name}.npz") for name in run.manifest.batch_names()]
    if not parts:
        return np.empty(0, np.int64)
    batch = np.concatenate([np.full(len(part["size"]), at) for at, part in enumerate(parts)])
    mean = np.concatenate([part["mean"] for part in parts]).astype(np.float64)
    spread = np.concatenate([part["spread"] for part in parts])
    starts = np.searchsorted(batch, np.arange(len(parts) + 1))
    nearest = np.full((len(batch), len(parts)), -1)
    square = np.einsum("ij,ij->i", mean, mean)
    for a, b in pairwise(starts):
        apart = square[a:b, None] + square - 2 * mean[a:b] @ mean.T
        for other in range(len(parts)):
            c, d = starts[other], starts[other + 1]
            if b > a and d > c:
                nearest[a:b, other] = c + apart[:, c:d].argmin(axis=1)
    own = np.repeat(np.arange(len(batch)), len(parts))
    to = nearest.ravel()
    use = (to >= 0) & (batch[to] != batch[own])
    own, to = own[use], to[use]
    mutual = nearest[to, batch[own]] == own
    own, to = own[mutual], to[mutual]
    near = np.linalg.norm(mean[own] - mean[to], axis=1) <= (spread[own] + spread[to]) / 2
    return kernels.components(len(batch), own[near], to[near])


def _agreement(run: Run, settings: Cluster, labels: np.ndarray) -> dict[str, object]:
    """How like the labels are to those of rows that are drawn and clustered all at once."""
    from sklearn.metrics import adjusted_rand_score

    drawn = sample.draw(run, run.config.match.sample)
    used = sample.thinned(settings, drawn.share)
    at_once = clusterers.fit(drawn.vectors, used, run.config.run.seed, run.backend).labels
    score = float(adjusted_rand_score(at_once, labels[drawn.rows])) if len(at_once) else 1.0
    return {"rows": len(drawn.rows), "of": drawn.of, "adjusted_rand": score, "used": clusterers.parameters(used)}
