"""cluster: the clusters of each batch on its own, and the rows that represent them.

Where global clusters are made of these, removed rows are left out, and a batch that has lost some is clustered again.
An exact match does not read them: there they stay what they were when the batch came.
"""

import numpy as np
import pyarrow as pa

from pixsieve import clusterers, files
from pixsieve.clusterers.representatives import representatives
from pixsieve.folder import choice, embeddings
from pixsieve.folder.run import Run
from pixsieve.folder.sample import Sample
from pixsieve.images.status import ABSENT
from pixsieve.runtime.stage import Counts, Stage, Unit
from pixsieve.stages import search


def units(run: Run) -> list[Unit]:
    settings, seed, own = choice.chosen(run), run.config.run.seed, choice.of_batches(run)
    what = settings.model_dump() if own else clusterers.parameters(settings)
    draws = own or settings.method in clusterers.DRAWS
    base = [what, run.config.match.representatives, seed if draws else None]
    left_out = _left_out(run)
    return [
        Unit(
            name,
            (*embeddings.files_of(run.descriptor, batch), *choice.reads(run)),
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
    batch, settings, seed = int(unit.name), choice.chosen(run), run.config.run.seed
    vectors, status = embeddings.read(run.path, run.descriptor, (batch,))
    gone = np.isin(np.arange(len(status)) + batch * len(status), _left_out(run))
    usable = np.flatnonzero(embeddings.usable(vectors, status) & ~gone)
    x, rows = vectors[usable], usable + batch * len(status)
    if choices := choice.of_batches(run):
        result = search.searched(run, settings, Sample(rows, x, len(rows)))
        settings = settings.model_copy(update=result["candidates"][result["chosen"]]["parameters"])
        files.write_json(run.path / choices[batch], result)
    found = clusterers.fit(x, settings, seed, run.backend)
    labels, strength = np.full(len(status), -1), np.zeros(len(status), np.float32)
    labels[usable], strength[usable] = found.labels, found.strength
    present = np.flatnonzero(status != ABSENT)
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
