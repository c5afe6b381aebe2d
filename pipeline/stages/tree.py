"""tree: the rest of the spanning tree of mutual reachability, one pair of blocks at a time, for an exact HDBSCAN;
nothing otherwise.

Of all pairs of one row here and one there, the edges that a smallest tree of these and of the best edges of `reach`
has. Together they hold a minimum spanning tree, as an edge that is the longest of a ring among a part of the edges is
so among all.
"""

import numpy as np

from pixsieve import files, kernels
from pixsieve.folder import pair_files
from pixsieve.folder.run import Run
from pixsieve.runtime.stage import Counts, Stage, Unit
from pixsieve.stages.reach import wanted


def tree_units(run: Run) -> list[Unit]:
    if not wanted(run):
        return []
    groups = run.manifest.blocks
    return [
        Unit(
            name,
            (pair_files.REACH, *pair_files.stored(run, sorted({*groups[a], *groups[b]}))),
            (pair_files.TREE.format(name),),
        )
        for name, a, b in pair_files.pairs(run)
    ]


def tree_work(run: Run, unit: Unit) -> Counts:
    a, b = pair_files.numbers(unit.name)
    reach = files.read_arrays(run.path / pair_files.REACH)
    dead = run.manifest.dead() if len(reach["nodes"]) else np.arange(run.manifest.numbers)
    sides = [pair_files.nodes_of(run, block, dead) for block in ([a] if a == b else [a, b])]
    rows = np.concatenate([side[1] for side in sides])
    at = np.searchsorted(reach["nodes"], rows)
    edges, lengths = kernels.spanning_tree(
        run.backend.to_device(sides[0][0]),
        None if a == b else run.backend.to_device(sides[1][0]),
        metric="cosine",
        core=reach["core"][at],
        component=reach["component"][at],
        known=(reach["component"][np.searchsorted(reach["nodes"], reach["between"])], reach["apart"]),
    )
    edges = rows[run.backend.to_host(edges)]
    files.write_arrays(run.path / unit.writes[0], edges=edges, lengths=run.backend.to_host(lengths))
    return {"nodes": len(rows), "edges": len(edges)}


TREE = Stage("tree", (), tree_units, tree_work)
