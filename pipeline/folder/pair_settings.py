"""What the units of pairs are asked for by those who read their files."""

from typing import NamedTuple

from pixsieve.config.cluster import Dbscan, Hdbscan
from pixsieve.folder.choice import chosen
from pixsieve.folder.run_folder import Run

# Neighbours that a spanning tree can be proved from: of most rows, more bring nothing.
PROVING = 16


class Links(NamedTuple):
    """The links that an exact DBSCAN needs of the units."""

    similarity: float | None  # None: none
    min_samples: int


def links(run: Run) -> Links:
    settings = chosen(run)
    if run.config.matching == "exact" and isinstance(settings, Dbscan):
        return Links(settings.similarity, settings.min_samples)
    return Links(None, 1)


def listed(run: Run) -> int:
    """How many neighbours the units list of each node."""
    settings = chosen(run)
    if run.config.matching == "exact" and isinstance(settings, Hdbscan):
        return max(run.config.outliers.neighbours, settings.min_samples - 1, PROVING)
    return run.config.outliers.neighbours
