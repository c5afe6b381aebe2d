"""PNG, with the checksum of every chunk."""

import zlib
from typing import NamedTuple

import cv2
import numpy as np

from pixsieve.images import orientation
from pixsieve.images.content import Content, digest_of
from pixsieve.images.deep import Layout, read_deep
from pixsieve.images.pillow import read_any
from pixsieve.images.status import Limits, Refused

PNG = b"\x89PNG\r\n\x1a\n"
ALTERS = (b"tRNS", b"acTL")  # chunks that make more of the pixels than there is in them
# How texts begin that may hold an orientation.
TURNING = (b"Raw profile type exif\0", b"Raw profile type APP1\0", b"XML:com.adobe.xmp\0")


class _Chunks(NamedTuple):
    names: set[bytes]
    bits: int | None  # of a value, where they are declared
    turning: bool  # one may hold an orientation
    objection: str  # what is wrong with a checksum


def read_png(data: bytes, limits: Limits) -> Content:
    """Every chunk has a checksum, so rot is seen wherever it is. Plain 8- and 16-bit images go through OpenCV, which
    holds nothing but the pixels; the rest through Pillow."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise Refused("truncated" if len(data) < 33 else "not_image", "the PNG has no header")
    width, height = (int.from_bytes(data[i : i + 4], "big") for i in (16, 20))
    depth, colours = data[24], data[25]
    chunks = _chunks(data)
    limits.check(width, height)
    if chunks.objection or chunks.names & set(ALTERS) or (depth < 16 and colours not in (0, 2)):
        return read_any(data, limits, chunks.objection)
    turn = orientation.of_bytes(data, "PNG") if chunks.turning else 1
    if depth == 16 and (deep := read_deep(data, Layout(turn, chunks.bits), limits.max_pixels)):
        return deep
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise Refused("unreadable", "the PNG decoder failed", width, height)
    pixels = orientation.upright(pixels, turn)
    return Content(pixels, digest_of(pixels))


def _chunks(data: bytes) -> _Chunks:
    view, at, objection = memoryview(data), 8, ""
    names: set[bytes] = set()
    bits, turning = None, False
    while b"IEND" not in names:
        if at + 12 > len(data):
            raise Refused("truncated", "the PNG ends before its IEND chunk")
        size, name = int.from_bytes(view[at : at + 4], "big"), bytes(view[at + 4 : at + 8])
        if at + 12 + size > len(data):
            raise Refused("truncated", f"the PNG ends inside its {name.decode('latin-1')} chunk")
        if zlib.crc32(view[at + 4 : at + 8 + size]) != int.from_bytes(view[at + 8 + size : at + 12 + size], "big"):
            objection = objection or f"wrong checksum in the {name.decode('latin-1')} chunk"
        if name == b"sBIT":
            bits = max(view[at + 8 : at + 8 + size], default=None)
        turning |= name == b"eXIf" or bytes(view[at + 8 : at + 32]).startswith(TURNING)
        names.add(name)
        at += 12 + size
    return _Chunks(names, bits, turning, objection)
