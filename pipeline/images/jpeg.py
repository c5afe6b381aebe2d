"""JPEG, by libjpeg-turbo."""

import numpy as np
import simplejpeg

from pixsieve.images.orientation import exif_orientation, upright
from pixsieve.images.pillow import read_any
from pixsieve.images.status import Refused, room_for


def read_jpeg(data: bytes, max_pixels: int) -> tuple[np.ndarray, str]:
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError):  # KeyError: a colour space that it does not know, and files without any
        return read_any(data, max_pixels)
    if space in ("CMYK", "YCCK"):
        return read_any(data, max_pixels)
    objection = ""
    with room_for(width, height, max_pixels):
        try:
            # The accurate transforms: the pixels, and so their digest, are those of every other libjpeg-turbo program.
            pixels = simplejpeg.decode_jpeg(data, strict=True)
        except ValueError as error:
            objection = str(error)
            if "premature end of jpeg file" in objection.lower():
                raise Refused("truncated", objection, width, height) from None
            try:
                pixels = simplejpeg.decode_jpeg(data, strict=False)
            except ValueError as failure:
                raise Refused("unreadable", str(failure), width, height) from None
        return upright(pixels, exif_orientation(_jpeg_exif(data))), objection


def _jpeg_exif(data: bytes) -> bytes:
    """The content of the APP1 Exif segment, or nothing."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:  # the picture begins
            break
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            return data[at + 4 : at + 2 + size]
        at += 2 + size
    return b""
