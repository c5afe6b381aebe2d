"""scan: what is in the source now, against what the run knows.

Unchanged rows keep their numbers. New and changed ones are appended, in the order of the listing: to the last batch
until it is whole, then in new ones; missing and changed ones are written down as removed. One file commits everything,
manifest/blocks.json. So a night of few rows makes no more batches, blocks and files than a night of none.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pixsieve import descriptors, files
from pixsieve.backend import Backend
from pixsieve.config.load import CONFIG
from pixsieve.config.section import View
from pixsieve.config.sections import Config, Embed, Source
from pixsieve.errors import ConfigError, SourceError
from pixsieve.folder import geometry, links, scale, skipped, views
from pixsieve.folder.begun import check_fits
from pixsieve.folder.manifest import LISTING, Grown, Manifest, Part, cut
from pixsieve.folder.measure import NOT_ASKED, VECTORS, Measure
from pixsieve.folder.run_folder import Run
from pixsieve.folder.views import Made, Views
from pixsieve.kernels import Metric
from pixsieve.runtime.summary import StageSummary
from pixsieve.sources import metadata, pictures, source, vectors
from pixsieve.sources.known import other_bytes, save, with_unlistable

log = logging.getLogger("pixsieve")
REMEMBERED = 8  # forms that the last batch had before: nights without an end after which no vector is lost


class Scanned(NamedTuple):
    run: Run
    summary: StageSummary


def scan(
    path: Path, config: Config, kind: str, backend: Backend, threads: int, moved: bool = False, refit: bool = False
) -> Scanned:
    """Brings the run folder `path` up to date with the source, which is of this kind. moved: it may have another path
    than it had. refit: what its model's vectors are made comparable by follows from the rows of now.

    Raises ConfigError for a configuration that does not fit the run or the source, SourceError for a source that is not
    as it must be. Then nothing is changed that a result follows from.
    """
    started = time.perf_counter()
    known = Manifest.load(path) or Manifest(path, config.run.batch_rows, (), (), (), Grown(-1, ()), numbered=False)
    if kind == VECTORS and known.numbered is None:
        raise ConfigError(f"{path} was begun by a version that sorted rows by key as text; start a new run folder")
    check_fits(path, config, known, moved)
    _check_images(config.source, kind)
    if refit and (kind == VECTORS or config.embed.model is None or config.embed.normalise == "l2"):
        raise ConfigError("--refit: no vectors of this run are fitted to rows; that is of embed.normalise with a model")
    listed = metadata.without_own(config.source, source.KINDS[kind].listing(config.source, path))
    listed = with_unlistable(listed, known)
    _check_some(config.source, kind, listed, int(known.live().sum()))
    change = _change(known, listed.rows, other_bytes(path, config.source, known, listed.rows))
    _check_removed(config.source, known, change)
    metadata.scanned(path, config, listed.rows)
    seen = _views(path, config, kind, backend)
    rows = links.scanned(path, listed.rows)
    # Only now: a configuration that does not fit the run must not take the place of the one that made it.
    files.write(path / CONFIG, config.dump().encode())
    known = replace(known, numbered=listed.numbered)
    manifest = _committed(path, known, rows, change, config.run.block_rows or backend.block_rows)
    save(path, config.source, listed.rows)
    counts = {"rows": len(rows), "new": int(change.new.sum()), "removed": len(change.dead)}
    others = skipped.save(path, listed.skipped)
    if len(listed.skipped):
        log.info("skipped, as they are no rows: %s", skipped.in_words(skipped.by_suffix(listed.skipped["key"])))
    if kind == VECTORS:
        scale.scanned(path, config.embed.scale, vectors.mapped(Path(config.source.path), path))
    if any(measure.features for measure in seen):
        geometry.scanned(path, manifest, config.run.seed, refit)
    run = Run.of(path, config, backend, threads, manifest, seen)
    summary = StageSummary("scan", 1, int(bool(counts["new"] or counts["removed"] or others)), counts=Counter(counts))
    summary.counts["skipped"] = len(listed.skipped)
    summary.seconds, summary.done = time.perf_counter() - started, counts["rows"]
    return Scanned(run, summary)


def _views(path: Path, config: Config, kind: str, backend: Backend) -> Views:
    """Written into the run folder; the measure of a network is taken from there if it was made of the same."""
    if kind == VECTORS:
        _check_symmetries(config, False, "given vectors")
        copies, model = Made([VECTORS], _of_vectors(path, config)), None
    else:
        _check_embed_of_vectors(config)
        embed, asked = config.embed, descriptors.by(config.embed, config.duplicates.by)
        network = embed.model is not None and "model" in (embed.copies, config.duplicates.by)
        _check_symmetries(config, asked.turned is not None, str(embed.model) if network else embed.copies)
        copies = _made(path, config.embed, "copies", backend)
        model = _made(path, config.embed, "model", backend) if config.embed.apart else None
    views.save(path, copies, model)
    return Views(copies.measure, (model or copies).measure)


def _made(path: Path, embed: Embed, view: View, backend: Backend) -> Made:
    descriptor = descriptors.by(embed, view)
    geometry_ = [embed.normalise] if descriptor.normalised and embed.normalise != "l2" else []
    made_of = [embed.copies if view == "copies" else embed.model, descriptor.made_of(embed), *geometry_]
    known = views.kept(path, view)
    if known is not None and known.made_of == made_of:
        return known
    return Made(made_of, descriptor.measure(embed, backend))


def _of_vectors(path: Path, config: Config) -> Measure:
    """ConfigError if the store of the run holds rows of another form."""
    asked = config.embed
    metric: Metric = "proximity" if asked.metric == "euclidean" else "cosine"
    dtype = asked.dtype if asked.dtype != "auto" else "float32" if asked.metric == "euclidean" else "float16"
    width = vectors.mapped(Path(config.source.path), path).shape[1]
    before = Views.load(path)
    known = before and before.copies
    for what, there, here in (
        ("numbers a row", known and known.width, width),
        ("numbers", known and known.dtype, dtype),
    ):
        if known is not None and there != here:
            raise ConfigError(f"{path} holds vectors of {there} {what}, {here} are asked for; start a new run folder")
    return Measure(VECTORS, metric, dtype, width, NOT_ASKED)


def _check_embed_of_vectors(config: Config) -> None:
    """ConfigError where images are to be embedded as given vectors are."""
    for name in ("metric", "scale", "dtype"):
        if getattr(config.embed, name) != Embed.model_fields[name].default:
            raise ConfigError(f"embed.{name} is for given vectors; this source is a folder of images")


def _check_images(source: Source, kind: str) -> None:
    """ConfigError where source.images has nothing to show."""
    if source.images is not None and kind != VECTORS:
        raise ConfigError("source.images is for given vectors; this source is a folder of images itself")
    if source.images is not None and not Path(source.images).is_dir():
        raise ConfigError(f"source.images: {source.images} is no folder")


def _check_symmetries(config: Config, there: bool, name: str) -> None:
    if config.duplicates.symmetries and not there:
        raise ConfigError(f"duplicates.symmetries: rows of {name} cannot be turned; set it to false")


def _check_some(source: Source, kind: str, listed: skipped.Listing, before: int) -> None:
    """SourceError where there are no rows: of a folder in any case, of given vectors if there have been some."""
    if len(listed.rows) or (kind == VECTORS and not before):
        return
    what = "has no vectors" if kind == VECTORS else pictures.no_rows(source, listed.skipped)
    if before:
        what += f"; but the run has {before:,} rows: is it mounted? If all are gone on purpose, start a new run folder"
    raise SourceError(f"source.path: {source.path} {what}")


class Listed(NamedTuple):
    """What a row is known by: another one of the same key is a new row."""

    key: str
    bytes: int
    stamp: str


class Change(NamedTuple):
    """What is in the source now, against what the run knows."""

    new: np.ndarray  # (n,) booleans: rows of the listing that are new, or changed
    dead: np.ndarray  # rows of the run that are there no longer, or not as they were; ascending
    gone: int  # of these, keys that are there no longer


def _change(known: Manifest, found: pa.Table, rewritten: set[str]) -> Change:
    """rewritten: keys of files that look the same and are not."""
    table = known.living(["key", "bytes", "stamp"])
    old = dict(zip(_listed(table), table["row"].to_pylist(), strict=True))
    new = np.array([listed.key in rewritten or old.pop(listed, None) is None for listed in _listed(found)], bool)
    gone = {listed.key for listed in old} - {*found["key"].filter(pa.array(new)).to_pylist()}
    return Change(new, np.array(sorted(old.values()), np.int64), len(gone))


def _check_removed(source: Source, known: Manifest, change: Change) -> None:
    """SourceError where more of the rows are gone than may be."""
    before = int(known.live().sum())
    if change.gone > source.max_removed * before:
        raise SourceError(
            f"source.path: {source.path} lacks {change.gone:,} of the {before:,} rows of the run, more than"
            f" source.max_removed allows ({source.max_removed:.0%}); nothing has been changed. Is a disk not mounted, a"
            " pattern another one? If they are gone on purpose: --set source.max_removed=1"
        )


def _listed(table: pa.Table) -> Iterator[Listed]:
    return map(Listed, *(table[name].to_pylist() for name in Listed._fields))


def _committed(path: Path, known: Manifest, found: pa.Table, change: Change, block_rows: int) -> Manifest:
    """The manifest of now. found: the rows of the listing."""
    added, dead = found.filter(pa.array(change.new)), change.dead
    if known.batches and not (len(added) or len(dead)):
        return known
    size, batches, removed, grown = known.batch_rows, [*known.batches], known.removed, known.grown
    if len(added) and batches and batches[-1].rows < size:
        last, number = batches.pop(), len(batches)
        added = pa.concat_tables([known.table(number, LISTING.names), added.select(LISTING.names)])
        before = grown.parts if grown.batch == number else ()
        grown = Grown(number, (*before, last)[-REMEMBERED:])
    for at in range(0, len(added), size):
        part, number = added.slice(at, size), len(batches)
        rows = pa.array(np.arange(len(part)) + number * size)
        name = f"{number:05}-{len(part)}" if number == grown.batch else f"{number:05}"
        batches.append(_part(path, "manifest", name, part.add_column(0, "row", rows).combine_chunks()))
    gone = np.sort(np.concatenate([known.dead, dead]))
    if len(dead):
        removed = (_part(path, "removed", f"{len(gone):05}", pa.table({"row": gone})),)
    blocks = cut(len(batches), sum(part.rows == size for part in batches), max(1, block_rows // size))
    manifest = Manifest(path, size, tuple(batches), blocks, removed, grown, gone, known.numbered)
    manifest.save()
    for folder, parts in (("manifest", batches), ("removed", removed)):
        names = {part.name for part in parts}
        for place in (path / folder).glob("*.parquet"):  # what has grown, or was left by a scan that was cut off
            if place.stem not in names:
                place.unlink()
    return manifest


def _part(path: Path, folder: str, name: str, table: pa.Table) -> Part:
    place = path / folder / f"{name}.parquet"
    files.write_table(place, table)
    return Part(len(table), files.digest(place), name)
