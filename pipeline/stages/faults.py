"""faults: images that are dark, blurred, empty and so on, by the rule of pipeline/rules/faults.py; and images.parquet,
all that is known of each image."""

import numpy as np
import pyarrow as pa

from pipeline import files, findings
from pipeline.folder import Run
from pipeline.images import STATISTICS
from pipeline.rules.faults import Fault, faults
from pipeline.stage import Counts, Stage, Unit
from pipeline.stages.duplicates import READABLE, read_images

MEASURED = ("width", "height", *STATISTICS)


def units(run: Run) -> list[Unit]:
    names = run.manifest.batch_names()
    reads = (
        *(f"{folder}/{name}.parquet" for folder in ("manifest", "images") for name in names),
        *run.manifest.removed_files(),
    )
    return [Unit("all", reads, ("faults.parquet", "images.parquet"))]


def work(run: Run, unit: Unit) -> Counts:
    live = run.manifest.live()
    images, named = read_images(run, ["row", "status", "reason", *MEASURED]), run.manifest.all(["row", "key"])
    images, named = (table.filter(pa.array(live[table["row"].to_numpy()])) for table in (images, named))
    columns = {name: images[name].cast(pa.float64()).to_numpy() for name in MEASURED}
    # Given vectors are readable and have no size.
    readable = pa.compute.is_in(images["status"], pa.array(READABLE)).to_numpy() & ~np.isnan(columns["width"])
    found = faults(columns, readable)
    files.write_table(run.path / unit.writes[0], _listed(images["row"].to_numpy(), named["key"], found))
    table = images.add_column(1, "key", named["key"])
    for kind, fault in found.items():
        table = table.append_column(kind, pa.array(fault.score, pa.float64(), mask=np.isnan(fault.score)))
    files.write_table(run.path / unit.writes[1], table)
    strong = {kind: int((fault.level == findings.STRONG).sum()) for kind, fault in found.items()}
    return {"rows": len(images), **strong}


def _listed(rows: np.ndarray, keys: pa.ChunkedArray, found: dict[str, Fault]) -> pa.Table:
    """The faults of all kinds, kind by kind, each by row number."""
    tables = [findings.FINDINGS.empty_table()]
    for kind, fault in found.items():
        at = np.flatnonzero(fault.level)
        reason = [fault.reason[row] for row in at]
        tables.append(findings.table(rows[at], keys.take(pa.array(at)), kind, fault.score[at], fault.level[at], reason))
    return pa.concat_tables(tables)


FAULTS = Stage("faults", (), units, work)
