"""tree: the rest of the spanning tree of mutual reachability, one pair of blocks at a time, for an exact HDBSCAN;
nothing otherwise.

Of all pairs of one row here and one there, the edges that a smallest tree of these and of the best edges of `reach`
has. Together they hold a minimum spanning tree, as an edge that is the longest of a ring among a part of the edges is
so among all.
"""

import numpy as np

from pixsieve import files, kernels
from pixsieve.folder import pair_files
from pixsieve.folder.run_folder import Run
from pixsieve.runtime.stage import Counts, Stage, Unit
from pixsieve.stages import reach


def units(run: Run) -> list[Unit]:
    if not reach.wanted(run):
        return []
    return [
        Unit(
            pair.name,
            (pair_files.REACH, *pair_files.stored(run, sorted({*pair.batches}))),
            {"tree": pair_files.TREE.format(pair.name)},
            {"left_out": files.digest_of(run.manifest.dead_in(pair.batches).tolist())},
        )
        for pair in pair_files.pairs(run)
    ]


def work(run: Run, unit: Unit) -> Counts:
    pair, proved = pair_files.named(run, unit.name), files.read_arrays(run.path / pair_files.REACH)
    # Without core distances there is no tree.
    left_out = run.manifest.dead if len(proved["nodes"]) else np.arange(run.manifest.numbers)
    sides = [pair_files.nodes_of(run, block, left_out) for block in pair.blocks]
    rows = np.concatenate([side.rows for side in sides])
    at = np.searchsorted(proved["nodes"], rows)
    edges, lengths = kernels.spanning_tree(
        run.backend.to_device(sides[0].vectors),
        None if len(sides) == 1 else run.backend.to_device(sides[1].vectors),
        metric=run.measure.metric,
        core=proved["core"][at],
        component=proved["component"][at],
        known=(proved["component"][np.searchsorted(proved["nodes"], proved["between"])], proved["apart"]),
    )
    edges = rows[run.backend.to_host(edges)]
    files.write_arrays(run.path / unit.writes["tree"], edges=edges, lengths=run.backend.to_host(lengths))
    return {"nodes": len(rows), "edges": len(edges)}


TREE = Stage("tree", units, work, version=2, by="cluster")
