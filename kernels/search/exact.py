"""The exact question that every kernel answers: how close two rows are, in float64 over the values as given.

Closeness is the similarity of a pair, or minus its distance for the Euclidean metric: larger is closer.

    cosine     x.y / sqrt(|x|^2 |y|^2), at most 1; 0 where a row is zero
    euclidean  -sqrt(sum (x - y)^2)
    proximity  1 / (1 + sqrt(sum (x - y)^2)): the Euclidean distance as a similarity in (0, 1]
    hamming    the share of equal bits of two rows of packed bits (uint8)
    jaccard    the share of equal entries of two MinHash signatures (Broder, "On the resemblance and containment of
               documents", 1997): an estimate of the Jaccard index of the sets

On a GPU, hamming and jaccard compare at most 2,048 bits or entries.

Products are float64 and are added in the order of the columns, one rounding for each: an answer does not depend on
tiles, batches, workers or device. Float16 rows of about unit length need no such order: their products are multiples
of 2^-48 and their sums stay small, so float64 holds every sum exactly.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Metric = Literal["cosine", "euclidean", "proximity", "hamming", "jaccard"]
METRICS = ("cosine", "euclidean", "proximity", "hamming", "jaccard")
DISTANCES = ("euclidean", "proximity")
Array = Any  # numpy.ndarray or cupy.ndarray: the functions work on both
Floats = NDArray[np.floating]
Index = NDArray[np.int64]
# Numbers of a side of the pairs computed at a time, which stay in the cache, and pairs at most.
CHUNK, MOST_PAIRS = 2**17, 1024
# Magnitudes whose squares, and for cosine the products of two squared lengths, stay in the range of float64.
MAGNITUDES = {"cosine": (2.0**-200, 2.0**240), **dict.fromkeys(DISTANCES, (2.0**-400, 2.0**500))}


class Pairs(NamedTuple):
    """Some pairs of rows: the places of an array."""

    i: Array  # (m,) int64
    j: Array  # (m,) int64
    similarity: Array  # (m,) float64; where the metric is euclidean it is the distance, and smaller is closer


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

    Cosine, Euclidean and proximity take any float dtype, hamming uint8, jaccard integers. ValueError names what is
    wrong, and the first row that holds NaN or infinity.
    """
    xp = engine.xp
    check(xp, "a", a, metric)
    if b is not None:
        if type(b) is not type(a) and type(b).__module__ != type(a).__module__:
            raise TypeError(f"a is a {type(a).__name__}, b a {type(b).__name__}; both must be arrays of one kind")
        check(xp, "b", b, metric)
        if a.shape[1] != b.shape[1]:
            raise ValueError(f"rows of a have {a.shape[1]} columns, rows of b {b.shape[1]}")
        if metric == "jaccard" and np.result_type(a.dtype, b.dtype).kind == "f":
            raise ValueError(f"a holds {a.dtype}, b {b.dtype}: no integer type holds both")
    rows = xp.ascontiguousarray(a if b is None else xp.concatenate([a, b]))
    split, none = None if b is None else len(a), xp.empty(0)
    if metric in ("hamming", "jaccard"):
        return Space(metric, rows, split, none, 1.0, True)
    rows, scale = _scaled(xp, rows, metric)
    if metric in DISTANCES:
        return Space(metric, rows, split, none, scale, False)
    half = rows.dtype == np.float16
    rows = engine.widened(rows)
    squared = engine.squares(rows)
    return Space(metric, rows, split, squared, 1.0, half and bool((squared <= 16).all()))


def check(xp: Any, name: str, x: Array, metric: Metric) -> None:
    """ValueError where rows of x cannot be compared, by this name."""
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}; one of {', '.join(METRICS)}")
    if x.ndim != 2:
        raise ValueError(f"{name} has {x.ndim} dimensions; rows of numbers have 2")
    wanted, kinds = {"hamming": ("uint8", "u"), "jaccard": ("integers", "iu")}.get(metric, ("floats", "f"))
    if x.dtype.kind not in kinds or (metric == "hamming" and x.dtype.itemsize > 1):
        raise ValueError(f"{name} holds {x.dtype}; {metric} compares {wanted}")
    if x.dtype.kind == "f" and x.dtype.itemsize > 8:
        raise ValueError(f"{name} holds {x.dtype}; at most float64 is exact here")
    check_finite(xp, name, x)


