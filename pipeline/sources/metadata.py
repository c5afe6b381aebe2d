"""Metadata brought into the run folder by the scan, and checked against the configuration."""

import difflib
import logging
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pixsieve import files
from pixsieve.config import keep_rules
from pixsieve.config.sections import AUTO, FOLDER, NONE, Config, Source
from pixsieve.errors import ConfigError, SourceError
from pixsieve.folder.measure import VECTORS
from pixsieve.folder.metadata import PLACE, origins, splits_of
from pixsieve.folder.skipped import Listing
from pixsieve.rules import keep
from pixsieve.sources import metadata_file
from pixsieve.sources.folder import to_key
from pixsieve.sources.source import kind

log = logging.getLogger("pixsieve")


def without_own(source: Source, listed: Listing) -> Listing:
    """Without the metadata's own file, which is no row, and not junk either."""
    own = _own_key(source)
    if not own:
        return listed
    rows, skipped = (table.filter(pc.not_equal(table["key"], own)) for table in (listed.rows, listed.skipped))
    return listed._replace(rows=rows, skipped=skipped)


def scanned(path: Path, config: Config, listed: pa.Table) -> None:
    """Brings RUN/source/metadata.parquet up to date; listed: the rows. Raises ConfigError if a column is named that is
    not there, SourceError if no key fits."""
    table = metadata_file.read(config.source)
    if table is None:
        (path / PLACE).unlink(missing_ok=True)
    else:
        _compare(table["key"], listed["key"])
    _check_used(config, pa.table({}) if table is None else table, listed)
    if table is not None:
        _write(path / PLACE, table)


def _write(path: Path, table: pa.Table) -> None:
    if not path.exists() or not files.read_schema(path).equals(table.schema, check_metadata=True):
        files.write_table(path, table)


def _own_key(source: Source) -> str:
    """Of the metadata's file, where it lies inside the source; else no key."""
    if source.metadata is None:
        return ""
    inside = os.path.relpath(source.metadata, source.path)
    return "" if inside.startswith("..") else to_key(os.fsencode(inside))


def _compare(known: pa.ChunkedArray, listed: pa.ChunkedArray) -> None:
    """Says in one line how many keys are on one side only. SourceError if none is on both."""
    strange = len(known) - pc.sum(pc.is_in(known, listed)).as_py() if len(known) else 0
    without = len(listed) - (len(known) - strange)
    if len(known) and len(listed) and strange == len(known):
        raise SourceError(
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
            if name in (FOLDER, NONE) and name in columns:
                raise ConfigError(f"{where}: {name!r} is no column here; rename that of the metadata")
            if name not in (AUTO, FOLDER, NONE, *columns):
                raise ConfigError(_unknown(where, str(name), columns))
        for name in keep_rules.columns(duplicates.keep):
            if name not in columns:
                raise ConfigError(_unknown("duplicates.keep", name, columns))
            if not keep.has_order(table[name].type):
                raise ConfigError(f"duplicates.keep: the column {name!r} holds {table[name].type}, which has no order")
    times = [rule for rule in duplicates.keep if rule in keep_rules.TIMES]
    if times and kind(source) == VECTORS:
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
    _, split = origins(source, table.column_names, kind(source) != VECTORS)
    if split.how == "none":
        return None
    named = table[split.column] if split.how == "column" else splits_of(split, listed["key"])
    return {*pc.unique(named).drop_null().to_pylist()} or (None if split.how == "auto" else set())


def _unknown(where: str, name: str, columns: list[str]) -> str:
    near = difflib.get_close_matches(name, columns, n=1, cutoff=0)
    return f"{where}: the metadata has no column {name!r}; nearest known: {near[0]}"
