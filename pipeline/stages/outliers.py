"""outliers: how far each row is from its nearest neighbours, by the rule of pipeline/rules/robust.py; or those that
DataEval 0.61.0 finds among the vectors, with its three other lists in dataeval.json.

Distances are those of the run's measure. A row that cannot be compared (under cosine a flat image, a zero vector) is
like no other: it is held to be as far from all as two rows can be. By the rule of robust.py, a row that has a copy or
that is in the dense part of a cluster is no outlier.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from pixsieve import files
from pixsieve.config.cluster import METHODS
from pixsieve.folder import choice, finding_table, image_table, pair_files, sample
from pixsieve.folder.cluster_table import ASSIGNMENTS
from pixsieve.folder.geometry import APART
from pixsieve.folder.measure import Measure
from pixsieve.folder.neighbours import Nodes, nearest_nodes
from pixsieve.folder.run_folder import Run
from pixsieve.rules import deviation
from pixsieve.rules.foreign import foreign
from pixsieve.rules.robust import Outlying, but_for, outlying
from pixsieve.runtime.stage import Counts, Stage, Unit

LISTS, DUPLICATES = "dataeval.json", "duplicates.parquet"
DENSE = 0.5  # of a cluster of density: the strength from which on a row is in its dense part; of DBSCAN, all rows are
BY_DATAEVAL = ("", "a potential outlier to DataEval", "an outlier to DataEval")  # reasons, by level


def units(run: Run) -> list[Unit]:
    reads = (
        ASSIGNMENTS,
        DUPLICATES,
        *run.manifest.files(image_table.FOLDER),
        *pair_files.paths(run, pair_files.CLASSES, pair_files.NEIGHBOURS),
        *run.store.files(*range(len(run.manifest.batches))),
    )
    if run.measure.features is not None:
        reads += tuple(APART.format(name) for name in run.manifest.batch_names())
    lists = {"lists": LISTS} if run.config.outliers.rule == "dataeval" else {}
    depends = run.config.values("outliers.neighbours", "outliers.rule", "outliers.sensitivity")
    depends |= {"dense": not choice.each_its_own(run) and METHODS[choice.chosen(run).method].density}
    return [Unit("all", reads, {"outliers": "outliers.parquet", **lists}, depends)]


def work(run: Run, unit: Unit) -> Counts:
    assigned, settings = files.read_table(run.path / ASSIGNMENTS), run.config.outliers
    rows, cluster, keys = assigned["row"].to_numpy(), assigned["cluster"].to_numpy(), assigned["key"]
    status = image_table.living(run, ["status"])["status"]
    readable = image_table.readable(status)

    nodes = Nodes.of(run)
    index, similarity = nearest_nodes(run, nodes, settings.neighbours)
    score, level = np.full(len(rows), np.nan), np.zeros(len(rows), np.int64)
    if settings.rule == "dataeval":
        level[readable] = _by_dataeval(run, rows[readable], keys.filter(pa.array(readable)), nodes.key_rank)
        score[readable] = level[readable] / finding_table.STRONG
        words = iter([BY_DATAEVAL[found] for found in level[readable]])
    else:
        distance, near = _neighbours(run.measure, index, similarity, nodes, rows[readable])
        found = outlying(distance, near, cluster[readable], settings.sensitivity)
        settled = np.isin(rows, files.read_table(run.path / DUPLICATES, ["row"])["row"].to_numpy())
        if unit.depends["dense"]:
            settled |= (cluster >= 0) & (assigned["strength"].to_numpy() >= DENSE)
        found = but_for(found, settled[readable])
        apart = _apart(run, rows[readable])
        odd = settings.sensitivity * foreign(apart, cluster[readable])
        most = np.maximum(found.deviation, odd)
        score[readable], level[readable] = deviation.score(most), deviation.level(most)
        words = iter(_reasons(distance, found, odd))
    reason = [next(words) if ok else said for ok, said in zip(readable.tolist(), status.to_pylist(), strict=True)]
    nearest = _nearest(index, similarity, nodes, rows)
    table = finding_table.table(rows, keys, "outlier", score, level, reason, nearest)
    files.write_table(run.path / unit.writes["outliers"], table)
    return {"rows": len(rows), "outliers": int((level == 2).sum()), "potential": int((level == 1).sum())}


def _by_dataeval(run: Run, rows: np.ndarray, keys: pa.ChunkedArray, rank: np.ndarray) -> np.ndarray:
    """(n,) levels of the rows; writes the four lists, of keys. All vectors are held in float64, in the order of the
    keys, as the lists depend on the order where distances tie."""
    from pixsieve.dataeval.lists import (
        Lists,
        lists,  # with the parts of SciPy that only it needs
    )

    order = np.argsort(rank[rows])
    found, named = Lists([], [], [], []), keys.take(pa.array(order)).to_pylist()
    if len(rows) > 1:
        vectors = (
            run.measure.coordinates(sample.read(run, rows[order])).astype(np.float64) + 0.0
        )  # without negative zeros
        found = lists(run.backend.to_device(vectors))
    groups = ("duplicates", "near_duplicates")
    said: dict[str, Any] = {
        name: [[named[at] for at in group] for group in value] if name in groups else [named[at] for at in value]
        for name, value in found.items()
    }
    files.write_json(run.path / LISTS, said)
    level = np.zeros(len(rows), np.int64)
    level[order[found.potential_outliers]] = finding_table.POTENTIAL
    level[order[found.outliers]] = finding_table.STRONG
    return level


def _neighbours(
    measure: Measure, index: np.ndarray, similarity: np.ndarray, nodes: Nodes, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) distance of each of the rows to its k-th nearest other, to the last where there are fewer, and (n, k) the
    places of its neighbours in `rows`; -1 for none. Copies are rows like others: those of a row itself come first."""
    k, own = index.shape[1], nodes.rows
    place = np.full(len(nodes.node), -1, np.int64)
    place[rows] = np.arange(len(rows))
    others = np.where(index[own] >= 0, nodes.weight[index[own]], 0)
    upto = np.cumsum(np.column_stack([nodes.weight[own] - 1, others]), axis=1)  # rows up to each node, copies first
    apart = np.column_stack([np.zeros(len(own)), measure.distance(1 - similarity[own])])
    firsts = np.column_stack([nodes.first[own], nodes.first[index[own]]])
    distance, near = np.zeros(len(place)), np.full((len(place), k), -1)
    for slot in range(k):
        column = (upto <= slot).sum(axis=1)
        there = np.flatnonzero(column <= k)
        column = column[there]
        distance[own[there]], near[own[there], slot] = apart[there, column], place[firsts[there, column]]
    at = nodes.node[rows]
    lost = measure.farthest if len(rows) > 1 else 0.0
    return np.where(at >= 0, distance[at], lost), np.where(at[:, None] >= 0, near[at], -1)


