"""What a listing of files does not tell by itself, and a run knows: the rows of folders that cannot be listed now, and
files that hold other bytes though their size and their time of change are the same.

A file that is copied over another with its times kept (cp -p, rsync -t) has another time of change of its inode; then,
and where source.verify asks for it, its bytes are compared with what they were.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pixsieve import files
from pixsieve.config.sections import Source
from pixsieve.folder.manifest import LISTING, Manifest
from pixsieve.folder.skipped import UNLISTABLE, Listing

PLACE = "source/changed.parquet"  # key, changed: of each row the time that the last scan saw
CHANGED = "changed"  # a column of a listing of files: the time of change of the inode in ns, null where it is not known
UNREADABLE = " unreadable"  # ends the stamp of a file that cannot be read: once it can be, it is a changed file
TURNS = 32  # scans in which source.verify 'sample' has read every file once
READERS = 8  # threads that wait for storage


def with_unlistable(listed: Listing, known: Manifest) -> Listing:
    """With the rows that the run knows of folders that cannot be listed: they are there, and unreadable."""
    folders = listed.skipped["key"].filter(pc.equal(listed.skipped["why"], UNLISTABLE)).to_pylist()
    if not folders or not len(known.batches):
        return listed
    table = known.living(LISTING.names)
    inside = np.zeros(len(table), bool)
    for folder in folders:
        inside |= pc.starts_with(table["key"], folder).to_numpy()
    kept = table.filter(pa.array(inside)).select(LISTING.names)
    bare = pc.replace_substring_regex(kept["stamp"], f"{UNREADABLE}$", "")
    kept = kept.set_column(LISTING.get_field_index("stamp"), "stamp", pc.binary_join_element_wise(bare, UNREADABLE, ""))
    rows = pa.concat_tables([listed.rows, kept], promote_options="default").sort_by("key")
    return listed._replace(rows=rows)


def other_bytes(root: Path, source: Source, known: Manifest, listed: pa.Table) -> set[str]:
    """Keys of listed files that the run knows with the same size and time, and other bytes. A file that cannot be read
    now is not among them."""
    if CHANGED not in listed.column_names or not known.batches:
        return set()
    table = known.living(["key", "bytes", "stamp"])
    at = pc.index_in(listed["key"], table["key"])
    there = pc.is_valid(at).to_numpy()
    place = pc.fill_null(at, 0).to_numpy()
    same = there.copy()
    for name in ("bytes", "stamp"):
        same &= pc.equal(listed[name], table[name].take(pa.array(place))).to_numpy()
    asked = np.flatnonzero(same & _asked(root, source, listed))
    digests = _digests(root, known, table["row"].to_numpy()[place[asked]])
    base = os.fsencode(source.path)
    paths = [os.path.join(base, unquote_to_bytes(uri)) for uri in listed["uri"].take(asked).to_pylist()]  # noqa: PTH118
    with ThreadPoolExecutor(READERS) as pool:
        now = pool.map(_digest, paths, digests)
    keys = listed["key"].take(asked).to_pylist()
    return {key for key, before, found in zip(keys, digests, now, strict=True) if found not in (None, before)}


def save(root: Path, source: Source, listed: pa.Table) -> None:
    """After the scan is committed: the times that were seen, so that the next one need not look again."""
    if CHANGED not in listed.column_names:
        return
    table = listed.select(["key", CHANGED])
    turn = _turn(root) + (source.verify == "sample")
    if not (root / PLACE).exists() or turn != _turn(root) or not files.read_table(root / PLACE).equals(table):
        files.write_table(root / PLACE, table.replace_schema_metadata({"turn": str(turn)}))


def _asked(root: Path, source: Source, listed: pa.Table) -> np.ndarray:
    """(n,) booleans: files to look at, if they look the same."""
    if source.verify == "always":
        return np.ones(len(listed), bool)
    asked = np.zeros(len(listed), bool)
    if (root / PLACE).exists():
        seen = files.read_table(root / PLACE)
        before = seen[CHANGED].take(pc.index_in(listed["key"], seen["key"]))
        asked |= pc.fill_null(pc.not_equal(before, listed[CHANGED]), False).to_numpy()
    if source.verify == "sample":
        turn = _turn(root) % TURNS
        turns = [xxhash.xxh3_64_intdigest(key.encode()) % TURNS for key in listed["key"].to_pylist()]
        asked |= np.array(turns, int) == turn
    return asked


def _turn(root: Path) -> int:
    if not (root / PLACE).exists():
        return 0
    return int((files.read_schema(root / PLACE).metadata or {}).get(b"turn", 0))


def _digests(root: Path, known: Manifest, rows: np.ndarray) -> list[bytes | None]:
    """What the bytes of rows (n,) were when they were read; None where they have not been."""
    found: list[bytes | None] = [None] * len(rows)
    for place in known.by_batch(rows):
        path = root / f"images/{known.batches[place.batch].name}.parquet"
        if path.exists():
            column = files.read_table(path, ["file_digest"])["file_digest"]
            for at, digest in zip(place.at, column.take(pa.array(place.offset)).to_pylist(), strict=True):
                found[at] = digest
    return found


def _digest(path: bytes, before: bytes | None) -> bytes | None:
    """Of a file that has been read before; None where it cannot be read now."""
    if before is None:
        return None
    state = xxhash.xxh3_128()
    try:
        for part in _parts(path):
            state.update(part)
    except OSError:
        return None
    return state.digest()


def _parts(path: bytes) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        while part := file.read(1 << 20):
            yield part
