"""fit: what the features of a network are made comparable by, once for the run; nothing where `embed.normalise` is l2.

The sample is that of the first night, so that rows that are added or removed later change nothing.
"""

import numpy as np

from pixsieve.folder import geometry
from pixsieve.folder.geometry import Form
from pixsieve.folder.run_folder import Run
from pixsieve.runtime.stage import Counts, Stage, Unit
from pixsieve.stages import embed
from pixsieve.stages.embed import EMBED


def fitted(run: Run) -> list[Run]:
    """The run seen by the view whose vectors are made of the features of a network; none where no view's are."""
    return [seen for seen in map(run.by, run.views.names) if seen.measure.features]


def asked(seen: Run) -> dict[str, object]:
    """What the geometry of the view that is fitted follows from, beside the sample."""
    features = [EMBED.version, embed.made_by(seen.embedded)]
    return {"features": features, **seen.config.values("embed.normalise", "run.seed")}


def units(run: Run) -> list[Unit]:
    found = []
    for seen in fitted(run):
        batches = np.unique(run.manifest.batch_of(geometry.sampled(run.path))).tolist()
        made = seen.embedded.store.files(*batches)
        found.append(Unit("run", (geometry.SAMPLED,), {"geometry": geometry.PLACE}, asked(seen), awaits=made))
    return found


def work(run: Run, unit: Unit) -> Counts:
    (seen,), form = fitted(run), Form.of(run.config.embed.normalise)
    assert form is not None
    seen, rows = seen.embedded, geometry.sampled(run.path)
    found = np.zeros((len(rows), seen.measure.width), seen.measure.dtype)
    usable = np.zeros(len(rows), bool)
    for batch, at, offset in run.manifest.by_batch(rows):
        shard = seen.store.read([batch])
        found[at], usable[at] = shard.vectors[offset], shard.usable[offset]
    made = geometry.fit(found[usable], form, run.config.run.seed)
    made.save(run.path)
    return {"rows": made.rows, "axes": made.axes.shape[1]}


FIT = Stage("fit", units, work)
