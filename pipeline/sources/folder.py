"""A folder of images."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

import pyarrow as pa

from pixsieve.config.load import is_run
from pixsieve.config.sections import Source
from pixsieve.errors import SourceError
from pixsieve.folder.links import FILES
from pixsieve.folder.manifest import LISTING
from pixsieve.folder.skipped import EXCLUDED, RUN, UNLISTABLE, Gathered, Listing
from pixsieve.images import signs
from pixsieve.sources import pictures
from pixsieve.sources.known import CHANGED, UNREADABLE

FORBIDDEN = (errno.EACCES, errno.EPERM)


class Row(NamedTuple):
    """One file, as LISTING and FILES have it."""

    key: str
    uri: str
    bytes: int
    stamp: str
    label: str | None
    file: tuple[int, int] | None  # device and number, None where it is not known
    symbolic: bool
    changed: int | None  # when the inode was, in ns


def listing(source: Source, run: Path) -> Listing:
    """The files, by key: those that are rows by the rule of pictures.py (LISTING, FILES and CHANGED), and the others.
    What lies under `run` (the run folder) is neither."""
    skipped = Gathered()
    rows = sorted(rows_of(Path(source.path), pictures.rule(source), run, skipped.add), key=lambda row: row.key)
    schema, first = pa.schema([*LISTING, *FILES, (CHANGED, pa.int64())]), dict[tuple[int, int], int]()
    listed = [(*row[:5], first.setdefault(row.file, at) if row.file else None, *row[6:]) for at, row in enumerate(rows)]
    columns = zip(*listed, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return Listing(pa.table(arrays, schema), skipped.table())


def read(source: Source, uri: str) -> bytes:
    """The encoded bytes of one image. Raises OSError."""
    path = os.path.join(os.fsencode(source.path), unquote_to_bytes(uri))  # noqa: PTH118 (bytes)
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()


def read_beside(images: str, key: str) -> bytes:
    """The encoded bytes of the image of a given vector, whose key is its path in the folder `images`. Raises OSError,
    and ValueError for a key that leads out of it."""
    path = Path(images, key).resolve()
    if not path.is_relative_to(Path(images).resolve()):
        raise ValueError(f"the key {key!r} is no path in {images}")
    return path.read_bytes()


def to_key(path: bytes) -> str:
    """A relative path as text, one to one: a byte that is not UTF-8 becomes \\xNN, a backslash is doubled."""
    return path.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def rows_of(
    root: Path, rule: pictures.Rule, leave_out: Path, skipped: Callable[[str, int | None, str], None]
) -> Iterator[Row]:
    """skipped: is told the key, the bytes and the reason of what is no row."""
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
            if folder and error.errno in FORBIDDEN:
                if rule.may_want_in(os.fsdecode(folder)):
                    skipped(f"{to_key(folder)}/", None, UNLISTABLE)
                continue
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
                if (info.st_dev, info.st_ino) in here or os.path.realpath(entry.path) == skip:
                    continue
                if rule.leaves_out(os.fsdecode(path)):
                    skipped(f"{to_key(path)}/", None, EXCLUDED)
                elif is_run(Path(os.fsdecode(entry.path))):
                    skipped(f"{to_key(path)}/", None, RUN)
                else:
                    todo.append((path, here, symbolic))
            elif info is None or stat.S_ISREG(info.st_mode):
                size, stamp = (info.st_size, str(info.st_mtime_ns)) if info else (0, "dangling")
                why = rule.why_skipped(os.fsdecode(path), partial(_head, entry.path))
                if why is not None:
                    skipped(to_key(path), size, why)
                    continue
                # A file whose permissions are mended is a changed file.
                stamp += "" if os.access(entry.path, os.R_OK) else UNREADABLE
                label = to_key(os.path.basename(folder)) or None  # noqa: PTH119
                file = (info.st_dev, info.st_ino) if info and info.st_ino else None
                yield Row(to_key(path), quote(path), size, stamp, label, file, symbolic, info and info.st_ctime_ns)


def _head(path: bytes) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read(signs.HEAD)
