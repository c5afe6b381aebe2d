"""duplicates: groups of equal and of similar images, each member checked against the one that is kept.

Rows with equal pixels or equal vectors are one item; pipeline/rules/groups.py makes the groups. better.parquet has the
best similarity of each row to a better-ranked one, whether that is kept or not.
"""

import numpy as np
import pyarrow as pa

import kernels
from pipeline import blocks, descriptors, files, metadata
from pipeline import keep as policy
from pipeline.descriptors.symmetries import SYMMETRIES
from pipeline.folder import Run
from pipeline.nearest import Nodes, distinct_neighbours
from pipeline.rules.adaptive import near_pairs
from pipeline.rules.groups import Pairs, better, grouped, items, leaks, once
from pipeline.stage import Counts, Stage, Unit
from pipeline.stages.embed import IMAGES

READABLE = ("ok", "damaged")
FACTS = ("width", "height", "bytes", "stamp")  # that rules of keeping look at


def units(run: Run) -> list[Unit]:
    settings, names = run.config.duplicates, run.manifest.batch_names()
    reads = (
        *(f"{folder}/{name}.parquet" for folder in ("manifest", "images") for name in names),
        *run.manifest.removed_files(),
        *metadata.of_splits(run),
        *metadata.of_columns(policy.columns(settings.keep)),
        *blocks.paths(run, blocks.CLASSES, _pairs_of(run)),
    )
    if settings.adaptive is not None:
        stored = (path for group in run.manifest.blocks for path in blocks.stored(run, group))
        reads += ("labels.parquet", *blocks.paths(run, blocks.NEIGHBOURS), *stored)
    salt = str(descriptors.near_similarity(run.config, run.descriptor))
    if settings.adaptive is not None:
        salt += f" {run.config.outliers.neighbours}"
    return [Unit("all", reads, ("duplicates.parquet", "better.parquet"), salt)]


def _pairs_of(run: Run) -> str:
    return blocks.VERIFIED if descriptors.verified(run.descriptor) else blocks.NEAR


def work(run: Run, unit: Unit) -> Counts:
    live, manifest = run.manifest.live(), run.manifest.all(["row", "key", "bytes", "stamp"])
    key_rank = run.manifest.key_rank()
    images = read_images(run, ["row", "status", "file_digest", "pixel_digest", "width", "height"])
    usable = live[images["row"].to_numpy()] & pa.compute.is_in(images["status"], pa.array(READABLE)).to_numpy()
    images, manifest = images.filter(pa.array(usable)), manifest.filter(pa.array(usable))
    rows = images["row"].to_numpy()
    file, pixel = (_codes(images[name]) for name in ("file_digest", "pixel_digest"))
    splits = metadata.splits(run, rows)
    rank = _rank(run, rows, images, manifest, splits, key_rank)

    node = blocks.node_of_rows(run)
    item = items(node[rows], pixel)
    item_rank = np.full(item.max(initial=-1) + 1, len(rows), np.int64)
    np.minimum.at(item_rank, item, rank)
    head = np.argsort(rank)[item_rank]  # the best row of each item
    item_of_node = np.full(len(live), -1, np.int64)
    item_of_node[node[rows][node[rows] >= 0]] = item[node[rows] >= 0]
    pairs = _pairs(run, item_of_node)
    if run.config.duplicates.adaptive is not None:
        pairs = _adapted(run, pairs, run.config.duplicates.adaptive, rows[head], node, live, key_rank)
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
            "key": manifest["key"].take(pa.array(shown)),
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
    files.write_table(run.path / unit.writes[1], _better(pairs, rows, manifest["key"], item, head, item_rank))
    kinds = {name: int((kind[shown] == name).sum()) for name in ("exact", "pixels", "near")}
    leaking = int((leakage & keep[shown]).sum())
    return {"rows": len(rows), "groups": int(number.max(initial=-1)) + 1, "leakage": leaking, **kinds}


def read_images(run: Run, columns: list[str]) -> pa.Table:
    """The chosen columns of images/*.parquet, by row number."""
    empty = pa.schema([IMAGES.field(name) for name in columns]).empty_table()
    return pa.concat_tables(
        [
            empty,
            *(files.read_table(run.path / f"images/{name}.parquet", columns) for name in run.manifest.batch_names()),
        ]
    )


