"""The file of metadata that lies beside a source: CSV or Parquet with a column `key`."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import xxhash

from pixsieve.config.sections import AUTO, Source
from pixsieve.errors import ConfigError, SourceError
from pixsieve.folder.metadata import LABEL, SPLIT


def read(source: Source) -> pa.Table | None:
    """The metadata as it is kept: `key` first, the others by name; sorted by key; columns of labels and of splits are
    text, numbers that are none are null. None where there is no metadata. Raises SourceError, and
    ConfigError for a file of another kind."""
    if source.metadata is None:
        return None
    path = Path(source.metadata)
    if path.suffix not in (".csv", ".parquet"):
        raise ConfigError(f"source.metadata: {path} must be a .csv or a .parquet file")
    text = {default if asked == AUTO else asked for asked, default in ((source.label, LABEL), (source.split, SPLIT))}
    try:
        table = _read_csv(path, text) if path.suffix == ".csv" else pq.read_table(path)
    except OSError as error:
        raise SourceError(f"source.metadata: cannot read {path}: {error.strerror or error}") from None
    except pa.ArrowException as error:
        raise SourceError(f"source.metadata: {path} cannot be understood: {error}") from None
    names = table.column_names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SourceError(f"source.metadata: {path} has the column {twice[0]!r} twice")
    if "key" not in names:
        raise SourceError(f"source.metadata: {path} has no column 'key', only {', '.join(map(repr, names)) or 'none'}")
    columns = {name: _normal(path, name, table[name], name in text) for name in ["key", *sorted({*names} - {"key"})]}
    return _with_digests(_checked_keys(path, pa.table(columns)).sort_by("key"))


def _read_csv(path: Path, text: set[str]) -> pa.Table:
    # One block, so that the type of a column is that of all its values; "NA" and "null" are words like others.
    one_block = min(path.stat().st_size + 1, 2**31 - 1)
    return pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(block_size=one_block),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(("key", *text), pa.string()), null_values=[""], strings_can_be_null=True
        ),
    )


def _normal(path: Path, name: str, column: pa.ChunkedArray, text: bool) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    if name == "key" and not (_is_text(column.type) or pa.types.is_integer(column.type)):
        raise SourceError(f"source.metadata: the column 'key' of {path} holds {column.type}, not strings or integers")
    if not (name == "key" or text):
        return column
    try:
        return column.cast(pa.string())
    except pa.ArrowException:
        raise SourceError(
            f"source.metadata: the column {name!r} of {path} holds {column.type}, which is no name"
        ) from None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def _checked_keys(path: Path, table: pa.Table) -> pa.Table:
    if table["key"].null_count:
        at = pc.index(pc.is_null(table["key"]), True).as_py()
        raise SourceError(f"source.metadata: row {at + 1} of {path} has no key")
    counts = pc.value_counts(table["key"])
    twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    if len(twice):
        raise SourceError(f"source.metadata: {path} has {len(twice)} keys more than once, one is {twice[0].as_py()!r}")
    return table


def _with_digests(table: pa.Table) -> pa.Table:
    """Each field with the digest of its values and of the keys that they belong to."""
    fields = []
    for field in table.schema:
        state = xxhash.xxh3_128(str(field.type).encode())
        # As one array each: how a file cuts its columns is nothing to them.
        one = pa.table({"key": table["key"].combine_chunks(), "value": table[field.name].combine_chunks()})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, one.schema) as stream:
            stream.write_table(one)
        state.update(sink.getvalue())
        fields.append(field.with_metadata({"digest": state.hexdigest()}))
    return table.cast(pa.schema(fields))
