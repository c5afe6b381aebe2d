"""embed: every image read and decoded once. Its vectors, one of each view, go to the store; its status, digests and
statistics to images/. Where only one view is asked for anew, the vectors of the other stay."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pixsieve import descriptors, files
from pixsieve.backend import describe
from pixsieve.config.section import View
from pixsieve.folder import image_table, made
from pixsieve.folder.manifest import number_of
from pixsieve.folder.measure import VECTORS
from pixsieve.folder.run_folder import Run
from pixsieve.folder.scale import Scale
from pixsieve.folder.thumbnails import luma_files, read_luma, write_luma
from pixsieve.images.luma import SIDE
from pixsieve.images.statistics import STATISTICS
from pixsieve.images.status import STATUSES
from pixsieve.runtime import within
from pixsieve.runtime.stage import Counts, Stage, Unit
from pixsieve.sources import vectors
from pixsieve.stages.reading import GROUP, Embedded, Spent, decoded

BAD_VECTORS = {
    "unreadable": "is no longer there",
    "not_finite": "holds NaN or infinity; so do rows whose chunk of a zarr is missing",
    "too_large": "holds a number beyond {dtype}: see embed.dtype, embed.scale",
    "zero": "holds zeros only: it has no direction",
}
Vectors = dict[View, np.ndarray]
# What the shards of a view are to the stage.
PARTS: dict[View, tuple[str, str]] = {"copies": ("vectors", "status"), "model": ("model_vectors", "model_status")}
ABOUT = Embedded._fields.index("statistics")  # as many columns of the table of images come before


class Before(NamedTuple):
    """What is known of the first m rows of a batch."""

    images: pa.Table
    vectors: Vectors  # each (m, width)
    luma: np.ndarray | None  # (m, 64, 64) uint8


class Batch(NamedTuple):
    """What is found out of n rows of a batch."""

    rows: list[Embedded]
    vectors: Vectors  # each (n, width)
    luma: np.ndarray | None  # (n, 64, 64) uint8, what near pairs are verified by
    seconds: dict[str, float]  # that each part of the work took


def prepare(run: Run) -> None:
    """Makes the stores, or lengthens them. ConfigError if one was made by something else."""
    for seen in _views(run).values():
        measure, embed = seen.measure, run.config.embed
        about: dict[str, Any] = {"model": "given"}
        if measure.name != VECTORS:
            about = {"model": measure.name, **descriptors.by(embed, _view(seen)).attributes(embed, run.backend)}
        about |= {"metric": measure.metric}
        seen.store.prepare(len(run.manifest.batches), describe(run.backend) | about)


def units(run: Run) -> list[Unit]:
    seen, grown = _views(run), run.manifest.grown
    depends = made_by(seen["copies"]) | ({"model": made_by(seen["model"])} if run.views.apart else {})

    def unit(batch: int, name: str, former: tuple[Unit, ...] = ()) -> Unit:
        writes = {
            "images": f"{image_table.FOLDER}/{name}.parquet",
            **{PARTS[view][at]: path for view, one in seen.items() for at, path in enumerate(one.store.files(batch))},
            **({"luma": luma_files(batch)[0]} if run.views.copies.verified else {}),
            **({"made": made.path(name)} if run.views.apart else {}),
        }
        return Unit(name, (f"manifest/{name}.parquet", *run.scale), writes, depends, former=former)

    before = tuple(unit(grown.batch, part.name) for part in reversed(grown.parts))
    names = enumerate(run.manifest.batch_names())
    return [unit(batch, name, before if batch == grown.batch else ()) for batch, name in names]


def made_by(run: Run) -> dict[str, Any]:
    """What the vectors of the run's rows follow from in its view, beside the rows."""
    depends: dict[str, Any] = {"descriptor": run.measure.name, "rows": [run.measure.dtype, run.measure.width]}
    if run.measure.name == VECTORS:
        depends |= {"metric": run.measure.metric}
    else:
        depends |= {"made_of": descriptors.by(run.config.embed, _view(run)).made_of(run.config.embed)}
        depends |= run.config.values("embed.precision", "embed.max_pixels", "embed.max_file_mb", "embed.max_decode_mb")
    return depends


def _views(run: Run) -> dict[View, Run]:
    return {view: run.embedded.by(view) for view in run.views.names}


def _view(run: Run) -> View:
    return run.view or "copies"


def work(run: Run, unit: Unit) -> Counts:
    batch, seen = number_of(unit.name), _views(run)
    marks = _marks(run, unit.name, seen) if run.views.apart else {}
    kept = made.kept(run.path, unit.name, marks)
    before, table = _before(run, batch, unit), run.manifest.table(batch)
    new = table.slice(len(before.images))
    asked = {view: one for view, one in seen.items() if view not in kept}
    found = _given(run, new) if run.views.copies.name == VECTORS else _images(run, new, unit.name, asked)
    images = pa.concat_tables([before.images, _table(new["row"], found.rows)])
    statuses = images["status"].to_pylist()
    status = np.array([STATUSES.index(one) for one in statuses], np.uint8)
    whole = {view: np.concatenate([before.vectors[view], rows]) for view, rows in found.vectors.items()}
    for view, rows in whole.items():
        seen[view].store.write(batch, rows, status)
    if run.views.apart:
        model = whole["model"] if "model" in whole else seen["model"].store.read([batch]).vectors
        images = _with_featureless(images, model[: len(images)])
    if found.luma is not None and before.luma is not None:
        write_luma(run.path, batch, np.concatenate([before.luma, found.luma]))
    files.write_table(run.path / unit.writes["images"], images.combine_chunks())
    if run.views.apart:
        made.save(run.path, unit.name, {view: (marks[view], one.store.files(batch)) for view, one in seen.items()})
    counts = {"rows": len(images), "bytes": pc.sum(table["bytes"]).as_py() or 0, **Counter(statuses)}
    counts |= {f"{part}_s": round(seconds, 3) for part, seconds in found.seconds.items()}
    return counts | ({"kept": len(before.images)} if unit.former else {})


