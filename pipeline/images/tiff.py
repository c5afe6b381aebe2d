"""What the first directory of a TIFF says of its values (TIFF 6.0; GDAL's tag for what is no value)."""

import io
import struct
from collections.abc import Mapping
from typing import Any

from PIL.TiffImagePlugin import ImageFileDirectory_v2

SIGNATURES = (b"II*\0", b"MM\0*")
BITS_PER_SAMPLE, SAMPLES_PER_PIXEL, MAX_SAMPLE, SAMPLE_FORMAT, NODATA = 258, 277, 281, 339, 42113
SUB_IFDS, PHOTOMETRIC, DNG_VERSION = 330, 262, 50706
CFA, LINEAR_RAW = 32803, 34892
UNSIGNED = 1
Tags = Mapping[int, Any]


def directory(data: bytes) -> Tags:
    """The tags of the first picture; none where there is no directory to be read."""
    try:
        return _directory(data, struct.unpack("<L" if data[:2] == b"II" else ">L", data[4:8])[0])
    except Exception:  # Pillow raises what it likes on damaged tags
        return {}


def _directory(data: bytes, at: int) -> Tags:
    file = io.BytesIO(data)
    file.seek(at)
    found = ImageFileDirectory_v2(data[:8])
    found.load(file)
    return dict(found)


def is_raw(data: bytes) -> bool:
    """Whether the picture is what the sensor of a camera saw; what can be seen of it at once is a preview."""
    tags = directory(data)
    if DNG_VERSION in tags or data[8:10] == b"CR" or tags.get(PHOTOMETRIC) in (CFA, LINEAR_RAW):
        return True
    places = tags.get(SUB_IFDS) or ()
    for at in places if isinstance(places, tuple) else (places,):
        try:
            inner = _directory(data, int(at))
        except Exception:  # as above
            continue
        if inner.get(PHOTOMETRIC) in (CFA, LINEAR_RAW):
            return True
    return False


def is_deep(tags: Tags) -> bool:
    """Values that Pillow would bring to 8 bits, or does not read: of more than 8 bits in several samples, or signed or
    floating ones."""
    formats = tags.get(SAMPLE_FORMAT) or (UNSIGNED,)
    several = int(tags.get(SAMPLES_PER_PIXEL) or 1) > 1
    return _most(tags) > 8 and (several or any(kind != UNSIGNED for kind in formats))


def size(tags: Tags) -> tuple[int, int]:
    """Width and height; 0 where they are not said."""
    return int(tags.get(256) or 0), int(tags.get(257) or 0)


def has_alpha(tags: Tags) -> bool:
    """A sample beyond the colours is opacity, associated or not."""
    extra = tags.get(338) or ()
    return any(kind in (1, 2) for kind in (extra if isinstance(extra, tuple) else (extra,)))


def words(tags: Tags) -> str:
    kinds = {1: "unsigned", 2: "signed", 3: "floating", 5: "complex", 6: "complex"}
    kind = (tags.get(SAMPLE_FORMAT) or (UNSIGNED,))[0]
    return f"{tags.get(SAMPLES_PER_PIXEL) or 1} samples of {_most(tags)} bits, {kinds.get(kind, 'unknown')}"


def pages(data: bytes, most: int = 1 << 16) -> int:
    """How many pictures follow each other, 1 at least."""
    order = "<" if data[:2] == b"II" else ">"
    at = struct.unpack(order + "L", data[4:8])[0]
    seen: set[int] = set()
    while at and at not in seen and at + 2 <= len(data) and len(seen) < most:
        seen.add(at)
        end = at + 2 + 12 * struct.unpack(order + "H", data[at : at + 2])[0]
        at = struct.unpack(order + "L", data[end : end + 4])[0] if end + 4 <= len(data) else 0
    return max(1, len(seen))


def bits(tags: Tags) -> int | None:
    """Of one value, where fewer are used than the file's integers have; None where it is not said."""
    most = tags.get(MAX_SAMPLE)
    if most:
        top = max(most) if isinstance(most, tuple) else most
        return max(8, int(top).bit_length())
    return None if _most(tags) in (1, 8, 16, 32, 64) else _most(tags)


def nodata(tags: Tags) -> float | None:
    try:
        return float(str(tags[NODATA]).strip("\0 "))
    except (KeyError, ValueError):
        return None


def _most(tags: Tags) -> int:
    found = tags.get(BITS_PER_SAMPLE) or (1,)
    return max(found) if isinstance(found, tuple) else int(found)