def check_finite(xp: Any, name: str, x: Array) -> None:
    """ValueError that names the first row with NaN or infinity."""
    for at in range(0, len(x) if x.dtype.kind == "f" else 0, 2**16):
        finite = xp.isfinite(x[at : at + 2**16]).all(axis=1)
        if not bool(finite.all()):
            raise ValueError(f"row {at + int(finite.argmin())} of {name} holds NaN or infinity")


def _scaled(xp: Any, rows: Array, metric: Metric) -> tuple[Array, float]:
    """Rows times powers of two, which changes no digit, where their squares leave the range of float64."""
    if rows.dtype.itemsize < 8 or not rows.size:
        return rows, 1.0
    largest = xp.maximum(rows.max(axis=1), -rows.min(axis=1))
    small, large = MAGNITUDES[metric]
    if metric in DISTANCES:
        top = float(largest.max())
        if top == 0 or small <= top <= large:
            return rows, 1.0
        power = min(int(np.frexp(top)[1]), 1000)
        return xp.ldexp(rows, -power), float(np.ldexp(1.0, power))
    odd = (largest > large) | ((largest < small) & (largest > 0))
    if not bool(odd.any()):
        return rows, 1.0
    power = xp.where(odd, xp.frexp(largest)[1], 0)
    return xp.ldexp(rows, -power[:, None]), 1.0


def squares(rows: Floats) -> NDArray[np.float64]:
    """(n,) squared lengths on the host."""
    out = np.empty(len(rows))
    step = _step(rows)
    for at in range(0, len(rows), step):
        wide = rows[at : at + step].astype(np.float64)
        wide *= wide
        out[at : at + step] = _in_order(wide)
    return out


def _step(rows: Floats) -> int:
    return int(np.clip(CHUNK // max(rows.shape[1], 1), 16, MOST_PAIRS))


def _in_order(products: NDArray[np.float64]) -> NDArray[np.float64]:
    # A sum may take the columns in any order; an accumulation has to go from one to the next.
    return np.add.accumulate(products, axis=1)[:, -1] if products.shape[1] else np.zeros(len(products))


def closeness(space: Space, i: Index, j: Index) -> NDArray[np.float64]:
    """(m,) closeness of the pairs (rows[i], rows[j]) on the host."""
    out = np.empty(len(i))
    step = _step(space.rows)
    for at in range(0, len(i), step):
        part = slice(at, at + step)
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
    if space.metric in DISTANCES:
        x -= y
        x *= x
        return closeness_at(space.metric, np.sqrt(_in_order(x)) * space.scale)
    if space.any_order:
        dot = np.einsum("ij,ij->i", x, y)
    else:
        x *= y
        dot = _in_order(x)
    return divide(dot, space.squares[i] * space.squares[j])


def closeness_at(metric: Metric, distance: Array) -> Array:
    """(m,) of pairs at Euclidean distances (m,)."""
    return 1 / (1 + distance) if metric == "proximity" else -distance


def divide(dot: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dot products over the roots of products of squared lengths. A row with itself gives exactly 1."""
    norm = np.sqrt(squares)
    quotient = np.divide(dot, norm, out=np.zeros_like(dot), where=norm > 0)
    return np.clip(quotient, -1.0, 1.0, out=quotient)


def closeness_of(metric: Metric, threshold: float) -> tuple[int, float]:
    """The sign between closeness and what users see, and the threshold as closeness. ValueError if it is not finite."""
    if not np.isfinite(threshold):
        raise ValueError(f"threshold is {threshold}; a finite number is needed")
    sign = -1 if metric == "euclidean" else 1
    return sign, sign * threshold


def to_host(x: Array) -> Any:
    return x if isinstance(x, np.ndarray) else x.get()
