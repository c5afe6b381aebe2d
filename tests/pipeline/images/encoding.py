"""Pictures as files, and what is read of them."""

import io

import cv2
import numpy as np
from PIL import Image

from pixsieve.images.decode import Decoded, decode

LIMIT = 50_000_000


def encoded(image: Image.Image, format_: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def by_cv2(values: np.ndarray, suffix: str) -> bytes:
    order = values if values.ndim == 2 else values[:, :, [2, 1, 0, *range(3, values.shape[2])]]
    return cv2.imencode(suffix, order)[1].tobytes()


def ok(data: bytes) -> Decoded:
    found = decode(data, LIMIT)
    assert found.status == "ok", found
    return found
