"""Given vectors: embeddings that somebody made already, in a file, with or without keys and labels.

A .npy file is read in place. Any other format is unpacked once, by the scan, into the run folder; units only read what
lies there.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pixsieve import files
from pixsieve.config.sections import Source
from pixsieve.errors import SourceError
from pixsieve.folder import skipped
from pixsieve.folder.manifest import LISTING
from pixsieve.sources import vector_files

SUFFIXES = (".npy", *vector_files.READERS)
PARTS = ("_SUCCESS", "_metadata", "_common_metadata")  # in a folder of Parquet files
ROWS = 65536  # hashed at a time
VERSION = 2  # of what unpack writes


class Given(NamedTuple):
    """What a file holds, in its order."""

    vectors: np.ndarray  # (n, d) floats, memory-mapped
    keys: pa.ChunkedArray | None  # (n,) strings; None: the row number
    labels: pa.ChunkedArray | None  # (n,) strings or nulls


@dataclass(frozen=True, eq=False)  # arrays do not compare to one truth
class Datapoint:
    """One row of a file of vectors."""

    key: str
    vector: np.ndarray  # (d,) floats, as given
    label: str | None


def is_given(path: Path) -> bool:
    """Whether the path looks like given vectors. A folder does if it is a zarr, or one of parts of a Parquet file."""
    if path.is_dir():
        return vector_files.is_zarr(path) or path.suffix == ".parquet" or any((path / p).is_file() for p in PARTS)
    return path.suffix in SUFFIXES and path.suffix != ".zarr"


def unpack(path: Path, root: Path) -> None:
    """Brings root/source up to date with the file; does nothing for .npy. Raises SourceError; what is there then is not
    taken for whole."""
    if _in_place(path):
        return
    vectors, names, mark = _unpacked(root)
    now = {"version": VERSION, "stamp": _stamp(path)}
    if mark.exists() and vectors.exists() and names.exists() and files.read_json(mark) == now:
        return
    mark.unlink(missing_ok=True)  # from here on, the two files may not belong together
    found = vector_files.content(path)
    columns = {"key": found.keys, "label": found.labels}
    files.write(vectors, lambda file: _write(file, path, found))
    files.write_table(names, pa.table({name: column for name, column in columns.items() if column is not None}))
    files.write_json(mark, now)


def opened(path: Path, root: Path) -> Given:
    """The vectors, keys and labels, after `unpack`. Raises SourceError."""
    names = _names(path, root)
    return Given(mapped(path, root), *(names[n] if n in names.column_names else None for n in ("key", "label")))


def mapped(path: Path, root: Path) -> np.ndarray:
    """The (n, d) floats, memory-mapped, after `unpack`. Raises SourceError."""
    place = path if _in_place(path) else _unpacked(root).vectors
    try:
        found = np.load(place, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(f"source.path: cannot read vectors from {place}: {error}") from None
    if not isinstance(found, np.ndarray):
        raise SourceError(f"source.path: {place} holds several arrays, not one of shape (n, d)")
    vector_files.check(place, found.dtype, found.shape)
    return found


def listing(source: Source, run: Path) -> skipped.Listing:
    """The rows in the order of the file, which is unpacked in the run folder; nothing is skipped. The stamp changes
    with the numbers and with the label."""
    unpack(Path(source.path), run)
    given = opened(Path(source.path), run)
    n, width = len(given.vectors), given.vectors.dtype.itemsize * given.vectors.shape[1]
    labels = pa.chunked_array([pa.nulls(n, pa.string())]) if given.labels is None else given.labels
    stamps: list[str] = []
    for at in range(0, n, ROWS):
        stamps += _stamps(given.vectors[at : at + ROWS], labels.slice(at, ROWS).to_pylist())
    numbers = pa.array(np.arange(n).astype(str), pa.string())
    columns = {
        "key": numbers if given.keys is None else given.keys,
        "uri": numbers,
        "bytes": pa.array(np.full(n, width), pa.int64()),
        "stamp": pa.array(stamps, pa.string()),
        "label": labels,
    }
    return skipped.Listing(pa.table(columns, LISTING), skipped.none(), numbered=given.keys is None)


def read(source: Source, run: Path, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n, d) of the n listed rows, as given; and (n,) booleans: those that are still there, the others are
    zero. The file may have changed since the rows were listed: one with keys is then searched by key."""
    path = Path(source.path)
    whole = mapped(path, run)
    places = np.array([int(uri) if uri.isdigit() else len(whole) for uri in table["uri"].to_pylist()], np.int64)
    found = _take(whole, places)
    moved = np.array(_stamps(found, table["label"].to_pylist()), object) != table["stamp"].to_numpy()
    moved |= places >= len(whole)
    if moved.any():
        names = _names(path, run)
        if "key" in names.column_names:
            at = pc.index_in(table["key"].filter(pa.array(moved)), names["key"])
            places[moved] = pc.fill_null(at, len(whole)).to_numpy()
            found = _take(whole, places)
    return found, places < len(whole)


