"""The similarity that every kernel answers for: `x.y / sqrt(|x|^2 |y|^2)` in float64 over the stored values, at most 1,
and 0 where a row is zero.

Rows are float16 vectors of about unit length: their products are multiples of 2^-48 and the sums stay near 1, so
float64 holds every dot product exactly, in whatever order it is summed. That is what makes the answers independent of
tiles, batches and workers.
"""

import numpy as np
from numpy.typing import NDArray

# Rows converted to float64 at a time: the copies stay in the cache.
CHUNK = 4096

Floats = NDArray[np.floating]
Index = NDArray[np.int64]
Pairs = tuple[Index, Index, NDArray[np.float64]]  # i, j, similarity


def similarity(a: Floats, b: Floats, i: Index, j: Index) -> NDArray[np.float64]:
    """Similarities of the pairs (a[i], b[j]), shape (m,), in [-1, 1]."""
    return similarity_of(a, b, i, j, squares(a), squares(b))


def similarity_of(a: Floats, b: Floats, i: Index, j: Index, aa: Floats, bb: Floats) -> NDArray[np.float64]:
    """As `similarity`, with the squared lengths of the rows of a and b at hand."""
    dot = np.empty(len(i))
    for at in range(0, len(i), CHUNK):
        part = slice(at, at + CHUNK)
        np.einsum("ij,ij->i", a[i[part]].astype(np.float64), b[j[part]].astype(np.float64), out=dot[part])
    return divide(dot, aa[i] * bb[j])


def squares(x: Floats) -> NDArray[np.float64]:
    """(n,) squared lengths of the rows of x."""
    out = np.empty(len(x))
    for at in range(0, len(x), CHUNK):
        wide = x[at : at + CHUNK].astype(np.float64)
        np.einsum("ij,ij->i", wide, wide, out=out[at : at + CHUNK])
    return out


def divide(dot: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dot products over the roots of products of squared lengths. A row with itself gives exactly 1."""
    norm = np.sqrt(squares)
    quotient = np.divide(dot, norm, out=np.zeros_like(dot), where=norm > 0)
    return np.minimum(quotient, 1.0, out=quotient)
