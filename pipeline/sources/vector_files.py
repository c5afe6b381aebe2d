"""How the vectors, keys and labels of a given file are read, in each format, a part at a time."""

import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zarr

from pixsieve.errors import PixsieveError, SourceError
from pixsieve.sources import pickled

# One set of names for all formats.
VECTORS = ("vectors", "vector", "embeddings", "embedding")
KEYS = ("key", "keys", "id", "ids", "path", "paths")
LABELS = ("label", "labels")
ZARR = ("zarr.json", ".zarray", ".zgroup")  # in the folder of one
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # the name of a folder of rows whose value is null
PART_BYTES = 16 << 20  # of vectors in memory at a time


class Content(NamedTuple):
    """A file of n vectors of d numbers."""

    shape: tuple[int, int]
    dtype: np.dtype
    parts: Iterable[Any]  # buffers: the numbers in their order; reading them may raise SourceError
    keys: pa.ChunkedArray | None  # (n,) strings, unique, no nulls
    labels: pa.ChunkedArray | None  # (n,) strings or nulls
    fortran_order: bool = False


def content(path: Path) -> Content:
    """Raises SourceError for whatever is wrong with the file, as far as it shows before the vectors are read."""
    with reading(path):
        if path.is_dir():
            return _zarr(path) if is_zarr(path) else _parts(path)
        return READERS[path.suffix](path)


