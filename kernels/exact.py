"""The exact question that every kernel answers: how close two rows are, in float64 over the values as given.

Closeness is the similarity of a pair, or minus its distance for the Euclidean metric: larger is closer.

    cosine     x.y / sqrt(|x|^2 |y|^2), at most 1; 0 where a row is zero
    euclidean  -sqrt(sum (x - y)^2)
    hamming    the share of equal bits of two rows of packed bits (uint8)
    jaccard    the share of equal entries of two MinHash signatures (Broder, "On the resemblance and containment of
               documents", 1997): an estimate of the Jaccard index of the sets

Products are float64 and are added in the order of the columns, one rounding for each: an answer does not depend on
tiles, batches, workers or device. Float16 rows of about unit length need no such order: their products are multiples
of 2^-48 and their sums stay small, so float64 holds every sum exactly.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Metric = Literal["cosine", "euclidean", "hamming", "jaccard"]
METRICS = ("cosine", "euclidean", "hamming", "jaccard")
Array = Any  # numpy.ndarray or cupy.ndarray: the functions work on both
Floats = NDArray[np.floating]
Index = NDArray[np.int64]
Pairs = tuple[Index, Index, NDArray[np.float64]]  # i, j, similarity (or distance)

# Pairs computed at a time: their rows stay in the cache.
CHUNK = 1024
# Largest magnitudes whose squares, summed over any number of columns, neither overflow nor vanish in float64.
LARGE, SMALL = 2.0**480, 2.0**-480


class Space(NamedTuple):
    """Rows under a metric."""

    metric: Metric
    rows: Array  # (n, d) the values as given, times a power of two where squares would overflow or vanish
    split: int | None  # None: the pairs i < j of the rows; else those of the first `split` with the rest
    squares: Array  # (n,) float64 squared lengths (cosine), else empty
    scale: float  # distances of the values as given = distances of `rows` * scale
    any_order: bool  # whether every sum of products is exact

    @property
    def n(self) -> int:
        return len(self.rows)


def space(engine: Any, a: Array, b: Array | None, metric: Metric) -> Space:
    """Checks the rows of a (n, d) and b (m, d), and lays them one after the other.

    Cosine and Euclidean take any float dtype, hamming uint8, jaccard integers. ValueError names what is wrong, and the
    first row that holds NaN or infinity.
    """
    xp = engine.xp
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}; one of {', '.join(METRICS)}")
    wanted = {"hamming": "uint8", "jaccard": "integers"}.get(metric, "floats")
    for name, x in (("a", a), ("b", b)):
        if x is None:
            continue
        if x.ndim != 2:
            raise ValueError(f"{name} has {x.ndim} dimensions; rows of numbers have 2")
        if not (x.dtype == np.uint8 if metric == "hamming" else x.dtype.kind in ("iu" if metric == "jaccard" else "f")):
            raise ValueError(f"{name} holds {x.dtype}; {metric} compares {wanted}")
        if x.dtype.kind == "f" and x.dtype.itemsize > 8:
            raise ValueError(f"{name} holds {x.dtype}; at most float64 is exact here")
        _check_finite(xp, name, x)
    if b is not None and a.shape[1] != b.shape[1]:
        raise ValueError(f"rows of a have {a.shape[1]} columns, rows of b {b.shape[1]}")
    rows = xp.ascontiguousarray(a if b is None else xp.concatenate([a, b]))
    split, none = None if b is None else len(a), xp.empty(0)
    if metric in ("hamming", "jaccard"):
        return Space(metric, rows, split, none, 1.0, True)
    rows, scale = _scaled(xp, rows, metric)
    if metric == "euclidean":
        return Space(metric, rows, split, none, scale, False)
    half = rows.dtype == np.float16
    rows = engine.widened(rows)
    squared = engine.squares(rows)
    return Space(metric, rows, split, squared, 1.0, half and bool((squared <= 16).all()))


def _check_finite(xp: Any, name: str, x: Array) -> None:
    for at in range(0, len(x) if x.dtype.kind == "f" else 0, 2**16):
        finite = xp.isfinite(x[at : at + 2**16]).all(axis=1)
        if not bool(finite.all()):
            raise ValueError(f"row {at + int(finite.argmin())} of {name} holds NaN or infinity")


def _scaled(xp: Any, rows: Array, metric: Metric) -> tuple[Array, float]:
    """Rows times powers of two, which changes no digit, where their squares leave the range of float64."""
    if rows.dtype.itemsize < 8 or not rows.size:
        return rows, 1.0
    largest = xp.maximum(rows.max(axis=1), -rows.min(axis=1))
    if metric == "euclidean":
        top = float(largest.max())
        if top == 0 or SMALL <= top <= LARGE:
            return rows, 1.0
        power = min(int(np.frexp(top)[1]), 1000)
        return xp.ldexp(rows, -power), float(np.ldexp(1.0, power))
    odd = (largest > LARGE) | ((largest < SMALL) & (largest > 0))
    if not bool(odd.any()):
        return rows, 1.0
    power = xp.where(odd, xp.frexp(largest)[1], 0)
    return xp.ldexp(rows, -power[:, None]), 1.0


def squares(rows: Floats) -> NDArray[np.float64]:
    """(n,) squared lengths on the host."""
    out = np.empty(len(rows))
    for at in range(0, len(rows), CHUNK):
        wide = rows[at : at + CHUNK].astype(np.float64)
        wide *= wide
        out[at : at + CHUNK] = _in_order(wide)
    return out


def _in_order(products: NDArray[np.float64]) -> NDArray[np.float64]:
    # A sum may take the columns in any order; an accumulation has to go from one to the next.
    return np.add.accumulate(products, axis=1)[:, -1] if products.shape[1] else np.zeros(len(products))


def closeness(space: Space, i: Index, j: Index) -> NDArray[np.float64]:
    """(m,) closeness of the pairs (rows[i], rows[j]) on the host."""
    out = np.empty(len(i))
    for at in range(0, len(i), CHUNK):
        part = slice(at, at + CHUNK)
        out[part] = _closeness(space, i[part], j[part])
    return out


def _closeness(space: Space, i: Index, j: Index) -> NDArray[np.float64]:
    x, y = space.rows[i], space.rows[j]
    if space.metric == "hamming":
        bits = 8 * x.shape[1]
        return (bits - np.bitwise_count(x ^ y).sum(axis=1, dtype=np.int64)) / max(bits, 1)
    if space.metric == "jaccard":
        return np.count_nonzero(x == y, axis=1) / max(x.shape[1], 1)
    x, y = x.astype(np.float64), y.astype(np.float64)
    if space.metric == "euclidean":
        x -= y
        x *= x
        return -np.sqrt(_in_order(x)) * space.scale
    if space.any_order:
        dot = np.einsum("ij,ij->i", x, y)
    else:
        x *= y
        dot = _in_order(x)
    return divide(dot, space.squares[i] * space.squares[j])


def divide(dot: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dot products over the roots of products of squared lengths. A row with itself gives exactly 1."""
    norm = np.sqrt(squares)
    quotient = np.divide(dot, norm, out=np.zeros_like(dot), where=norm > 0)
    return np.clip(quotient, -1.0, 1.0, out=quotient)


def closeness_of(metric: Metric, threshold: float) -> tuple[int, float]:
    """The sign between closeness and what users see, and the threshold as closeness. ValueError for NaN."""
    if np.isnan(threshold):
        raise ValueError("threshold is NaN")
    sign = -1 if metric == "euclidean" else 1
    return sign, sign * threshold


def to_host(x: Array) -> Any:
    return x if isinstance(x, np.ndarray) else x.get()
