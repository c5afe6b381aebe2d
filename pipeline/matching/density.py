"""DBSCAN over all rows, from the pairs of blocks.

Counts add over the units; a node that is core in one unit is core; the units' forests and the edges between nodes that
only the sum made core unite the components; borders go to the core row that they are most similar to, ties by key.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from pixsieve import files, kernels
from pixsieve.config.cluster import Dbscan
from pixsieve.folder import pair_files
from pixsieve.folder.run_folder import Run
from pixsieve.matching import Matched


class Links(NamedTuple):
    """What one pass over the pairs of two blocks leaves, by node."""

    nodes: np.ndarray  # (m,)
    counts: np.ndarray  # (m,) rows within the similarity
    forest: np.ndarray  # (f, 2) of nodes that are core by these counts alone
    edges: np.ndarray  # (e, 2) all other pairs within the similarity
    similarity: np.ndarray  # (e,)


def united(
    links: Callable[[], Iterator[Links]],
    weight: np.ndarray,
    rank: np.ndarray,
    min_samples: int,
    *,
    core: np.ndarray | None = None,
    tied: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and which nodes are core (n,). links is gone through twice.

    weight: (n,) living rows of each node, 0 for one that is no more; rank: (n,) decides ties; core: (n,) nodes that are
    core whatever their counts; tied: (t, 2) nodes that belong together whatever lies between.
    """
    n = len(weight)
    counts = np.zeros(n, np.int64)
    for part in links():
        counts[part.nodes] += part.counts
    core = ((counts >= min_samples) | (False if core is None else core)) & (weight > 0)
    forest, border = [np.empty((0, 2), np.int64) if tied is None else tied], [(np.empty((0, 2), np.int64), np.empty(0))]
    for part in links():
        i, j = part.edges.T
        forest += [part.forest, part.edges[core[i] & core[j]]]
        if sum(map(len, forest)) > 4 * n:
            forest = [kernels.spanning_forest(n, *np.concatenate(forest).T)]
        one = (core[i] ^ core[j]) & (weight[i] > 0) & (weight[j] > 0)
        border.append((part.edges[one], part.similarity[one]))
    edges, similarity = (np.concatenate(side) for side in zip(*border, strict=True))
    component = kernels.components(n, *np.concatenate(forest).T)
    i, j = edges.T
    return kernels.density_labels(component, core, i, j, similarity, rank), core


def exact(run: Run, settings: Dbscan, live: np.ndarray, rank: np.ndarray) -> Matched:
    """Equal to one DBSCAN over all living rows."""
    n = len(live)
    node = pair_files.node_of_rows(run)
    counted = live & (node >= 0)
    weight = np.bincount(node[counted], minlength=n)
    least = np.full(n, n, np.int64)
    np.minimum.at(least, node[counted], rank[counted])
    dead = np.flatnonzero(~live & (node >= 0))

    def links() -> Iterator[Links]:
        for name, path in pair_files.each(run, pair_files.LINKS):
            part = files.read_arrays(path)
            counts = part["counts"] - _died(run, name, part, dead, node)
            yield Links(part["nodes"], counts, part["forest"], part["edges"], part["similarity"])

    of_node, core = united(links, weight, least, settings.min_samples)
    cluster = np.where(counted, of_node[node], -1)
    strength = np.where(cluster < 0, 0.0, np.where(core[node], 1.0, 0.5))
    return Matched(cluster, strength, np.full(n, np.nan), np.full(n, np.nan), {})


def _died(run: Run, name: str, part: dict[str, Any], dead: np.ndarray, node: np.ndarray) -> np.ndarray:
    """(m,) what rows that died after this unit ran had added to its counts: they were next to no core of it, so all
    their edges are there."""
    pair = pair_files.named(run, name)
    late = np.setdiff1d(dead[np.isin(node[dead], part["nodes"])], part["left_out"])
    if not len(late):
        return np.zeros(len(part["nodes"]), np.int64)
    died, gone = np.bincount(node[late], minlength=len(node)), np.zeros(len(node), np.int64)
    i, j = part["edges"].T
    np.add.at(gone, i, died[j])
    np.add.at(gone, j, died[i])
    if pair.a == pair.b:
        gone += died
    return gone[part["nodes"]]
