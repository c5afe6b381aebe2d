"""PNG, with the checksum of every chunk."""

import zlib

import cv2
import numpy as np

from pixsieve.images.orientation import exif_orientation, upright
from pixsieve.images.pillow import read_any
from pixsieve.images.status import Refused, room_for

PNG = b"\x89PNG\r\n\x1a\n"


def read_png(data: bytes, max_pixels: int) -> tuple[np.ndarray, str]:
    """Every chunk has a checksum, so rot is seen wherever it is. Plain 8- and 16-bit images go through OpenCV, which
    holds nothing but the pixels; the rest through Pillow."""
    view, at, exif, objection = memoryview(data), 8, b"", ""
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise Refused("truncated" if len(data) < 33 else "not_image", "the PNG has no header")
    width, height = (int.from_bytes(view[i : i + 4], "big") for i in (16, 20))
    plain = data[25] in (0, 2)
    while True:
        if at + 12 > len(data):
            raise Refused("truncated", "the PNG ends before its IEND chunk")
        size, name = int.from_bytes(view[at : at + 4], "big"), bytes(view[at + 4 : at + 8])
        if at + 12 + size > len(data):
            raise Refused("truncated", f"the PNG ends inside its {name.decode('latin-1')} chunk")
        if zlib.crc32(view[at + 4 : at + 8 + size]) != int.from_bytes(view[at + 8 + size : at + 12 + size], "big"):
            objection = objection or f"wrong checksum in the {name.decode('latin-1')} chunk"
        if name == b"eXIf":
            exif = bytes(view[at + 8 : at + 8 + size])
        elif name in (b"tRNS", b"acTL"):
            plain = False
        elif name == b"IEND":
            break
        at += 12 + size
    if not plain or objection:
        return read_any(data, max_pixels, objection)
    with room_for(width, height, max_pixels):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
        if pixels is None:
            raise Refused("unreadable", "the PNG decoder failed", width, height)
        return upright(pixels, exif_orientation(exif)), ""
