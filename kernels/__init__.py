"""Exact all-pairs answers over arrays, without I/O: NumPy arrays are worked on by the host, CuPy arrays by the GPU."""

from pixsieve.kernels.arrays import array_module, check_finite, fused_on_gpu
from pixsieve.kernels.density import dbscan
from pixsieve.kernels.graph import attach, components, density_labels, first_seen, leaders, spanning_forest
from pixsieve.kernels.groups import GroupStatistics, distinct, group_statistics
from pixsieve.kernels.hierarchy import Hierarchy, core_lengths, density_hierarchy
from pixsieve.kernels.join import Joined, Questions, join
from pixsieve.kernels.pairs import counts, neighbours, pairs, similarity
from pixsieve.kernels.search.exact import MAGNITUDES, Array, Index, Metric, Pairs, to_host
from pixsieve.kernels.tiles import Tiles
from pixsieve.kernels.tree import Proved, Tree, minimum_forest, proved_edges, spanning_tree

__all__ = [
    "MAGNITUDES",
    "Array",
    "GroupStatistics",
    "Hierarchy",
    "Index",
    "Joined",
    "Metric",
    "Pairs",
    "Proved",
    "Questions",
    "Tiles",
    "Tree",
    "array_module",
    "attach",
    "check_finite",
    "components",
    "core_lengths",
    "counts",
    "dbscan",
    "density_hierarchy",
    "density_labels",
    "distinct",
    "first_seen",
    "fused_on_gpu",
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
    "to_host",
]
