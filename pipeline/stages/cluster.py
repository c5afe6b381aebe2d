"""cluster: the clusters of each batch on its own, and the rows that represent them.

Where global clusters are made of these, removed rows are left out, and a batch that has lost some is clustered again.
An exact match does not read them: there they stay what they were when the batch came.
"""

import numpy as np
import pyarrow as pa

from pipeline import clusterers, files, images, store
from pipeline.folder import Run
from pipeline.representatives import representatives
from pipeline.sample import Sample
from pipeline.stage import Counts, Stage, Unit
from pipeline.stages import search


def units(run: Run) -> list[Unit]:
    settings, seed, own = search.chosen(run), run.config.run.seed, search.of_batches(run)
    what = settings.model_dump() if own else clusterers.parameters(settings)
    draws = own or settings.method in clusterers.DRAWS
    base = [what, run.config.match.representatives, seed if draws else None]
    left_out = _left_out(run)
    return [
        Unit(
            name,
            (*store.files_of(run.descriptor, batch), *search.reads(run)),
            (
                f"clusters/{name}.parquet",
                f"representatives/{name}.npz",
                *own[batch : batch + 1],
            ),
            files.digest_of([*base, left_out[left_out // run.manifest.batch_rows == batch].tolist()]),
        )
        for batch, name in enumerate(run.manifest.batch_names())
    ]


def _left_out(run: Run) -> np.ndarray:
    return np.empty(0, np.int64) if run.config.matching == "exact" else run.manifest.dead()


def work(run: Run, unit: Unit) -> Counts:
    batch, settings, seed = int(unit.name), search.chosen(run), run.config.run.seed
    vectors, status = store.read(run.path, run.descriptor, (batch,))
    gone = np.isin(np.arange(len(status)) + batch * len(status), _left_out(run))
    usable = np.flatnonzero(store.usable(vectors, status) & ~gone)
    x, rows = vectors[usable], usable + batch * len(status)
    if choices := search.of_batches(run):
        result = search.searched(run, settings, Sample(rows, x, len(rows)))
        settings = settings.model_copy(update=result["candidates"][result["chosen"]]["parameters"])
        files.write_json(run.path / choices[batch], result)
    found = clusterers.fit(x, settings, seed, run.backend)
    labels, strength = np.full(len(status), -1), np.zeros(len(status), np.float32)
    labels[usable], strength[usable] = found.labels, found.strength
    present = np.flatnonzero(status != images.ABSENT)
    files.write_table(
        run.path / unit.writes[0],
        pa.table({"row": present + batch * len(status), "label": labels[present], "strength": strength[present]}),
    )
    # Of DBSCAN only core rows make others neighbours of the cluster.
    dense = found.strength == 1 if settings.method == "dbscan" else found.labels >= 0
    standing = representatives(x, found.labels, rows, dense, run.config.match.representatives)
    files.write_arrays(run.path / unit.writes[1], **standing._asdict(), persistence=found.persistence)
    return {"rows": len(present), "clusters": len(standing.size), "noise": int((labels[present] < 0).sum())}


CLUSTER = Stage("cluster", (), units, work, version=2)
