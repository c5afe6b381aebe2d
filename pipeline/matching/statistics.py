"""The statistics of clusters.parquet: size, medoid, mean, deviation and shares of each global cluster.

Means and deviations are of the stored vectors. Numbers, and their squares, are summed in two parts on two grids, 2^-24
and 2^-48 of a power of two that none is above: float64 holds such sums exactly, so no cut into batches changes a bit.
Of float16 numbers nothing is lost.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from pixsieve import kernels
from pixsieve.folder.cluster_table import schema
from pixsieve.folder.run_folder import Run

AT_A_TIME = 2**23  # numbers in each of the sums: clusters beyond take another pass over the store


class Members(NamedTuple):
    """Living rows, ascending."""

    rows: np.ndarray  # (n,) row numbers
    keys: pa.ChunkedArray  # (n,) strings
    labels: pa.ChunkedArray  # (n,) strings or nulls, of the source
    cluster: np.ndarray  # (n,) numbers of clusters, -1 for none


class Moments(NamedTuple):
    """Of c clusters."""

    mean: np.ndarray  # (c, d) float64, of the coordinates of the members
    std: np.ndarray  # (c, d) float64, of the population
    medoid: np.ndarray  # (c,) the row nearest to the mean


class Part(NamedTuple):
    """Of one batch, the members of some clusters."""

    rows: np.ndarray  # (m,)
    group: np.ndarray  # (m,) places of their clusters among these
    x: np.ndarray  # (m, d) coordinates


def table(run: Run, members: Members, held: np.ndarray, rank: np.ndarray) -> pa.Table:
    """clusters.parquet. held: (c,) persistence of each cluster, NaN where there is none; rank: (numbers,) places of the
    keys."""
    rows, keys, labels, cluster = members
    count = len(held)
    size = np.bincount(cluster[cluster >= 0], minlength=count)
    dim = run.measure.coordinates(np.zeros((0, run.measure.width), run.measure.dtype)).shape[1]
    top = _top(run, members) if run.measure.euclidean else 1.0
    parts = [_moments(run, members, some, rank, dim, top) for some in _chunks(dim, count)]
    mean, std, medoid = (np.concatenate(side) for side in zip(*parts, strict=True))
    batches = pa.chunked_array([run.manifest.batch_of(rows)])
    columns = [
        np.arange(count),
        size,
        medoid,
        keys.take(pa.array(np.searchsorted(rows, medoid))),
        *(pa.FixedSizeListArray.from_arrays(pa.array(part.astype(np.float32).ravel()), dim) for part in (mean, std)),
        pa.array(held, mask=np.isnan(held)),
        *(_shares(cluster, size, of) for of in (labels, batches)),
    ]
    fields = schema(dim)
    made = [c if isinstance(c, pa.ChunkedArray) else pa.array(c, f.type) for c, f in zip(columns, fields, strict=True)]
    return pa.table(made, fields)


def _chunks(dim: int, count: int) -> list[range]:
    step = max(1, AT_A_TIME // max(dim, 1))
    return [range(at, min(at + step, count)) for at in range(0, max(count, 1), step)]


def _top(run: Run, members: Members) -> float:
    """A power of two that no number of a member is above."""
    every = range(int(members.cluster.max(initial=-1)) + 1)
    most = max((float(np.abs(part.x).max(initial=0)) for part in _parts(run, members, every)), default=0.0)
    return 2.0 ** np.frexp(most)[1]


def _moments(run: Run, members: Members, some: range, rank: np.ndarray, dim: int, top: float) -> Moments:
    """Of some clusters, in two passes over the store. top: a power of two that no number is above."""
    sums = [np.zeros((len(some), dim)) for _ in range(4)]
    size = np.zeros(len(some))
    for part in _parts(run, members, some):
        wide = part.x.astype(np.float64)
        here, at = np.unique(part.group, return_inverse=True)
        member = csr_array((np.ones(len(wide)), (at, np.arange(len(wide)))), shape=(len(here), len(wide)))
        for total, values in zip(sums, (*_two(wide, top), *_two(wide * wide, top**2)), strict=True):
            total[here] += member @ values
        size += np.bincount(part.group, minlength=len(some))
    count, total, (coarse, fine) = np.maximum(size, 1)[:, None], sums[0] + sums[1], sums[2:]
    mean = total / count
    std = np.sqrt(np.maximum((coarse - total * mean + fine) / count, 0))
    metric: kernels.Metric = "proximity" if run.measure.euclidean else "cosine"
    medoid, best = np.full(len(some), -1), np.full(len(some), -np.inf)
    for own, group, x in _parts(run, members, some):
        here, at = np.unique(group, return_inverse=True)
        near = kernels.similarity(x, mean[here], np.arange(len(x)), at, metric=metric)
        order = np.lexsort((rank[own], -near, group))
        first = order[np.flatnonzero(np.diff(group[order], prepend=-1))]
        cluster, row, value = group[first], own[first], near[first]
        better = (value > best[cluster]) | ((value == best[cluster]) & (rank[row] < rank[medoid[cluster]]))
        medoid[cluster[better]], best[cluster[better]] = row[better], value[better]
    return Moments(mean, std, medoid)


def _two(values: np.ndarray, top: float) -> tuple[np.ndarray, np.ndarray]:
    """Two addends of numbers up to `top`: multiples of 2^-24 top and of 2^-48 top."""
    upper = np.round(values * (2.0**24 / top)) * (top * 2.0**-24)
    return upper, np.round((values - upper) * (2.0**48 / top)) * (top * 2.0**-48)


def _parts(run: Run, members: Members, some: range) -> Iterator[Part]:
    """Batch by batch."""
    wanted = np.flatnonzero((members.cluster >= some.start) & (members.cluster < some.stop))
    for batch, at, offset in run.manifest.by_batch(members.rows[wanted]):
        own = wanted[at]
        vectors = run.store.read([batch]).vectors[offset]
        yield Part(members.rows[own], members.cluster[own] - some.start, run.measure.coordinates(vectors))


def _shares(cluster: np.ndarray, size: np.ndarray, of: pa.ChunkedArray) -> pa.Array:
    """For each cluster a list of values and the share of its rows that have them, by value; rows without one count for
    none."""
    codes = of.combine_chunks().dictionary_encode()
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    known = np.flatnonzero((cluster >= 0) & ~codes.is_null().to_numpy(zero_copy_only=False))
    order = np.argsort(pc.array_sort_indices(codes.dictionary).to_numpy())
    value = order[codes.indices.to_numpy(zero_copy_only=False)[known].astype(np.int64)]
    width = max(len(order), 1)
    flat, rows = np.unique(cluster[known] * width + value, return_counts=True)
    owner = flat // width
    share = rows / size[owner]
    values = codes.dictionary.take(pa.array(np.argsort(order)[flat % width]))
    offsets = pa.array(np.searchsorted(owner, np.arange(len(size) + 1)), pa.int32())
    name, kind = ("batch", pa.int32()) if pa.types.is_integer(values.type) else ("label", pa.string())
    return pa.ListArray.from_arrays(
        offsets, pa.StructArray.from_arrays([values.cast(kind), pa.array(share)], names=[name, "share"])
    )