def _nearest(index: np.ndarray, similarity: np.ndarray, nodes: Nodes, rows: np.ndarray) -> np.ndarray:
    """(n,) the nearest other row of each of the rows, ties by key; -1 for none."""
    at = nodes.node[rows]
    other = np.where(index[at, 0] >= 0, nodes.first[index[at, 0]], -1)
    # A copy in the same node and one in another are equally near: the key decides, as it does in the lists.
    copy = np.where(nodes.first[at] == rows, nodes.second[at], nodes.first[at])
    rather = (copy >= 0) & ((similarity[at, 0] < 1) | (nodes.key_rank[copy] < nodes.key_rank[other]))
    return np.where(at < 0, -1, np.where(rather, copy, other))


def _apart(run: Run, rows: np.ndarray) -> np.ndarray:
    """(n, 2) how far the features of the rows lie from the mean; 0 where nothing is known."""
    found = np.zeros((run.manifest.numbers, 2), np.float32)
    for batch, name in enumerate(run.manifest.batch_names() if run.measure.features is not None else []):
        part = files.read_array(run.path / APART.format(name))
        start = run.manifest.rows_of([batch]).start
        found[start : start + len(part)] = part
    return found[rows]


def _reasons(distance: np.ndarray, found: Outlying, odd: np.ndarray) -> list[str]:
    columns = (distance, found.usual, found.far, found.around, found.alone, odd, found.deviation)
    return [
        f"{off:.1f} deviations farther from the mean of all than is usual"
        if off > most
        else f"neighbours up to {own:.3f} off; usual {usual:.3f} ({far:+.1f} deviations), theirs {around:.3f}"
        f" ({alone:+.1f})"
        for own, usual, far, around, alone, off, most in zip(*(column.tolist() for column in columns), strict=True)
    ]


OUTLIERS = Stage("outliers", units, work, version=5, by="outliers")
