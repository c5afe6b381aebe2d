"""normalise: the vectors that a model's view compares, of the features of its network; nothing where `embed.normalise`
is l2, and features are compared as they are."""

from typing import Any

import numpy as np

from pixsieve import files
from pixsieve.backend import describe
from pixsieve.folder.geometry import APART, PLACE, Geometry
from pixsieve.folder.manifest import number_of
from pixsieve.folder.run_folder import Run
from pixsieve.runtime.stage import Counts, Stage, Unit
from pixsieve.stages import embed, fit
from pixsieve.stages.embed import EMBED


def prepare(run: Run) -> None:
    for seen in fit.fitted(run):
        about = {"model": seen.measure.features, "metric": seen.measure.metric}
        about |= run.config.values("embed.normalise")
        seen.store.prepare(len(run.manifest.batches), describe(run.backend) | about)


def units(run: Run) -> list[Unit]:
    found = []
    for seen in fit.fitted(run):
        for batch, name in enumerate(run.manifest.batch_names()):
            vectors, status = seen.store.files(batch)
            writes = {"vectors": vectors, "status": status, "apart": APART.format(name)}
            reads = (PLACE, *seen.embedded.store.files(batch))
            found.append(Unit(name, reads, writes, {"to": seen.measure.name}))
    return found


def made_by(run: Run) -> list[Any]:
    """What the vectors of the run's rows follow from in its view, beside the rows."""
    if run.measure.features is None:
        return [EMBED.version, embed.made_by(run), run.scale]
    return [NORMALISE.version, fit.asked(run), run.sampled]


def work(run: Run, unit: Unit) -> Counts:
    (seen,), batch = fit.fitted(run), number_of(unit.name)
    shard = seen.embedded.store.read([batch])
    placed, rows = Geometry.load(run.path).of(shard.vectors), run.manifest.batches[batch].rows
    seen.store.write(batch, placed.vectors, shard.status)
    files.write(run.path / unit.writes["apart"], lambda file: np.save(file, placed.apart[:rows]))
    return {"rows": rows}


NORMALISE = Stage("normalise", units, work, prepare=prepare)
