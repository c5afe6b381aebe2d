"""outliers: how far each row is from its nearest neighbours, against what is usual in the run.

The distance of a row is the mean chord sqrt(2 - 2 similarity) to its k nearest other rows (Angiulli and Pizzuti, "Fast
outlier detection in high dimensional spaces", PKDD 2002), copies counted. Its deviation is z = (distance - median) /
(1.4826 MAD); its score z / (z + 3.5), 0 below the median, so that 0.5 is the cut that Iglewicz and Hoaglin ("How to
detect and handle outliers", 1993) propose. A row in no cluster is an `outlier` from z = 3.5 and `potential` from 2.5.
"""

import numpy as np
import pyarrow as pa

from pipeline import blocks, files, store
from pipeline.folder import Run
from pipeline.images import STATISTICS
from pipeline.nearest import Nodes, nearest_nodes
from pipeline.stage import Counts, Stage, Unit
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
        *blocks.paths(run, blocks.CLASSES, blocks.NEIGHBOURS),
        *store.files_of(run.descriptor, *range(len(names))),
    )
    return [Unit("all", reads, ("outliers.parquet", "images.parquet"))]


def work(run: Run, unit: Unit) -> Counts:
    labels = files.read_table(run.path / "labels.parquet")
    rows, k = labels["row"].to_numpy(), run.config.outliers.neighbours
    live, rank = run.manifest.live(), run.manifest.key_rank()
    images = read_images(run, ["row", "status", "reason", "width", "height", *STATISTICS])
    images = images.filter(pa.array(live[images["row"].to_numpy()]))
    readable = pa.compute.is_in(images["status"], pa.array(READABLE)).to_numpy()

    node = blocks.node_of_rows(run)
    nodes = Nodes(node, live, rank)
    index, similarity = nearest_nodes(run, nodes, k)
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


def _distances(
    index: np.ndarray, similarity: np.ndarray, nodes: Nodes, node: np.ndarray, rows: np.ndarray, k: int
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
