"""outliers: how far each row is from its nearest neighbours, against what is usual in the run.

The distance of a row is the mean chord sqrt(2 - 2 similarity) to its k nearest other rows (Angiulli and Pizzuti, "Fast
outlier detection in high dimensional spaces", PKDD 2002), copies counted. Its deviation is z = (distance - median) /
(1.4826 MAD); its score z / (z + 3.5), 0 below the median, so that 0.5 is the cut that Iglewicz and Hoaglin ("How to
detect and handle outliers", 1993) propose. A row in no cluster is an `outlier` from z = 3.5 and `potential` from 2.5.
"""

import numpy as np
import pyarrow as pa

import kernels
from pipeline import files, store
from pipeline.folder import Run
from pipeline.images import STATISTICS
from pipeline.stage import Counts, Stage, Unit
from pipeline.stages import pairs
from pipeline.stages.duplicates import READABLE, read_images

OUTLIER, POTENTIAL = 3.5, 2.5
# The scale of the deviations is at least this: a run of near copies has no outliers by a hair.
LEAST_SCALE = 0.01


def units(run: Run) -> list[Unit]:
    names = run.manifest.batch_names()
    reads = (
        "labels.parquet",
        *(f"{folder}/{name}.parquet" for folder in ("manifest", "images") for name in names),
        *run.manifest.removed_files(),
        *pairs.paths(run, "classes.npz", "neighbours.npz"),
        *(path for batch in range(len(names)) for path in store.files_of(run.descriptor, batch)),
    )
    return [Unit("all", reads, ("outliers.parquet", "images.parquet"))]


def work(run: Run, unit: Unit) -> Counts:
    labels = files.read_table(run.path / "labels.parquet")
    rows, k = labels["row"].to_numpy(), run.config.outliers.neighbours
    live, rank = run.manifest.live(), run.manifest.key_rank()
    images = read_images(run, ["row", "status", "reason", "width", "height", *STATISTICS])
    images = images.filter(pa.array(live[images["row"].to_numpy()]))
    readable = pa.compute.is_in(images["status"], pa.array(READABLE)).to_numpy()

    node = pairs.node_of_rows(run)
    nodes = _Nodes(node, live, rank)
    index, similarity = _neighbours(run, nodes, k)
    distance, nearest = _distances(index, similarity, nodes, node, rows, k)
    distance[~readable] = np.nan
    known = distance[readable]
    median = float(np.median(known)) if len(known) else 0.0
    scale = max(1.4826 * float(np.median(np.abs(known - median))) if len(known) else 0.0, LEAST_SCALE)
    z = np.where(readable, (distance - median) / scale, 0.0)
    score = np.where(z > 0, z / (np.maximum(z, 0) + OUTLIER), 0.0)
    alone = labels["cluster"].to_numpy() < 0
    level = np.where(alone & readable & (z >= OUTLIER), 2, np.where(alone & readable & (z >= POTENTIAL), 1, 0))

    keys = labels["key"].combine_chunks()
    place = np.full(len(live), -1, np.int64)
    place[rows] = np.arange(len(rows))
    related = np.where(nearest >= 0, place[nearest], -1)
    reasons = np.full(len(rows), "", object)
    for at in np.flatnonzero(level):
        reasons[at] = f"mean distance {distance[at]:.3f} to its neighbours, {z[at]:.1f} deviations above {median:.3f}"
    for at in np.flatnonzero(~readable):
        reasons[at] = images["status"][int(at)].as_py()
    table = pa.table(
        {
            "row": rows,
            "key": keys,
            "score": pa.array(score, mask=~readable),
            "level": pa.array(np.array(["none", "potential", "outlier"])[level].tolist(), pa.string()),
            "reason": pa.array(reasons.tolist(), pa.string()),
            "related": keys.take(pa.array(related, mask=related < 0)),
        }
    )
    files.write_table(run.path / unit.writes[0], table)
    files.write_table(run.path / unit.writes[1], images.add_column(1, "key", keys))
    return {"rows": len(rows), "outliers": int((level == 2).sum()), "potential": int((level == 1).sum())}


class _Nodes:
    """How many living rows each node has, and the least and the second least of them by key (-1: none)."""

    def __init__(self, node: np.ndarray, live: np.ndarray, rank: np.ndarray) -> None:
        self.key_rank = rank
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


