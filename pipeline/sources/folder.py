"""A folder of images."""

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

import pyarrow as pa
from wcmatch import glob

from pixsieve.config.sections import Source
from pixsieve.errors import SourceError
from pixsieve.folder.links import FILES
from pixsieve.folder.manifest import LISTING

# As in a shell, with ** for any number of folders, braces, sets and exclusion: wcmatch's documentation has it all.
PATTERNS = glob.GLOBSTAR | glob.BRACE | glob.EXTGLOB | glob.NEGATE | glob.NEGATEALL | glob.DOTGLOB | glob.FORCEUNIX


class Row(NamedTuple):
    """One file, as LISTING and FILES have it."""

    key: str
    uri: str
    bytes: int
    stamp: str
    label: str | None
    file: tuple[int, int] | None  # device and number, None where it is not known
    symbolic: bool


def listing(source: Source, run: Path) -> pa.Table:
    """The files that match the pattern (LISTING and FILES), by key. What lies under `run` (the run folder) is no
    row."""
    rows = sorted(rows_of(Path(source.path), matcher(source.pattern), run), key=lambda row: row.key)
    schema, first = pa.schema([*LISTING, *FILES]), dict[tuple[int, int], int]()
    listed = [
        (*row[:5], first.setdefault(row.file, at) if row.file else None, row.symbolic) for at, row in enumerate(rows)
    ]
    columns = zip(*listed, strict=True) if rows else [()] * len(schema)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)


def read(source: Source, uri: str) -> bytes:
    """The encoded bytes of one image. Raises OSError."""
    path = os.path.join(os.fsencode(source.path), unquote_to_bytes(uri))  # noqa: PTH118 (bytes)
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()


def to_key(path: bytes) -> str:
    """A relative path as text, one to one: a byte that is not UTF-8 becomes \\xNN, a backslash is doubled."""
    return path.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def rows_of(root: Path, wanted: Callable[[str], bool], leave_out: Path) -> Iterator[Row]:
    skip = os.fsencode(leave_out.resolve())
    # Each folder travels with the folders above it, so that a link back to one of them ends there.
    todo: list[tuple[bytes, frozenset[tuple[int, int]], bool]] = [(b"", frozenset(), False)]
    base = os.fsencode(root)
    while todo:
        folder, above, linked = todo.pop()
        place = os.path.join(base, folder)  # noqa: PTH118
        try:
            info_here = os.stat(place)  # noqa: PTH116
            entries = list(os.scandir(place))
        except OSError as error:
            raise SourceError(
                f"cannot list the folder {os.fsdecode(place)}: {error.strerror}; its images would be taken for removed"
            ) from None
        here = above | {(info_here.st_dev, info_here.st_ino)}
        for entry in entries:
            if entry.name.startswith(b"."):
                continue
            path = os.path.join(folder, entry.name)  # noqa: PTH118
            symbolic = linked or entry.is_symlink()
            info: os.stat_result | None
            try:
                info = entry.stat()
            except OSError:  # a dangling link, a loop of links: a row that will be reported as unreadable
                info = None
            if info is not None and stat.S_ISDIR(info.st_mode):
                if (info.st_dev, info.st_ino) not in here and os.path.realpath(entry.path) != skip:
                    todo.append((path, here, symbolic))
            elif (info is None or stat.S_ISREG(info.st_mode)) and wanted(os.fsdecode(path)):
                size, stamp = (info.st_size, str(info.st_mtime_ns)) if info else (0, "dangling")
                # A file whose permissions are mended is a changed file.
                stamp += "" if os.access(entry.path, os.R_OK) else " unreadable"
                label = to_key(os.path.basename(folder)) or None  # noqa: PTH119
                file = (info.st_dev, info.st_ino) if info and info.st_ino else None
                yield Row(to_key(path), quote(path), size, stamp, label, file, symbolic)


def matcher(patterns: str | Sequence[str]) -> Callable[[str], bool]:
    """Whether a relative path matches one of the patterns that do not begin with `!`, and none of those that do. Only
    such: all else matches."""
    include, exclude = (
        [re.compile(one) for one in side]
        for side in glob.translate([patterns] if isinstance(patterns, str) else list(patterns), flags=PATTERNS)
    )

    def wanted(path: str) -> bool:
        return any(one.fullmatch(path) for one in include) and not any(one.fullmatch(path) for one in exclude)

    return wanted
