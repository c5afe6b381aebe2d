"""duplicates: groups of equal and of similar images, each member checked against the one that is kept.

Rows with equal pixels or equal vectors are one item; pipeline/rules/groups.py makes the groups. Of the names of one
file one stands for all (pipeline/rules/links.py). A set is the union of groups that near pairs hold together: one car
from all sides, of which no two may be copies. better.parquet has the best similarity of each row to a better-ranked
one, whether that is kept or not.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixsieve import files, kernels
from pixsieve.config import keep_rules
from pixsieve.descriptors.doubts import doubt
from pixsieve.folder import image_table, metadata, pair_files
from pixsieve.folder.cluster_table import ASSIGNMENTS
from pixsieve.folder.neighbours import Nodes, distinct_neighbours
from pixsieve.folder.pair_files import CLASSES, NEAR, NEIGHBOURS, VERIFIED
from pixsieve.folder.run_folder import Run
from pixsieve.folder.thumbnails import luma_files, read_luma
from pixsieve.images.blocks import has_traces
from pixsieve.images.content import INKS
from pixsieve.images.detail import BANDS
from pixsieve.images.formats import raw
from pixsieve.images.status import OK, STATUSES
from pixsieve.images.symmetries import SYMMETRIES
from pixsieve.rules import keep as policy
from pixsieve.rules.adaptive import near_pairs
from pixsieve.rules.groups import NearPairs, apart, better, grouped, items, leaks, once, together
from pixsieve.rules.links import stand_in
from pixsieve.rules.originals import FLAWS, Looks, flaws
from pixsieve.runtime.stage import Counts, Stage, Unit

FROM_IMAGES = (
    "status",
    "file_digest",
    "pixel_digest",
    "width",
    "height",
    "format",
    "chroma",
    "spectrum",
    "blocking",
    "seen",
)
AT_ONCE = 1024  # pairs that a thread looks at, at a time


def units(run: Run) -> list[Unit]:
    settings = run.config.duplicates
    reads = (
        *run.manifest.files(image_table.FOLDER),
        *run.links.files,
        *run.metadata.of_splits,
        *metadata.of_columns(keep_rules.columns(settings.keep)),
        *pair_files.paths(run, CLASSES, _pairs_of(run)),
    )
    depends = run.config.values("duplicates.keep", "duplicates.prefer", "duplicates.adaptive")
    depends |= {"near": run.near, "splits": run.metadata.split}
    if run.measure.verified:
        reads += luma_files(*range(len(run.manifest.batches)))
    if settings.adaptive is not None:
        stored = pair_files.stored(run, range(len(run.manifest.batches)))
        reads += (ASSIGNMENTS, *pair_files.paths(run, NEIGHBOURS), *stored)
        depends |= run.config.values("outliers.neighbours")
    return [Unit("all", reads, {"groups": "duplicates.parquet", "better": "better.parquet"}, depends)]


def _pairs_of(run: Run) -> str:
    return VERIFIED if run.measure.verified else NEAR


def work(run: Run, unit: Unit) -> Counts:
    known = _readable(run)
    rows = known["row"].to_numpy()
    splits = run.metadata.splits(run.manifest, rows)
    file, pixel = (image_table.codes(known[name]) for name in ("file_digest", "pixel_digest"))
    key_rank, settings = run.manifest.key_rank(), run.config.duplicates
    named = {name: metadata.column(run.manifest, rows, name) for name in keep_rules.columns(settings.keep)}
    names = run.links.names(run.manifest, rows)
    by_key_files_first = key_rank[rows] + names.symbolic * len(key_rank)

    def ranked(flaw: np.ndarray) -> np.ndarray:
        facts = known.append_column("flaw", pa.array(flaw))
        return policy.rank(settings.keep, settings.prefer or (), facts, splits, named, by_key_files_first)

    own = stand_in(names.file, file, names.symbolic, ranked(np.zeros(len(rows), np.int8)))

    node = pair_files.node_of_rows(run)
    # A RAW file is compared with those of its kind: of all others a decoder sees something else.
    sort = np.unique([raw(key) for key in known["key"].to_pylist()] or [""], return_inverse=True)[1][own]
    item = apart(items(node[rows], pixel), sort)
    item_of_node = np.full((sort.max(initial=0) + 1, len(node)), -1, np.int64)
    compared = np.flatnonzero(node[rows] >= 0)
    item_of_node[sort[compared], node[rows[compared]]] = item[compared]
    pairs = _pairs(run, item_of_node, unit.depends["near"])
    flaw = _flaws(known, item, pixel, pairs)
    rank = ranked(flaw)
    item_rank = np.full(item.max(initial=-1) + 1, len(rows), np.int64)
    np.minimum.at(item_rank, item[own], rank[own])
    head = np.argsort(rank)[item_rank]  # the best row of each item
    if settings.adaptive is not None:
        nodes = Nodes(node, run.manifest.live(), key_rank)
        pairs = pairs.only(_close_for_their_clusters(run, pairs, settings.adaptive, rows[head], nodes))
    groups = grouped(pairs, item_rank)

    group = groups.own[item]
    kept = head[group]
    keep = kept == own  # all names of the file that is kept
    kind = np.where(file == file[kept], "exact", np.where(pixel == pixel[kept], "pixels", "near"))
    kind[keep], kind[own != np.arange(len(rows))] = "kept", "linked"
    related = np.where(kind == "kept", -1, np.where(kind == "linked", rows[own], rows[kept]))
    shown = np.flatnonzero(np.bincount(group, minlength=len(head))[group] > 1)
    by_key = shown[np.argsort(key_rank[rows[shown]])]
    number = np.full(len(rows), -1, np.int64)
    number[by_key] = kernels.first_seen(group[by_key])
    shown = shown[np.lexsort((rank[shown], kind[shown] != "kept", number[shown]))]
    symmetry = groups.symmetry[item]
    doubts = _doubts(run, known, shown, kept, np.where(kind == "near", symmetry, -1))
    split = splits.take(pa.array(shown))
    leakage = leaks(number[shown], image_table.codes(split))
    union = _sets(pairs, item, number, by_key)
    table = pa.table(
        {
            "row": rows[shown],
            "key": known["key"].take(pa.array(shown)),
            "group": number[shown],
            "set": union[shown],
            "kind": pa.array(kind[shown].tolist(), pa.string()),
            "keep": keep[shown],
            "similarity": groups.similarity[item[shown]],
            "related": pa.array(related[shown], mask=related[shown] < 0),
            "turned": pa.array([SYMMETRIES[s] for s in symmetry[shown]], pa.string()),
            "doubt": pa.array(doubts, pa.string()),
            "flaw": pa.array([FLAWS[f] for f in flaw[shown]], pa.string()),
            "split": split,
            "leakage": pa.array(leakage, mask=np.full(len(shown), splits.null_count == len(splits))),
        }
    )
    files.write_table(run.path / unit.writes["groups"], table)
    files.write_table(run.path / unit.writes["better"], _better(pairs, known, item, own, head, item_rank))
    kinds = {name: int((kind[shown] == name).sum()) for name in ("exact", "pixels", "near", "linked")}
    leaking = int((leakage & (kind[shown] == "kept")).sum())
    groups_and_sets = {"groups": int(number.max(initial=-1)) + 1, "sets": int(union.max(initial=-1)) + 1}
    return {"rows": len(rows), **groups_and_sets, "leakage": leaking, **kinds}


def _sets(pairs: NearPairs, item: np.ndarray, number: np.ndarray, by_key: np.ndarray) -> np.ndarray:
    """(n,) number of the set of each row of a group, -1 for the others: groups that near pairs hold together, directly
    or by way of others, are one set. number: of groups, (n,), -1 for none; by_key: the rows of groups, by key."""
    whole = kernels.components(item.max(initial=-1) + 1, pairs.i, pairs.j)[item]
    found = np.full(len(number), -1, np.int64)
    found[by_key] = kernels.first_seen(whole[by_key])
    return found


def _doubts(run: Run, known: pa.Table, shown: np.ndarray, kept: np.ndarray, symmetry: np.ndarray) -> list[str]:
    """What speaks against each shown row being a copy of the kept one. symmetry: -1 for those that are not near."""
    found, rows = [""] * len(shown), known["row"].to_numpy()
    looked_at = np.flatnonzero(symmetry[shown] >= 0) if run.measure.verified else np.empty(0, np.int64)

    def of(part: np.ndarray) -> list[str]:
        ends = shown[part], kept[shown[part]]
        luma, others = (read_luma(run.path, run.manifest, rows[end]) for end in ends)
        colours = (known["chroma"].take(pa.array(end)).to_pylist() for end in ends)
        cells, beside = ([np.frombuffer(one, np.int8).reshape(8, 8, 2) for one in side] for side in colours)
        return list(map(doubt, luma, others, cells, beside, symmetry[ends[0]].tolist()))

    with ThreadPoolExecutor(run.threads) as threads:
        parts = [looked_at[at : at + AT_ONCE] for at in range(0, len(looked_at), AT_ONCE)]
        for part, words in zip(parts, threads.map(of, parts), strict=True):
            for at, word in zip(part, words, strict=True):
                found[at] = word
    return found


def _flaws(known: pa.Table, item: np.ndarray, pixel: np.ndarray, pairs: NearPairs) -> np.ndarray:
    """(n,) places in FLAWS. Given vectors have none."""
    if known["spectrum"].null_count:
        return np.zeros(len(known), np.int64)
    looks = Looks(
        damaged=pc.not_equal(known["status"], STATUSES[OK]).to_numpy(),
        jpeg=pc.equal(known["format"], "JPEG").fill_null(False).to_numpy(),
        traces=has_traces(known["blocking"].fill_null(0).to_numpy()),
        inks=pc.match_substring(known["seen"], INKS).to_numpy(),
        sides=np.column_stack([known[side].to_numpy() for side in ("width", "height")]),
        spectrum=np.frombuffer(b"".join(known["spectrum"].to_pylist()), np.uint8).reshape(len(known), BANDS),
    )
    return flaws(looks, item, pixel, pairs.i, pairs.j)


def _readable(run: Run) -> pa.Table:
    """What is known of the rows that can be read."""
    table, images = run.manifest.living(["key", "bytes", "stamp"]), image_table.living(run, list(FROM_IMAGES))
    for name in FROM_IMAGES:
        table = table.append_column(name, images[name])
    return table.filter(pa.array(image_table.readable(images["status"])))


def _pairs(run: Run, item_of_node: np.ndarray, least: float) -> NearPairs:
    """The near pairs of items of the whole run. item_of_node: of each sort of rows, -1 for none."""
    parts = []
    for _, path in pair_files.each(run, _pairs_of(run)):
        table = files.read_table(path)
        nodes = [table[name].to_numpy() for name in ("i", "j")]
        similarity = table["similarity"].to_numpy()
        turned = "symmetry" in table.column_names
        symmetry = table["symmetry"].to_numpy() if turned else np.zeros(len(similarity), np.int8)
        # A file may hold more: pairs of rows that are gone, and less similar ones than are asked for now.
        for item in item_of_node:
            i, j = (item[side] for side in nodes)
            use = (i >= 0) & (j >= 0) & (similarity >= least)
            parts.append(NearPairs(i, j, similarity, symmetry).only(use))
    return once(together(parts))


def _close_for_their_clusters(
    run: Run, pairs: NearPairs, sensitivity: float, head: np.ndarray, nodes: Nodes
) -> np.ndarray:
    """(p,) booleans: the pairs that are near for the clusters that they are in. head: the best row of each item."""
    place, index, similarity = distinct_neighbours(run, nodes, run.config.outliers.neighbours)
    closest = np.where(index >= 0, similarity, -np.inf).max(axis=1, initial=-np.inf)
    assigned = files.read_table(run.path / ASSIGNMENTS)
    at, clusters = place[assigned["row"].to_numpy()], np.full(len(index), -1, np.int64)
    clusters[at[at >= 0]] = assigned["cluster"].to_numpy()[at >= 0]
    apart, nearest = (run.measure.distance(1 - close) for close in (pairs.similarity, closest))
    i, j = (place[head[side]] for side in (pairs.i, pairs.j))
    return (i == j) | near_pairs(clusters, nearest, i, j, apart, sensitivity)


def _better(
    pairs: NearPairs, known: pa.Table, item: np.ndarray, own: np.ndarray, head: np.ndarray, item_rank: np.ndarray
) -> pa.Table:
    """row, key, similarity and related of all rows that a better-ranked one, the related, is near to."""
    to, best = better(pairs, item_rank)
    copy = head[item] != own  # of a better row in the same item
    other = np.where(copy, head[item], np.where(to[item] >= 0, head[to[item]], -1))
    has = np.flatnonzero(other >= 0)
    table, rows = known.select(["row", "key"]).take(pa.array(has)), known["row"].to_numpy()
    table = table.append_column("similarity", pa.array(np.where(copy, 1.0, best[item])[has]))
    return table.append_column("related", pa.array(rows[other[has]]))


DUPLICATES = Stage("duplicates", units, work, version=8, by="duplicates")
