"""search: the parameters of clustering, chosen once for the run by the scores of a sample.

The choice stands until what it was made from changes: rows that are added later do not turn the clusters of the run
over. Remove search/run.json to have it made anew. Other stages read the choice and not the scores: the same choice
made again changes nothing.
"""

import logging
from typing import Any

from pixsieve import files
from pixsieve.clusterers import scores
from pixsieve.config.cluster import Clusterer
from pixsieve.folder import choice, sample
from pixsieve.folder.run_folder import Run
from pixsieve.runtime.stage import Counts, Stage, Unit

log = logging.getLogger("pixsieve")


def units(run: Run) -> list[Unit]:
    if not choice.wanted(run):
        return []
    batches = choice.batches_of(run)
    keys = (f"manifest/{name}.parquet" for name in run.manifest.batch_names()[:batches])
    reads = (*keys, *run.store.files(*range(batches)))
    depends = choice.asked(run) | {"batches": batches}
    return [Unit("run", reads, {"scores": choice.SCORES, "choice": choice.CHOICE}, depends)]


def work(run: Run, unit: Unit) -> Counts:
    settings, seed, batches = run.config.cluster, run.config.run.seed, unit.depends["batches"]
    assert settings.search is not None
    drawn = sample.draw(run, settings.search.rows, seed, batches)
    result = searched(run, settings, drawn, seed)
    about = {"asked": files.digest_of(choice.asked(run)), "batches": batches}
    files.write_json(run.path / unit.writes["scores"], result | about)
    files.write_json(run.path / unit.writes["choice"], result["candidates"][result["chosen"]]["parameters"])
    return {"candidates": len(result["candidates"])}


def searched(run: Run, settings: Clusterer, drawn: sample.Sample, seed: int) -> dict[str, Any]:
    """What the file of a choice holds."""
    records = scores.tried(settings, drawn, seed, run.measure, run.backend)
    best = scores.choose(records)
    if records[best]["score"] is None:
        log.warning("search: no candidate gives two clusters or more of %d rows; the first is used", len(drawn.rows))
    return {"rows": len(drawn.rows), "of": drawn.of, "chosen": best, "candidates": records}


SEARCH = Stage("search", units, work)
