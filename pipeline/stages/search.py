"""search: the parameters of clustering, chosen once for the run by the scores of a sample.

The choice stands until what it was made from changes: rows that are added later do not turn the clusters of the run
over. Remove search/run.json to have it made anew. Other stages read the choice and not the scores: the same choice
made again changes nothing.
"""

import logging
from pathlib import Path
from typing import Any

from pipeline import files, sample, scores, store
from pipeline.config import Cluster
from pipeline.folder import Run
from pipeline.stage import Counts, Stage, Unit

SCORES, CHOICE = "search/run.json", "search/chosen.json"
log = logging.getLogger("pixsieve")


def units(run: Run) -> list[Unit]:
    if not _wanted(run):
        return []
    batches = _batches(run)
    stored = store.files_of(run.descriptor, *range(batches))
    keys = (f"manifest/{name}.parquet" for name in run.manifest.batch_names()[:batches])
    return [Unit("run", (*keys, *stored), (SCORES, CHOICE), salt=f"{_asked(run)} {batches}")]


def work(run: Run, unit: Unit) -> Counts:
    settings, batches = run.config.cluster, _batches(run)
    assert settings.search is not None
    drawn = sample.draw(run, settings.search.rows, batches)
    result = searched(run, settings, drawn)
    files.write_json(run.path / SCORES, result | {"asked": _asked(run), "batches": batches})
    files.write_json(run.path / CHOICE, result["candidates"][result["chosen"]]["parameters"])
    return {"candidates": len(result["candidates"])}


def searched(run: Run, settings: Cluster, drawn: sample.Sample) -> dict[str, Any]:
    """What the file of a choice holds."""
    records = scores.tried(run, settings, drawn)
    best = scores.choose(records)
    if records[best]["score"] is None:
        log.warning("search: no candidate gives two clusters or more of %d rows; the first is used", len(drawn.rows))
    return {"rows": len(drawn.rows), "of": drawn.of, "chosen": best, "candidates": records}


def chosen(run: Run) -> Cluster:
    """The settings of clustering, with what the search has chosen; as configured as long as it has not."""
    settings, place = run.config.cluster, run.path / CHOICE
    return settings.model_copy(update=files.read_json(place)) if _wanted(run) and place.exists() else settings


def reads(run: Run) -> tuple[str, ...]:
    """The file that a stage reads which depends on the choice."""
    return (CHOICE,) if _wanted(run) else ()


def of_batches(run: Run) -> tuple[str, ...]:
    """The files of the choices that batches make for themselves, written by their cluster units."""
    settings = run.config.cluster.search
    if settings is None or settings.per == "run":
        return ()
    return tuple(f"search/{name}.json" for name in run.manifest.batch_names())


def _wanted(run: Run) -> bool:
    return run.config.cluster.search is not None and run.config.cluster.search.per == "run"


def _asked(run: Run) -> str:
    return files.digest_of([run.config.cluster.model_dump(), run.config.run.seed])


def _batches(run: Run) -> int:
    """How many of the run's batches the choice is made from: all there are when it is made."""
    path: Path = run.path / SCORES
    made = files.read_json(path) if path.exists() else {}
    return made["batches"] if made.get("asked") == _asked(run) else len(run.manifest.batches)


SEARCH = Stage("search", (), units, work)
