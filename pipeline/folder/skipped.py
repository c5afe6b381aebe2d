"""skipped.parquet: the files of the source that are no rows, and why. It is written by each scan that finds others than
the one before."""

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pixsieve import files

PLACE = "skipped.parquet"
# A folder that is left out with all that is in it is one entry: a key that ends in a slash, without bytes.
SKIPPED = pa.schema([("key", pa.string()), ("bytes", pa.int64()), ("why", pa.string())])
# Why: the suffix, or the first bytes, are none of an image; source.exclude matches; source.pattern does not; it is the
# folder of another run; a folder that may not be listed.
SUFFIX, CONTENT, EXCLUDED, PATTERN, RUN, UNLISTABLE = WHY = (
    "suffix",
    "content",
    "excluded",
    "pattern",
    "run",
    "unlistable",
)
TOLD = (RUN, UNLISTABLE)  # by name
NAMED = 20  # suffixes that are counted each for itself, at most
NO_SUFFIX, FOLDERS, OTHERS = "without suffix", "folders", "others"
CHUNK = 65536  # entries


class Listing(NamedTuple):
    """What a source has."""

    rows: pa.Table  # LISTING
    skipped: pa.Table  # SKIPPED, by key
    numbered: bool = False  # the keys are whole numbers, in the order of their values


class Gathered:
    """Entries as they are found: columns, as there may be very many."""

    def __init__(self) -> None:
        self._whole: list[pa.RecordBatch] = []
        self._last: list[tuple[str, int | None, str]] = []

    def add(self, key: str, size: int | None, why: str) -> None:
        self._last.append((key, size, why))
        if len(self._last) == CHUNK:
            self._pack()

    def table(self) -> pa.Table:
        """SKIPPED, by key."""
        self._pack()
        return pa.Table.from_batches(self._whole, SKIPPED).sort_by("key")

    def _pack(self) -> None:
        if self._last:
            columns = zip(*self._last, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, SKIPPED, strict=True)]
            self._whole.append(pa.record_batch(arrays, SKIPPED))
            self._last = []


def none() -> pa.Table:
    return SKIPPED.empty_table()


def save(root: Path, table: pa.Table) -> bool:
    """Whether it has changed, and so was written."""
    place = root / PLACE
    if place.exists() and files.read_table(place).equals(table):
        return False
    files.write_table(place, table)
    return True


def digests(root: Path) -> dict[str, str]:
    """Of the table, as units name it. Empty in a run folder from before there was one."""
    place = root / PLACE
    return {PLACE: files.digest(place)} if place.exists() else {}


def numbers(table: pa.Table) -> dict[str, Any]:
    """How many there are, by reason and by suffix; and the first of those that are told by name."""
    why = _counted(table["why"])
    named = {
        name: table["key"].filter(pc.equal(table["why"], name))[:NAMED].to_pylist() for name in TOLD if name in why
    }
    return {
        "entries": len(table),
        "bytes": pc.sum(table["bytes"]).as_py() or 0,
        "why": {name: why[name] for name in WHY if name in why},
        "suffixes": by_suffix(table["key"]),
        **({"named": named} if named else {}),
    }


def by_suffix(keys: pa.ChunkedArray) -> dict[str, int]:
    """How many keys have each suffix, in lower case, the most frequent first; those beyond NAMED together. What is
    longer than 16 letters, or has a space, is taken for no suffix."""
    found = pc.extract_regex(keys, r"[^/](?P<suffix>\.[^./\s]{1,16})$")
    suffixes = pc.fill_null(pc.utf8_lower(pc.struct_field(found, "suffix")), NO_SUFFIX)
    counts = _counted(pc.if_else(pc.ends_with(keys, "/"), FOLDERS, suffixes))
    order = sorted(counts, key=lambda name: (-counts[name], name))
    rest = sum(counts[name] for name in order[NAMED:])
    return {name: counts[name] for name in order[:NAMED]} | ({OTHERS: rest} if rest else {})


def in_words(suffixes: dict[str, int]) -> str:
    """What `by_suffix` gives."""
    one = {FOLDERS: "folder", OTHERS: "other"}
    return ", ".join(f"{count:,} {one.get(name, name) if count == 1 else name}" for name, count in suffixes.items())


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()}
