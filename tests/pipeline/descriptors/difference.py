"""A descriptor of another metric, as somebody would add one: 128 bits, whether the luma rises to the right and
downwards (Krawetz, "Kind of like that", 2013, in two directions), compared by their share of equal bits."""

import cv2
import numpy as np

from pixsieve.backend import Backend
from pixsieve.config.sections import Embed
from pixsieve.descriptors.descriptor import Descriptor, Embedder
from pixsieve.folder.measure import Measure


def prepare(pixels: np.ndarray, luma: np.ndarray) -> np.ndarray:
    return cv2.resize(luma, (9, 9), interpolation=cv2.INTER_AREA)


def embed(batch: np.ndarray) -> np.ndarray:
    right, down = batch[:, :8, 1:] > batch[:, :8, :-1], batch[:, 1:, :8] > batch[:, :-1, :8]
    return np.packbits(np.concatenate([right, down], axis=1).reshape(len(batch), -1), axis=1)


def load(embed_: Embed, backend: Backend) -> Embedder:
    return Embedder(prepare, embed)


DESCRIPTOR = Descriptor(lambda embed_, backend: Measure("difference", "hamming", "uint8", 16, near=0.9), load)
