"""The statistics of clusters.parquet: size, medoid, mean, deviation and shares of each global cluster.

Means and deviations are of the stored vectors. Sums of float16 values are exact in float64, and so are those of their
squares, held in two parts: no cut into batches changes a bit.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from pixsieve import kernels
from pixsieve.folder import embeddings
from pixsieve.folder.cluster_table import schema
from pixsieve.folder.run import Run

AT_A_TIME = 2**23  # numbers in each of the sums: clusters beyond take another pass over the store


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
    step = max(1, AT_A_TIME // max(embeddings.dimensions(run.path, run.descriptor), 1))
    return [range(at, min(at + step, count)) for at in range(0, max(count, 1), step)]


def _statistics(
    run: Run, rows: np.ndarray, labels: np.ndarray, some: range, rank: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and standard deviation (c, d) float64, and medoid (c,), of some clusters, in two passes over the store."""
    dim = embeddings.dimensions(run.path, run.descriptor)
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
            vectors, _ = embeddings.read(run.path, run.descriptor, (batch,))
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
