"""search: the parameters of clustering, chosen once for the run by the scores of a sample.

The choice stands until what it was made from changes: rows that are added later do not turn the clusters of the run
over. Remove search/run.json to have it made anew. Other stages read the choice and not the scores: the same choice
made again changes nothing.
"""

import logging
from typing import Any

from pixsieve import files
from pixsieve.clusterers import scores
from pixsieve.config.sections import Cluster
from pixsieve.folder import choice, embeddings, sample
from pixsieve.folder.run import Run
from pixsieve.runtime.stage import Counts, Stage, Unit

log = logging.getLogger("pixsieve")


def units(run: Run) -> list[Unit]:
    if not choice.wanted(run):
        return []
    batches = choice.batches_of(run)
    stored = embeddings.files_of(run.descriptor, *range(batches))
    keys = (f"manifest/{name}.parquet" for name in run.manifest.batch_names()[:batches])
    return [Unit("run", (*keys, *stored), (choice.SCORES, choice.CHOICE), salt=f"{choice.asked(run)} {batches}")]


def work(run: Run, unit: Unit) -> Counts:
    settings, batches = run.config.cluster, choice.batches_of(run)
    assert settings.search is not None
    drawn = sample.draw(run, settings.search.rows, batches)
    result = searched(run, settings, drawn)
    files.write_json(run.path / choice.SCORES, result | {"asked": choice.asked(run), "batches": batches})
    files.write_json(run.path / choice.CHOICE, result["candidates"][result["chosen"]]["parameters"])
    return {"candidates": len(result["candidates"])}


def searched(run: Run, settings: Cluster, drawn: sample.Sample) -> dict[str, Any]:
    """What the file of a choice holds."""
    records = scores.tried(run, settings, drawn)
    best = scores.choose(records)
    if records[best]["score"] is None:
        log.warning("search: no candidate gives two clusters or more of %d rows; the first is used", len(drawn.rows))
    return {"rows": len(drawn.rows), "of": drawn.of, "chosen": best, "candidates": records}


SEARCH = Stage("search", (), units, work)
