"""Metadata of the source: a table beside it, with labels, splits and whatever else is known of the rows.

The scan writes it into the run folder, sorted by key, with a digest of each column. Units read columns, and say so as
"source/metadata.parquet#column": another column that changes is nothing to them.
"""

import logging
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pixsieve import files
from pixsieve.folder.run import Run

log = logging.getLogger("pixsieve")
PLACE = "source/metadata.parquet"
FOLDER = "folder"  # of the key, where a column could be named


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
    return part_of(_listed(run, rows, "key"), -2) if run.config.source.label == FOLDER else _listed(run, rows, "label")


def splits(run: Run, rows: np.ndarray) -> pa.ChunkedArray:
    """(n,) strings or nulls: the split that each of the rows (n,) belongs to."""
    if name := _split_column(run):
        return of_rows(run, rows, name)
    keys = _listed(run, rows, "key")
    return part_of(keys, 0) if run.config.source.split == FOLDER else pa.chunked_array([pa.nulls(len(rows), keys.type)])


def _name(column: str) -> str:
    return f"{PLACE}#{column}"


def _label_column(run: Run) -> str | None:
    return chosen(run.config.source.label, LABEL, _columns(run))


def _split_column(run: Run) -> str | None:
    return chosen(run.config.source.split, SPLIT, _columns(run))


def _columns(run: Run) -> list[str]:
    return [] if run.config.source.metadata is None else list(pq.read_schema(run.path / PLACE).names)


def chosen(named: str | None, default: str, columns: list[str]) -> str | None:
    """The column that holds labels (or splits), if one does."""
    if named is None:
        return default if default in columns else None
    return None if named == FOLDER else named


def _listed(run: Run, rows: np.ndarray, column: str) -> pa.ChunkedArray:
    """A column of the manifest for the rows (n,)."""
    table = run.manifest.all(["row", column])
    return table[column].take(pa.array(np.searchsorted(table["row"].to_numpy(), rows)))


def part_of(keys: pa.ChunkedArray, at: int) -> pa.ChunkedArray:
    """A folder of each key; null for those in none."""
    parts = [key.split("/") for key in keys.to_pylist()]
    return pa.chunked_array([pa.array([found[at] if len(found) > 1 else None for found in parts], pa.string())])


LABEL, SPLIT = "label", "split"  # the columns that are taken where none is named
