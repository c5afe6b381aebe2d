"""clusters.parquet: what there is to say of each global cluster, and the same as Python values.

Means and deviations are of the stored vectors. Sums of float16 values are exact in float64, and so are those of their
squares, held in two parts: no cut into batches changes a bit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

import kernels
from pipeline import files, store
from pipeline.folder import Run

AT_A_TIME = 2**23  # numbers in each of the sums: clusters beyond take another pass over the store


@dataclass(frozen=True)
class Cluster:
    """One global cluster of a run."""

    number: int
    size: int
    medoid: str  # key of the member most similar to the mean
    mean: np.ndarray  # (d,) float32
    std: np.ndarray  # (d,) float32, of the population
    persistence: float | None
    labels: dict[str, float]  # share of the rows that have each label of the source
    batches: dict[int, float]  # share of the rows in each batch


SHARES = [("labels", "label", pa.string()), ("batches", "batch", pa.int32())]


def schema(dim: int) -> pa.Schema:
    shares = [(name, pa.list_(pa.struct([(of, kind), ("share", pa.float64())]))) for name, of, kind in SHARES]
    vectors = [(name, pa.list_(pa.float32(), dim)) for name in ("mean", "std")]
    return pa.schema(
        [
            ("cluster", pa.int64()),
            ("size", pa.int64()),
            ("medoid", pa.int64()),
            ("medoid_key", pa.string()),
            *vectors,
            ("persistence", pa.float64()),
            *shares,
        ]
    )


def table(
    run: Run,
    rows: np.ndarray,
    keys: pa.ChunkedArray,
    classes: pa.ChunkedArray,
    labels: np.ndarray,
    held: np.ndarray,
    rank: np.ndarray,
) -> pa.Table:
    """Of living rows (n,), ascending, with their keys, the source's labels and the clusters' numbers (n,); held: (c,)
    persistence of each cluster, NaN where there is none; rank: (numbers,) places of the keys."""
    count = len(held)
    size = np.bincount(labels[labels >= 0], minlength=count)
    parts = [_statistics(run, rows, labels, some, rank) for some in _chunks(run, count)]
    mean, std, medoid = (np.concatenate(side) for side in zip(*parts, strict=True))
    dim = mean.shape[1]
    place = np.searchsorted(rows, medoid)
    shares = [_shares(labels, size, of) for of in (classes, pa.chunked_array([rows // run.manifest.batch_rows]))]
    columns = [
        np.arange(count),
        size,
        medoid,
        keys.take(pa.array(place)),
        *(pa.FixedSizeListArray.from_arrays(pa.array(part.astype(np.float32).ravel()), dim) for part in (mean, std)),
        pa.array(held, mask=np.isnan(held)),
        *shares,
    ]
    fields = schema(dim)
    made = [c if isinstance(c, pa.ChunkedArray) else pa.array(c, f.type) for c, f in zip(columns, fields, strict=True)]
    return pa.table(made, fields)


def _chunks(run: Run, count: int) -> list[range]:
    step = max(1, AT_A_TIME // max(store.dimensions(run.path, run.descriptor), 1))
    return [range(at, min(at + step, count)) for at in range(0, max(count, 1), step)]


def _statistics(
    run: Run, rows: np.ndarray, labels: np.ndarray, some: range, rank: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and standard deviation (c, d) float64, and medoid (c,), of some clusters, in two passes over the store."""
    dim = store.dimensions(run.path, run.descriptor)
    total, coarse, fine = (np.zeros((len(some), dim)) for _ in range(3))
    size = np.zeros(len(some))
    for _, group, x in _members(run, rows, labels, some):
        wide = x.astype(np.float64)
        square = wide * wide
        upper = np.round(square * 2.0**24) * 2.0**-24
        here, at = np.unique(group, return_inverse=True)
        member = csr_array((np.ones(len(x)), (at, np.arange(len(x)))), shape=(len(here), len(x)))
        for sums, part in ((total, wide), (coarse, upper), (fine, square - upper)):
            sums[here] += member @ part
        size += np.bincount(group, minlength=len(some))
    count = np.maximum(size, 1)[:, None]
    mean = total / count
    std = np.sqrt(np.maximum((coarse - total * mean + fine) / count, 0))
    medoid, best = np.full(len(some), -1), np.full(len(some), -np.inf)
    for own, group, x in _members(run, rows, labels, some):
        here, at = np.unique(group, return_inverse=True)
        near = kernels.similarity(x, mean[here], np.arange(len(x)), at)
        order = np.lexsort((rank[own], -near, group))
        first = order[np.flatnonzero(np.diff(group[order], prepend=-1))]
        cluster, row, value = group[first], own[first], near[first]
        better = (value > best[cluster]) | ((value == best[cluster]) & (rank[row] < rank[medoid[cluster]]))
        medoid[cluster[better]], best[cluster[better]] = row[better], value[better]
    return mean, std, medoid


