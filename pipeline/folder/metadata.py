"""Metadata of the source: a table beside it, with labels, splits and whatever else is known of the rows.

The scan writes it into the run folder, sorted by key, with a digest of each column. Units read columns, and say so as
"source/metadata.parquet#column": another column that changes is nothing to them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixsieve import files
from pixsieve.config.sections import Source
from pixsieve.folder.manifest import Manifest

PLACE = "source/metadata.parquet"
LABEL, SPLIT = "label", "split"  # the columns that are taken where none is named
FOLDER = "folder"  # of the key, where a column could be named


@dataclass(frozen=True)
class Metadata:
    digests: dict[str, str]  # of each column, as units name them
    label: str | None  # the column that holds labels, or FOLDER; None: the manifest's
    split: str | None  # the column that holds splits, or FOLDER; None: there are none

    @classmethod
    def load(cls, root: Path, source: Source) -> Self:
        """What the scan has left."""
        schema = files.read_schema(root / PLACE) if (root / PLACE).exists() else pa.schema([])
        digests = {_name(field.name): field.metadata[b"digest"].decode() for field in schema}
        return cls(digests, chosen(source.label, LABEL, schema.names), chosen(source.split, SPLIT, schema.names))

    @property
    def of_labels(self) -> tuple[str, ...]:
        """What a unit reads that uses the labels, besides the manifest."""
        return () if self.label in (None, FOLDER) else of_columns([str(self.label)])

    @property
    def of_splits(self) -> tuple[str, ...]:
        """What a unit reads that uses the splits, besides the manifest."""
        return () if self.split in (None, FOLDER) else of_columns([str(self.split)])

    def labels(self, manifest: Manifest, rows: np.ndarray) -> pa.ChunkedArray:
        """(n,) strings or nulls: what the metadata or the source says that the rows (n,) are."""
        if self.label is None:
            return manifest.of_rows(rows, "label")
        if self.label == FOLDER:
            return part_of(manifest.of_rows(rows, "key"), -2)
        return column(manifest, rows, self.label)

    def splits(self, manifest: Manifest, rows: np.ndarray) -> pa.ChunkedArray:
        """(n,) strings or nulls: the split that each of the rows (n,) belongs to."""
        if self.split is None:
            return pa.chunked_array([pa.nulls(len(rows), pa.string())])
        if self.split == FOLDER:
            return part_of(manifest.of_rows(rows, "key"), 0)
        return column(manifest, rows, self.split)


def column(manifest: Manifest, rows: np.ndarray, name: str) -> pa.ChunkedArray:
    """(n,) values of a column of the metadata for the rows (n,), null where there is none."""
    table = files.read_table(manifest.root / PLACE, ["key", name])
    return table[name].take(pc.index_in(manifest.of_rows(rows, "key"), table["key"]))


def of_columns(names: Iterable[str]) -> tuple[str, ...]:
    """What a unit reads that uses these columns."""
    return tuple(_name(name) for name in names)


def chosen(named: str | None, default: str, columns: list[str]) -> str | None:
    """The column that holds labels (or splits), if one does, or FOLDER."""
    return named or (default if default in columns else None)


def part_of(keys: pa.ChunkedArray, at: int) -> pa.ChunkedArray:
    """A folder of each key; null for those in none."""
    parts = [key.split("/") for key in keys.to_pylist()]
    return pa.chunked_array([pa.array([found[at] if len(found) > 1 else None for found in parts], pa.string())])


def _name(column: str) -> str:
    return f"{PLACE}#{column}"
