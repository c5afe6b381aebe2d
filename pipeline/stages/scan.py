"""scan: what is in the source now, against what the run knows.

Unchanged rows keep their numbers. New and changed ones are appended in new batches and blocks, in the order of the
listing; missing and changed ones are written down as removed. One file commits everything, manifest/blocks.json.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pixsieve import descriptors, files
from pixsieve.backend import Backend
from pixsieve.config.sections import Config, Source
from pixsieve.errors import ConfigError, SourceError
from pixsieve.folder import links, run_folder, skipped
from pixsieve.folder.links import Links
from pixsieve.folder.manifest import Manifest
from pixsieve.folder.measure import VECTORS, Measure
from pixsieve.folder.metadata import Metadata
from pixsieve.folder.run_folder import Run
from pixsieve.runtime.summary import StageSummary
from pixsieve.sources import metadata, pictures, source, vectors

log = logging.getLogger("pixsieve")

GIVEN_NEAR = 0.95  # near duplicates among given vectors: a cautious convention, not a test


class Scanned(NamedTuple):
    run: Run
    summary: StageSummary


def scan(path: Path, config: Config, kind: str, backend: Backend, threads: int) -> Scanned:
    """Brings the run folder `path` up to date with the source, which is of this kind.

    Raises ConfigError for a configuration that does not fit the run or the source, SourceError for a source that is not
    as it must be. Then nothing is changed that a result follows from.
    """
    started = time.perf_counter()
    known = Manifest.load(path) or Manifest(path, config.run.batch_rows, (), (), (), numbered=False)
    if kind == VECTORS and known.numbered is None:
        raise ConfigError(f"{path} was begun by a version that sorted rows by key as text; start a new run folder")
    if known.batch_rows != config.run.batch_rows:
        raise ConfigError(
            f"run.batch_rows is {config.run.batch_rows}, but {path} was begun with {known.batch_rows};"
            " set it back or start a new run folder"
        )
    listed = metadata.without_own(config.source, source.KINDS[kind].listing(config.source, path))
    _check_some(config.source, kind, listed, int(known.live().sum()))
    metadata.scanned(path, config, listed.rows)
    measure = _measure(path, config, kind, backend)
    rows = links.scanned(path, listed.rows)
    manifest, counts = _compared(
        path, replace(known, numbered=listed.numbered), rows, config.run.block_rows or backend.block_rows
    )
    # Only now: a configuration that does not fit the run must not take the place of the one that made it.
    files.write(path / run_folder.CONFIG, config.dump().encode())
    others = skipped.save(path, listed.skipped)
    if len(listed.skipped):
        log.info("skipped, as they are no rows: %s", skipped.in_words(skipped.by_suffix(listed.skipped["key"])))
    beside = Metadata.load(path, config.source), skipped.digests(path), Links.load(path)
    run = Run(path, config, backend, threads, manifest, measure, *beside)
    summary = StageSummary("scan", 1, int(bool(counts["new"] or counts["removed"] or others)), counts=Counter(counts))
    summary.counts["skipped"] = len(listed.skipped)
    summary.seconds, summary.done = time.perf_counter() - started, counts["rows"]
    return Scanned(run, summary)


def _measure(path: Path, config: Config, kind: str, backend: Backend) -> Measure:
    """Written into the run folder; that of a network is taken from there if it was made of the same."""
    made_of: list[Any]
    if kind == VECTORS:
        width = vectors.mapped(Path(config.source.path), path).shape[1]
        found, made_of = Measure(VECTORS, "cosine", "float16", width, GIVEN_NEAR), [VECTORS, width]
        _check_symmetries(config, False, "given vectors")
    else:
        descriptor = descriptors.of_images(config.embed)
        _check_symmetries(config, descriptor.turned is not None, config.embed.model or config.embed.descriptor)
        made_of = [config.embed.descriptor, config.embed.model, descriptor.made_of(config.embed)]
        known = Measure.kept(path, made_of) if config.embed.model else None
        found = known or descriptor.measure(config.embed, backend)
    found.save(path, made_of)
    return found


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


def _compared(path: Path, known: Manifest, found: pa.Table, block_rows: int) -> tuple[Manifest, dict[str, int]]:
    """The manifest of now, and how many rows there are, are new and are removed."""
    table = known.living(["key", "bytes", "stamp"])
    old = dict(zip(_listed(table), table["row"].to_pylist(), strict=True))
    new = np.array([old.pop(listed, None) is None for listed in _listed(found)], bool)
    dead = np.array(sorted(old.values()), np.int64)
    added = found.filter(pa.array(new))
    manifest = known
    if len(added) or len(dead) or not known.batches:
        manifest = _committed(path, known, added, dead, block_rows)
    return manifest, {"rows": len(found), "new": len(added), "removed": len(dead)}


def _listed(table: pa.Table) -> Iterator[Listed]:
    return map(Listed, *(table[name].to_pylist() for name in Listed._fields))


def _committed(path: Path, known: Manifest, added: pa.Table, dead: np.ndarray, block_rows: int) -> Manifest:
    size, start = known.batch_rows, len(known.batches)
    batches = list(known.batches)
    for at in range(0, len(added), size):
        part = added.slice(at, size)
        number = len(batches)
        place = path / f"manifest/{number:05}.parquet"
        rows = pa.array(np.arange(len(part)) + number * size)
        files.write_table(place, part.add_column(0, "row", rows).combine_chunks())
        batches.append((len(part), files.digest(place)))
    removed = list(known.removed)
    if len(dead):
        place = path / f"removed/{len(removed):05}.parquet"
        files.write_table(place, pa.table({"row": dead}))
        removed.append((len(dead), files.digest(place)))
    per_block = max(1, block_rows // size)
    new = range(start, len(batches))
    blocks = [tuple(new[at : at + per_block]) for at in range(0, len(new), per_block)]
    gone = np.sort(np.concatenate([known.dead, dead]))
    manifest = Manifest(path, size, tuple(batches), known.blocks + tuple(blocks), tuple(removed), gone, known.numbered)
    manifest.save()
    for place in (path / "manifest").glob("*.parquet"):  # left by a scan that was cut off before it committed
        if int(place.stem) >= len(batches):
            place.unlink()
    return manifest
