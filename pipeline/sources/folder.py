"""A folder of images."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from pixsieve.errors import SourceError
from pixsieve.folder.manifest import LISTING

Row = tuple[str, str, int, str, str | None]


def to_key(path: bytes) -> str:
    """A relative path as text, one to one: a byte that is not UTF-8 becomes \\xNN, a backslash is doubled."""
    return path.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def columns(rows: list[Row]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in LISTING]


def rows_of(root: Path, wanted: re.Pattern[str], leave_out: Path) -> Iterator[Row]:
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
            raise SourceError(
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
                yield to_key(path), quote(path), size, stamp, to_key(os.path.basename(folder)) or None  # noqa: PTH119


def matcher(pattern: str) -> re.Pattern[str]:
    """A glob over relative paths: ** is any number of folders, * and ? stay inside one name."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces), re.DOTALL)
