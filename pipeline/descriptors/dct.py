"""The built-in descriptor: 63 low frequencies of the rank-equalised luma. It needs no weights.

The small luma image (images/luma.py); each value replaced by its rank among the 4,096 (equal values share the mean of
their ranks, so that a flat image is the zero vector and not a gradient), centred; the 8 x 8 lowest frequencies of the
orthonormal DCT-II (Ahmed, Natarajan and Rao, 1974) without the mean, each times 1 + row + column, because natural
spectra fall with the frequency; unit length.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from pixsieve.backend import Backend
from pixsieve.config.sections import Embed
from pixsieve.descriptors.descriptor import Descriptor, Embedder
from pixsieve.folder.measure import Measure
from pixsieve.images.luma import SIDE, small

FREQUENCIES = 8
DIM = FREQUENCIES**2 - 1
# Its near pairs are verified, and so the threshold is low (docs/duplicates.md).
MEASURE = Measure("dct", "cosine", "float16", DIM, near=0.70, semantic=False, verified=True)


def load(embed: Embed, backend: Backend) -> Embedder:
    return Embedder(lambda pixels, luma: small(luma), embedder(backend.torch_device))


def basis() -> np.ndarray:
    """(8, 64) float64: the first rows of the orthonormal DCT-II."""
    x, u = np.arange(SIDE), np.arange(FREQUENCIES)[:, None]
    rows = np.cos(np.pi * (2 * x + 1) * u / (2 * SIDE)) * np.sqrt(2 / SIDE)
    rows[0] /= np.sqrt(2)
    return rows


@lru_cache(2)
def embedder(device: str) -> Callable[[np.ndarray], np.ndarray]:
    """A function (n, 64, 64) uint8 -> (n, 63) float16 of unit length, zero for a flat image.

    The ranks are exact and the rest is float64: what is rounded to float16 is the same on every device, and for every
    company that an image has in its batch, but for values that lie within 1e-15 of the middle between two float16.
    """
    import torch

    transform = torch.from_numpy(basis()).to(device)
    order = torch.arange(FREQUENCIES, device=device)
    weight = (1 + order[:, None] + order).double()

    def embed(batch: np.ndarray) -> np.ndarray:
        grey = torch.from_numpy(batch).to(device).reshape(len(batch), -1).long()
        ones = torch.ones_like(grey, dtype=torch.int32)
        count = torch.zeros((len(batch), 256), dtype=torch.int32, device=device).scatter_add_(1, grey, ones)
        # The mean rank of the values at one level, from 0: those below it, and half of its others.
        rank = torch.cumsum(count, 1) - (count + 1) / 2 - (SIDE * SIDE - 1) / 2
        rank = rank.double().gather(1, grey).reshape(-1, SIDE, SIDE)
        frequencies = (transform @ rank @ transform.T * weight).reshape(len(batch), -1)[:, 1:]
        length = torch.linalg.vector_norm(frequencies, dim=1, keepdim=True)
        # A flat image has rank 0 everywhere; symmetric ones may leave rounding dust where the sum is 0.
        vectors = torch.where(length > 1e-6, frequencies / length.clamp_min(1e-6), 0.0)
        return vectors.half().cpu().numpy()

    return embed


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
