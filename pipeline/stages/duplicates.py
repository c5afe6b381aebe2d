"""duplicates: groups of equal and of similar images, each member checked against the one that is kept.

Rows with equal pixels or equal vectors are one item; pipeline/rules/groups.py makes the groups. better.parquet has the
best similarity of each row to a better-ranked one, whether that is kept or not.
"""

import numpy as np
import pyarrow as pa

from pixsieve import descriptors, files, kernels
from pixsieve.config import keep_rules
from pixsieve.folder import image_table, metadata, pair_files
from pixsieve.folder.neighbours import Nodes, distinct_neighbours
from pixsieve.folder.run import Run
from pixsieve.images.symmetries import SYMMETRIES
from pixsieve.rules import keep as policy
from pixsieve.rules.adaptive import near_pairs
from pixsieve.rules.groups import Pairs, better, grouped, items, leaks, once, together
from pixsieve.runtime.stage import Counts, Stage, Unit

FROM_IMAGES = ("file_digest", "pixel_digest", "width", "height")


def units(run: Run) -> list[Unit]:
    settings = run.config.duplicates
    reads = (
        *run.manifest.files(image_table.FOLDER),
        *metadata.of_splits(run),
        *metadata.of_columns(keep_rules.columns(settings.keep)),
        *pair_files.paths(run, pair_files.CLASSES, _pairs_of(run)),
    )
    salt = str(descriptors.near_similarity(run.config, run.descriptor))
    if settings.adaptive is not None:
        stored = pair_files.stored(run, range(len(run.manifest.batches)))
        reads += ("labels.parquet", *pair_files.paths(run, pair_files.NEIGHBOURS), *stored)
        salt += f" {run.config.outliers.neighbours}"
    return [Unit("all", reads, ("duplicates.parquet", "better.parquet"), salt)]


def _pairs_of(run: Run) -> str:
    return pair_files.VERIFIED if descriptors.verified(run.descriptor) else pair_files.NEAR


def work(run: Run, unit: Unit) -> Counts:
    known = _readable(run)
    rows, splits = known["row"].to_numpy(), metadata.splits(run, known["row"].to_numpy())
    file, pixel = (_codes(known[name]) for name in ("file_digest", "pixel_digest"))
    key_rank, settings = run.manifest.key_rank(), run.config.duplicates
    named = {name: metadata.of_rows(run, rows, name) for name in keep_rules.columns(settings.keep)}
    rank = policy.rank(settings.keep, settings.prefer or (), known, splits, named, key_rank[rows])

    node = pair_files.node_of_rows(run)
    item = items(node[rows], pixel)
    item_rank = np.full(item.max(initial=-1) + 1, len(rows), np.int64)
    np.minimum.at(item_rank, item, rank)
    head = np.argsort(rank)[item_rank]  # the best row of each item
    item_of_node = np.full(len(node), -1, np.int64)
    item_of_node[node[rows][node[rows] >= 0]] = item[node[rows] >= 0]
    pairs = _pairs(run, item_of_node)
    if settings.adaptive is not None:
        nodes = Nodes(node, run.manifest.live(), key_rank)
        pairs = pairs.only(_close_for_their_clusters(run, pairs, settings.adaptive, rows[head], nodes))
    groups = grouped(pairs, item_rank)

    group = groups.own[item]
    kept = head[group]
    keep = kept == np.arange(len(rows))
    kind = np.where(file == file[kept], "exact", np.where(pixel == pixel[kept], "pixels", "near"))
    kind[keep] = "kept"
    shown = np.flatnonzero(np.bincount(group, minlength=len(head))[group] > 1)
    by_key = shown[np.argsort(key_rank[rows[shown]])]
    number = np.full(len(rows), -1, np.int64)
    number[by_key] = kernels.first_seen(group[by_key])
    shown = shown[np.lexsort((rank[shown], number[shown]))]
    split = splits.take(pa.array(shown))
    leakage = leaks(number[shown], _codes(split))
    table = pa.table(
        {
            "row": rows[shown],
            "key": known["key"].take(pa.array(shown)),
            "group": number[shown],
            "kind": pa.array(kind[shown].tolist(), pa.string()),
            "keep": keep[shown],
            "similarity": groups.similarity[item[shown]],
            "turned": pa.array([SYMMETRIES[s] for s in groups.symmetry[item[shown]]], pa.string()),
            "split": split,
            "leakage": leakage,
        }
    )
    files.write_table(run.path / unit.writes[0], table)
    files.write_table(run.path / unit.writes[1], _better(pairs, known, item, head, item_rank))
    kinds = {name: int((kind[shown] == name).sum()) for name in ("exact", "pixels", "near")}
    leaking = int((leakage & keep[shown]).sum())
    return {"rows": len(rows), "groups": int(number.max(initial=-1)) + 1, "leakage": leaking, **kinds}


