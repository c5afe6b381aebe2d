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


def features(run: Run) -> Run | None:
    """The run seen as its network embeds images; None where nothing is made of that."""
    view = next((view for view in run.views.names if run.by(view).measure.features), None)
    return None if view is None else run.embedded.by(view)


def asked(run: Run) -> dict[str, object]:
    """What the geometry follows from, beside the sample."""
    seen = features(run)
    assert seen is not None
    return {"features": [EMBED.version, embed.made_by(seen)], **run.config.values("embed.normalise", "run.seed")}


def units(run: Run) -> list[Unit]:
    seen = features(run)
    if seen is None:
        return []
    batches = np.unique(run.manifest.batch_of(geometry.sampled(run.path))).tolist()
    made = seen.store.files(*batches)
    return [Unit("run", (geometry.SAMPLED,), {"geometry": geometry.PLACE}, asked(run), awaits=made)]


def work(run: Run, unit: Unit) -> Counts:
    seen, form = features(run), Form.of(run.config.embed.normalise)
    assert seen is not None and form is not None
    rows = geometry.sampled(run.path)
    found = np.zeros((len(rows), seen.measure.width), seen.measure.dtype)
    usable = np.zeros(len(rows), bool)
    for batch, at, offset in run.manifest.by_batch(rows):
        shard = seen.store.read([batch])
        found[at], usable[at] = shard.vectors[offset], shard.usable[offset]
    made = geometry.fit(found[usable], form, run.config.run.seed)
    made.save(run.path)
    return {"rows": made.rows, "axes": made.axes.shape[1]}


FIT = Stage("fit", units, work)
