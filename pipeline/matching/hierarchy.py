"""HDBSCAN over all rows, from what the lists of neighbours prove of its tree and the trees of pairs of blocks."""

import numpy as np

from pixsieve import files, kernels
from pixsieve.clusterers.hdbscan import hierarchy
from pixsieve.config.cluster import Hdbscan
from pixsieve.folder import pair_files
from pixsieve.folder.neighbours import Nodes
from pixsieve.folder.run_folder import Run
from pixsieve.matching import Matched


def exact(run: Run, settings: Hdbscan, live: np.ndarray, rank: np.ndarray) -> Matched:
    """Equal to one HDBSCAN over all living rows."""
    node = pair_files.node_of_rows(run)
    nodes = Nodes(node, live, rank)
    reach = files.read_arrays(run.path / pair_files.REACH)
    own = reach["nodes"]
    n = len(live)
    none = Matched(np.full(n, -1), np.zeros(n), np.full(n, np.nan), np.empty(0), {})
    if not len(own):
        return none
    edges = np.concatenate([reach["edges"], reach["between"]])
    lengths = np.concatenate([reach["lengths"], reach["apart"]])
    for part in (files.read_arrays(path) for _, path in pair_files.each(run, pair_files.TREE)):
        edges, lengths = np.concatenate([edges, part["edges"]]), np.concatenate([lengths, part["lengths"]])
        if len(edges) > 4 * len(own):
            edges, lengths = kernels.minimum_forest(n, edges, lengths)
    edges, lengths = kernels.minimum_forest(n, edges, lengths)
    found = hierarchy(np.searchsorted(own, edges), lengths, reach["core"], nodes.weight[own], settings, run.measure)
    place = np.full(n + 1, -1)
    place[own] = np.arange(len(own))
    at = np.where(live & (node >= 0), place[node], -1)
    known = at >= 0
    none.cluster[known] = found.label[at[known]]
    none.strength[known] = found.probability[at[known]]
    none.outlier_score[known] = found.outlier_score[at[known]]
    return none._replace(persistence=found.persistence)
