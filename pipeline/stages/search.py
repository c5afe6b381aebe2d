"""search: the parameters of clustering, chosen once for the run by the scores of a sample.

The choice stands until what is asked for changes, or how rows become vectors: rows that are added or removed later
do not turn the clusters of the run over. Remove search/run.json to have it made anew. Other stages read the choice and
not the scores: the same choice made again changes nothing.
"""

import logging
from typing import Any

from pixsieve import files
from pixsieve.clusterers import scores
from pixsieve.config.cluster import Clusterer
from pixsieve.folder import choice, sample
from pixsieve.folder.run_folder import Run
from pixsieve.runtime.stage import Counts, Stage, Unit
from pixsieve.stages import normalise

log = logging.getLogger("pixsieve")


def units(run: Run) -> list[Unit]:
    if not choice.wanted(run):
        return []
    rows = (*run.manifest.files(), *run.store.files(*range(len(run.manifest.batches))))
    depends = choice.asked(run) | {"vectors": normalise.made_by(run)}
    return [Unit("run", (), {"scores": choice.SCORES, "choice": choice.CHOICE}, depends, awaits=rows)]


def work(run: Run, unit: Unit) -> Counts:
    settings, seed = run.config.cluster, run.config.run.seed
    assert settings.search is not None
    result = searched(run, settings, sample.draw(run, settings.search.rows, seed), seed)
    files.write_json(run.path / unit.writes["scores"], result)
    files.write_json(run.path / unit.writes["choice"], result["candidates"][result["chosen"]]["parameters"])
    return {"candidates": len(result["candidates"])}


def searched(run: Run, settings: Clusterer, drawn: sample.Sample, seed: int) -> dict[str, Any]:
    """What the file of a choice holds."""
    records = scores.tried(settings, drawn, seed, run.measure, run.backend)
    best = scores.choose(records)
    if records[best]["score"] is None:
        log.warning("search: no candidate gives two clusters or more of %d rows; the first is used", len(drawn.rows))
    return {"rows": len(drawn.rows), "of": drawn.of, "chosen": best, "candidates": records}


SEARCH = Stage("search", units, work, version=2, by="cluster")
