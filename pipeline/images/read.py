"""Bytes of any image file to its content. Libraries are called that may crash, print, or take all memory: decode.py has
this done in a process apart."""

from pixsieve.images import formats, orientation, tiff
from pixsieve.images.content import Content
from pixsieve.images.deep import Layout, read_deep
from pixsieve.images.extras import read_named
from pixsieve.images.jpeg import JPEG, read_jpeg
from pixsieve.images.pillow import read_any
from pixsieve.images.png import PNG, read_png
from pixsieve.images.status import Limits, Refused


def read(data: bytes, limits: Limits) -> Content:
    """Raises Refused for what is no picture, IsLarge for one that has to wait; and whatever a decoder raises."""
    if data.startswith(JPEG):
        return read_jpeg(data, limits)
    if data.startswith(PNG):
        return read_png(data, limits)
    if known := formats.named(data):
        return read_named(known, data, limits)
    if size := formats.size_of_floats(data):
        limits.check(*size)
        return read_deep(data, Layout(), limits.max_pixels) or read_any(data, limits)
    if data.startswith(tiff.SIGNATURES):
        return _tiff(data, limits)
    if size := formats.size_of_wide_ppm(data):
        limits.check(*size)
        return read_deep(data, Layout(), limits.max_pixels) or read_any(data, limits)
    return read_any(data, limits)


def _tiff(data: bytes, limits: Limits) -> Content:
    tags = tiff.directory(data)
    if not tiff.is_deep(tags):
        return read_any(data, limits)
    width, height = tiff.size(tags)
    limits.check(width, height)
    layout = Layout(
        int(tags.get(orientation.ORIENTATION, 1)),
        tiff.bits(tags),
        tiff.nodata(tags),
        tiff.has_alpha(tags),
        tiff.pages(data),
    )
    if found := read_deep(data, layout, limits.max_pixels):
        return found
    try:
        return read_any(data, limits)
    except Refused as refusal:
        if refusal.args[0] != "not_image":
            raise
        raise Refused("unreadable", f"TIFF of {tiff.words(tags)}: no decoder reads it", width, height) from None
