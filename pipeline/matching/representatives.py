"""The clusters of the batches matched by the rows that represent them: all with all, then components; never in turn, so
that the order of the batches is nothing. Far cheaper than all pairs, and not exact: what is dense in the whole may be
thin in each batch. It says what it expects to lose before it begins, and how it did afterwards.

dbscan      representatives, which weigh as many rows as they cover, and all rows that are noise in their batch, go
            through one DBSCAN; what a batch has found to be one cluster stays one.
hdbscan     the same rows go through one HDBSCAN; a cluster of a batch takes the one that most of its rows are in.
others      by the moments of the clusters (matching/partitions.py).
"""

from collections.abc import Iterator
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
from scipy.special import bdtr

from pixsieve import clusterers, files, kernels
from pixsieve.config.cluster import Clusterer, Dbscan, Hdbscan
from pixsieve.errors import ConfigError
from pixsieve.folder import sample
from pixsieve.folder.run_folder import Run
from pixsieve.matching import Matched, partitions
from pixsieve.matching.density import Links, united

ASKED = 1024  # rows that the prediction is made from


def of_batches(run: Run, live: np.ndarray) -> Matched:
    """The clusters of the batches as they are."""
    n, seen = len(live), 0
    cluster, strength, persistence = np.full(n, -1), np.zeros(n), []
    for name in run.manifest.batch_names():
        table = files.read_table(run.path / f"clusters/{name}.parquet")
        rows, own = table["row"].to_numpy(), table["cluster"].to_numpy()
        cluster[rows] = np.where(own >= 0, own + seen, -1)
        strength[rows] = table["strength"].to_numpy()
        persistence.append(files.read_arrays(run.path / f"representatives/{name}.npz")["persistence"])
        seen += len(persistence[-1])
    return Matched(cluster, strength, np.full(n, np.nan), np.concatenate([np.empty(0), *persistence]), {})


def matched(run: Run, settings: Clusterer, own: bool, live: np.ndarray, rank: np.ndarray) -> Matched:
    """settings: what is asked for. own: batches have chosen their own; then clusters are matched by their moments."""
    batches = of_batches(run, live)
    if settings.density and not own:
        notes: dict[str, object] = {"unresolved": _unresolved(run, settings)}
        found = _density(run, settings, batches, rank)
    else:
        notes, found = {}, partitions.matched(run, settings, own, batches)
    notes["agreement"] = None if own else _agreement(run, settings, found.cluster)
    return found._replace(notes=notes, persistence=np.full(int(found.cluster.max(initial=-1)) + 1, np.nan))


def _unresolved(run: Run, settings: Clusterer) -> float | None:
    """The share of the dense rows of the whole that are expected not to be dense in their batch: a row with g
    neighbours keeps Bin(g, share of the batch) of them. ConfigError if that is more than is allowed."""
    limit, share = run.config.match.max_unresolved, None
    if isinstance(settings, Dbscan):
        share = _thinned_out(run, settings)
    if limit < (1 if share is None else share):
        expected = "an unknown share" if share is None else f"{share:.0%}"
        raise ConfigError(
            f"match.mode 'representatives' would leave {expected} of the dense rows unresolved, and"
            f" match.max_unresolved is {limit}: set match.mode to 'exact', make run.batch_rows larger in a new run, or"
            " raise match.max_unresolved (1 allows anything)"
        )
    return share


def _thinned_out(run: Run, settings: Dbscan) -> float:
    drawn = sample.draw(run, ASKED, run.config.run.seed)
    if not len(drawn.rows):
        return 0.0
    count = np.zeros(len(drawn.rows), np.int64)
    live, metric = run.manifest.live(), run.measure.metric
    for batches in run.manifest.blocks:
        shard = run.store.read(batches)
        there = shard.vectors[live[run.manifest.rows_of(batches)] & shard.usable]
        # With min_samples 1 all are core: no edge is kept.
        joined = run.backend.join(drawn.vectors, there, kernels.Questions(metric, cluster=settings.similarity))
        count += joined.counts[: len(count)]
    dense = count >= settings.min_samples
    if not dense.any():
        return 0.0
    others = [part.rows for part in run.manifest.batches]
    shares = np.array(others)[run.manifest.batch_of(drawn.rows[dense])] / max(sum(others), 1)
    return float(_at_most(settings.min_samples - 2, count[dense] - 1, shares).mean())


def _at_most(k: int, n: np.ndarray, p: np.ndarray) -> np.ndarray:
    """P(Bin(n, p) <= k)."""
    return np.where(k < 0, 0.0, np.where(n <= k, 1.0, bdtr(float(max(k, 0)), np.maximum(n, k + 1), p)))


