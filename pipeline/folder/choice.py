"""The settings of clustering that a search has chosen: for the run, or for each batch."""

from typing import Any

from pixsieve import files
from pixsieve.config.cluster import settings_of
from pixsieve.folder.manifest import Manifest
from pixsieve.folder.run_folder import Run

SCORES, CHOICE = "search/run.json", "search/chosen.json"


def chosen(run: Run) -> Any:
    """The model of the settings that the search has chosen; as configured as long as it has not."""
    place = run.path / CHOICE
    return settings_of(files.read_json(place)) if wanted(run) and place.exists() else run.config.cluster


def reads(run: Run) -> tuple[str, ...]:
    """The file that a stage reads which depends on the choice."""
    return (CHOICE,) if wanted(run) else ()


def of_batches(run: Run) -> tuple[str, ...]:
    """The files of the choices that batches make for themselves, written by their cluster units."""
    return of_each(run.manifest) if each_its_own(run) else ()


def of_each(manifest: Manifest) -> tuple[str, ...]:
    """The files of the choices of all batches."""
    return tuple(f"search/{name}.json" for name in manifest.batch_names())


def each_its_own(run: Run) -> bool:
    """Whether batches choose for themselves."""
    return run.config.cluster.search is not None and run.config.cluster.search.per == "batch"


def wanted(run: Run) -> bool:
    """Whether one choice is made for the run."""
    return run.config.cluster.search is not None and run.config.cluster.search.per == "run"


def asked(run: Run) -> dict[str, Any]:
    """What a choice is made for, as JSON."""
    return {"cluster": run.config.cluster.model_dump(mode="json", exclude={"by"}), **run.config.values("run.seed")}
