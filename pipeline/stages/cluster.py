"""cluster: the clusters of each batch on its own, and the rows that represent them.

Where global clusters are made of these, removed rows are left out, and a batch that has lost some is clustered again.
An exact match does not read them: there they stay what they were when the batch came. Several batches that are to be
matched by the moments of their clusters are cut finer than is asked for; one batch is not.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from pixsieve import clusterers, files
from pixsieve.clusterers.representatives import representatives
from pixsieve.config.cluster import settings_of
from pixsieve.folder import choice
from pixsieve.folder.manifest import number_of
from pixsieve.folder.run_folder import Run
from pixsieve.folder.sample import Sample
from pixsieve.images.status import ABSENT
from pixsieve.matching.partitions import finer
from pixsieve.runtime.stage import Counts, Stage, Unit
from pixsieve.stages import search


def units(run: Run) -> list[Unit]:
    settings, own = choice.chosen(run), choice.of_batches(run)
    names = run.manifest.batch_names()
    if run.config.matching == "representatives" and len(names) > 1:
        settings = finer(settings, run.measure)
    depends: dict[str, Any] = {"method": settings.parameters}
    if own:
        depends = choice.asked(run)
    elif settings.draws:
        depends |= run.config.values("run.seed")
    depends |= run.config.values("match.representatives")
    exact = run.config.matching == "exact"
    return [
        Unit(
            name,
            (*run.store.files(batch), *choice.reads(run)),
            {
                "clusters": f"clusters/{name}.parquet",
                "representatives": f"representatives/{name}.npz",
                **({"choice": own[batch]} if own else {}),
            },
            depends | {"left_out": [] if exact else _dead_in(run, batch)},
        )
        for batch, name in enumerate(names)
    ]


def _dead_in(run: Run, batch: int) -> list[int]:
    """The offsets of the removed rows of a batch."""
    return (run.manifest.dead_in([batch]) - run.manifest.rows_of([batch]).start).tolist()


def work(run: Run, unit: Unit) -> Counts:
    batch, depends = number_of(unit.name), unit.depends
    start, (vectors, status, usable) = run.manifest.rows_of([batch]).start, run.store.read([batch])
    usable[depends["left_out"]] = False
    here = np.flatnonzero(usable)
    x, rows = vectors[here], here + start
    if "choice" in unit.writes:
        seed, settings = run.config.run.seed, run.config.cluster
        result = search.searched(run, settings, Sample(rows, x, len(rows)), seed)
        settings = settings_of(result["candidates"][result["chosen"]]["parameters"])
        files.write_json(run.path / unit.writes["choice"], result)
    else:
        seed, settings = depends.get("run.seed", 0), settings_of(depends["method"])
    found = clusterers.fit(x, settings, seed, run.measure, run.backend)
    cluster, strength = np.full(len(status), -1), np.zeros(len(status), np.float32)
    cluster[here], strength[here] = found.cluster, found.strength
    present = np.flatnonzero(status != ABSENT)
    table = pa.table({"row": present + start, "cluster": cluster[present], "strength": strength[present]})
    files.write_table(run.path / unit.writes["clusters"], table)
    # Of DBSCAN only core rows make others neighbours of the cluster.
    dense = found.strength == 1 if settings.method == "dbscan" else found.cluster >= 0
    most = run.config.match.representatives
    standing = representatives(run.measure.points(x), found.cluster, rows, dense, most)
    files.write_arrays(run.path / unit.writes["representatives"], **standing._asdict(), persistence=found.persistence)
    return {"rows": len(present), "clusters": len(standing.size), "noise": int((cluster[present] < 0).sum())}


CLUSTER = Stage("cluster", units, work, version=5, by="cluster")
