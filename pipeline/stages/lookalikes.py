"""lookalikes: pairs that the model finds near and that are no copies; the rule is in rules/lookalikes.py.

Nothing where there is one view only: what is near there, duplicates have judged. Rows that stand back for a copy are
left out; those that they stand back for are looked at.
"""

import re
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixsieve import files
from pixsieve.folder import finding_table, image_table, metadata, pair_files
from pixsieve.folder.neighbours import Nodes, nearest_nodes
from pixsieve.folder.run_folder import Run
from pixsieve.rules.lookalikes import Alike, alike
from pixsieve.runtime.stage import Counts, Stage, Unit

DUPLICATES = "duplicates.parquet"
EPOCH = datetime(1970, 1, 1)
COLUMNS = ("time", "camera")  # of the metadata, in the place of what EXIF says


def units(run: Run) -> list[Unit]:
    if not run.views.apart:
        return [Unit("all", (), {"lookalikes": "lookalikes.parquet"}, {"asked": False})]
    seen = run.by("model")
    reads = (
        DUPLICATES,
        *run.manifest.files(image_table.FOLDER),
        *metadata.of_columns(_columns(run)),
        *pair_files.paths(seen, pair_files.CLASSES, pair_files.NEIGHBOURS),
        *seen.store.files(*range(len(run.manifest.batches))),
    )
    depends = run.config.values("duplicates.burst_s", "outliers.neighbours")
    depends |= {"asked": True, "near": run.config.duplicates.look_alike or seen.measure.near}
    return [Unit("all", reads, {"lookalikes": "lookalikes.parquet"}, depends)]


def work(run: Run, unit: Unit) -> Counts:
    if not unit.depends["asked"]:
        files.write_table(run.path / unit.writes["lookalikes"], finding_table.FINDINGS.empty_table())
        return {"rows": 0}
    seen = run.by("model")
    nodes = Nodes.of(seen)
    duplicates = files.read_table(run.path / DUPLICATES, ["row", "group", "keep"])
    rows = np.flatnonzero(run.manifest.live())
    rows = rows[np.argsort(nodes.key_rank[rows])]
    back = duplicates["row"].to_numpy()[~duplicates["keep"].to_numpy(zero_copy_only=False)]
    rows = rows[~np.isin(rows, back)]
    pairs, similarity = _pairs(seen, nodes, rows, unit.depends["near"])
    images = image_table.living(run, ["taken", "camera", "sharpness"])
    images = images.take(pa.array(np.searchsorted(images["row"].to_numpy(), rows)))
    found = alike(
        pairs,
        similarity,
        _times(run, rows, images["taken"]),
        image_table.codes(_cameras(run, rows, images["camera"])),
        images["sharpness"].to_numpy(zero_copy_only=False).astype(np.float64),
        unit.depends["duplicates.burst_s"],
    )
    at = np.flatnonzero(found.other >= 0)
    at = at[np.argsort(rows[at])]
    kinds = ["burst" if found.frames[row] else "look_alike" for row in at]
    table = finding_table.table(
        rows[at],
        run.manifest.of_rows(rows[at], "key"),
        kinds,
        np.clip(found.similarity[at], 0, 1),
        np.full(len(at), finding_table.POTENTIAL),
        _reasons(found, at, seen.measure.name),
        rows[found.other[at]],
    )
    files.write_table(run.path / unit.writes["lookalikes"], table)
    return {"rows": len(rows), "look_alike": kinds.count("look_alike"), "burst": kinds.count("burst")}


def _pairs(run: Run, nodes: Nodes, rows: np.ndarray, near: float) -> tuple[np.ndarray, np.ndarray]:
    """(m, 2) places in `rows` that are near to each other, and their similarity: of each row its neighbours, as far as
    the units have listed them, and rows of the same vector."""
    index, similarity = nearest_nodes(run, nodes, run.config.outliers.neighbours)
    place = np.full(len(nodes.node) + 1, -1)
    place[rows] = np.arange(len(rows))
    known = rows[nodes.node[rows] >= 0]
    # One row stands for each vector: the first of those that are looked at.
    stands = np.full(len(nodes.node) + 1, -1)
    stands[nodes.node[known][::-1]] = known[::-1]
    same = known[stands[nodes.node[known]] != known]
    one = stands[stands >= 0]
    listed, score = index[nodes.node[one]], similarity[nodes.node[one]]
    at, column = np.nonzero((listed >= 0) & (score >= near) & (stands[listed] >= 0))
    pairs = np.concatenate(
        [
            np.column_stack([one[at], stands[listed[at, column]]]),
            np.column_stack([stands[nodes.node[same]], same]),
        ]
    )
    scores = np.concatenate([score[at, column], np.ones(len(same))])
    pairs, first = np.unique(np.sort(place[pairs], axis=1), axis=0, return_index=True)
    return pairs, scores[first]


def _columns(run: Run) -> list[str]:
    """Of COLUMNS those that the metadata has."""
    return [name for name in COLUMNS if metadata.of_columns([name])[0] in run.metadata.digests]


def _times(run: Run, rows: np.ndarray, exif: pa.ChunkedArray) -> np.ndarray:
    """(n,) seconds of the metadata; of EXIF where these have none."""
    found = _seconds(exif)
    if "time" not in _columns(run):
        return found
    own = _seconds(metadata.column(run.manifest, rows, "time"))
    return np.where(np.isnan(own), found, own)


def _cameras(run: Run, rows: np.ndarray, exif: pa.ChunkedArray) -> pa.ChunkedArray:
    """(n,) likewise."""
    if "camera" not in _columns(run):
        return exif
    return pc.coalesce(metadata.column(run.manifest, rows, "camera").cast(pa.string()), exif)


def _seconds(times: pa.ChunkedArray) -> np.ndarray:
    """(n,) seconds since some moment; NaN where a time is missing, or is none."""
    found = np.full(len(times), np.nan)
    for at, time in enumerate(times.to_pylist()):
        if isinstance(time, str):
            time = _time(time)
        if isinstance(time, datetime):
            # Not `timestamp`, which knows when the clocks of this machine's place are put back.
            found[at] = (time.replace(tzinfo=None) - (time.utcoffset() or timedelta()) - EPOCH).total_seconds()
        elif isinstance(time, int | float):
            found[at] = time
    return found


def _time(text: str) -> datetime | float | None:
    """Of ISO 8601, of EXIF, or of seconds."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(re.sub(r"^(\d{4}):(\d\d):(\d\d)", r"\1-\2-\3", text.strip()))
    except ValueError:
        return None


def _reasons(found: Alike, at: np.ndarray, measure: str) -> list[str]:
    return [
        f"a burst of {found.frames[row]:,} frames in {found.seconds[row]:.1f} s; the related one is the sharpest"
        if found.frames[row]
        else f"similarity {found.similarity[row]:.3f} by {measure}; no copy"
        for row in at
    ]


LOOKALIKES = Stage("lookalikes", units, work)
