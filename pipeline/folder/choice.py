"""The settings of clustering that a search has chosen: for the run, or for each batch."""

from pathlib import Path

from pixsieve import files
from pixsieve.config.sections import Cluster
from pixsieve.folder.run import Run

SCORES, CHOICE = "search/run.json", "search/chosen.json"


def chosen(run: Run) -> Cluster:
    """The settings of clustering, with what the search has chosen; as configured as long as it has not."""
    settings, place = run.config.cluster, run.path / CHOICE
    return settings.model_copy(update=files.read_json(place)) if wanted(run) and place.exists() else settings


def reads(run: Run) -> tuple[str, ...]:
    """The file that a stage reads which depends on the choice."""
    return (CHOICE,) if wanted(run) else ()


def of_batches(run: Run) -> tuple[str, ...]:
    """The files of the choices that batches make for themselves, written by their cluster units."""
    settings = run.config.cluster.search
    if settings is None or settings.per == "run":
        return ()
    return tuple(f"search/{name}.json" for name in run.manifest.batch_names())


def wanted(run: Run) -> bool:
    return run.config.cluster.search is not None and run.config.cluster.search.per == "run"


def asked(run: Run) -> str:
    return files.digest_of([run.config.cluster.model_dump(), run.config.run.seed])


def batches_of(run: Run) -> int:
    """How many of the run's batches the choice is made from: all there are when it is made."""
    path: Path = run.path / SCORES
    made = files.read_json(path) if path.exists() else {}
    return made["batches"] if made.get("asked") == asked(run) else len(run.manifest.batches)
