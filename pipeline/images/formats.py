"""What format a file has by its content, and by its name; and which ones are opened."""

import io
import re
import struct
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple

from PIL import Image

from pixsieve.images import tiff
from pixsieve.images.signs import RAW

SIGNATURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
ALIKE = {"MPO": "JPEG"}  # several JPEGs in one file go by the name of one
# What Pillow may open. Not among them: EPS, which is a program that Ghostscript runs; WMF, which Windows draws; BUFR,
# GRIB, HDF5 and MPEG, of which Pillow knows the header only; IPTC, which wraps whatever it likes.
_READ = """
AVIF BLP BMP CUR DCX DDS DIB FITS FLI FTEX GBR GIF ICNS ICO IM IMT JPEG JPEG2000 MCIDAS MSP PCD PCX PIXAR PNG PPM PSD
QOI SGI SPIDER SUN TGA TIFF WEBP XBM XPM XVTHUMB
"""
READ = tuple(_READ.split())
CONTAINERS = (b"\0\0\1\0", b"\0\0\2\0", b"icns")  # ICO, CUR, ICNS: pictures in other formats
FLOATING = (b"#?RADIANCE", b"#?RGBE", b"PF\n")  # Radiance and PFM, of three floats a pixel
# What Image.open raises for damaged headers. It takes some of these for "not my format" in most readers, not in all.
DAMAGED = (
    OSError,  # UnidentifiedImageError is one
    ValueError,
    RuntimeError,  # AVIF, DDS
    Image.DecompressionBombError,
    ArithmeticError,  # of numbers that a reader does not expect, as Spider's are
    AttributeError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    struct.error,
)


class Named(NamedTuple):
    """A format that is known by its first bytes, and not read as it is."""

    format: str
    extra: str | None  # the extra of the package that reads it; None: nothing does
    why: str = ""


HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
RAW_SIGNATURES = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
PROGRAMS = (b"%!PS", b"\xc5\xd0\xd3\xc6", b"%PDF")


def named(data: bytes) -> Named | None:
    """A format that Pillow alone does not read, or must not."""
    head = data[:32]
    if head.startswith(PROGRAMS):
        kind = "PDF" if head.startswith(b"%PDF") else "EPS"
        return Named(kind, None, f"{kind}, a program that draws: it is never run")
    if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS:
        return Named("HEIF", "heif")
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")):
        return Named("JXL", "jxl")
    if head[4:12] == b"ftypcrx " or head.startswith(RAW_SIGNATURES):
        return Named("RAW", "raw")
    if head.startswith(tiff.SIGNATURES) and tiff.is_raw(data):
        return Named("RAW", "raw")
    return None


def size_of_floats(data: bytes) -> tuple[int, int] | None:
    """Width and height of a Radiance or PFM picture."""
    head = data[:4096]
    if head.startswith(b"PF\n"):
        found = re.match(rb"PF\s+(\d+)\s+(\d+)\s", head)
        return (int(found[1]), int(found[2])) if found else None
    if head.startswith(FLOATING):
        found = re.search(rb"\n-Y (\d+) \+X (\d+)\n", head)
        return (int(found[2]), int(found[1])) if found else None
    return None


def size_of_wide_ppm(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PPM with more than 8 bits a value."""
    found = re.match(rb"P6(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s", data[:4096])
    return (int(found[1]), int(found[2])) if found and int(found[3][:9]) > 255 else None


def by_content(data: bytes) -> str | None:
    """As Pillow calls it; None for what is not known."""
    for signature, name in SIGNATURES.items():
        if data.startswith(signature):
            return name
    if known := named(data):
        return known.format
    if data.startswith(FLOATING):
        return "PFM" if data.startswith(b"PF") else "HDR"
    try:
        with Image.open(io.BytesIO(data), formats=READ) as image:
            return ALIKE.get(image.format or "", image.format)
    except DAMAGED:
        return None


def by_name(key: str) -> str | None:
    """None for an extension that says nothing."""
    name = _extensions().get(PurePosixPath(key).suffix.lower())
    return ALIKE.get(name or "", name)


def raw(key: str) -> str:
    """The kind of RAW file that it is by its name, its suffix in small letters; "" for none."""
    suffix = PurePosixPath(key).suffix.lower()
    return suffix if suffix in RAW else ""


@lru_cache(1)
def _extensions() -> dict[str, str]:
    return Image.registered_extensions()
