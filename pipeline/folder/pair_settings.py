"""What the units of pairs are asked for by those who read their files, in the view of the run."""

from typing import NamedTuple

from pixsieve.config.cluster import Dbscan, Hdbscan, Leiden
from pixsieve.folder.choice import chosen
from pixsieve.folder.measure import NOT_ASKED
from pixsieve.folder.run_folder import Run

# Neighbours that a spanning tree can be proved from: of most rows, more bring nothing.
PROVING = 16


class Links(NamedTuple):
    """The links that an exact DBSCAN needs of the units."""

    similarity: float | None  # None: none
    min_samples: int


def wanted(run: Run) -> bool:
    """Whether anybody sees the run by this view."""
    config = run.config
    return any(_sees(run, one.by) for one in (config.duplicates, config.outliers, config.mislabels, config.cluster))


def clustered(run: Run) -> bool:
    """Whether clusters are made in this view."""
    return _sees(run, run.config.cluster.by)


def near(run: Run) -> float:
    """The least similarity of the pairs that are written down."""
    return run.near if _sees(run, run.config.duplicates.by) else NOT_ASKED


def links(run: Run) -> Links:
    settings = chosen(run)
    if clustered(run) and run.config.matching == "exact" and isinstance(settings, Dbscan):
        return Links(settings.similarity, settings.min_samples)
    return Links(None, 1)


def listed(run: Run) -> int:
    """How many neighbours the units list of each node."""
    settings, config = chosen(run), run.config
    spaced = config.duplicates.adaptive is not None and _sees(run, config.duplicates.by)
    most = (
        config.outliers.neighbours
        if spaced or any(_sees(run, of.by) for of in (config.outliers, config.mislabels))
        else 1
    )
    if not clustered(run) or config.matching != "exact":
        return most
    if isinstance(settings, Leiden):
        return max(most, settings.neighbours)
    return max(most, settings.min_samples - 1, PROVING) if isinstance(settings, Hdbscan) else most


def _sees(run: Run, view: str) -> bool:
    return not run.views.apart or run.view == view
