"""What is not decoded has a status and a reason, and takes no memory."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from pixsieve.images.decode import decode
from tests.pipeline.images.encoding import LIMIT, encoded, ok


def inner_png(side: int) -> bytes:
    chunks = [b"IHDR" + side.to_bytes(4, "big") * 2 + b"\x08\x06\0\0\0", b"IDAT" + zlib.compress(bytes(9)), b"IEND"]
    framed = [(len(c) - 4).to_bytes(4, "big") + c + zlib.crc32(c).to_bytes(4, "big") for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


@pytest.mark.parametrize(
    "data",
    [
        b"P6 3000000000 2 255\n" + bytes(60),
        b"P6 99999999999999999999999 2 255\n" + bytes(60),
        b"PF\n5000000000 3\n-1.0\n" + bytes(60),
        b"qoif" + struct.pack(">LLBB", 1 << 31, 4, 3, 0) + bytes(60),
        b"BM" + struct.pack("<LHHLLllHHLLLLLL", 1000, 0, 0, 54, 40, 2**31 - 1, 2, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(60),
        b"II*\0" + struct.pack("<LHHHLLHHLL", 8, 2, 256, 4, 1, 2**32 - 1, 257, 4, 1, 7) + bytes(60),
    ],
)
def test_a_header_of_any_size_is_a_status(data):
    found = decode(data, LIMIT)
    assert found.status in ("too_large", "unreadable", "truncated", "not_image", "damaged") and found.reason


def test_pictures_inside_others_are_held_to_the_limit_before_they_are_decoded():
    inner = inner_png(30_000)
    ico = b"\0\0\1\0\1\0" + struct.pack("<BBBBHHLL", 32, 32, 0, 0, 1, 32, len(inner), 22) + inner
    icns = b"icns" + struct.pack(">L4sL", 16 + len(inner), b"ic07", 8 + len(inner)) + inner
    for data in (ico, icns):
        found = decode(data, LIMIT, 500)
        assert found.status == "too_large" and "max_pixels" in found.reason


@pytest.mark.parametrize(
    ("data", "format_", "status", "words"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n{} loop\n", "EPS", "not_image", "never run"),
        (b"\xc5\xd0\xd3\xc6" + bytes(60), "EPS", "not_image", "never run"),
        (b"%PDF-1.7\n", "PDF", "not_image", "never run"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60), "HEIF", "unreadable", ""),
        (b"\xff\x0a" + bytes(60), "JXL", "unreadable", ""),
        (b"\0\0\0\x18ftypcrx \0\0\0\1" + bytes(60), "RAW", "unreadable", ""),
        (b"FUJIFILMCCD-RAW 0201" + bytes(60), "RAW", "unreadable", ""),
    ],
)
def test_formats_that_are_named_instead_of_read(data, format_, status, words):
    found = decode(data, LIMIT)
    assert (found.status, found.format) == (status, format_) and words in found.reason


def test_a_tiff_of_a_sensor_is_no_picture_of_its_preview(picture):
    """As DNG and NEF are: a preview first, the values of the sensor in a directory below."""
    plain = encoded(Image.fromarray(picture), "TIFF")
    assert ok(plain).format == "TIFF"
    tags = ImageFileDirectory_v2()
    tags[50706] = b"\1\4\0\0"
    tags.tagtype[50706] = 1
    found = decode(encoded(Image.fromarray(picture), "TIFF", tiffinfo=tags), LIMIT)
    assert (found.status, found.format) == ("unreadable", "RAW")


def test_samples_that_nothing_reads_are_named():
    many = np.zeros((8, 8, 7), np.uint16)
    file = cv2.imencode(".tiff", many[:, :, 0])[1].tobytes()
    changed = file.replace(struct.pack("<HHLL", 277, 3, 1, 1), struct.pack("<HHLL", 277, 3, 1, 7))
    assert changed != file
    found = decode(changed, LIMIT)
    assert found.status in ("unreadable", "damaged", "truncated") and found.reason