def _neighbours(run: Run, nodes: _Nodes, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(numbers, k) nearest living nodes of each node and their similarities, merged from the units."""
    n = len(nodes.weight)
    index, similarity = np.full((n, k), -1, np.int64), np.full((n, k), -np.inf)
    for _, path in pairs.each(run, "neighbours.npz"):
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


def _best(
    index: np.ndarray, similarity: np.ndarray, other: np.ndarray, others: np.ndarray, rank: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Row by row the k best of two lists, ties by key."""
    index, similarity = np.concatenate([index, other], axis=1), np.concatenate([similarity, others], axis=1)
    places = np.where(index >= 0, rank[index], len(rank))
    order = np.lexsort((places, -similarity), axis=1)[:, :k]
    return np.take_along_axis(index, order, 1), np.take_along_axis(similarity, order, 1)


def _again(run: Run, wanted: np.ndarray, nodes: _Nodes, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The neighbours of these nodes among all living nodes, from the vectors."""
    vectors = np.concatenate([_vectors(run, block, wanted) for block in range(len(run.manifest.blocks))])
    index, similarity = np.full((len(wanted), k), -1, np.int64), np.full((len(wanted), k), -np.inf)
    for block, batches in enumerate(run.manifest.blocks):
        inside = nodes.rows[np.isin(nodes.rows // run.manifest.batch_rows, batches)]
        inside = inside[np.argsort(nodes.rank[inside])]
        other, others = kernels.neighbours(vectors, _vectors(run, block, inside), k=k + 1)  # each finds itself, too
        found = other >= 0
        other[found] = inside[other[found]]
        others[other == wanted[:, None]] = -np.inf
        other[other == wanted[:, None]] = -1
        index, similarity = _best(index, similarity, other, others, nodes.rank, k)
    return index, similarity


def _vectors(run: Run, block: int, rows: np.ndarray) -> np.ndarray:
    """The vectors of those of `rows` (ascending by block) that lie in this block."""
    batches = run.manifest.blocks[block]
    start, size = batches[0] * run.manifest.batch_rows, len(batches) * run.manifest.batch_rows
    return store.read(run.path, run.descriptor, batches)[0][rows[(rows >= start) & (rows < start + size)] - start]


def _distances(
    index: np.ndarray, similarity: np.ndarray, nodes: _Nodes, node: np.ndarray, rows: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean distance of each row to its k nearest other rows, as many as there are, and the nearest row (-1: none). A
    row without direction is at sqrt(2) from all."""
    own = nodes.rows
    copies = nodes.weight[own] - 1
    weights = np.where(index[own] >= 0, nodes.weight[index[own]], 0)
    before = copies[:, None] + np.cumsum(weights, axis=1) - weights
    used = np.clip(k - before, 0, weights)
    # float32 chords add up exactly in float64: the mean does not depend on which copies are one node.
    chord = np.sqrt(np.maximum(2 - 2 * np.where(used > 0, similarity[own], 1), 0)).astype(np.float32).astype(np.float64)
    total = np.minimum(copies, k) + used.sum(axis=1)
    mean = np.full(len(node), np.sqrt(2.0))
    mean[own] = np.divide((chord * used).sum(axis=1), total, out=np.zeros(len(own)), where=total > 0)
    nearest, closeness = np.full(len(node), -1, np.int64), np.full(len(node), -np.inf)
    nearest[own] = np.where(index[own, 0] >= 0, nodes.first[index[own, 0]], -1)
    closeness[own] = similarity[own, 0]

    at = node[rows]
    distance = np.where(at >= 0, mean[at], np.sqrt(2.0))
    # A copy in the same node and one in another are equally near: the key decides, as it does in the lists.
    copy, other = np.where(nodes.first[at] == rows, nodes.second[at], nodes.first[at]), nearest[at]
    rather = (copy >= 0) & ((closeness[at] < 1) | (nodes.key_rank[copy] < nodes.key_rank[other]))
    return distance, np.where(at < 0, -1, np.where(rather, copy, other))


OUTLIERS = Stage("outliers", ("outliers.neighbours",), units, work)
