"""JPEG, by libjpeg-turbo."""

import simplejpeg

from pixsieve.images.content import Content, digest_of
from pixsieve.images.orientation import of_jpeg, upright
from pixsieve.images.pillow import read_any
from pixsieve.images.status import LARGE, IsLarge, Limits, Refused

JPEG = b"\xff\xd8\xff"


def read_plain(data: bytes, limits: Limits) -> Content | None:
    """None for what is not a faultless JPEG of a known colour space and of a size whose memory is small: `read_jpeg`
    takes its time with those."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data, strict=False)
        limits.check(width, height)
        if space in ("CMYK", "YCCK") or width * height > LARGE:
            return None
        # The accurate transforms: the pixels, and so their digest, are those of every other libjpeg-turbo program.
        pixels = upright(simplejpeg.decode_jpeg(data, strict=True), of_jpeg(data))
    except (ValueError, KeyError, IsLarge):  # KeyError: a colour space that it does not know, and files without any
        return None
    return Content(pixels, digest_of(pixels))


def read_jpeg(data: bytes, limits: Limits) -> Content:
    """What viewers show is shown, with what a strict decoder says of it."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError):
        return read_any(data, limits)
    limits.check(width, height)
    if space in ("CMYK", "YCCK"):
        return read_any(data, limits)
    try:
        pixels = upright(simplejpeg.decode_jpeg(data, strict=True), of_jpeg(data))
    except ValueError as error:
        objection = str(error)
        if "premature end of jpeg file" in objection.lower():
            raise Refused("truncated", objection, width, height) from None
        return read_any(data, limits, objection)
    return Content(pixels, digest_of(pixels))