def _with_featureless(images: pa.Table, model: np.ndarray) -> pa.Table:
    """The table of the images of a batch, with what the model had nothing to say of: zeros, NaN or infinity. model:
    (n, width)."""
    none = ~model.any(axis=1) & image_table.readable(images["status"])
    at = image_table.SCHEMA.get_field_index("featureless")
    return images.set_column(at, image_table.SCHEMA.field(at), pa.array(none))


def _marks(run: Run, name: str, seen: Mapping[View, Run]) -> dict[View, str]:
    """Of each view, a digest of what its vectors follow from."""
    rows = files.digest(run.path / f"manifest/{name}.parquet")
    return {view: files.digest_of([EMBED.version, made_by(one), rows]) for view, one in seen.items()}


def _before(run: Run, batch: int, unit: Unit) -> Before:
    """What the batch had before it grew, if that is at hand; else nothing."""
    verified, seen = run.views.copies.verified, _views(run)
    if not unit.former:
        luma = np.empty((0, SIDE, SIDE), np.uint8) if verified else None
        none: Vectors = {view: np.empty((0, one.measure.width), one.measure.dtype) for view, one in seen.items()}
        return Before(image_table.SCHEMA.empty_table(), none, luma)
    (former,) = unit.former
    images = files.read_table(run.path / former.writes["images"])
    rows = images["row"].to_numpy()
    luma = read_luma(run.path, run.manifest, rows) if verified else None
    return Before(images, {v: one.store.read([batch]).vectors[: len(rows)] for v, one in seen.items()}, luma)


def _images(run: Run, table: pa.Table, unit: str, seen: Mapping[View, Run]) -> Batch:
    """Reading and decoding run ahead in threads while this one embeds, in the order of the rows. seen: the views whose
    vectors are wanted."""
    embed, verified = run.config.embed, run.views.copies.verified
    embedders = {view: descriptors.by(embed, view).load(embed, run.backend) for view in seen}
    prepares = {view: one.prepare for view, one in embedders.items()}
    rows: list[Embedded] = []
    vectors = {view: np.zeros((len(table), one.measure.width), one.measure.dtype) for view, one in seen.items()}
    luma = np.zeros((len(table), SIDE, SIDE), np.uint8) if verified else None
    waiting: list[tuple[int, Mapping[View, np.ndarray]]] = []
    spent, seconds = Spent([], []), {one.measure.name: 0.0 for one in seen.values()}

    def flush() -> None:
        if waiting:
            at = [row for row, _ in waiting]
            for view, embedder in embedders.items():
                batch, started = np.stack([prepared[view] for _, prepared in waiting]), time.perf_counter()
                vectors[view][at] = embedder.embed(batch)
                seconds[seen[view].measure.name] += time.perf_counter() - started
                if luma is not None and view == "copies":
                    luma[at] = batch
            waiting.clear()

    for row in decoded(run, table, prepares, spent):
        if row.prepared is not None:
            waiting.append((len(rows), row.prepared))
        rows.append(row._replace(prepared=None))
        if not len(rows) % GROUP:
            within.tell(unit, len(rows), len(table))
        if len(waiting) == embed.batch_size:
            flush()
    flush()
    return Batch(rows, vectors, luma if "copies" in seen else None, spent.seconds(run.threads) | seconds)


def _given(run: Run, table: pa.Table) -> Batch:
    """Given vectors, scaled if that is asked for; directions at length 1."""
    given, there = vectors.read(run.config.source, run.path, table)
    wide, scaling = given.astype(np.float64), Scale.load(run.path)
    finite = np.asarray(np.isfinite(wide).all(axis=1))
    wide = wide if scaling is None else scaling.of(wide)
    wide[~finite] = 0
    with np.errstate(over="ignore"):  # what is too large has a status
        kept = (wide if run.measure.euclidean else _directions(wide)).astype(run.measure.dtype)
    fits = np.asarray(np.isfinite(kept).all(axis=1))
    kept[~fits] = 0
    digests = [xxhash.xxh3_128_digest(row) for row in np.ascontiguousarray(given)]
    bad = {"unreadable": ~there, "not_finite": ~finite, "too_large": ~fits, "zero": ~run.measure.usable(kept)}
    status = np.select([*bad.values()], [*bad], "ok")
    said = {word: why.format(dtype=kept.dtype) for word, why in BAD_VECTORS.items()}
    rows = [
        Embedded("ok", "", digest, digest) if word == "ok" else Embedded(word, said[word])
        for digest, word in zip(digests, status.tolist(), strict=True)
    ]
    return Batch(rows, {"copies": kept}, None, {})


def _directions(wide: np.ndarray) -> np.ndarray:
    """Rows (n, d) float64 at length 1; zeros stay zeros."""
    largest = np.abs(wide).max(axis=1, keepdims=True)
    wide = wide / np.where(largest > 0, largest, 1)  # squares of what is left neither overflow nor vanish
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.where(length > 0, length, 1))


def _table(numbers: pa.ChunkedArray, rows: list[Embedded]) -> pa.Table:
    plain = [list(column) for column in zip(*(row[:ABOUT] for row in rows), strict=True)] or [[]] * ABOUT
    statistics = [[row.statistics and getattr(row.statistics, name) for row in rows] for name in STATISTICS]
    columns = [numbers.combine_chunks(), *plain, *statistics, [None] * len(rows)]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, image_table.SCHEMA, strict=True)], image_table.SCHEMA)


EMBED = Stage("embed", units, work, version=9, prepare=prepare)