def _codes(values: pa.ChunkedArray) -> np.ndarray:
    """(n,) equal numbers for equal values, -1 for null."""
    encoded = values.combine_chunks().dictionary_encode()
    indices = (encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded).indices
    return np.asarray(indices.fill_null(-1))


def _rank(
    run: Run, rows: np.ndarray, images: pa.Table, manifest: pa.Table, splits: pa.ChunkedArray, key_rank: np.ndarray
) -> np.ndarray:
    """(n,) place of each row in the order of the keep policy."""
    settings = run.config.duplicates
    facts = pa.table({name: (images if name in images.column_names else manifest)[name] for name in FACTS})
    named = {name: metadata.of_rows(run, rows, name) for name in policy.columns(settings.keep)}
    return policy.rank(settings.keep, settings.prefer or (), facts, splits, named, key_rank[rows])


def _pairs(run: Run, item_of_node: np.ndarray) -> Pairs:
    """The near pairs of items of the whole run."""
    kind, least = _pairs_of(run), descriptors.near_similarity(run.config, run.descriptor)
    none = np.empty(0, np.int64)
    parts = [Pairs(none, none, np.empty(0), np.empty(0, np.int8))]
    for _, path in blocks.each(run, kind):
        table = files.read_table(path)
        i, j = (item_of_node[table[name].to_numpy()] for name in ("i", "j"))
        similarity = table["similarity"].to_numpy()
        turned = "symmetry" in table.column_names
        symmetry = table["symmetry"].to_numpy() if turned else np.zeros(len(i), np.int8)
        # A file may hold more: pairs of rows that are gone, and less similar ones than are asked for now.
        use = (i >= 0) & (j >= 0) & (similarity >= least)
        parts.append(Pairs(i[use], j[use], similarity[use], symmetry[use]))
    return once(Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True))))


def _adapted(
    run: Run,
    pairs: Pairs,
    sensitivity: float,
    head: np.ndarray,
    node: np.ndarray,
    live: np.ndarray,
    key_rank: np.ndarray,
) -> Pairs:
    """The pairs that are near for the cluster that they are in."""
    labels = files.read_table(run.path / "labels.parquet")
    cluster = np.full(len(live), -1, np.int64)
    cluster[labels["row"].to_numpy()] = labels["cluster"].to_numpy()
    nodes = Nodes(node, live, key_rank)
    place, index, similarity = distinct_neighbours(run, nodes, run.config.outliers.neighbours)
    closest = np.where(index >= 0, similarity, -np.inf).max(axis=1, initial=-np.inf)
    labels_of = np.full(len(index), -1, np.int64)
    rows = np.flatnonzero(live & (place >= 0))
    labels_of[place[rows]] = cluster[rows]
    apart, nearest = (np.sqrt(np.maximum(2 - 2 * close, 0)) for close in (pairs.similarity, closest))
    i, j = (place[head[side]] for side in (pairs.i, pairs.j))
    near = (i == j) | near_pairs(labels_of, nearest, i, j, apart, sensitivity)
    return Pairs(*(column[near] for column in pairs))


def _better(
    pairs: Pairs, rows: np.ndarray, keys: pa.ChunkedArray, item: np.ndarray, head: np.ndarray, item_rank: np.ndarray
) -> pa.Table:
    """row, key, similarity and related of all rows that a better-ranked one, the related, is near to."""
    to, best = better(pairs, item_rank)
    copy = head[item] != np.arange(len(rows))  # of a better row in the same item
    other = np.where(copy, head[item], np.where(to[item] >= 0, head[to[item]], -1))
    has = np.flatnonzero(other >= 0)
    similarity = np.where(copy, 1.0, best[item])[has]
    named = {"row": rows[has], "key": keys.take(pa.array(has))}
    return pa.table(named | {"similarity": similarity, "related": rows[other[has]]})


SETTINGS = ("duplicates.keep", "duplicates.prefer", "duplicates.adaptive", "source.split")
DUPLICATES = Stage("duplicates", SETTINGS, units, work, version=2)
