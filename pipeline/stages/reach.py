"""reach: core distances of all rows, and what the lists of neighbours prove of the tree of mutual reachability,
for an exact HDBSCAN; nothing otherwise.

From the neighbours of the whole run come the core distances, the edges of the tree that these lists prove already, and
the best of the other edges of the lists between the components that these make. Lengths, and core distances, are
1 - similarity.
"""

import numpy as np

from pixsieve import files, kernels
from pixsieve.folder import choice, pair_files
from pixsieve.folder.neighbours import Nodes, nearest_nodes
from pixsieve.folder.pair_settings import listed
from pixsieve.folder.run_folder import Run
from pixsieve.runtime.stage import Counts, Stage, Unit


def wanted(run: Run) -> bool:
    return run.config.matching == "exact" and choice.chosen(run).method == "hdbscan"


def units(run: Run) -> list[Unit]:
    if not wanted(run):
        return []
    reads = (
        *run.manifest.files(),
        *pair_files.paths(run, pair_files.CLASSES, pair_files.NEIGHBOURS),
        *run.store.files(*range(len(run.manifest.batches))),
    )
    depends = {"min_samples": choice.chosen(run).min_samples, "listed": listed(run)}
    return [Unit("all", reads, {"reach": pair_files.REACH}, depends)]


def work(run: Run, unit: Unit) -> Counts:
    min_samples, nodes = unit.depends["min_samples"], Nodes.of(run)
    own = nodes.rows
    if nodes.weight.sum() < min_samples:  # no row has a core distance
        own = own[:0]
    index, similarity = (part[own] for part in nearest_nodes(run, nodes, unit.depends["listed"]))
    index = np.where(index >= 0, np.searchsorted(own, index), -1)
    length = 1 - similarity
    core = kernels.core_lengths(index, length, nodes.weight[own], min_samples)
    beyond = np.where(index[:, -1] >= 0, length[:, -1], np.inf)
    (edges, lengths), (between, apart), component = kernels.proved_edges(index, length, beyond, core)
    files.write_arrays(
        run.path / unit.writes["reach"],
        nodes=own,
        core=core,
        component=component,
        edges=own[edges],
        lengths=lengths,
        between=own[between],
        apart=apart,
    )
    return {"nodes": len(own), "proved": len(edges)}


REACH = Stage("reach", units, work, version=2, by="cluster")
