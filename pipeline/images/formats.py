"""What format a file has by its content, and by its name."""

import io
import struct
from functools import lru_cache
from pathlib import PurePosixPath

from PIL import Image

SIGNATURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
ALIKE = {"MPO": "JPEG"}  # several JPEGs in one file go by the name of one
# Extensions of the files that cameras write what the sensor saw into.
RAW = (
    *("3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "iiq", "kdc", "mrw"),
    *("nef", "nrw", "orf", "pef", "raf", "rw2", "sr2", "srf", "srw", "x3f"),
)
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


def by_content(data: bytes) -> str | None:
    """As Pillow calls it; None for what it does not know."""
    for signature, name in SIGNATURES.items():
        if data.startswith(signature):
            return name
    try:
        with Image.open(io.BytesIO(data)) as image:
            return ALIKE.get(image.format or "", image.format)
    except DAMAGED:
        return None


def by_name(key: str) -> str | None:
    """None for an extension that says nothing."""
    name = _extensions().get(PurePosixPath(key).suffix.lower())
    return ALIKE.get(name or "", name)


def raw(key: str) -> str:
    """The kind of RAW file that it is by its name, its extension in small letters; "" for none."""
    extension = PurePosixPath(key).suffix[1:].lower()
    return extension if extension in RAW else ""


@lru_cache(1)
def _extensions() -> dict[str, str]:
    return Image.registered_extensions()
