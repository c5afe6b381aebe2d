"""Bytes of an image file to RGB pixels and a status. Nothing here raises for a bad image, or reads or writes."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from pixsieve.images.jpeg import read_jpeg
from pixsieve.images.pillow import read_any
from pixsieve.images.png import PNG, read_png
from pixsieve.images.status import Refused

# The size is checked before pixels are made, against a limit of our own.
Image.MAX_IMAGE_PIXELS = None
cv2.setNumThreads(1)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # its decoders' complaints become statuses


@dataclass(frozen=True)
class Decoded:
    status: str
    reason: str = ""
    pixels: np.ndarray | None = None  # (height, width, 3) uint8 RGB, upright
    width: int = 0
    height: int = 0


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decodes with EXIF orientation applied; 16-bit values are scaled to 8, transparency lies on white, of an animation
    the first frame counts."""
    try:
        if not data:
            raise Refused("empty", "the file has no bytes")
        reader = read_jpeg if data[:3] == b"\xff\xd8\xff" else read_png if data[:8] == PNG else read_any
        pixels, objection = reader(data, max_pixels)
    except Refused as refusal:
        status, reason, *size = refusal.args
        return Decoded(status, reason, None, *size)
    except MemoryError:  # of this moment, not of this image
        raise
    except Exception as error:  # decoders of damaged data raise anything; the row keeps its place and says why
        return Decoded("unreadable", f"{type(error).__name__}: {error}")
    height, width = pixels.shape[:2]
    if min(width, height) < 2:
        return Decoded("too_small", f"{width} x {height} pixels", None, width, height)
    return Decoded("damaged" if objection else "ok", objection, pixels, width, height)
