"""Leiden over all rows, from the lists of neighbours of the pairs of blocks."""

import numpy as np

from pixsieve.clusterers.leiden import communities
from pixsieve.config.cluster import Leiden
from pixsieve.folder.neighbours import Nodes, distinct_neighbours
from pixsieve.folder.run_folder import Run
from pixsieve.matching import Matched


def exact(run: Run, settings: Leiden, live: np.ndarray, rank: np.ndarray) -> Matched:
    """Equal to one Leiden over all living rows, in the order of their keys."""
    n = len(live)
    found = distinct_neighbours(run, Nodes.of(run), settings.neighbours)
    place, m = found.place, len(found.nearest)
    counted = live & (place >= 0)
    least = np.full(m, n, np.int64)
    np.minimum.at(least, place[counted], rank[counted])
    order = np.argsort(least)
    at = np.empty(m + 1, np.int64)
    at[order], at[-1] = np.arange(m), -1
    weights = np.bincount(at[place[counted]], minlength=m)
    made = communities(at[found.nearest[order]], weights, settings, run.config.run.seed)
    cluster, strength = np.full(n, -1), np.zeros(n)
    cluster[counted], strength[counted] = made.cluster[at[place[counted]]], made.strength[at[place[counted]]]
    return Matched(cluster, strength, np.full(n, np.nan), made.persistence, {})