def _readable(run: Run) -> pa.Table:
    """What is known of the rows that can be read."""
    table, images = run.manifest.living(["key", "bytes", "stamp"]), image_table.living(run, ["status", *FROM_IMAGES])
    for name in FROM_IMAGES:
        table = table.append_column(name, images[name])
    return table.filter(pa.array(image_table.readable(images["status"])))


def _codes(values: pa.ChunkedArray) -> np.ndarray:
    """(n,) equal numbers for equal values, -1 for null."""
    encoded = values.combine_chunks().dictionary_encode()
    indices = (encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded).indices
    return np.asarray(indices.fill_null(-1))


def _pairs(run: Run, item_of_node: np.ndarray) -> Pairs:
    """The near pairs of items of the whole run."""
    kind, least = _pairs_of(run), descriptors.near_similarity(run.config, run.descriptor)
    parts = []
    for _, path in pair_files.each(run, kind):
        table = files.read_table(path)
        i, j = (item_of_node[table[name].to_numpy()] for name in ("i", "j"))
        similarity = table["similarity"].to_numpy()
        turned = "symmetry" in table.column_names
        symmetry = table["symmetry"].to_numpy() if turned else np.zeros(len(i), np.int8)
        # A file may hold more: pairs of rows that are gone, and less similar ones than are asked for now.
        use = (i >= 0) & (j >= 0) & (similarity >= least)
        parts.append(Pairs(i, j, similarity, symmetry).only(use))
    return once(together(parts))


def _close_for_their_clusters(run: Run, pairs: Pairs, sensitivity: float, head: np.ndarray, nodes: Nodes) -> np.ndarray:
    """(p,) booleans: the pairs that are near for the clusters that they are in. head: the best row of each item."""
    place, index, similarity = distinct_neighbours(run, nodes, run.config.outliers.neighbours)
    closest = np.where(index >= 0, similarity, -np.inf).max(axis=1, initial=-np.inf)
    labels = files.read_table(run.path / "labels.parquet")
    at, clusters = place[labels["row"].to_numpy()], np.full(len(index), -1, np.int64)
    clusters[at[at >= 0]] = labels["cluster"].to_numpy()[at >= 0]
    apart, nearest = (np.sqrt(np.maximum(2 - 2 * close, 0)) for close in (pairs.similarity, closest))
    i, j = (place[head[side]] for side in (pairs.i, pairs.j))
    return (i == j) | near_pairs(clusters, nearest, i, j, apart, sensitivity)


def _better(pairs: Pairs, known: pa.Table, item: np.ndarray, head: np.ndarray, item_rank: np.ndarray) -> pa.Table:
    """row, key, similarity and related of all rows that a better-ranked one, the related, is near to."""
    to, best = better(pairs, item_rank)
    copy = head[item] != np.arange(len(item))  # of a better row in the same item
    other = np.where(copy, head[item], np.where(to[item] >= 0, head[to[item]], -1))
    has = np.flatnonzero(other >= 0)
    table, rows = known.select(["row", "key"]).take(pa.array(has)), known["row"].to_numpy()
    table = table.append_column("similarity", pa.array(np.where(copy, 1.0, best[item])[has]))
    return table.append_column("related", pa.array(rows[other[has]]))


SETTINGS = ("duplicates.keep", "duplicates.prefer", "duplicates.adaptive", "source.split")
DUPLICATES = Stage("duplicates", SETTINGS, units, work, version=2)
