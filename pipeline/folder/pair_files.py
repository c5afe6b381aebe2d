"""Pairs of blocks: what they are called, the files that their units write, and the nodes of a block."""

from collections.abc import Iterable, Iterator
from itertools import combinations_with_replacement
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pixsieve import files, kernels
from pixsieve.folder.manifest import Manifest
from pixsieve.folder.run_folder import Run

CLASSES, LINKS, NEIGHBOURS, NEAR, VERIFIED = (
    "pairs/{}.classes.npz",
    "pairs/{}.links.npz",
    "pairs/{}.neighbours.npz",
    "pairs/{}.near.parquet",
    "pairs/{}.verified.parquet",
)
TREE, REACH = "tree/{}.npz", "tree/reach.npz"


class BlockPair(NamedTuple):
    name: str  # also of its unit: 00000-00001, and in a second view 00000-00001.model
    a: int
    b: int
    batches: tuple[int, ...]  # of both, those of `a` first

    @property
    def blocks(self) -> tuple[int, ...]:
        return (self.a,) if self.a == self.b else (self.a, self.b)


def pairs(run: Run) -> list[BlockPair]:
    """Each pair of blocks, of a block with itself too, in the view of the run."""
    return [of_pair(run, a, b) for a, b in combinations_with_replacement(range(len(run.manifest.blocks)), 2)]


def of_pair(run: Run, a: int, b: int) -> BlockPair:
    own, other = run.manifest.blocks[a], run.manifest.blocks[b]
    name = f"{a:05}-{b:05}" + (".model" if run.view == "model" and run.views.apart else "")
    return BlockPair(name, a, b, own if a == b else own + other)


def named(run: Run, name: str) -> BlockPair:
    a, b = name.partition(".")[0].split("-")
    return of_pair(run, int(a), int(b))


def seen(run: Run, name: str) -> Run:
    """The run in the view of a pair."""
    return run.by("model" if name.endswith(".model") else "copies")


def each(run: Run, kind: str) -> Iterator[tuple[str, Path]]:
    """Name of the pair and path of one kind of file of every unit that writes it."""
    for pair in pairs(run):
        if pair.a == pair.b or kind != CLASSES:
            yield pair.name, run.path / kind.format(pair.name)


def paths(run: Run, *kinds: str) -> tuple[str, ...]:
    return tuple(str(path.relative_to(run.path)) for kind in kinds for _, path in each(run, kind))


def stored(run: Run, batches: Iterable[int]) -> tuple[str, ...]:
    """The files that `nodes_of` reads of the batches: their manifests and shards."""
    names = run.manifest.batch_names()
    return tuple(path for batch in batches for path in (f"manifest/{names[batch]}.parquet", *run.store.files(batch)))


def node_of_rows(run: Run) -> np.ndarray:
    """(numbers,) the node of each row; -1 for rows that cannot be compared: unreadable, or without a direction."""
    node = np.full(run.manifest.numbers, -1, np.int64)
    for _, path in each(run, CLASSES):
        arrays = files.read_arrays(path)
        node[arrays["rows"]] = arrays["nodes"]
    return node


class BlockNodes(NamedTuple):
    """The nodes of a block that have a row left, in the order of their keys; and the usable rows of the block, left out
    or not."""

    vectors: np.ndarray  # (n, width)
    rows: np.ndarray  # (n,) the row that a node is called by
    weights: np.ndarray  # (n,) rows of each
    members: np.ndarray  # (m,) usable rows
    node_of: np.ndarray  # (m,) the row of the node of each


def nodes_of(run: Run, block: int, left_out: np.ndarray) -> BlockNodes:
    manifest = run.manifest
    batches = manifest.blocks[block]
    shard = run.store.read(batches)
    usable = np.flatnonzero(shard.usable)
    rows = usable + manifest.rows_of(batches).start
    first, place = kernels.distinct(shard.vectors[usable])
    lives = ~np.isin(rows, left_out)
    weights = np.bincount(place[lives], minlength=len(first))
    order = _by_key(manifest, batches, rows, place, lives, len(first))
    order = order[weights[order] > 0]
    return BlockNodes(shard.vectors[usable[first[order]]], rows[first[order]], weights[order], rows, rows[first[place]])


def _by_key(
    manifest: Manifest, batches: tuple[int, ...], rows: np.ndarray, place: np.ndarray, lives: np.ndarray, nodes: int
) -> np.ndarray:
    """The nodes in the order of the least key among their living rows."""
    table = pa.concat_tables([manifest.table(batch, ["row", "key"]) for batch in batches])
    by_key = table["row"].to_numpy()[manifest.key_order(table["key"])]
    numbers = manifest.rows_of(batches)
    rank = np.empty(numbers.stop - numbers.start, np.int64)
    rank[by_key - numbers.start] = np.arange(len(by_key))
    least = np.full(nodes, len(rank), np.int64)
    np.minimum.at(least, place[lives], rank[rows[lives] - numbers.start])
    return np.argsort(least, kind="stable")
