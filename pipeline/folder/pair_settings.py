"""What the units of pairs are asked for by those who read their files."""

from pixsieve.folder import choice
from pixsieve.folder.run import Run

# Neighbours that a spanning tree can be proved from: of most rows, more bring nothing.
PROVING = 16


def links_at(run: Run) -> tuple[float | None, int]:
    """Similarity and min_samples of the links that an exact DBSCAN needs of the units."""
    settings = choice.chosen(run)
    if run.config.matching == "exact" and settings.method == "dbscan":
        return settings.similarity, settings.min_samples
    return None, 1


def listed(run: Run) -> int:
    """How many neighbours the units list of each node."""
    settings = choice.chosen(run)
    if run.config.matching == "exact" and settings.method == "hdbscan":
        return max(run.config.outliers.neighbours, settings.min_samples - 1, PROVING)
    return run.config.outliers.neighbours
