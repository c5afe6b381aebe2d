"""Rows drawn from a run, the same for any cut into batches: they are drawn by the order of their keys."""

from typing import NamedTuple

import numpy as np

from pixsieve.folder import embeddings
from pixsieve.folder.run import Run


class Sample(NamedTuple):
    rows: np.ndarray  # (m,) row numbers, in the order of the keys
    vectors: np.ndarray  # (m, d) float16, none of them zero
    of: int  # usable rows that it was drawn from

    @property
    def share(self) -> float:
        return len(self.rows) / max(self.of, 1)


def usable(run: Run, batches: int | None = None) -> np.ndarray:
    """(numbers,) booleans: living rows that have a direction, of the first `batches` batches (default: all). Reads one
    batch at a time."""
    manifest = run.manifest
    found, size = np.zeros(manifest.numbers, bool), manifest.batch_rows
    for batch in range(len(manifest.batches) if batches is None else batches):
        vectors, status = embeddings.read(run.path, run.descriptor, (batch,))
        found[batch * size : (batch + 1) * size] = embeddings.usable(vectors, status)
    return found & manifest.live()


def draw(run: Run, size: int, batches: int | None = None) -> Sample:
    """At most `size` of the `usable` rows, drawn without replacement by run.seed."""
    rows = np.flatnonzero(usable(run, batches))
    rows = rows[np.argsort(run.manifest.key_rank()[rows])]
    drawn = np.random.default_rng(run.config.run.seed).choice(len(rows), min(size, len(rows)), replace=False)
    chosen = rows[np.sort(drawn)]
    return Sample(chosen, read(run, chosen), len(rows))


def read(run: Run, rows: np.ndarray) -> np.ndarray:
    """(m, d) float16 vectors of some rows, in their order."""
    size = run.manifest.batch_rows
    parts = {}
    for batch in np.unique(rows // size).tolist():
        here = np.flatnonzero(rows // size == batch)
        parts[batch] = here, embeddings.read(run.path, run.descriptor, (batch,))[0][rows[here] - batch * size]
    dim = next(iter(parts.values()))[1].shape[1] if parts else 0
    vectors = np.empty((len(rows), dim), np.float16)
    for here, values in parts.values():
        vectors[here] = values
    return vectors
