"""Formats of packages that are installed beside: read where they are there, named where they are not."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from pixsieve.images import extras
from pixsieve.images.decode import decode
from pixsieve.images.read import read
from pixsieve.images.status import Limits, Refused
from tests.pipeline.helpers import pattern

LIMIT = 50_000_000
pillow_heif = pytest.importorskip("pillow_heif")
pytest.importorskip("pillow_jxl")  # makes Pillow write JPEG XL
pillow_heif.register_heif_opener()


def encoded(format_: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pattern(np.random.default_rng(0), 96)[:64]).save(out, format_, quality=95)
    return out.getvalue()


def dng(values: np.ndarray) -> bytes:
    """What a sensor of red, green, green and blue has seen, (height, width) uint16: DNG 1.4, chapter 4."""
    height, width = values.shape
    matrix = struct.pack("<18l", *(part for one in (1, 0, 0, 0, 1, 0, 0, 0, 1) for part in (one, 1)))
    entries = {  # tag: TIFF type, content
        254: (4, struct.pack("<L", 0)),
        256: (4, struct.pack("<L", width)),
        257: (4, struct.pack("<L", height)),
        258: (3, struct.pack("<H", 16)),
        259: (3, struct.pack("<H", 1)),
        262: (3, struct.pack("<H", 32803)),
        271: (2, b"Camera\0\0"),
        272: (2, b"Model\0\0\0"),
        273: (4, bytes(4)),
        277: (3, struct.pack("<H", 1)),
        278: (4, struct.pack("<L", height)),
        279: (4, struct.pack("<L", values.nbytes)),
        33421: (3, struct.pack("<HH", 2, 2)),
        33422: (1, bytes((0, 1, 1, 2))),
        50706: (1, bytes((1, 4, 0, 0))),
        50708: (2, b"Camera Model\0\0\0\0"),
        50717: (4, struct.pack("<L", 65535)),
        50721: (10, matrix),
        50778: (3, struct.pack("<H", 21)),
    }
    size = {1: 1, 2: 1, 3: 2, 4: 4, 10: 8}
    at = 8 + 2 + 12 * len(entries) + 4
    long = b"".join(content for _, content in entries.values() if len(content) > 4)
    entries[273] = (4, struct.pack("<L", at + len(long)))
    directory = struct.pack("<H", len(entries))
    for tag, (kind, content) in entries.items():
        place = content.ljust(4, b"\0")
        if len(content) > 4:
            place, at = struct.pack("<L", at), at + len(content)
        directory += struct.pack("<HHL", tag, kind, len(content) // size[kind]) + place
    return b"II*\0" + struct.pack("<L", 8) + directory + bytes(4) + long + values.astype("<u2").tobytes()


@pytest.mark.parametrize("format_", ["HEIF", "JXL"])
def test_pictures_of_phones(format_):
    picture = pattern(np.random.default_rng(0), 96)[:64]
    found = decode(encoded(format_), LIMIT)
    assert (found.status, found.format, found.width, found.height) == ("ok", format_, 96, 64)
    assert np.abs(found.pixels.astype(float) - picture).mean() < 6
    assert decode(encoded(format_), 96 * 64 - 1).status == "too_large"


def test_raw_is_developed_and_equal_by_what_the_sensor_saw():
    rng = np.random.default_rng(0)
    values = np.linspace(0, 60000, 128 * 96).reshape(96, 128).astype(np.uint16)
    other = values.copy()
    other[50, 50] ^= 1
    found, same, changed = (decode(dng(one), LIMIT) for one in (values, values, other))
    assert (found.status, found.format, found.width, found.height) == ("ok", "RAW", 128, 96), found
    assert found.pixels[:20].mean() + 30 < found.pixels[-20:].mean() and "sensor" in found.seen
    assert found.digest == same.digest != changed.digest
    assert decode(dng(values), 100).status == "too_large"
    noise = bytearray(dng(values))
    for at in rng.integers(8, 300, 30):
        noise[at] ^= 255
    assert decode(bytes(noise), LIMIT).status != "ok"


@pytest.mark.parametrize("extra", ["heif", "jxl", "raw"])
def test_what_cannot_be_read_says_what_to_install(extra, monkeypatch):
    monkeypatch.setattr(extras, "_package", lambda extra: None)
    data = dng(np.zeros((8, 8), np.uint16)) if extra == "raw" else encoded({"heif": "HEIF", "jxl": "JXL"}[extra])
    with pytest.raises(Refused) as refusal:
        read(data, Limits(LIMIT))
    assert refusal.value.args == ("unreadable", f"{extra.upper()}: install 'pixsieve[{extra}]' to have it read")
