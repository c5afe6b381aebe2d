"""Metadata of the source: a table beside it, with labels, splits and whatever else is known of the rows.

The scan writes it into the run folder, sorted by key, with a digest of each column. Units read columns, and say so as
"source/metadata.parquet#column": another column that changes is nothing to them.
"""

import difflib
import logging
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import files, keep, sidecar, sources
from pipeline.config import Config, ConfigError, Source
from pipeline.folder import Run
from pipeline.sidecar import LABEL, SPLIT

log = logging.getLogger("pixsieve")

PLACE = "source/metadata.parquet"
FOLDER = "folder"  # of the key, where a column could be named


def scanned(run: Run, listed: pa.Table) -> pa.Table:
    """Brings RUN/source/metadata.parquet up to date. Returns the listed rows without the metadata's own file, which is
    no row. Raises ConfigError if a column is named that is not there, or if no key fits."""
    table = sidecar.read(run.config.source)
    if table is None:
        (run.path / PLACE).unlink(missing_ok=True)
    else:
        listed = listed.filter(pc.invert(pc.equal(listed["key"], _own_key(run.config.source))))
        _compare(table["key"], listed["key"])
    _check_used(run.config, pa.table({}) if table is None else table, listed)
    if table is not None:
        _write(run.path / PLACE, table)
    return listed


def digests(run: Run) -> dict[str, str]:
    """Of each column, as units name them."""
    if not (run.path / PLACE).exists():
        return {}
    return {_name(field.name): field.metadata[b"digest"].decode() for field in pq.read_schema(run.path / PLACE)}


def of_columns(names: Iterable[str]) -> tuple[str, ...]:
    """What a unit reads that uses these columns."""
    return tuple(_name(name) for name in names)


def of_labels(run: Run) -> tuple[str, ...]:
    """What a unit reads that uses the labels, besides the manifest."""
    name = _label_column(run)
    return of_columns([name] if name else [])


def of_splits(run: Run) -> tuple[str, ...]:
    """What a unit reads that uses the splits, besides the manifest."""
    name = _split_column(run)
    return of_columns([name] if name else [])


def of_rows(run: Run, rows: np.ndarray, name: str) -> pa.ChunkedArray:
    """(n,) values of a column of the metadata for the rows (n,), null where there is none."""
    table = files.read_table(run.path / PLACE, ["key", name])
    return table[name].take(pc.index_in(_listed(run, rows, "key"), table["key"]))


def labels(run: Run, rows: np.ndarray) -> pa.ChunkedArray:
    """(n,) strings or nulls: what the metadata or the source says that the rows (n,) are."""
    if name := _label_column(run):
        return of_rows(run, rows, name)
    return _part(_listed(run, rows, "key"), -2) if run.config.source.label == FOLDER else _listed(run, rows, "label")


def splits(run: Run, rows: np.ndarray) -> pa.ChunkedArray:
    """(n,) strings or nulls: the split that each of the rows (n,) belongs to."""
    if name := _split_column(run):
        return of_rows(run, rows, name)
    keys = _listed(run, rows, "key")
    return _part(keys, 0) if run.config.source.split == FOLDER else pa.chunked_array([pa.nulls(len(rows), keys.type)])


def _name(column: str) -> str:
    return f"{PLACE}#{column}"


def _label_column(run: Run) -> str | None:
    return _chosen(run.config.source.label, LABEL, _columns(run))


def _split_column(run: Run) -> str | None:
    return _chosen(run.config.source.split, SPLIT, _columns(run))


def _columns(run: Run) -> list[str]:
    return [] if run.config.source.metadata is None else list(pq.read_schema(run.path / PLACE).names)


def _chosen(named: str | None, default: str, columns: list[str]) -> str | None:
    """The column that holds labels (or splits), if one does."""
    if named is None:
        return default if default in columns else None
    return None if named == FOLDER else named


def _listed(run: Run, rows: np.ndarray, column: str) -> pa.ChunkedArray:
    """A column of the manifest for the rows (n,)."""
    table = run.manifest.all(["row", column])
    return table[column].take(pa.array(np.searchsorted(table["row"].to_numpy(), rows)))


def _part(keys: pa.ChunkedArray, at: int) -> pa.ChunkedArray:
    """A folder of each key; null for those in none."""
    parts = [key.split("/") for key in keys.to_pylist()]
    return pa.chunked_array([pa.array([found[at] if len(found) > 1 else None for found in parts], pa.string())])


def _write(path: Path, table: pa.Table) -> None:
    if not path.exists() or not pq.read_schema(path).equals(table.schema, check_metadata=True):
        files.write_table(path, table)


def _own_key(source: Source) -> str:
    """Of the metadata's file, where it lies inside the source; else no key."""
    inside = os.path.relpath(source.metadata or "", source.path)
    return "" if inside.startswith("..") else sources.to_key(os.fsencode(inside))


def _compare(known: pa.ChunkedArray, listed: pa.ChunkedArray) -> None:
    """Says in one line how many keys are on one side only. ConfigError if none is on both."""
    strange = len(known) - pc.sum(pc.is_in(known, listed)).as_py() if len(known) else 0
    without = len(listed) - (len(known) - strange)
    if len(known) and len(listed) and strange == len(known):
        raise ConfigError(
            f"source.metadata: none of its {len(known)} keys is in the source; one is {known[0].as_py()!r}, one of the"
            f" source {listed[0].as_py()!r}"
        )
    if strange or without:
        log.info("metadata: %d of %d keys are not in the source, %d rows have none", strange, len(known), without)


def _check_used(config: Config, table: pa.Table, listed: pa.Table) -> None:
    """ConfigError if the configuration uses what the source does not have."""
    source, duplicates = config.source, config.duplicates
    columns = table.column_names
    if source.metadata is not None:
        for where, name in (("source.label", source.label), ("source.split", source.split)):
            if name == FOLDER and FOLDER in columns:
                raise ConfigError(
                    f"{where}: {FOLDER!r} is the folder of the key; rename the metadata's column {name!r}"
                )
            if name not in (None, FOLDER, *columns):
                raise ConfigError(_unknown(where, str(name), columns))
        for name in keep.columns(duplicates.keep):
            if name not in columns:
                raise ConfigError(_unknown("duplicates.keep", name, columns))
            if not keep.has_order(table[name].type):
                raise ConfigError(f"duplicates.keep: the column {name!r} holds {table[name].type}, which has no order")
    times = [rule for rule in duplicates.keep if rule in keep.TIMES]
    if times and sources.kind(source) == "vectors":
        raise ConfigError(f"duplicates.keep: {times[0]!r} asks for times of files; given vectors have none")
    if duplicates.prefer:
        found = _splits_there(source, table, listed)
        if found is None:
            raise ConfigError("duplicates.prefer names splits, but there are none: set source.split")
        if strange := sorted({*duplicates.prefer} - found):
            known = ", ".join(map(repr, sorted(found))) or "none"
            log.warning("duplicates.prefer: no row is in the split %r; the splits are %s", strange[0], known)


def _splits_there(source: Source, table: pa.Table, listed: pa.Table) -> set[str] | None:
    """None where nothing says what split a row is in."""
    name = _chosen(source.split, SPLIT, table.column_names)
    if name is None and source.split != FOLDER:
        return None
    return {*pc.unique(table[name] if name else _part(listed["key"], 0)).drop_null().to_pylist()}


def _unknown(where: str, name: str, columns: list[str]) -> str:
    near = difflib.get_close_matches(name, columns, n=1, cutoff=0)
    return f"{where}: the metadata has no column {name!r}; nearest known: {near[0]}"
