"""duplicates: groups of equal and of similar images, each member checked against the one that is kept.

Rows with equal pixels or equal vectors are one item. Items are ranked by the keep policy; an item is kept unless a
better-ranked kept one is similar to it (so no group hangs together by a chain only), and then joins the one of these
that it is most similar to, ties by rank.
"""

import numpy as np
import pyarrow as pa

import kernels
from pipeline import blocks, files, metadata
from pipeline import keep as policy
from pipeline.folder import Run
from pipeline.stage import Counts, Stage, Unit
from pipeline.stages.embed import IMAGES

READABLE = ("ok", "damaged")
FACTS = ("width", "height", "bytes", "stamp")  # that rules of keeping look at


def units(run: Run) -> list[Unit]:
    names = run.manifest.batch_names()
    reads = (
        *(f"{folder}/{name}.parquet" for folder in ("manifest", "images") for name in names),
        *run.manifest.removed_files(),
        *metadata.of_splits(run),
        *metadata.of_columns(policy.columns(run.config.duplicates.keep)),
        *blocks.paths(run, blocks.CLASSES, blocks.NEAR),
    )
    return [Unit("all", reads, ("duplicates.parquet",))]


def work(run: Run, unit: Unit) -> Counts:
    live, manifest = run.manifest.live(), run.manifest.all(["row", "key", "bytes", "stamp"])
    images = read_images(run, ["row", "status", "file_digest", "pixel_digest", "width", "height"])
    usable = live[images["row"].to_numpy()] & pa.compute.is_in(images["status"], pa.array(READABLE)).to_numpy()
    images, manifest = images.filter(pa.array(usable)), manifest.filter(pa.array(usable))
    rows = images["row"].to_numpy()
    file, pixel = (_codes(images[name]) for name in ("file_digest", "pixel_digest"))
    splits = metadata.splits(run, rows)
    rank = _rank(run, rows, images, manifest, splits)

    node = blocks.node_of_rows(run)[rows]
    item = _items(node, pixel)
    item_of_node = np.full(len(live), -1, np.int64)
    item_of_node[node[node >= 0]] = item[node >= 0]
    item_rank = np.full(item.max(initial=-1) + 1, len(rows), np.int64)
    np.minimum.at(item_rank, item, rank)

    i, j, similarity = _item_pairs(run, item_of_node)
    kept = kernels.leaders(item_rank, i, j)
    upward = kept[
        np.where(item_rank[i] < item_rank[j], i, j)
    ]  # what is kept is better than all that stands back for it
    leader = kernels.attach(kept, i[upward], j[upward], similarity[upward], item_rank)
    own = np.where(kept, np.arange(len(kept)), leader)
    similar = _similarity_to(own, i, j, similarity)

    group = own[item]
    head = np.argsort(rank)[item_rank][group]  # the kept row of each row's group
    size = np.bincount(group, minlength=len(kept))
    shown = np.flatnonzero(size[group] > 1)
    keep = head == np.arange(len(rows))
    kind = np.where(file == file[head], "exact", np.where(pixel == pixel[head], "pixels", "near"))
    kind[keep] = "kept"
    number = np.full(len(rows), -1, np.int64)
    by_key = shown[np.argsort(run.manifest.key_rank()[rows[shown]])]
    number[by_key] = kernels.first_seen(group[by_key])
    shown = shown[np.lexsort((rank[shown], number[shown]))]
    split = splits.take(pa.array(shown))
    leakage = _leaks(number[shown], split)
    table = pa.table(
        {
            "row": rows[shown],
            "key": manifest["key"].take(pa.array(shown)),
            "group": number[shown],
            "kind": pa.array(kind[shown].tolist(), pa.string()),
            "keep": keep[shown],
            "similarity": np.where(item[shown] == group[shown], 1.0, similar[item[shown]]),
            "split": split,
            "leakage": leakage,
        }
    )
    files.write_table(run.path / unit.writes[0], table)
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


def _codes(digests: pa.ChunkedArray) -> np.ndarray:
    """(n,) equal numbers for equal digests."""
    encoded = digests.combine_chunks().dictionary_encode()
    return np.asarray((encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded).indices)


def _rank(run: Run, rows: np.ndarray, images: pa.Table, manifest: pa.Table, splits: pa.ChunkedArray) -> np.ndarray:
    """(n,) place of each row in the order of the keep policy."""
    settings = run.config.duplicates
    facts = pa.table({name: (images if name in images.column_names else manifest)[name] for name in FACTS})
    named = {name: metadata.of_rows(run, rows, name) for name in policy.columns(settings.keep)}
    return policy.rank(settings.keep, settings.prefer or (), facts, splits, named, run.manifest.key_rank()[rows])


def _leaks(group: np.ndarray, splits: pa.ChunkedArray) -> np.ndarray:
    """(n,) booleans: rows whose group has rows of two or more splits."""
    known = splits.is_valid().to_numpy()
    split, number = _codes(splits.filter(pa.array(known))), group[known]
    width = split.max(initial=0) + 1
    different = np.unique(number * width + split) // width
    return np.bincount(different, minlength=group.max(initial=-1) + 1)[group] > 1


def _items(node: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """(n,) item of each row: what equal nodes and equal pixels hold together."""
    n = len(node)
    first_pixel = np.full(pixel.max(initial=-1) + 1, -1, np.int64)
    first_pixel[pixel[::-1]] = np.arange(n)[::-1]
    known = np.flatnonzero(node >= 0)
    _, first, inverse = np.unique(node[known], return_index=True, return_inverse=True)
    i = np.concatenate([np.arange(n), known])
    j = np.concatenate([first_pixel[pixel], known[first[inverse]]])
    return kernels.components(n, i, j)


def _item_pairs(run: Run, item_of_node: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of different items and their best similarity."""
    parts = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for _, path in blocks.each(run, blocks.NEAR):
        table = files.read_table(path)
        i, j = (item_of_node[table[name].to_numpy()] for name in ("i", "j"))
        use = (i >= 0) & (j >= 0) & (i != j)
        parts.append((np.minimum(i, j)[use], np.maximum(i, j)[use], table["similarity"].to_numpy()[use]))
    i, j, similarity = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((-similarity, j, i))
    i, j, similarity = i[order], j[order], similarity[order]
    first = np.ones(len(i), bool)
    first[1:] = (i[1:] != i[:-1]) | (j[1:] != j[:-1])
    return i[first], j[first], similarity[first]


def _similarity_to(own: np.ndarray, i: np.ndarray, j: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    """(n,) similarity of each item to the one it belongs to; 1 for its own."""
    found = np.ones(len(own))
    for low, high in ((i, j), (j, i)):
        mine = own[low] == high
        found[low[mine]] = similarity[mine]
    return found


DUPLICATES = Stage("duplicates", ("duplicates.keep", "duplicates.prefer", "source.split"), units, work, version=2)
