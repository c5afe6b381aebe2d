"""findings: what is wrong with a row, of every kind, in one table; and images.parquet, all that is known of each row.

Here image faults are judged, by the rule of pipeline/rules/faults.py; the other kinds are taken from the tables of the
stages before.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixsieve import files
from pixsieve.folder import finding_table, image_table
from pixsieve.folder.finding_table import POTENTIAL, STRONG
from pixsieve.folder.run_folder import Run
from pixsieve.images import formats
from pixsieve.images.content import joined
from pixsieve.images.statistics import STATISTICS
from pixsieve.images.status import READABLE
from pixsieve.rules.companions import companions
from pixsieve.rules.faults import Fault, faults
from pixsieve.runtime.stage import Counts, Stage, Unit

SAID = ("status", "reason", "format", "seen", "taken", "camera", "featureless")
MEASURED = ("width", "height", *STATISTICS)
TABLES = ("duplicates", "better", "lookalikes", "outliers", "mislabels")
# Columns of images.parquet that stand in the table of another stage.
SCORES = {"duplicate": ("better", "similarity"), "outlier": ("outliers", "score"), "label": ("mislabels", "score")}


def units(run: Run) -> list[Unit]:
    reads = (*(f"{name}.parquet" for name in TABLES), *run.manifest.files(image_table.FOLDER))
    writes = {"findings": "findings.parquet", "images": "images.parquet"}
    return [Unit("all", reads, writes, {"verified": run.measure.verified})]


def work(run: Run, unit: Unit) -> Counts:
    images = image_table.living(
        run, ["status", "reason", "format", "seen", "taken", "camera", "featureless", *MEASURED]
    )
    rows, keys = images["row"].to_numpy(), run.manifest.living(["key"])["key"]
    tables = {name: files.read_table(run.path / f"{name}.parquet") for name in TABLES}
    columns = {name: images[name].cast(pa.float64()).to_numpy() for name in MEASURED}
    # Given vectors are readable and have no size.
    readable = image_table.readable(images["status"]) & ~np.isnan(columns["width"])
    found = {**_broken(images), "misnamed": _misnamed(images, keys), "featureless": _featureless(images)}
    found |= faults(columns, readable)

    listed = [
        *_of_images(rows, keys, found),
        *(_marked(tables[name]) for name in ("outliers", "mislabels")),
        tables["lookalikes"],
        *_of_duplicates(
            tables["duplicates"], _of_rows(tables["duplicates"], rows, images["seen"]), unit.depends["verified"]
        ),
        _companions(rows, keys, image_table.readable(images["status"])),
    ]
    table = pa.concat_tables(listed)
    files.write_table(run.path / unit.writes["findings"], table)
    about = images.drop_columns(["featureless"]).add_column(1, "key", keys)
    scores = {kind: fault.score for kind, fault in found.items()} | _scores(rows, tables)
    for name, score in scores.items():
        about = about.append_column(name, pa.array(score, pa.float64(), mask=np.isnan(score)))
    files.write_table(run.path / unit.writes["images"], about)
    kinds = {one["values"]: one["counts"] for one in pc.value_counts(table["kind"]).to_pylist()}
    return {"rows": len(images), "findings": len(table), **kinds}


def _broken(images: pa.Table) -> dict[str, Fault]:
    """What decoding said, as faults: nothing to see, or damage that a strict decoder objects to."""
    said = list(zip(images["status"].to_pylist(), images["reason"].to_pylist(), strict=True))
    return {
        "unreadable": _certain([f"{status}: {why}" if status not in READABLE else "" for status, why in said]),
        "damaged": _certain([f"{status}: {why}" if status == "damaged" else "" for status, why in said]),
    }


def _misnamed(images: pa.Table, keys: pa.ChunkedArray) -> Fault:
    """Files whose extension is that of another format: some programs go by the name."""
    both = zip(map(formats.by_name, keys.to_pylist()), images["format"].to_pylist(), strict=True)
    return _certain([f"{is_} by its content" if name and is_ and name != is_ else "" for name, is_ in both])


def _featureless(images: pa.Table) -> Fault:
    """Images of which the model says nothing, so that they are in no cluster and near to none."""
    said = "the model gives it zeros, NaN or infinity"
    return _certain([said if none else "" for none in images["featureless"].to_pylist()])


def _certain(reason: list[str]) -> Fault:
    """Of every row for which there is a reason."""
    wrong = np.array([bool(why) for why in reason], bool)
    return Fault(wrong.astype(np.float64), np.where(wrong, STRONG, finding_table.NONE), reason)


def _of_images(rows: np.ndarray, keys: pa.ChunkedArray, found: dict[str, Fault]) -> Iterator[pa.Table]:
    for kind, fault in found.items():
        at = np.flatnonzero(fault.level)
        reason = [fault.reason[row] for row in at]
        yield finding_table.table(rows[at], keys.take(pa.array(at)), kind, fault.score[at], fault.level[at], reason)


def _marked(table: pa.Table) -> pa.Table:
    """The findings among the rows of a table that has all."""
    return table.filter(pc.not_equal(table["level"], "none")).select(finding_table.FINDINGS.names)


def _of_rows(table: pa.Table, rows: np.ndarray, values: pa.ChunkedArray) -> list[str]:
    """Of the rows of a table, what is known of all rows."""
    return pc.fill_null(values.take(pa.array(np.searchsorted(rows, table["row"].to_numpy()))), "").to_pylist()


def _of_duplicates(table: pa.Table, seen: list[str], verified: bool) -> Iterator[pa.Table]:
    """Every row that stands back for another, or is another name of a file; and every row whose group reaches into
    another split. seen: what was looked at of each, where that is not all: such a row is near to another for what was
    seen of it only."""
    kind, group, rows = table["kind"].to_pylist(), table["group"].to_numpy(), table["row"].to_numpy()
    similarity = np.clip(table["similarity"].to_numpy(), 0, 1)
    first = np.searchsorted(group, group)  # the kept one of its group
    part = [
        one == "near" and bool(seen[at] or seen[best]) for at, (one, best) in enumerate(zip(kind, first, strict=True))
    ]
    doubts = table["doubt"].to_pylist()
    unsure = np.array([one == "near" and not verified for one in kind], bool) | np.array(part, bool)
    unsure |= np.array([bool(doubt) for doubt in doubts], bool)
    level = np.where(unsure, POTENTIAL, STRONG)
    related = table["related"].fill_null(-1).to_numpy()
    at = np.flatnonzero(related >= 0)
    words = {"exact": "equal bytes", "pixels": "equal pixels", "linked": "another name of the same file"}
    turned = table["turned"].to_pylist()
    reason = [words.get(kind[row], f"similarity {similarity[row]:.3f}") for row in at]
    reason = [
        f"{said}, {turned[row]}" if turned[row] and kind[row] != "linked" else said
        for said, row in zip(reason, at, strict=True)
    ]
    views = [joined(seen[row], seen[first[row]] if seen[row] != seen[first[row]] else "") for row in at]
    reason = [f"{said}; seen: {view}" if part[row] else said for said, view, row in zip(reason, views, at, strict=True)]
    reason = [f"{said}, but {doubts[row]}" if doubts[row] else said for said, row in zip(reason, at, strict=True)]
    keys = table["key"]
    kinds = [kind[row] for row in at]
    score = np.where(np.array(kinds) == "linked", 1.0, similarity[at])
    yield finding_table.table(rows[at], keys.take(pa.array(at)), kinds, score, level[at], reason, related[at])

    splits = table["split"].to_pylist()
    other = _in_another_split(group, splits)
    at = np.flatnonzero(other >= 0)
    reason = [f"in {splits[row]!r}, like a row in {splits[other[row]]!r}" for row in at]
    of_pair = np.minimum(level, level[other])[at]
    score = np.minimum(similarity, similarity[other])[at]
    yield finding_table.table(rows[at], keys.take(pa.array(at)), "leakage", score, of_pair, reason, rows[other[at]])


def _companions(rows: np.ndarray, keys: pa.ChunkedArray, readable: np.ndarray) -> pa.Table:
    names = keys.to_pylist()
    other = companions(names, readable)
    at = np.flatnonzero(other >= 0)
    reason = [f"of {names[place]}" for place in other[at]]
    score, level = np.full(len(at), np.nan), np.full(len(at), STRONG)
    return finding_table.table(rows[at], keys.take(pa.array(at)), "companion", score, level, reason, rows[other[at]])


def _in_another_split(group: np.ndarray, splits: list[str | None]) -> np.ndarray:
    """(n,) the place of the first row of the same group in another split, -1 for none."""
    first: dict[int, dict[str, int]] = {}
    for at, (number, split) in enumerate(zip(group.tolist(), splits, strict=True)):
        if split is not None:
            first.setdefault(number, {}).setdefault(split, at)
    other = [
        -1 if split is None else next((at for name, at in first[number].items() if name != split), -1)
        for number, split in zip(group.tolist(), splits, strict=True)
    ]
    return np.array(other, np.int64)


def _scores(rows: np.ndarray, tables: dict[str, pa.Table]) -> dict[str, np.ndarray]:
    """Of all rows (n,): the scores of the other tables, NaN for rows that are not in them."""
    found = {}
    for name, (table, column) in SCORES.items():
        found[name] = np.full(len(rows), np.nan)
        there = np.searchsorted(rows, tables[table]["row"].to_numpy())
        found[name][there] = tables[table][column].cast(pa.float64()).to_numpy()
    return found


FINDINGS = Stage("findings", units, work, version=7, by="duplicates")
