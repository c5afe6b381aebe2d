"""match: the clusters of the whole run, equal to one DBSCAN over all living rows however they are cut into batches.

Counts add over the units; a node that is core in one unit is core; the units' forests and the edges between nodes that
only the sum made core unite the components; borders go to the core row that they are most similar to, ties by key.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

import kernels
from pipeline import files
from pipeline.folder import Run
from pipeline.stage import Counts, Stage, Unit
from pipeline.stages import pairs


def units(run: Run) -> list[Unit]:
    manifest = run.manifest
    names = manifest.batch_names()
    if run.config.match.mode == "exact":
        reads = pairs.paths(run, "classes.npz", "links.npz")
    else:
        reads = tuple(f"clusters/{name}.parquet" for name in names)
    reads = (*reads, *(f"manifest/{name}.parquet" for name in names), *manifest.removed_files())
    return [Unit("all", reads, ("labels.parquet", "clusters.parquet"))]


def work(run: Run, unit: Unit) -> Counts:
    live, rank = run.manifest.live(), run.manifest.key_rank()
    labels, strength = _exact(run, live, rank) if run.config.match.mode == "exact" else _off(run, live)
    rows = np.flatnonzero(live)
    # Clusters are numbered in the order of their least keys: a fresh run over the same files numbers them alike.
    by_key = rows[np.argsort(rank[rows])]
    labels[by_key] = kernels.first_seen(labels[by_key])
    labels, strength = labels[rows], strength[rows]
    keys = run.manifest.all(["key"])["key"].filter(pa.array(_of_existing(run, live)))
    table = pa.table({"row": rows, "key": keys, "cluster": labels, "strength": strength.astype(np.float32)})
    files.write_table(run.path / unit.writes[0], table)
    count = int(labels.max(initial=-1)) + 1
    size = np.bincount(labels[labels >= 0], minlength=count)
    core = np.bincount(labels[(labels >= 0) & (strength == 1)], minlength=count)
    files.write_table(run.path / unit.writes[1], pa.table({"cluster": np.arange(count), "size": size, "core": core}))
    return {"rows": len(rows), "clusters": count, "noise": int((labels < 0).sum())}


def _of_existing(run: Run, live: np.ndarray) -> np.ndarray:
    """`live` for the rows of the manifest in order, without the unused numbers."""
    size = run.manifest.batch_rows
    parts = [live[b * size : b * size + rows] for b, (rows, _) in enumerate(run.manifest.batches)]
    return np.concatenate([np.empty(0, bool), *parts])


def _off(run: Run, live: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The clusters of the batches as they are."""
    labels, strength, seen = np.full(len(live), -1, np.int64), np.zeros(len(live)), 0
    for name in run.manifest.batch_names():
        table = files.read_table(run.path / f"clusters/{name}.parquet")
        rows, own = table["row"].to_numpy(), table["label"].to_numpy()
        labels[rows] = np.where(own >= 0, own + seen, -1)
        strength[rows] = table["strength"].to_numpy()
        seen += int(own.max(initial=-1)) + 1
    return labels, strength


def _exact(run: Run, live: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = len(live)
    node = pairs.node_of_rows(run)
    counted = live & (node >= 0)
    weight = np.bincount(node[counted], minlength=n)
    least = np.full(n, n, np.int64)
    np.minimum.at(least, node[counted], rank[counted])

    dead = np.flatnonzero(~live & (node >= 0))
    counts = np.zeros(n, np.int64)
    for name, links in _links(run):
        counts[links["nodes"]] += links["counts"]
        _take_out(counts, name, links, dead, node)
    core = (counts >= run.config.cluster.min_samples) & (weight > 0)

    forest, border = np.empty((0, 2), np.int64), [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for _, links in _links(run):
        i, j = links["edges"].T
        both = core[i] & core[j]
        forest = np.concatenate([forest, links["forest"], links["edges"][both]])
        if len(forest) > 4 * n:
            forest = kernels.spanning_forest(n, *forest.T)
        one = (core[i] ^ core[j]) & (weight[i] > 0) & (weight[j] > 0)
        border.append((i[one], j[one], links["similarity"][one]))
    edges = tuple(np.concatenate(parts) for parts in zip(*border, strict=True))
    of_node = kernels.density_labels(kernels.components(n, *forest.T), core, edges, least)  # type: ignore[arg-type]
    labels = np.where(counted, of_node[node], -1)
    return labels, np.where(labels < 0, 0.0, np.where(core[node], 1.0, 0.5))


def _links(run: Run) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, path in pairs.each(run, "links.npz"):
        yield name, files.read_arrays(path)


def _take_out(counts: np.ndarray, name: str, links: dict[str, Any], dead: np.ndarray, node: np.ndarray) -> None:
    """Subtracts from `counts` what rows that died after this unit ran had added: they were next to no core of it, so
    all their edges are there."""
    a, b = pairs.blocks_of(name)
    late = np.setdiff1d(dead[np.isin(node[dead], links["nodes"])], links["left_out"])
    if len(late):
        died = np.bincount(node[late], minlength=len(counts))
        i, j = links["edges"].T
        np.subtract.at(counts, i, died[j])
        np.subtract.at(counts, j, died[i])
        if a == b:
            counts -= died


MATCH = Stage("match", ("match.mode", "cluster.method", "cluster.min_samples"), units, work)
