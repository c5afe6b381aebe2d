"""EXIF orientation."""

import numpy as np
from PIL import Image


def exif_orientation(exif: bytes) -> int:
    if not exif:
        return 1
    tags = Image.Exif()
    try:
        tags.load(exif)
        return int(tags.get(0x0112, 1))
    except Exception:  # Pillow raises what it likes on damaged tags; an image without readable tags stands as it is
        return 1


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """EXIF 2.3, section 4.6.4, tag 274: where the 0th row and the 0th column are seen."""
    if orientation >= 5 and orientation <= 8:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
