"""Pairs of blocks: what they are called, the files that their units write, and the nodes of a block."""

from collections.abc import Iterable, Iterator
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pyarrow as pa

from pixsieve import files, kernels
from pixsieve.folder import embeddings
from pixsieve.folder.manifest import Manifest
from pixsieve.folder.run import Run

CLASSES, LINKS, NEIGHBOURS, NEAR, VERIFIED = (
    "pairs/{}.classes.npz",
    "pairs/{}.links.npz",
    "pairs/{}.neighbours.npz",
    "pairs/{}.near.parquet",
    "pairs/{}.verified.parquet",
)
TREE, REACH = "tree/{}.npz", "tree/reach.npz"


def pairs(run: Run) -> Iterator[tuple[str, int, int]]:
    """Name and numbers of each pair of blocks, of a block with itself too."""
    for a, b in combinations_with_replacement(range(len(run.manifest.blocks)), 2):
        yield f"{a:05}-{b:05}", a, b


def numbers(name: str) -> tuple[int, int]:
    a, _, b = name.partition("-")
    return int(a), int(b)


def each(run: Run, kind: str) -> Iterator[tuple[str, Path]]:
    """Name of the pair and path of one kind of file of every unit that writes it."""
    for name, a, b in pairs(run):
        if a == b or kind != CLASSES:
            yield name, run.path / kind.format(name)


def paths(run: Run, *kinds: str) -> tuple[str, ...]:
    return tuple(str(path.relative_to(run.path)) for kind in kinds for _, path in each(run, kind))


def stored(run: Run, batches: Iterable[int]) -> tuple[str, ...]:
    """The files that `nodes_of` reads of the batches: their manifests and shards."""
    return tuple(
        path
        for batch in batches
        for path in (f"manifest/{batch:05}.parquet", *embeddings.files_of(run.descriptor, batch))
    )


def node_of_rows(run: Run) -> np.ndarray:
    """(numbers,) the node of each row; -1 for rows that have no direction to compare: unreadable or zero."""
    node = np.full(run.manifest.numbers, -1, np.int64)
    for _, path in each(run, CLASSES):
        arrays = files.read_arrays(path)
        node[arrays["rows"]] = arrays["nodes"]
    return node


def nodes_of(
    run: Run, block: int, left_out: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The nodes of a block in the order of their keys: vectors (n, d), rows (n,), weights (n,); and for each usable row
    of the block, left out or not: its number and the row of its node. Nodes without a row left are not there."""
    manifest = run.manifest
    batches = manifest.blocks[block]
    vectors, status = embeddings.read(run.path, run.descriptor, batches)
    usable = np.flatnonzero(embeddings.usable(vectors, status))
    rows = usable + batches[0] * manifest.batch_rows
    first, place = kernels.distinct(vectors[usable])
    lives = ~np.isin(rows, left_out)
    weights = np.bincount(place[lives], minlength=len(first))
    order = _by_key(manifest, batches, rows, place, lives, len(first))
    order = order[weights[order] > 0]
    return vectors[usable[first[order]]], rows[first[order]], weights[order], rows, rows[first[place]]


def _by_key(
    manifest: Manifest, batches: tuple[int, ...], rows: np.ndarray, place: np.ndarray, lives: np.ndarray, nodes: int
) -> np.ndarray:
    """The nodes in the order of the least key among their living rows."""
    table = pa.concat_tables([manifest.table(batch, ["row", "key"]) for batch in batches])
    by_key = table["row"].to_numpy()[pa.compute.sort_indices(table["key"]).to_numpy()]
    start = batches[0] * manifest.batch_rows
    rank = np.empty(len(batches) * manifest.batch_rows, np.int64)
    rank[by_key - start] = np.arange(len(by_key))
    least = np.full(nodes, len(rank), np.int64)
    np.minimum.at(least, place[lives], rank[rows[lives] - start])
    return np.argsort(least, kind="stable")