def _members(
    run: Run, rows: np.ndarray, labels: np.ndarray, some: range
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Batch by batch: the rows of some clusters, the place of their cluster among these, and their vectors."""
    size = run.manifest.batch_rows
    wanted = (labels >= some.start) & (labels < some.stop)
    ends = np.searchsorted(rows, np.arange(len(run.manifest.batches) + 1) * size)
    for batch, (a, b) in enumerate(pairwise(ends)):
        own = a + np.flatnonzero(wanted[a:b])
        if len(own):
            vectors, _ = store.read(run.path, run.descriptor, (batch,))
            yield rows[own], labels[own] - some.start, vectors[rows[own] - batch * size]


def _shares(labels: np.ndarray, size: np.ndarray, of: pa.ChunkedArray) -> pa.Array:
    """For each cluster a list of values and the share of its rows that have them, by value; rows without one count for
    none."""
    codes = of.combine_chunks().dictionary_encode()
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    known = np.flatnonzero((labels >= 0) & ~codes.is_null().to_numpy(zero_copy_only=False))
    order = np.argsort(pa.compute.array_sort_indices(codes.dictionary).to_numpy())
    value = order[codes.indices.to_numpy(zero_copy_only=False)[known].astype(np.int64)]
    width = max(len(order), 1)
    flat, rows = np.unique(labels[known] * width + value, return_counts=True)
    cluster = flat // width
    share = rows / size[cluster]
    values = codes.dictionary.take(pa.array(np.argsort(order)[flat % width]))
    offsets = pa.array(np.searchsorted(cluster, np.arange(len(size) + 1)), pa.int32())
    name, kind = ("batch", pa.int32()) if pa.types.is_integer(values.type) else ("label", pa.string())
    return pa.ListArray.from_arrays(
        offsets, pa.StructArray.from_arrays([values.cast(kind), pa.array(share)], names=[name, "share"])
    )


def read_clusters(path: str | Path) -> list[Cluster]:
    """From a clusters.parquet, or the run folder that holds one."""
    path = Path(path)
    found = files.read_table(path / "clusters.parquet" if path.is_dir() else path)
    return [
        Cluster(
            row["cluster"],
            row["size"],
            row["medoid_key"],
            np.array(row["mean"], np.float32),
            np.array(row["std"], np.float32),
            row["persistence"],
            *({each[of]: each["share"] for each in row[name]} for name, of, _ in SHARES),
        )
        for row in found.to_pylist()
    ]


def write_clusters(path: str | Path, clusters: list[Cluster]) -> None:
    """A Parquet file that `read_clusters` reads. Row numbers of medoids are not known: they are -1."""
    dims = {len(vector) for cluster in clusters for vector in (cluster.mean, cluster.std)}
    if len(dims) > 1:
        raise ValueError(f"means and deviations have {sorted(dims)} numbers; all must have as many")
    rows = [
        {
            "cluster": c.number,
            "size": c.size,
            "medoid": -1,
            "medoid_key": c.medoid,
            "mean": c.mean.tolist(),
            "std": c.std.tolist(),
            "persistence": c.persistence,
            "labels": [{"label": label, "share": share} for label, share in c.labels.items()],
            "batches": [{"batch": batch, "share": share} for batch, share in c.batches.items()],
        }
        for c in clusters
    ]
    files.write_table(Path(path), pa.Table.from_pylist(rows, schema(dims.pop() if dims else 0)))
