"""scan: what is in the source now, against what the run knows.

Unchanged rows keep their numbers. New and changed ones are appended in new batches and blocks, sorted by key; missing
and changed ones are written down as removed. Everything is committed by one file, manifest/blocks.json.
"""

import numpy as np
import pyarrow as pa

from pixsieve import files
from pixsieve.errors import ConfigError
from pixsieve.folder.manifest import Manifest
from pixsieve.folder.run import Run
from pixsieve.runtime.stage import Counts
from pixsieve.sources import source
from pixsieve.sources.metadata import scanned


def scan(run: Run) -> Counts:
    known = Manifest.load(run.path) or Manifest(run.path, run.config.run.batch_rows, (), (), ())
    if known.batch_rows != run.config.run.batch_rows:
        raise ConfigError(
            f"run.batch_rows is {run.config.run.batch_rows}, but {run.path} was begun with {known.batch_rows};"
            " set it back or start a new run folder"
        )
    found = scanned(run, source.listing(run.config.source, run.path))
    if not len(found) and known.live().any():
        raise ConfigError(
            f"{run.config.source.path} holds no image, but the run has {int(known.live().sum())}: is it mounted?"
            " If all are gone on purpose, start a new run folder"
        )
    table = known.living(["key", "bytes", "stamp"])
    old = dict(zip(table["key"].to_pylist(), _state(table, "row"), strict=True))
    new = np.array([old.get(key, (None,))[1:] != state for key, *state in _rows(found)], bool)
    kept = set(found["key"].filter(pa.array(~new)).to_pylist())
    dead = np.array(sorted(state[0] for key, state in old.items() if key not in kept), np.int64)
    added = found.filter(pa.array(new))
    if len(added) or len(dead) or not known.batches:
        _commit(run, known, added, dead)
    return {"rows": len(found), "new": len(added), "removed": len(dead)}


def _rows(found: pa.Table) -> list[tuple[str, int, str]]:
    return list(zip(*(found[name].to_pylist() for name in ("key", "bytes", "stamp")), strict=True))


def _state(table: pa.Table, first: str) -> list[list[object]]:
    return [list(row) for row in zip(*(table[name].to_pylist() for name in (first, "bytes", "stamp")), strict=True)]


def _commit(run: Run, known: Manifest, added: pa.Table, dead: np.ndarray) -> None:
    size, start = known.batch_rows, len(known.batches)
    batches = list(known.batches)
    for at in range(0, len(added), size):
        part = added.slice(at, size)
        number = len(batches)
        path = run.path / f"manifest/{number:05}.parquet"
        rows = pa.array(np.arange(len(part)) + number * size)
        files.write_table(path, part.add_column(0, "row", rows).combine_chunks())
        batches.append((len(part), files.digest(path)))
    removed = list(known.removed)
    if len(dead):
        path = run.path / f"removed/{len(removed):05}.parquet"
        files.write_table(path, pa.table({"row": dead}))
        removed.append((len(dead), files.digest(path)))
    per_block = max(1, (run.config.run.block_rows or run.backend.block_rows) // size)
    new = range(start, len(batches))
    blocks = [tuple(new[at : at + per_block]) for at in range(0, len(new), per_block)]
    manifest = Manifest(run.path, size, tuple(batches), known.blocks + tuple(blocks), tuple(removed))
    manifest.save()
    for path in (run.path / "manifest").glob("*.parquet"):  # left by a scan that was cut off before it committed
        if int(path.stem) >= len(batches):
            path.unlink()