def datapoints(path: str | Path) -> Iterator[Datapoint]:
    """All rows of a file of vectors, in its order. Any format but .npy is unpacked into a temporary folder first.
    Raises SourceError."""
    place = Path(path)
    if not is_given(place):
        raise SourceError(f"{place} is no file of vectors ({', '.join(SUFFIXES)})")
    with TemporaryDirectory(prefix="pixsieve-") as folder:
        unpack(place, Path(folder))
        given = opened(place, Path(folder))
        for at, vector in enumerate(given.vectors):
            key, label = (None if column is None else column[at].as_py() for column in (given.keys, given.labels))
            yield Datapoint(str(at) if key is None else key, np.array(vector), label)


def write_datapoints(path: str | Path, points: Iterable[Datapoint]) -> None:
    """A Parquet file that a run and `datapoints` read: a way on for old pickles. Vectors must be of one length and
    kind; ValueError otherwise, or if there are none."""
    keys, vectors, labels = [], [], []
    for point in points:
        keys.append(point.key)
        vectors.append(np.asarray(point.vector))
        labels.append(point.label)
    kinds = {(str(vector.dtype), vector.shape) for vector in vectors}
    if len(kinds) != 1 or vectors[0].ndim != 1:
        raise ValueError(f"vectors of one length and kind are needed, not {sorted(kinds) or 'none'}")
    flat = pa.array(np.concatenate(vectors))
    column = pa.FixedSizeListArray.from_arrays(flat, len(vectors[0]))
    table = pa.table({"key": keys, "vector": column, "label": pa.array(labels, pa.string())})
    files.write_table(Path(path), table)


class _Unpacked(NamedTuple):
    vectors: Path
    names: Path  # keys and labels
    mark: Path  # what they were made from


def _unpacked(root: Path) -> _Unpacked:
    folder = root / "source"
    return _Unpacked(folder / "vectors.npy", folder / "names.parquet", folder / "unpacked.json")


def _in_place(path: Path) -> bool:
    return path.suffix == ".npy" and not path.is_dir()


def _names(path: Path, root: Path) -> pa.Table:
    return pa.table({}) if _in_place(path) else files.read_table(_unpacked(root).names)


def _take(whole: np.ndarray, places: np.ndarray) -> np.ndarray:
    there = places < len(whole)
    found = np.zeros((len(places), whole.shape[1]), whole.dtype)
    found[there] = whole[places[there]]
    return found


def _stamps(rows: np.ndarray, labels: list[str | None]) -> list[str]:
    """A digest of each row and its label. Without a label it is one of the row alone."""
    found = []
    for row, label in zip(np.ascontiguousarray(rows), labels, strict=True):
        state = xxhash.xxh3_64(row)
        if label is not None:
            state.update(b"\1" + label.encode())
        found.append(state.hexdigest())
    return found


def _stamp(path: Path) -> str:
    """Changes when the file does: of its name, size and time; of a zarr, of those of all its files."""
    parts = sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]
    states = [(str(part), part.stat()) for part in parts]
    return files.digest_of([str(path), [[name, state.st_size, state.st_mtime_ns] for name, state in states]])


def _write(file: BinaryIO, path: Path, found: vector_files.Content) -> None:
    shape, dtype = found.shape, found.dtype
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": found.fortran_order, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    size = sum(file.write(part) for part in found.parts)
    if size != shape[0] * shape[1] * dtype.itemsize:
        raise SourceError(f"source.path: {path} holds {size} bytes of vectors, too few or too many for {shape} {dtype}")
