"""When and by what a picture was taken, as its EXIF says (EXIF 2.32, section 4.6.5)."""

from datetime import datetime, timedelta
from typing import NamedTuple

from PIL import Image

HEAD, LONGEST = 1 << 18, 1 << 16  # bytes of a file that are looked through, and of its tags
TIFF = (b"II*\0", b"MM\0*")
# By how a file begins, what stands before its tags, and how many bytes that takes; of others as in a JPEG.
MARKS = {b"\x89PNG": (b"eXIf", 4), b"RIFF": (b"EXIF", 8)}
MADE_BY = (0x010F, 0x0110)  # maker, model
DETAILS = 0x8769
TAKEN, FRACTION, SERIAL = 0x9003, 0x9291, 0xA431


class Taken(NamedTuple):
    time: datetime | None = None  # as the clock of the camera had it, without a zone
    camera: str = ""  # maker, model and serial number


def taken(data: bytes) -> Taken:
    """Of the bytes of a file; nothing where it has no EXIF that can be read."""
    tiff = _tiff(data)
    if tiff is None:
        return Taken()
    try:
        tags = Image.Exif()
        tags.load(b"Exif\0\0" + tiff)
        details = tags.get_ifd(DETAILS)
        named = [*(tags.get(tag) for tag in MADE_BY), details.get(SERIAL)]
        camera = " ".join(" ".join(str(name).replace("\0", " ").split()) for name in named if name)
        return Taken(_time(details.get(TAKEN), details.get(FRACTION)), camera[:200])
    except Exception:  # Pillow raises what it likes on damaged tags
        return Taken()


def _tiff(data: bytes) -> bytes | None:
    """The block of tags in a JPEG, WebP, HEIF or PNG; a TIFF is one itself."""
    if data[:4] in TIFF:
        return data[:HEAD]
    mark, skip = MARKS.get(data[:4], (b"Exif\0\0", 6))
    at = data.find(mark, 0, HEAD)
    tags = data[at + skip : at + skip + LONGEST]
    return tags if at >= 0 and tags[:4] in TIFF else None


def _time(said: object, fraction: object) -> datetime | None:
    try:
        time = datetime.strptime(str(said).strip("\0 "), "%Y:%m:%d %H:%M:%S")
    except ValueError:  # of a camera whose clock was never set: zeros, or blanks
        return None
    digits = str(fraction or "").strip("\0 ")
    return time + timedelta(seconds=float(f"0.{digits}")) if digits.isascii() and digits.isdigit() else time
