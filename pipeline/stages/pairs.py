"""pairs: one pass over each pair of blocks, for all who need pairs.

Equal vectors of a block are one node with a weight; a node is called by the row number of its first row. A unit writes,
as files pairs/<A>-<B>.*:
    near.parquet    the pairs of nodes at or above the duplicates' threshold
    links.npz       what density clustering needs of the unit: counts, a forest of core nodes, the other edges
    neighbours.npz  the most similar nodes of each node
    classes.npz     A = B only: the node of each row

Removed rows. A unit leaves out the rows that are dead when it runs. A row that dies later is taken out of the results
where they are read, which is exact as long as the row's node was no core in this unit and next to none: then every
edge of it is written down. Otherwise the unit runs again (`accepts` below; `sensitive` in links.npz).
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa

from pixsieve import files, kernels
from pixsieve.folder import choice, pair_files, pair_settings
from pixsieve.folder.pair_files import CLASSES, LINKS, NEAR, NEIGHBOURS
from pixsieve.folder.run_folder import Run
from pixsieve.runtime.receipts import Receipts, served_from
from pixsieve.runtime.stage import Counts, Stage, Unit


def units(run: Run) -> list[Unit]:
    receipts = Receipts(run.path, "pairs")
    return [unit for view in run.views.names for unit in _units(run.by(view), receipts)]


def _units(run: Run, receipts: Receipts) -> list[Unit]:
    """Of one view; none if nobody sees the run by it."""
    manifest, least = run.manifest, pair_settings.near(run)
    asked = {"links": list(pair_settings.links(run)), "listed": pair_settings.listed(run)}
    asked |= run.config.values("duplicates.max_pairs")
    linked = run.config.matching == "exact" and pair_settings.clustered(run)
    chosen, found = choice.reads(run) if linked else (), []
    for pair in pair_files.pairs(run) if pair_settings.wanted(run) else []:
        own = {"near": NEAR, "links": LINKS, "neighbours": NEIGHBOURS} | (
            {"classes": CLASSES} if pair.a == pair.b else {}
        )
        here = manifest.dead_in(pair.batches)
        before = _Before.of(run.path / LINKS.format(pair.name), here)
        depends = [
            asked | {"near": near, "left_out": files.digest_of(rows.tolist())}
            for near, rows in _serving(least, here, served_from(receipts, pair.name), before)
        ]
        found.append(
            Unit(
                pair.name,
                pair_files.stored(run, pair.batches) + chosen,
                {what: path.format(pair.name) for what, path in own.items()},
                depends[0],
                tuple(depends[1:]),
            )
        )
    return found


class _Before(NamedTuple):
    """What there is to know of an existing result."""

    left_out: np.ndarray
    sensitive: np.ndarray

    @classmethod
    def of(cls, links: Path, dead: np.ndarray) -> "_Before | None":
        if not len(dead):
            return None
        try:
            with np.load(links) as arrays:
                return cls(arrays["left_out"], arrays["sensitive"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # none, or no longer what the unit wrote
            return None


def _serving(
    near: float, dead: np.ndarray, near_at: float, before: _Before | None
) -> Iterator[tuple[float, np.ndarray]]:
    """The threshold and the rows left out of now, and those of an existing result that serves as well: one that has the
    near pairs to a lower similarity, or that left out fewer rows if what has died since does it no harm: it was no core
    nor next to one, and took no place from a pair that is not written down."""
    left_out = [dead]
    whole = before is not None and not np.isnan(near_at)
    if before is not None and whole and not np.isin(before.sensitive, np.setdiff1d(dead, before.left_out)).any():
        left_out.append(before.left_out)
    return product([near, *([near_at] if near_at < near else [])], left_out)


def work(run: Run, unit: Unit) -> Counts:
    run = pair_files.seen(run, unit.name)
    pair, asked = pair_files.named(run, unit.name), unit.depends
    left_out = run.manifest.dead_in(pair.batches)
    sides = [pair_files.nodes_of(run, block, left_out) for block in pair.blocks]
    rows, members, node_of = (
        np.concatenate([getattr(side, part) for side in sides]) for part in ("rows", "members", "node_of")
    )
    links, limit = pair_settings.Links(*asked["links"]), run.config.duplicates.max_pairs
    joined = run.backend.join(
        sides[0].vectors,
        None if len(sides) == 1 else sides[1].vectors,
        kernels.Questions(run.measure.metric, *links, near=asked["near"], near_limit=limit, k=asked["listed"]),
        weights=np.concatenate([side.weights for side in sides]),
    )
    out = {what: run.path / path for what, path in unit.writes.items()}
    i, j, similarity = joined.near
    files.write_table(out["near"], pa.table({"i": rows[i], "j": rows[j], "similarity": similarity}))
    i, j, similarity = joined.edges
    files.write_arrays(
        out["links"],
        nodes=rows,
        counts=joined.counts,
        forest=rows[joined.forest],
        edges=np.column_stack([rows[i], rows[j]]),
        similarity=similarity,
        left_out=left_out,
        sensitive=members[np.isin(node_of, rows[_next_to_core(joined)])],
    )
    nearest = {"index": joined.neighbours.astype(np.int32), "similarity": joined.similarity}
    files.write_arrays(out["neighbours"], nodes=rows, **nearest)
    if "classes" in out:
        files.write_arrays(out["classes"], rows=members, nodes=node_of)
    return {
        "nodes": len(rows),
        "near": len(joined.near.i),
        "near_dropped": joined.near_total - len(joined.near.i),
        "near_at": asked["near"],
        "truncated": int(joined.near_total > limit),
        "edges": len(i),
        "forest": len(joined.forest),
    }


def _next_to_core(joined: kernels.Joined) -> np.ndarray:
    i, j, _ = joined.edges
    near = joined.core.copy()
    near[i[joined.core[j]]] = True
    near[j[joined.core[i]]] = True
    return near


PAIRS = Stage("pairs", units, work, version=5)
