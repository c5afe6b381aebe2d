"""Exact all-pairs answers over arrays, without I/O: NumPy arrays are worked on by the host, CuPy arrays by the GPU."""

from pixsieve.kernels.density import dbscan
from pixsieve.kernels.graph import attach, components, density_labels, first_seen, leaders, spanning_forest
from pixsieve.kernels.groups import GroupStatistics, distinct, group_statistics
from pixsieve.kernels.hierarchy import Hierarchy, core_lengths, density_hierarchy
from pixsieve.kernels.join import Joined, join
from pixsieve.kernels.pairs import counts, neighbours, pairs, similarity
from pixsieve.kernels.tree import minimum_forest, proved_edges, spanning_tree

__all__ = [
    "GroupStatistics",
    "Hierarchy",
    "Joined",
    "attach",
    "components",
    "core_lengths",
    "counts",
    "dbscan",
    "density_hierarchy",
    "density_labels",
    "distinct",
    "first_seen",
    "group_statistics",
    "join",
    "leaders",
    "minimum_forest",
    "neighbours",
    "pairs",
    "proved_edges",
    "similarity",
    "spanning_forest",
    "spanning_tree",
]
