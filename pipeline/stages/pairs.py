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

from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa

from pixsieve import files, kernels
from pixsieve.descriptors import near_similarity
from pixsieve.folder import choice, pair_files
from pixsieve.folder.pair_settings import links_at, listed
from pixsieve.folder.run import Run
from pixsieve.runtime.receipts import Receipts, served_from
from pixsieve.runtime.stage import Counts, Stage, Unit


def units(run: Run) -> list[Unit]:
    manifest = run.manifest
    dead, receipts = manifest.dead(), Receipts(run.path, "pairs")
    found = []
    for name, a, b in pair_files.pairs(run):
        batches = manifest.blocks[a] if a == b else manifest.blocks[a] + manifest.blocks[b]
        own = [pair_files.NEAR, pair_files.LINKS, pair_files.NEIGHBOURS, *([pair_files.CLASSES] if a == b else [])]
        here = dead[np.isin(dead // manifest.batch_rows, batches)]
        salts = _salts(
            run, here, served_from(receipts, name), _Before.of(run.path / pair_files.LINKS.format(name), here)
        )
        found.append(
            Unit(
                name,
                pair_files.stored(run, batches) + (choice.reads(run) if run.config.matching == "exact" else ()),
                tuple(kind.format(name) for kind in own),
                salt=salts[0],
                accepts=tuple(salts[1:]),
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


def _salts(run: Run, dead: np.ndarray, near_at: float, before: _Before | None) -> list[str]:
    """The salt of now, and of an existing result that serves as well: one that has the near pairs to a lower
    similarity, or that left out fewer rows if what has died since does it no harm: it was no core nor next to one, and
    took no place from a pair that is not written down."""
    near, left_out, whole = [near_similarity(run.config, run.descriptor)], [dead], not np.isnan(near_at)
    near += [near_at] * (near_at < near[0])
    if before is not None and whole and not np.isin(before.sensitive, np.setdiff1d(dead, before.left_out)).any():
        left_out.append(before.left_out)
    asked = [*links_at(run), listed(run)]
    return [f"{at} {asked} {files.digest_of(rows.tolist())}" for at in near for rows in left_out]


def work(run: Run, unit: Unit) -> Counts:
    a, b = pair_files.numbers(unit.name)
    manifest, settings = run.manifest, run.config
    batches = manifest.blocks[a] + (() if a == b else manifest.blocks[b])
    dead = manifest.dead()
    left_out = dead[np.isin(dead // manifest.batch_rows, batches)]
    sides = [pair_files.nodes_of(run, block, left_out) for block in ([a] if a == b else [a, b])]
    rows, weights = (np.concatenate([side[part] for side in sides]) for part in (1, 2))
    threshold, min_samples = links_at(run)
    near = near_similarity(settings, run.descriptor)
    joined = run.backend.join(
        sides[0][0],
        None if a == b else sides[1][0],
        kernels.Questions(
            cluster=threshold,
            min_samples=min_samples,
            near=near,
            near_limit=settings.duplicates.max_pairs,
            k=listed(run),
        ),
        weights=weights,
    )
    members, node_of = (np.concatenate([side[part] for side in sides]) for part in (3, 4))
    out = [run.path / path for path in unit.writes]
    i, j, similarity = joined.near
    truncated = joined.near_total > settings.duplicates.max_pairs
    files.write_table(out[0], pa.table({"i": rows[i], "j": rows[j], "similarity": similarity}))
    i, j, similarity = joined.edges
    files.write_arrays(
        out[1],
        nodes=rows,
        counts=joined.counts,
        forest=rows[joined.forest],
        edges=np.column_stack([rows[i], rows[j]]),
        similarity=similarity,
        left_out=left_out,
        sensitive=members[np.isin(node_of, rows[_next_to_core(joined)])],
    )
    files.write_arrays(out[2], nodes=rows, index=joined.neighbours.astype(np.int32), similarity=joined.similarity)
    if a == b:
        files.write_arrays(out[3], rows=members, nodes=node_of)
    return {
        "nodes": len(rows),
        "near": len(joined.near.i),
        "near_dropped": joined.near_total - len(joined.near.i),
        "near_at": near,
        "truncated": int(truncated),
        "edges": len(i),
        "forest": len(joined.forest),
    }


def _next_to_core(joined: kernels.Joined) -> np.ndarray:
    i, j, _ = joined.edges
    near = joined.core.copy()
    near[i[joined.core[j]]] = True
    near[j[joined.core[i]]] = True
    return near


PAIRS = Stage("pairs", ("duplicates.max_pairs",), units, work, version=4)
