"""The built-in descriptor: 63 low frequencies of the rank-equalised luma. It needs no weights.

The small luma image (images/luma.py); each value replaced by its rank among the 4,096 (equal values share the mean of
their ranks, so that a flat image is the zero vector and not a gradient), centred; the 8 x 8 lowest frequencies of the
orthonormal DCT-II (Ahmed, Natarajan and Rao, 1974) without the mean, each times 1 + row + column, because natural
spectra fall with the frequency; unit length.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from pixsieve.backend import Backend
from pixsieve.config.sections import Embed
from pixsieve.descriptors.descriptor import Descriptor, Embedder
from pixsieve.folder.measure import Measure
from pixsieve.images.luma import SIDE, small
from pixsieve.kernels import array_module

FREQUENCIES = 8
DIM = FREQUENCIES**2 - 1
# Its near pairs are verified, and so the threshold is low (docs/duplicates.md).
MEASURE = Measure("dct", "cosine", "float16", DIM, near=0.70, semantic=False, verified=True)


def load(embed: Embed, backend: Backend) -> Embedder:
    return Embedder(lambda pixels, luma: small(luma), embedder(backend))


def basis() -> np.ndarray:
    """(8, 64) float64: the first rows of the orthonormal DCT-II."""
    x, u = np.arange(SIDE), np.arange(FREQUENCIES)[:, None]
    rows = np.cos(np.pi * (2 * x + 1) * u / (2 * SIDE)) * np.sqrt(2 / SIDE)
    rows[0] /= np.sqrt(2)
    return rows


def embedder(backend: Backend) -> Callable[[np.ndarray], np.ndarray]:
    """A function (n, 64, 64) uint8 -> (n, 63) float16 of unit length, zero for a flat image.

    The ranks are exact and the rest is float64: what is rounded to float16 is the same on every device, and for every
    company that an image has in its batch, but for values that lie within 1e-15 of the middle between two float16.
    """
    order = np.arange(FREQUENCIES)
    transform, weight = map(backend.to_device, (basis(), 1.0 + order[:, None] + order))

    def embed(batch: np.ndarray) -> np.ndarray:
        ranks = centred_ranks(backend.to_device(batch.reshape(len(batch), -1)))
        xp = array_module(ranks)
        frequencies = transform @ ranks.reshape(-1, SIDE, SIDE) @ transform.T * weight
        vectors = frequencies.reshape(len(batch), -1)[:, 1:]
        length = xp.sqrt((vectors**2).sum(axis=1, keepdims=True))
        # A flat image has rank 0 everywhere; symmetric ones may leave rounding dust where the sum is 0.
        unit = xp.where(length > 1e-6, vectors / xp.maximum(length, 1e-6), 0.0)
        return backend.to_host(unit.astype(np.float16))

    return embed


def centred_ranks(grey: Any) -> Any:
    """(n, m) float64 of (n, m) uint8: the rank of each value in its row, the mean rank among equal ones, less the mean
    of all."""
    xp, (n, m) = array_module(grey), grey.shape
    levels = grey.astype(np.int64) + 256 * xp.arange(n)[:, None]
    count = xp.bincount(levels.ravel(), minlength=256 * n).reshape(n, 256)
    rank = xp.cumsum(count, axis=1) - (count + 1) / 2 - (m - 1) / 2
    return rank.ravel()[levels]


def turned_vectors(vectors: np.ndarray, symmetry: int) -> np.ndarray:
    """(n, 63) vectors of images turned by a symmetry (images/symmetries.py); the same numbers, moved and negated.

    The DCT-II of a mirrored row is that of the row with the odd coefficients negated, and that of a transposed image is
    the transpose (Ahmed, Natarajan and Rao, 1974). Ranks and weights do not care.
    """
    order = np.arange(FREQUENCIES**2).reshape(FREQUENCIES, FREQUENCIES)
    sign = np.ones(FREQUENCIES)
    sign[1::2] = -1
    signs = np.outer(sign if symmetry & 2 else sign**2, sign if symmetry & 1 else sign**2)
    order = order.T if symmetry & 4 else order
    return vectors[:, order.ravel()[1:] - 1] * signs.ravel()[1:].astype(vectors.dtype)


DESCRIPTOR = Descriptor(lambda embed, backend: MEASURE, load, turned=turned_vectors)
