"""Which rows are one file under several names: links, symbolic and hard, and what lies in linked folders.

That is so between rows, and changes as others come and go, so it is no column of the manifest, whose batches are never
written again: the scan brings one table up to date. The numbers of the file system do not go into it; they are others
after a data set has moved.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixsieve import files
from pixsieve.folder.manifest import LISTING, Manifest

PLACE = "source/links.parquet"
# What a source of files says of a row besides LISTING. file: equal for rows that are one file, null where that is not
# known. symbolic: whether a symbolic link is on the way to it, below the source.
FILES = pa.schema([("file", pa.int64()), ("symbolic", pa.bool_())])


class Names(NamedTuple):
    """Of n rows."""

    file: np.ndarray  # (n,) equal for the names of one file, -1 for a row that is the only one
    symbolic: np.ndarray  # (n,) booleans


@dataclass(frozen=True)
class Links:
    digests: dict[str, str]  # of the table, if there is one

    @classmethod
    def load(cls, root: Path) -> Self:
        """What the scan has left."""
        return cls({PLACE: files.digest(root / PLACE)} if (root / PLACE).exists() else {})

    @property
    def files(self) -> tuple[str, ...]:
        """What a unit reads that uses them, besides the manifest."""
        return tuple(self.digests)

    def names(self, manifest: Manifest, rows: np.ndarray) -> Names:
        if not self.digests:
            return Names(np.full(len(rows), -1, np.int64), np.zeros(len(rows), bool))
        table = files.read_table(manifest.root / PLACE)
        at = pc.index_in(manifest.of_rows(rows, "key"), table["key"])
        found = (table[name].take(at).fill_null(none) for name, none in (("file", -1), ("symbolic", False)))
        return Names(*(column.to_numpy() for column in found))


def scanned(path: Path, listed: pa.Table) -> pa.Table:
    """Brings RUN/source/links.parquet up to date; there is none where there are no links. Returns the listed rows as
    the manifest has them (LISTING)."""
    found = pa.table([])
    if FILES.names[0] in listed.column_names:
        table = listed.select(["key", *FILES.names])
        counted = table["file"].value_counts()
        several = pc.struct_field(counted, 0).filter(pc.greater(pc.struct_field(counted, 1), 1)).drop_null()
        found = table.filter(pc.or_(pc.is_in(table["file"], several), table["symbolic"]))
    if not len(found):
        (path / PLACE).unlink(missing_ok=True)
    elif not (path / PLACE).exists() or not files.read_table(path / PLACE).equals(found):
        files.write_table(path / PLACE, found)
    return listed.select(LISTING.names)
