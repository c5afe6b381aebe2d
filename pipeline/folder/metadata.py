"""Labels and splits; and the metadata of the source: a table beside it with whatever else is known of the rows.

The scan writes it into the run folder, sorted by key, with a digest of each column. Units read columns, and say so as
"source/metadata.parquet#column": another column that changes is nothing to them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixsieve import files
from pixsieve.config.sections import FOLDER, NONE, Source
from pixsieve.folder.manifest import Manifest
from pixsieve.rules import folders

PLACE = "source/metadata.parquet"
CLASSES = "labels.json"  # whether the folders of images are classes: {"folders": n, "taken": boolean, "why_not": text}
LABEL, SPLIT = "label", "split"  # the columns that are taken where none is named


class Origin(NamedTuple):
    """Where labels (or splits) come from."""

    # column: of the metadata; given: beside the vectors; folder: the folder of a label, the first part of the key of a
    # split; auto: folders that look like classes, folders that have the name of a split
    how: Literal["column", "given", "folder", "auto", "none"]
    column: str = ""


@dataclass(frozen=True)
class Metadata:
    digests: dict[str, str]  # of each column, as units name them
    label: Origin
    split: Origin

    @classmethod
    def load(cls, root: Path, source: Source, images: bool) -> Self:
        """What the scan has left. images: the source is one of images, not of given vectors."""
        schema = files.read_schema(root / PLACE) if (root / PLACE).exists() else pa.schema([])
        digests = {_name(field.name): field.metadata[b"digest"].decode() for field in schema}
        return cls(digests, *origins(source, schema.names, images))

    @property
    def of_labels(self) -> tuple[str, ...]:
        """What a unit reads that uses the labels, besides the manifest."""
        return (CLASSES,) if self.label.how == "auto" else _of(self.label)

    @property
    def of_splits(self) -> tuple[str, ...]:
        """What a unit reads that uses the splits, besides the manifest."""
        return _of(self.split)

    def labels(self, manifest: Manifest, rows: np.ndarray) -> pa.ChunkedArray:
        """(n,) strings or nulls: what the metadata or the source says that the rows (n,) are."""
        if self.label.how == "given":
            return manifest.of_rows(rows, "label")
        if self.label.how == "folder":
            return part_of(manifest.of_rows(rows, "key"), -2)
        if self.label.how == "auto" and files.read_json(manifest.root / CLASSES)["taken"]:
            found = (folders.class_folder(key) for key in manifest.of_rows(rows, "key").to_pylist())
            return pa.chunked_array([pa.array([place and place.name for place in found], pa.string())])
        return _column_or_null(manifest, rows, self.label)

    def splits(self, manifest: Manifest, rows: np.ndarray) -> pa.ChunkedArray:
        """(n,) strings or nulls: the split that each of the rows (n,) belongs to."""
        if self.split.how in ("folder", "auto"):
            return splits_of(self.split, manifest.of_rows(rows, "key"))
        return _column_or_null(manifest, rows, self.split)


def origins(source: Source, columns: list[str], images: bool) -> tuple[Origin, Origin]:
    """Of labels, and of splits. columns: of the metadata."""
    label, split = _origin(source.label, LABEL, columns), _origin(source.split, SPLIT, columns)
    if not images:  # the folder of a key means nothing unless it is asked for
        label = Origin("given") if label.how == "auto" else label
        split = Origin("none") if split.how == "auto" else split
    return label, split


def _origin(asked: str, default: str, columns: list[str]) -> Origin:
    if asked == "auto":
        return Origin("column", default) if default in columns else Origin("auto")
    if asked == FOLDER:
        return Origin("folder")
    return Origin("none") if asked == NONE else Origin("column", asked)


def splits_of(origin: Origin, keys: pa.ChunkedArray) -> pa.ChunkedArray:
    """By the folders of keys (n,)."""
    if origin.how == "folder":
        return part_of(keys, 0)
    return pa.chunked_array([pa.array([folders.split_of(key) for key in keys.to_pylist()], pa.string())])


def _of(origin: Origin) -> tuple[str, ...]:
    return of_columns([origin.column]) if origin.how == "column" else ()


def _column_or_null(manifest: Manifest, rows: np.ndarray, origin: Origin) -> pa.ChunkedArray:
    if origin.how == "column":
        return column(manifest, rows, origin.column)
    return pa.chunked_array([pa.nulls(len(rows), pa.string())])


def column(manifest: Manifest, rows: np.ndarray, name: str) -> pa.ChunkedArray:
    """(n,) values of a column of the metadata for the rows (n,), null where there is none."""
    table = files.read_table(manifest.root / PLACE, ["key", name])
    return table[name].take(pc.index_in(manifest.of_rows(rows, "key"), table["key"]))


def of_columns(names: Iterable[str]) -> tuple[str, ...]:
    """What a unit reads that uses these columns."""
    return tuple(_name(name) for name in names)


def part_of(keys: pa.ChunkedArray, at: int) -> pa.ChunkedArray:
    """A folder of each key; null for those in none."""
    parts = [key.split("/") for key in keys.to_pylist()]
    return pa.chunked_array([pa.array([found[at] if len(found) > 1 else None for found in parts], pa.string())])


def _name(column: str) -> str:
    return f"{PLACE}#{column}"
