"""duplicates: groups of equal and of similar images, each member checked against the one that is kept.

Rows with equal pixels or equal vectors are one item. Items are ranked by the keep policy; an item is kept unless a
better-ranked kept one is similar to it (so no group hangs together by a chain only), and then joins the one of these
that it is most similar to, ties by rank.

better.parquet has the best similarity of each row to a better-ranked one: at another threshold above the present one,
the rows at or above it are those that stand back.
"""

import numpy as np
import pyarrow as pa

import kernels
from pipeline import blocks, descriptors, files, metadata
from pipeline import keep as policy
from pipeline.descriptors.symmetries import SYMMETRIES, inverse
from pipeline.folder import Run
from pipeline.stage import Counts, Stage, Unit
from pipeline.stages.embed import IMAGES

READABLE = ("ok", "damaged")
UNDONE = np.array([inverse(symmetry) for symmetry in range(len(SYMMETRIES))], np.int8)
FACTS = ("width", "height", "bytes", "stamp")  # that rules of keeping look at


def units(run: Run) -> list[Unit]:
    names = run.manifest.batch_names()
    reads = (
        *(f"{folder}/{name}.parquet" for folder in ("manifest", "images") for name in names),
        *run.manifest.removed_files(),
        *metadata.of_splits(run),
        *metadata.of_columns(policy.columns(run.config.duplicates.keep)),
        *blocks.paths(run, blocks.CLASSES, _pairs_of(run)),
    )
    near = descriptors.near_similarity(run.config, run.descriptor)
    return [Unit("all", reads, ("duplicates.parquet", "better.parquet"), salt=str(near))]


def _pairs_of(run: Run) -> str:
    return blocks.VERIFIED if descriptors.verified(run.descriptor) else blocks.NEAR


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

    i, j, similarity, symmetry = _item_pairs(run, item_of_node)
    kept = kernels.leaders(item_rank, i, j)
    upward = kept[
        np.where(item_rank[i] < item_rank[j], i, j)
    ]  # what is kept is better than all that stands back for it
    leader = kernels.attach(kept, i[upward], j[upward], similarity[upward], item_rank)
    own = np.where(kept, np.arange(len(kept)), leader)
    similar, turn = _to_own(own, i, j, similarity, symmetry)

    group = own[item]
    by_rank = np.argsort(rank)
    head = by_rank[item_rank][group]  # the kept row of each row's group
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
            "similarity": similar[item[shown]],
            "turned": pa.array([SYMMETRIES[s] for s in turn[item[shown]]], pa.string()),
            "split": split,
            "leakage": leakage,
        }
    )
    files.write_table(run.path / unit.writes[0], table)
    better, best = _better(item, rank, item_rank, by_rank, i, j, similarity)
    has = np.flatnonzero(better >= 0)
    table = pa.table({"row": rows[has], "better": rows[better[has]], "similarity": best[has]})
    files.write_table(run.path / unit.writes[1], table)
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


def _item_pairs(run: Run, item_of_node: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pairs i < j of different items, their best similarity, and the symmetry that turns j into what looks like i."""
    kind, least = _pairs_of(run), descriptors.near_similarity(run.config, run.descriptor)
    none = np.empty(0, np.int64)
    parts = [(none, none, np.empty(0), np.empty(0, np.int8))]
    for _, path in blocks.each(run, kind):
        table = files.read_table(path)
        i, j = (item_of_node[table[name].to_numpy()] for name in ("i", "j"))
        similarity = table["similarity"].to_numpy()
        verified = "symmetry" in table.column_names
        symmetry = table["symmetry"].to_numpy() if verified else np.zeros(len(i), np.int8)
        use = (i >= 0) & (j >= 0) & (i != j) & (similarity >= least)
        symmetry = np.where(i < j, symmetry, UNDONE[symmetry])
        parts.append((np.minimum(i, j)[use], np.maximum(i, j)[use], similarity[use], symmetry[use]))
    i, j, similarity, symmetry = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((symmetry, -similarity, j, i))
    i, j, similarity, symmetry = (column[order] for column in (i, j, similarity, symmetry))
    first = np.ones(len(i), bool)
    first[1:] = (i[1:] != i[:-1]) | (j[1:] != j[:-1])
    return i[first], j[first], similarity[first], symmetry[first]


def _to_own(
    own: np.ndarray, i: np.ndarray, j: np.ndarray, similarity: np.ndarray, symmetry: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of each item (n,): the similarity to the one it belongs to, 1 for its own; and what turns it into that one."""
    found, turn = np.ones(len(own)), np.zeros(len(own), np.int8)
    for low, high, turns in ((i, j, UNDONE[symmetry]), (j, i, symmetry)):
        mine = own[low] == high
        found[low[mine]], turn[low[mine]] = similarity[mine], turns[mine]
    return found, turn


def _better(
    item: np.ndarray,
    rank: np.ndarray,
    item_rank: np.ndarray,
    by_rank: np.ndarray,
    i: np.ndarray,
    j: np.ndarray,
    similarity: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Of each row (n,): the better-ranked row that it is most similar to (of equals the best-ranked), and how similar;
    -1 and 0 where there is none."""
    worse = np.where(item_rank[i] > item_rank[j], i, j)
    other = i + j - worse
    order = np.lexsort((item_rank[other], -similarity, worse))
    first = order[np.flatnonzero(np.diff(worse[order], prepend=-1))]
    to, best = np.full(len(item_rank), -1, np.int64), np.zeros(len(item_rank))
    to[worse[first]], best[worse[first]] = by_rank[item_rank[other[first]]], similarity[first]
    copy = rank > item_rank[item]  # of a better one in the same item
    return np.where(copy, by_rank[item_rank[item]], to[item]), np.where(copy, 1.0, best[item])


DUPLICATES = Stage("duplicates", ("duplicates.keep", "duplicates.prefer", "source.split"), units, work, version=2)
