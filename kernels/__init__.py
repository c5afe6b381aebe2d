"""Exact all-pairs answers over arrays, without I/O: NumPy arrays are worked on by the host, CuPy arrays by the GPU."""

from kernels.graph import attach, components, first_seen, leaders, spanning_forest
from kernels.groups import GroupStatistics, distinct, group_statistics
from kernels.join import Joined, join
from kernels.pairs import counts, neighbours, pairs, similarity

__all__ = [
    "GroupStatistics",
    "Joined",
    "attach",
    "components",
    "counts",
    "distinct",
    "first_seen",
    "group_statistics",
    "join",
    "leaders",
    "neighbours",
    "pairs",
    "similarity",
    "spanning_forest",
]
