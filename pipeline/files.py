"""Files that appear whole or not at all, and their digests. Reading one that is not what a run wrote raises
FolderDamagedError."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pixsieve.errors import FolderDamagedError

KEPT = ("manifest", "removed")  # folders of what no run can make again


def write(path: Path, content: bytes | Callable[[BinaryIO], Any], sync: bool = True) -> None:
    """Writes beside `path`, syncs, then renames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: Any, sync: bool = True) -> None:
    write(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode(), sync)


def write_table(path: Path, table: pa.Table) -> None:
    write(path, lambda file: pq.write_table(table, file, compression="zstd"))


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    write(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """What is read inside is what a run wrote to `path`. FolderDamagedError if it cannot be; OSError as it is."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # pyarrow's own OSErrors have none
            raise
        kept = path.parent.name in KEPT
        way_out = "restore it, or start a new run folder" if kept else "delete it, and the next run makes it again"
        said = " ".join(str(error).split()) if isinstance(error, ValueError | OSError) else "it lacks what a run writes"
        raise FolderDamagedError(f"{path} is damaged ({said}); {way_out}") from None


def read_json(path: Path) -> Any:
    with intact(path):
        return json.loads(path.read_text("utf-8"))


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    with intact(path), path.open("rb") as file, pq.ParquetFile(file) as table:
        found = table.read(columns)
        return found if columns is None else found.select(columns)  # KeyError for one that is not there


def read_schema(path: Path) -> pa.Schema:
    """Of a table."""
    with intact(path), path.open("rb") as file:
        return pq.read_schema(file)


def read_array(path: Path) -> np.ndarray:
    """In place: read-only, and read where it is used."""
    with intact(path):
        return np.load(path, mmap_mode="r")


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    with intact(path), np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def digest(path: Path) -> str:
    """xxh3-128 of a file's bytes, in hex."""
    state = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            state.update(chunk)
    return state.hexdigest()


def digest_of(value: Any) -> str:
    """xxh3-128 of a value that JSON can hold, in hex."""
    return xxhash.xxh3_128_hexdigest(json.dumps(value, sort_keys=True, ensure_ascii=True).encode())