def _density(run: Run, settings: Clusterer, batches: Matched, rank: np.ndarray) -> Matched:
    standing, cluster, covers, copies = _standing(run)
    noise = np.flatnonzero(sample.usable(run) & (batches.cluster < 0))
    rows = np.concatenate([standing, noise])
    vectors = sample.read(run, rows)
    weight = np.concatenate([covers, np.ones(len(noise), np.int64)])
    matched, strength = batches.cluster.copy(), batches.strength.copy()
    first = np.searchsorted(cluster, np.arange(len(batches.persistence)))
    if isinstance(settings, Dbscan):
        links = list(_links(run, vectors, weight, settings))
        tied = np.column_stack([first[cluster], np.arange(len(standing))])
        sure = np.arange(len(rows)) < len(standing)
        found, core = united(lambda: iter(links), weight, rank[rows], settings.min_samples, core=sure, tied=tied)
        of_cluster = found[first]
        strength[noise] = np.where(found[len(standing) :] < 0, 0.0, np.where(core[len(standing) :], 1.0, 0.5))
    else:
        assert isinstance(settings, Hdbscan)
        # A row that covers copies of itself is as many; of other rows it is an example.
        weight = np.where(np.append(copies, np.ones(len(noise), bool)), weight, 1)
        distinct, place = kernels.distinct(vectors)
        of_all = np.bincount(place, weight, len(distinct)).astype(np.int64)
        whole = clusterers.hdbscan.fit(
            vectors[distinct], of_all, settings, run.config.run.seed, run.measure, run.backend
        )
        found = whole.cluster[place]
        of_cluster = _majority(cluster, found[: len(standing)], covers, len(first))
        strength[noise] = whole.strength[place][len(standing) :]
    matched[noise] = found[len(standing) :]
    clustered = batches.cluster >= 0
    matched[clustered] = of_cluster[batches.cluster[clustered]]
    return batches._replace(cluster=matched, strength=strength)


class Standing(NamedTuple):
    """The rows of all batches that stand for clusters."""

    rows: np.ndarray  # (r,)
    cluster: np.ndarray  # (r,) numbered on from batch to batch
    covers: np.ndarray  # (r,) rows that each stands for
    copies: np.ndarray  # (r,) booleans: these are its copies


def _standing(run: Run) -> Standing:
    parts, seen = [], 0
    for name in run.manifest.batch_names():
        part = files.read_arrays(run.path / f"representatives/{name}.npz")
        parts.append((part["row"], part["cluster"] + seen, part["covers"], part["radius"] == 0))
        seen += len(part["size"])
    none = np.empty(0, np.int64)
    parts.append((none, none, none, none.astype(bool)))
    return Standing(*(np.concatenate(side) for side in zip(*parts, strict=True)))


def _links(run: Run, vectors: np.ndarray, weight: np.ndarray, settings: Dbscan) -> Iterator[Links]:
    size = run.config.run.block_rows or run.backend.block_rows
    parts = [np.arange(at, min(at + size, len(vectors))) for at in range(0, len(vectors), size)]
    for a, b in combinations_with_replacement(range(len(parts)), 2):
        nodes = parts[a] if a == b else np.concatenate([parts[a], parts[b]])
        joined = run.backend.join(
            vectors[parts[a]],
            None if a == b else vectors[parts[b]],
            kernels.Questions(run.measure.metric, settings.similarity, settings.min_samples),
            weights=weight[nodes],
        )
        i, j, similarity = joined.edges
        yield Links(nodes, joined.counts, nodes[joined.forest], np.column_stack([nodes[i], nodes[j]]), similarity)


def _majority(cluster: np.ndarray, found: np.ndarray, covers: np.ndarray, count: int) -> np.ndarray:
    """(count,) the global cluster that the representatives of most rows of each cluster are in; of equals the least,
    and one of its own where all are noise."""
    known, clusters = found >= 0, int(found.max(initial=-1)) + 1
    pair, place = np.unique(cluster[known] * max(clusters, 1) + found[known], return_inverse=True)
    votes = np.bincount(place, covers[known], len(pair))
    order = np.lexsort((pair, -votes, pair // max(clusters, 1)))
    first = order[np.flatnonzero(np.diff(pair[order] // max(clusters, 1), prepend=-1))]
    best = clusters + np.arange(count)
    best[pair[first] // max(clusters, 1)] = pair[first] % max(clusters, 1)
    return best


def _agreement(run: Run, settings: Clusterer, cluster: np.ndarray) -> dict[str, object]:
    """How like the clusters are to those of rows that are drawn and clustered all at once."""
    from sklearn.metrics import adjusted_rand_score

    seed = run.config.run.seed
    drawn = sample.draw(run, run.config.match.sample, seed)
    used = settings.thinned(drawn.share)
    at_once = clusterers.fit(drawn.vectors, used, seed, run.measure, run.backend).cluster
    score = float(adjusted_rand_score(at_once, cluster[drawn.rows])) if len(at_once) else 1.0
    return {"rows": len(drawn.rows), "of": drawn.of, "adjusted_rand": score, "used": used.parameters}
