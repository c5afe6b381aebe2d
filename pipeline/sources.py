"""Where images come from. A source lists its rows and reads one of them; it knows nothing of runs."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import numpy as np
import pyarrow as pa
import xxhash

from pipeline.config import ConfigError, Source

# key: the user's name of the row. uri: how to read it again, relative to source.path, so that a data set can move.
# stamp: whatever changes when the bytes change (mtime in ns, a digest, an object store's etag).
LISTING = pa.schema([("key", pa.string()), ("uri", pa.string()), ("bytes", pa.int64()), ("stamp", pa.string())])


def kind(source: Source) -> str:
    """ "folder" or "vectors"; ConfigError if the path is neither."""
    path = Path(source.path)
    if not path.exists():
        raise ConfigError(f"source.path: {path} does not exist")
    found = "folder" if path.is_dir() else "vectors" if path.suffix == ".npy" else None
    if found is None:
        raise ConfigError(f"source.path: {path} is neither a folder of images nor a .npy file of vectors")
    if source.format not in ("auto", found):
        raise ConfigError(f"source.format is {source.format!r} but {path} is a {found} source")
    return found


def listing(source: Source, leave_out: Path) -> pa.Table:
    """All rows of the source (LISTING), sorted by key. Files under `leave_out` (the run folder) are no rows."""
    if kind(source) == "vectors":
        return _vector_rows(open_vectors(source))
    rows = sorted(_folder_rows(Path(source.path), _matcher(source.pattern), leave_out))
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(_columns(rows), LISTING, strict=True)], LISTING
    )


def read(source: Source, uri: str) -> bytes:
    """The encoded bytes of one image. Raises OSError."""
    path = os.path.join(os.fsencode(source.path), unquote_to_bytes(uri))  # noqa: PTH118 (bytes)
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()


def open_vectors(source: Source) -> np.ndarray:
    """The (n, d) array of a .npy source, memory-mapped."""
    try:
        array = np.load(source.path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(f"source.path: cannot read vectors from {source.path}: {error}") from None
    if not isinstance(array, np.ndarray):
        raise ConfigError(f"source.path: {source.path} holds several arrays, not one of shape (n, d)")
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.floating) or array.shape[1] == 0:
        raise ConfigError(
            f"source.path: {source.path} holds {array.dtype} {array.shape}; wanted: floats of shape (n, d)"
        )
    return array


def to_key(path: bytes) -> str:
    """A relative path as text, one to one: a byte that is not UTF-8 becomes \\xNN, a backslash is doubled."""
    return path.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def _columns(rows: list[tuple[str, str, int, str]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in LISTING]


def _folder_rows(root: Path, wanted: re.Pattern[str], leave_out: Path) -> Iterator[tuple[str, str, int, str]]:
    skip = os.fsencode(leave_out.resolve())
    # Each folder travels with the folders above it, so that a link back to one of them ends there.
    todo: list[tuple[bytes, frozenset[tuple[int, int]]]] = [(b"", frozenset())]
    base = os.fsencode(root)
    while todo:
        folder, above = todo.pop()
        place = os.path.join(base, folder)  # noqa: PTH118
        try:
            info_here = os.stat(place)  # noqa: PTH116
            entries = list(os.scandir(place))
        except OSError as error:
            raise ConfigError(
                f"cannot list the folder {os.fsdecode(place)}: {error.strerror}; its images would be taken for removed"
            ) from None
        here = above | {(info_here.st_dev, info_here.st_ino)}
        for entry in entries:
            if entry.name.startswith(b"."):
                continue
            path = os.path.join(folder, entry.name)  # noqa: PTH118
            info: os.stat_result | None
            try:
                info = entry.stat()
            except OSError:  # a dangling link, a loop of links: a row that will be reported as unreadable
                info = None
            if info is not None and stat.S_ISDIR(info.st_mode):
                if (info.st_dev, info.st_ino) not in here and os.path.realpath(entry.path) != skip:
                    todo.append((path, here))
            elif (info is None or stat.S_ISREG(info.st_mode)) and wanted.fullmatch(os.fsdecode(path)):
                size, stamp = (info.st_size, str(info.st_mtime_ns)) if info else (0, "dangling")
                # A file whose permissions are mended is a changed file.
                stamp += "" if os.access(entry.path, os.R_OK) else " unreadable"
                yield to_key(path), quote(path), size, stamp


def _matcher(pattern: str) -> re.Pattern[str]:
    """A glob over relative paths: ** is any number of folders, * and ? stay inside one name."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces), re.DOTALL)


def _vector_rows(array: np.ndarray) -> pa.Table:
    stamps = []
    for at in range(0, len(array), 65536):
        rows = np.ascontiguousarray(array[at : at + 65536])
        stamps += [xxhash.xxh3_64_hexdigest(row) for row in rows]
    names = np.arange(len(array)).astype(str)
    sizes = np.full(len(array), array.dtype.itemsize * array.shape[1])
    return pa.table(
        [pa.array(names), pa.array(names), pa.array(sizes), pa.array(stamps, pa.string())], LISTING
    ).sort_by("key")
