"""Where images come from. A source lists its rows and reads one of them; it knows nothing of runs."""

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pyarrow as pa

from pixsieve.config.sections import Source
from pixsieve.errors import ConfigError, SourceError
from pixsieve.folder.manifest import LISTING
from pixsieve.sources import vectors
from pixsieve.sources.folder import columns, matcher, rows_of


def kind(source: Source) -> str:
    """ "folder" or "vectors". SourceError if the path is neither, ConfigError if source.format says otherwise."""
    path = Path(source.path)
    if not path.exists():
        raise SourceError(f"source.path: {path} does not exist")
    if vectors.is_given(path) and not (path.is_dir() and source.format == "folder"):
        found = "vectors"
    elif path.is_dir():
        found = "folder"
    else:
        raise SourceError(
            f"source.path: {path} is neither a folder of images nor vectors ({', '.join(vectors.SUFFIXES)})"
        )
    if source.format not in ("auto", found):
        raise ConfigError(f"source.format is {source.format!r} but {path} is a {found} source")
    return found


def listing(source: Source, run: Path) -> pa.Table:
    """All rows of the source (LISTING), sorted by key. Files under `run` (the run folder) are no rows; given
    vectors are unpacked there."""
    path = Path(source.path)
    if kind(source) == "vectors":
        vectors.unpack(path, run)
        return pa.table(vectors.listing(vectors.opened(path, run)), LISTING).sort_by("key")
    rows = sorted(rows_of(path, matcher(source.pattern), run))
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns(rows), LISTING, strict=True)], LISTING
    )


def read(source: Source, uri: str) -> bytes:
    """The encoded bytes of one image. Raises OSError."""
    path = os.path.join(os.fsencode(source.path), unquote_to_bytes(uri))  # noqa: PTH118 (bytes)
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()
