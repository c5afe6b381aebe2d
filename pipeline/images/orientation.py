"""Orientation: how a picture is to be turned to be seen upright."""

import io

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

ORIENTATION = 0x0112
# Not Image.open, which looks for more than the first picture of a JPEG, and warns where it finds less.
READERS = {"JPEG": JpegImageFile, "PNG": PngImageFile}


def of_jpeg(data: bytes) -> int:
    """1 to 8; only a JPEG with EXIF or XMP has to be opened for it."""
    head = data[: 1 << 18]
    return of_bytes(data, "JPEG") if b"Exif\0\0" in head or b"http://ns.adobe.com/xap/" in head else 1


def of_bytes(data: bytes, format_: str) -> int:
    """1 to 8, as Pillow finds it in EXIF, in XMP or in texts, behind whatever fill bytes; 1 where there is none."""
    try:
        with READERS[format_](io.BytesIO(data)) as image:
            return of(image)
    except Exception:  # Pillow raises what it likes on damaged tags; an image without readable tags stands as it is
        return 1


def of(image: Image.Image) -> int:
    """1 to 8, of an image that Pillow has opened."""
    try:
        found = int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # as above
        return 1
    return found if 1 <= found <= 8 else 1


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """EXIF 2.3, section 4.6.4, tag 274: where the 0th row and the 0th column are seen. pixels: (height, width, ...)."""
    if orientation >= 5 and orientation <= 8:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
