"""Rows drawn from a run, the same for any cut into batches: they are drawn by the order of their keys."""

from typing import NamedTuple

import numpy as np

from pixsieve.folder.run_folder import Run


class Sample(NamedTuple):
    rows: np.ndarray  # (m,) row numbers, in the order of the keys
    vectors: np.ndarray  # (m, width), all usable
    of: int  # usable rows that it was drawn from

    @property
    def share(self) -> float:
        return len(self.rows) / max(self.of, 1)


def usable(run: Run) -> np.ndarray:
    """(numbers,) booleans: living rows that can be compared. Reads one batch at a time."""
    manifest = run.manifest
    found = np.zeros(manifest.numbers, bool)
    for batch in range(len(manifest.batches)):
        found[manifest.rows_of([batch])] = run.store.read([batch]).usable
    return found & manifest.live()


def draw(run: Run, size: int, seed: int) -> Sample:
    """At most `size` of the `usable` rows, drawn without replacement."""
    rows = np.flatnonzero(usable(run))
    rows = rows[np.argsort(run.manifest.key_rank()[rows])]
    drawn = np.random.default_rng(seed).choice(len(rows), min(size, len(rows)), replace=False)
    chosen = rows[np.sort(drawn)]
    return Sample(chosen, read(run, chosen), len(rows))


def read(run: Run, rows: np.ndarray) -> np.ndarray:
    """(m, width) vectors of some rows, in their order."""
    vectors = np.empty((len(rows), run.measure.width), run.measure.dtype)
    for batch, at, offset in run.manifest.by_batch(rows):
        vectors[at] = run.store.read([batch]).vectors[offset]
    return vectors
