"""reach and tree: the spanning tree of mutual reachability over all rows, for an exact HDBSCAN; nothing otherwise.

reach takes the neighbours of the whole run, from them the core distances, and the edges of the tree that these lists
prove already; and the best of the other edges of the lists between the components that these make. tree does the rest,
one pair of blocks at a time: of all pairs of one row here and one there, the edges that a smallest tree of these and of
the best edges has. Together they hold a minimum spanning tree, as an edge that is the longest of a ring among a part of
the edges is so among all. Lengths, and core distances, are 1 - similarity.
"""

import numpy as np

import kernels
from pipeline import blocks, files, store
from pipeline.folder import Run
from pipeline.nearest import Nodes, nearest_nodes
from pipeline.stage import Counts, Stage, Unit
from pipeline.stages import pairs, search


def wanted(run: Run) -> bool:
    return run.config.matching == "exact" and search.chosen(run).method == "hdbscan"


def reach_units(run: Run) -> list[Unit]:
    if not wanted(run):
        return []
    manifest, settings = run.manifest, search.chosen(run)
    reads = (
        *manifest.files(),
        *blocks.paths(run, blocks.CLASSES, blocks.NEIGHBOURS),
        *store.files_of(run.descriptor, *range(len(manifest.batches))),
    )
    return [Unit("all", reads, (blocks.REACH,), salt=str(settings.min_samples))]


def reach_work(run: Run, unit: Unit) -> Counts:
    settings, k = search.chosen(run), pairs.listed(run)
    nodes = Nodes.of(run)
    own = nodes.rows
    if nodes.weight.sum() < settings.min_samples:  # no row has a core distance
        own = own[:0]
    index, similarity = (part[own] for part in nearest_nodes(run, nodes, k))
    index = np.where(index >= 0, np.searchsorted(own, index), -1)
    length = 1 - similarity
    core = kernels.core_lengths(index, length, nodes.weight[own], settings.min_samples)
    beyond = np.where(index[:, -1] >= 0, length[:, -1], np.inf)
    (edges, lengths), (between, apart), component = kernels.proved_edges(index, length, beyond, core)
    files.write_arrays(
        run.path / blocks.REACH,
        nodes=own,
        core=core,
        component=component,
        edges=own[edges],
        lengths=lengths,
        between=own[between],
        apart=apart,
    )
    return {"nodes": len(own), "proved": len(edges)}


def tree_units(run: Run) -> list[Unit]:
    if not wanted(run):
        return []
    groups = run.manifest.blocks
    return [
        Unit(
            name,
            (blocks.REACH, *blocks.stored(run, sorted({*groups[a], *groups[b]}))),
            (blocks.TREE.format(name),),
        )
        for name, a, b in blocks.pairs(run)
    ]


def tree_work(run: Run, unit: Unit) -> Counts:
    a, b = blocks.numbers(unit.name)
    reach = files.read_arrays(run.path / blocks.REACH)
    dead = run.manifest.dead() if len(reach["nodes"]) else np.arange(run.manifest.numbers)
    sides = [blocks.nodes_of(run, block, dead) for block in ([a] if a == b else [a, b])]
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


REACH = Stage("reach", (), reach_units, reach_work)
TREE = Stage("tree", (), tree_units, tree_work)