def is_zarr(folder: Path) -> bool:
    return folder.suffix == ".zarr" or any((folder / name).is_file() for name in ZARR)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever goes wrong inside as a SourceError: a broken file makes its reader raise just about anything."""
    try:
        yield
    except (PixsieveError, MemoryError):
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise SourceError(f"source.path: cannot read vectors from {path}: {told}; is it whole?") from error


def check(path: Path, dtype: np.dtype, shape: tuple[int, ...], name: str = "") -> None:
    """SourceError unless these are floats of shape (n, d)."""
    if len(shape) != 2 or not np.issubdtype(dtype, np.floating) or shape[1] == 0:
        held = f"{name}: {dtype} {shape}" if name else f"{dtype} {shape}"
        raise SourceError(f"source.path: {path} holds {held}; wanted: floats of shape (n, d)")


def _npz(path: Path) -> Content:
    with zipfile.ZipFile(path) as file:
        headers = {}
        for member in file.namelist():
            if member.endswith(".npy"):
                with file.open(member) as stream:
                    headers[member.removesuffix(".npy")] = _header(stream)
        floats = [name for name, (shape, _, dtype) in headers.items() if len(shape) == 2 and dtype.kind == "f"]
        name = _vectors_name(path, list(headers), floats)
        shape, fortran_order, dtype = headers[name]
        check(path, dtype, shape, name)

        def array(name: str) -> np.ndarray:
            if headers[name][2].hasobject:
                raise SourceError(f"source.path: {path}: {name} is pickled; save it as an array of strings (dtype str)")
            with file.open(f"{name}.npy") as stream:
                return np.lib.format.read_array(stream, allow_pickle=False)

        keys, labels = _names(path, list(headers), array, shape[0])
    return Content((shape[0], shape[1]), dtype, _npz_parts(path, name), keys, labels, fortran_order)


def _npz_parts(path: Path, name: str) -> Iterator[bytes]:
    with reading(path), zipfile.ZipFile(path) as file, file.open(f"{name}.npy") as stream:
        _header(stream)
        while part := stream.read(PART_BYTES):
            yield part


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)


def _parquet(path: Path) -> Content:
    with _open_parquet(path) as file:
        schema, n = file.schema_arrow, file.metadata.num_rows
        floats = [
            field.name for field in schema if _is_list(field.type) and pa.types.is_floating(field.type.value_type)
        ]
        name = _vectors_name(path, schema.names, floats)
        if name not in floats:
            raise SourceError(
                f"source.path: {path}: the column {name} is {schema.field(name).type}; wanted: lists of floats"
            )
        kind = schema.field(name).type
        if n == 0 and not pa.types.is_fixed_size_list(kind):
            raise SourceError(
                f"source.path: {path} has no rows, and {name} no fixed width; write rows, or a fixed_size_list"
            )
        dtype = np.dtype(kind.value_type.to_pandas_dtype())
        d = kind.list_size if pa.types.is_fixed_size_list(kind) else _first_width(path, file, name)
        check(path, dtype, (n, d), name)
        keys, labels = _names(path, schema.names, lambda column: file.read(columns=[column])[column], n)
    return Content((n, d), dtype, _parquet_parts(path, name, d, dtype), keys, labels)


def _parts(path: Path) -> Content:
    """A folder of Parquet files, as Spark, Dask and Ray write: in the order of their paths, without those whose names
    begin with _ or a dot. Labels may be the names of the folders, `label=cat/` (Hive)."""
    files = [file for file in path.rglob("*.parquet") if not file.relative_to(path).as_posix().startswith(("_", "."))]
    files = sorted(file for file in files if file.is_file() and not file.name.startswith(("_", ".")))
    filled = [file for file in files if pq.read_metadata(file).num_rows]  # Spark writes empty ones too
    if not filled:
        raise SourceError(f"source.path: {path} has {len(files)} Parquet files, and no row in them")
    found = [_of_folder(file.relative_to(path), _parquet(file)) for file in filled]
    for file, one in zip(filled, found, strict=True):
        for what in ("dtype", "keys", "labels"):
            if _kind(one, what) != _kind(found[0], what):
                raise SourceError(f"source.path: {file} and {filled[0]} do not fit together: {what}")
        if one.shape[1] != found[0].shape[1]:
            raise SourceError(f"source.path: {file} has vectors of {one.shape[1]} numbers, {found[0].shape[1]} before")
    keys, labels = (
        None
        if getattr(found[0], what) is None
        else pa.chunked_array([chunk for one in found for chunk in getattr(one, what).chunks], pa.string())
        for what in ("keys", "labels")
    )
    shape = (sum(one.shape[0] for one in found), found[0].shape[1])
    parts = (part for one in found for part in one.parts)
    return Content(shape, found[0].dtype, parts, None if keys is None else _keys(path, "key", keys), labels)


def _kind(one: Content, what: str) -> Any:
    value = getattr(one, what)
    return value if what == "dtype" else value is None


def _of_folder(path: Path, found: Content) -> Content:
    """With the label that the names of the folders on the path say, where the file itself has none."""
    said = dict(part.split("=", 1) for part in path.parts[:-1] if "=" in part)
    name = next((name for name in LABELS if name in said), None)
    if name is None or found.labels is not None:
        return found
    label = None if said[name] == NO_VALUE else unquote(said[name])
    return found._replace(labels=pa.chunked_array([pa.array([label] * found.shape[0], pa.string())]))


def _open_parquet(path: Path) -> pq.ParquetFile:
    """Reads in pieces smaller than a row group; many writers make one row group of a whole file."""
    return pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _first_width(path: Path, file: pq.ParquetFile, name: str) -> int:
    first = next(file.iter_batches(1, columns=[name])).column(0)
    if first.null_count:
        raise SourceError(f"source.path: {path}: row 0 of {name} is null; leave such rows out")
    return len(first[0])


def _parquet_parts(path: Path, name: str, d: int, dtype: np.dtype) -> Iterator[np.ndarray]:
    at = 0
    with reading(path), _open_parquet(path) as file:
        for batch in file.iter_batches(max(1, PART_BYTES // (d * dtype.itemsize)), columns=[name], use_threads=False):
            column = batch.column(0)
            lengths = pc.fill_null(pc.list_value_length(column), -1).to_numpy()
            if (wrong := np.flatnonzero(lengths != d)).size:
                held = f"has {lengths[wrong[0]]} numbers, row 0 has {d}" if lengths[wrong[0]] >= 0 else "is null"
                raise SourceError(f"source.path: {path}: row {at + wrong[0]} of {name} {held}; mend it or leave it out")
            values = column.flatten()
            if values.null_count:
                row = at + pc.index(pc.is_null(values), True).as_py() // d
                raise SourceError(f"source.path: {path}: row {row} of {name} holds a null; mend it or leave it out")
            yield values.to_numpy()
            at += len(column)


def _zarr(path: Path) -> Content:
    node = zarr.open(path, mode="r")
    arrays = {"": node} if isinstance(node, zarr.Array) else dict(node.arrays())
    for name, array in arrays.items():
        _no_pickle(path, name, array)
    floats = [name for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind == "f"]
    name = "" if "" in arrays else _vectors_name(path, list(arrays), floats)
    array = arrays[name]
    check(path, array.dtype, array.shape, name)
    keys, labels = _names(path, list(arrays), lambda other: arrays[other][:], array.shape[0])
    return Content(array.shape, array.dtype, _zarr_parts(path, _with_gaps(array)), keys, labels)


def _with_gaps(array: zarr.Array) -> zarr.Array:
    """The array as it is, but that chunks which are missing are NaN, and not the numbers of its fill value."""
    metadata = replace(array.metadata, fill_value=array.dtype.type("nan"))
    return zarr.Array(zarr.AsyncArray(metadata=metadata, store_path=array.store_path))


def _no_pickle(path: Path, name: str, array: zarr.Array) -> None:
    """Zarr 2 has a codec that unpickles what it decodes."""
    codecs = {
        key: value for key, value in array.metadata.to_dict().items() if key in ("filters", "compressor", "codecs")
    }
    if "pickle" in repr(codecs):
        raise SourceError(
            f"source.path: {path}: {name or 'the array'} is pickled, and was not read; save plain strings"
        )


def _zarr_parts(path: Path, array: zarr.Array) -> Iterator[np.ndarray]:
    # A chunk is decoded whole for any part of it.
    size = max(PART_BYTES // array.dtype.itemsize, array.chunks[0] * array.chunks[1])
    rows, chunk = max(1, size // array.shape[1]), array.chunks[0]
    step = rows - rows % chunk if chunk <= rows else rows
    with reading(path):
        for at in range(0, array.shape[0], step):
            yield np.ascontiguousarray(array[at : at + step], array.dtype)


def _pkl(path: Path) -> Content:
    vectors, keys, labels, _ = pickled.read(path)
    if not vectors:
        raise SourceError(f"source.path: {path} holds an empty list, and so no width of vectors")
    given = (_keys(path, "path", pa.chunked_array([keys], pa.string())), pa.chunked_array([labels], pa.string()))
    return Content((len(vectors), len(vectors[0])), vectors[0].dtype, map(np.ascontiguousarray, vectors), *given)


def _vectors_name(path: Path, found: list[str], floats: list[str]) -> str:
    """The one that is named so, else the only one that can be."""
    named = _pick(path, found, VECTORS)
    if named is not None:
        return named
    if len(floats) != 1:
        held = f"{' and '.join(floats)} may each be the vectors" if floats else f"no vectors (only: {', '.join(found)})"
        raise SourceError(f"source.path: {path} holds {held}; give the floats of shape (n, d) the name vectors")
    return floats[0]


def _pick(path: Path, found: list[str], names: tuple[str, ...]) -> str | None:
    hits = [name for name in found if name in names]
    if len(hits) > 1:
        raise SourceError(f"source.path: {path} holds {' and '.join(hits)}, which mean the same; keep one of them")
    return hits[0] if hits else None


def _names(
    path: Path, found: list[str], read: Callable[[str], np.ndarray | pa.ChunkedArray], n: int
) -> tuple[pa.ChunkedArray | None, pa.ChunkedArray | None]:
    """Keys and labels, None where there are none."""
    texts = []
    for name in (_pick(path, found, KEYS), _pick(path, found, LABELS)):
        text = None if name is None else _text(path, name, read(name))
        if text is not None and len(text) != n:
            raise SourceError(f"source.path: {path}: {name} holds {len(text)} values for {n} vectors; one for each")
        texts.append((name, text))
    (name, keys), (_, labels) = texts
    return None if keys is None else _keys(path, str(name), keys), labels


def _text(path: Path, name: str, values: np.ndarray | pa.ChunkedArray) -> pa.ChunkedArray:
    """(n,) strings, from strings or integers."""
    if isinstance(values, np.ndarray):
        if values.ndim != 1 or values.dtype.kind not in "UTiu":
            raise SourceError(
                f"source.path: {path}: {name} is {values.dtype} {values.shape}; wanted: strings or integers, shape (n,)"
            )
        native = values.astype(object) if values.dtype.kind == "T" else values.astype(values.dtype.newbyteorder("="))
        array = pa.array(native, pa.string() if values.dtype.kind in "UT" else None)
        values = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if not any(fits(kind) for fits in (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer)):
        raise SourceError(f"source.path: {path}: {name} is {kind}; wanted: strings or integers")
    return values.cast(kind).cast(pa.string())


def _keys(path: Path, name: str, keys: pa.ChunkedArray) -> pa.ChunkedArray:
    """SourceError if one is null or there twice."""
    if keys.null_count:
        row = pc.index(pc.is_null(keys), True).as_py()
        raise SourceError(f"source.path: {path}: row {row} of {name} is null; give every row a key")
    if len(pc.unique(keys)) < len(keys):
        first: dict[str, int] = {}
        for row, key in enumerate(keys.to_pylist()):
            if first.setdefault(key, row) != row:
                raise SourceError(
                    f"source.path: {path}: row {row} of {name} is {key!r}, as row {first[key]} is; keys must differ"
                )
    return keys


READERS: dict[str, Callable[[Path], Content]] = {".npz": _npz, ".parquet": _parquet, ".zarr": _zarr, ".pkl": _pkl}
