"""Rows drawn from a run, the same for any cut into batches: they are drawn by the order of their keys."""

from typing import NamedTuple

import numpy as np

from pipeline import images, store
from pipeline.config import Cluster
from pipeline.folder import Run


class Sample(NamedTuple):
    rows: np.ndarray  # (m,) row numbers, in the order of the keys
    vectors: np.ndarray  # (m, d) float16, none of them zero
    of: int  # usable rows that it was drawn from

    @property
    def share(self) -> float:
        return len(self.rows) / max(self.of, 1)


def draw(run: Run, size: int, batches: int | None = None) -> Sample:
    """At most `size` living rows that have a direction, of the first `batches` batches (default: all), drawn without
    replacement by run.seed. Reads one batch at a time."""
    manifest = run.manifest
    batches = len(manifest.batches) if batches is None else batches
    live, rank = manifest.live(), manifest.key_rank()
    usable = np.zeros(manifest.numbers, bool)
    for batch in range(batches):
        vectors, status = store.read(run.path, run.descriptor, (batch,))
        usable[batch * len(status) : (batch + 1) * len(status)] = np.isin(status, images.USABLE) & vectors.any(axis=1)
    rows = np.flatnonzero(usable & live)
    rows = rows[np.argsort(rank[rows])]
    drawn = np.random.default_rng(run.config.run.seed).choice(len(rows), min(size, len(rows)), replace=False)
    chosen = rows[np.sort(drawn)]
    return Sample(chosen, read(run, chosen), len(rows))


def read(run: Run, rows: np.ndarray) -> np.ndarray:
    """(m, d) float16 vectors of some rows, in their order."""
    size = run.manifest.batch_rows
    parts = {}
    for batch in np.unique(rows // size).tolist():
        here = np.flatnonzero(rows // size == batch)
        parts[batch] = here, store.read(run.path, run.descriptor, (batch,))[0][rows[here] - batch * size]
    dim = next(iter(parts.values()))[1].shape[1] if parts else 0
    vectors = np.empty((len(rows), dim), np.float16)
    for here, values in parts.values():
        vectors[here] = values
    return vectors


def thinned(settings: Cluster, share: float) -> Cluster:
    """The settings for a sample of this share of the rows: a row keeps that share of its neighbours, and a cluster of
    its rows."""
    return settings.model_copy(
        update={
            "min_samples": min(settings.min_samples, max(2, round((settings.min_samples - 1) * share) + 1)),
            "min_cluster_size": max(2, round(settings.min_cluster_size * share)),
        }
    )
