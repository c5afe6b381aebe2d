"""Every kind of image file that people have, and every kind of broken one."""

import io
import struct
import subprocess
import sys
import zlib
from functools import lru_cache

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from pixsieve.images import decode, formats
from pixsieve.images.png import PNG
from pixsieve.images.statistics import luma, reduce, statistics
from pixsieve.images.status import STATUSES
from tests.pipeline.helpers import pattern

LIMIT = 50_000_000


def encoded(image: Image.Image, format_: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.fromarray(pattern(np.random.default_rng(0), 96)[:64])


def close(decoded: decode.Decoded, image: Image.Image, tolerance: float = 6) -> bool:
    assert decoded.status == "ok", decoded
    assert (decoded.width, decoded.height) == image.size
    return bool(np.abs(decoded.pixels.astype(float) - np.asarray(image.convert("RGB"), float)).mean() < tolerance)


@pytest.mark.parametrize(
    ("format_", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("PNG", {}),
        ("WEBP", {"quality": 95}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("GIF", {}),
        ("PPM", {}),
        ("JPEG2000", {}),
    ],
)
def test_formats(picture, format_, options):
    tolerance = 25 if format_ == "GIF" else 6  # 256 colours
    assert close(decode.decode(encoded(picture, format_, **options), LIMIT), picture, tolerance)


def test_pixels_are_those_of_other_programs(picture):
    data = encoded(picture, "JPEG", quality=80)
    np.testing.assert_array_equal(decode.decode(data, LIMIT).pixels, np.asarray(Image.open(io.BytesIO(data))))


def test_modes(picture):
    grey = picture.convert("L")
    for format_ in ("PNG", "JPEG", "TIFF"):
        assert close(decode.decode(encoded(grey, format_), LIMIT), grey)
    assert close(decode.decode(encoded(picture.convert("CMYK"), "JPEG", quality=95), LIMIT), picture)
    palette = picture.quantize(64)
    for format_ in ("PNG", "GIF"):
        assert close(decode.decode(encoded(palette, format_), LIMIT), palette)
    bits = picture.convert("1")
    assert close(decode.decode(encoded(bits, "PNG"), LIMIT), bits)


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(picture, format_):
    grey = np.asarray(picture.convert("L"))
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    assert close(decode.decode(encoded(deep, format_), LIMIT), picture.convert("L"), 1)


def test_sixteen_bit_colour(picture):
    deep = np.asarray(picture).astype(np.uint16) * 257
    data = cv2.imencode(".png", deep[:, :, ::-1])[1].tobytes()
    assert close(decode.decode(data, LIMIT), picture, 1)


def test_floating_point(picture):
    data = encoded(Image.fromarray(np.asarray(picture.convert("L"), np.float32) / 255), "TIFF")
    pixels = decode.decode(data, LIMIT).pixels
    assert pixels.min() == 0 and pixels.max() == 255


@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
def test_transparency_lies_on_white(picture, format_):
    layer = picture.convert("RGBA")
    alpha = np.full((picture.height, picture.width), 255, np.uint8)
    alpha[:, :20] = 0
    layer.putalpha(Image.fromarray(alpha))
    decoded = decode.decode(encoded(layer, format_, **({"lossless": True} if format_ == "WEBP" else {})), LIMIT)
    assert (decoded.pixels[:, :20] == 255).all()
    np.testing.assert_array_equal(decoded.pixels[:, 20:], np.asarray(picture)[:, 20:])


def test_transparent_palette(picture):
    palette = picture.quantize(64)
    see_through = palette.getpixel((0, 0))
    decoded = decode.decode(encoded(palette, "PNG", transparency=see_through), LIMIT)
    assert (decoded.pixels[0, 0] == 255).all()


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
def test_animations_give_their_first_frame(picture, format_):
    frames = [picture, picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
    data = encoded(frames[0], format_, save_all=True, append_images=frames[1:], duration=100)
    assert close(decode.decode(data, LIMIT), picture, 25)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation(picture, format_, orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(picture, format_, exif=exif, **({} if format_ == "TIFF" else {"quality": 95}))
    seen = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    decoded = decode.decode(data, LIMIT)
    assert (decoded.width, decoded.height) == seen.size
    np.testing.assert_array_equal(decoded.pixels, np.asarray(seen.convert("RGB")))


def test_damaged_exif_is_no_reason_to_fail(picture):
    data = encoded(picture, "JPEG", exif=b"Exif\0\0MM\0*" + b"\xff" * 40)
    assert decode.decode(data, LIMIT).status == "ok"


BAD = {
    "empty": (b"", "empty"),
    "text": (b"hello, this is a caption", "not_image"),
    "zeros": (bytes(1000), "not_image"),
    "only a jpeg marker": (b"\xff\xd8\xff\xe0", "not_image"),
    "only a png signature": (PNG, "truncated"),
    "png without a header": (
        PNG + bytes(4) + b"IEND" + zlib.crc32(b"IEND").to_bytes(4, "big") + bytes(30),
        "not_image",
    ),
    "html": (b"<html><body>404</body></html>", "not_image"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image(name):
    data, status = BAD[name]
    decoded = decode.decode(data, LIMIT)
    assert decoded.status == status and decoded.reason and decoded.pixels is None


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_cut_off_files_are_never_ok(picture, format_, share):
    data = encoded(picture, format_)
    decoded = decode.decode(data[: int(len(data) * share)], LIMIT)
    assert decoded.status in ("truncated", "unreadable", "not_image") and decoded.reason


def test_one_pixel_and_one_line(picture):
    for size in ((1, 1), (64, 1), (1, 64)):
        decoded = decode.decode(encoded(picture.resize(size), "PNG"), LIMIT)
        assert (decoded.status, decoded.width, decoded.height) == ("too_small", *size)


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "BMP", "TIFF", "GIF"])
def test_a_bomb_is_refused_by_its_header(format_):
    data = encoded(Image.new("L", (3000, 2000)), format_)
    decoded = decode.decode(data, 5_999_999)
    assert (decoded.status, decoded.width, decoded.height) == ("too_large", 3000, 2000)
    assert "max_pixels" in decoded.reason
    assert decode.decode(data, 6_000_000).status == "ok"


def test_a_lying_header_allocates_nothing():
    head = b"IHDR" + (60000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    chunk = (13).to_bytes(4, "big") + head + zlib.crc32(head).to_bytes(4, "big")
    end = bytes(4) + b"IEND" + zlib.crc32(b"IEND").to_bytes(4, "big")
    assert decode.decode(PNG + chunk + end, LIMIT).status == "too_large"


def flips(data: bytes, rng: np.random.Generator, count: int) -> list[decode.Decoded]:
    """Decodes copies in which one random bit after the header is turned."""
    found = []
    for _ in range(count):
        copy = bytearray(data)
        at = int(rng.integers(len(data) // 10, len(data)))
        copy[at] ^= 1 << int(rng.integers(8))
        found.append(decode.decode(bytes(copy), LIMIT))
    return found


@pytest.mark.parametrize(("format_", "least"), [("JPEG", 0.1), ("PNG", 1.0), ("WEBP", 0.0), ("TIFF", 0.0)])
def test_flipped_bits_never_crash_and_are_seen(format_, least):
    rng = np.random.default_rng(0)
    picture = Image.fromarray(pattern(rng, 300) // 2 + rng.integers(0, 60, (300, 300, 3), np.uint8))
    found = flips(encoded(picture, format_, **({"quality": 85} if format_ == "JPEG" else {})), rng, 125)
    seen = np.mean([decoded.status != "ok" for decoded in found])
    assert seen >= least
    assert all(bool(decoded.reason) == (decoded.status != "ok") for decoded in found)
    assert format_ != "JPEG" or any(decoded.status == "damaged" for decoded in found)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_garbled_files_always_give_a_status(picture, format_):
    rng = np.random.default_rng(0)
    data = encoded(picture, format_)
    for _ in range(60):
        copy = bytearray(data)
        for at in rng.integers(0, len(copy), 20) if rng.random() < 0.5 else rng.integers(0, min(64, len(copy)), 3):
            copy[at] = rng.integers(256)
        decoded = decode.decode(bytes(copy), LIMIT)
        assert decoded.status in STATUSES and (decoded.pixels is None) == (decoded.status not in ("ok", "damaged"))


PEAK = """
import io, resource, sys
import numpy as np
from PIL import Image
from pixsieve.images import decode, statistics
image = decode.decode(open(sys.argv[2], "rb").read(), 10**9)  # warm
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
image = decode.decode(open(sys.argv[1], "rb").read(), 10**9)
assert image.pixels.shape == (8000, 8000, 3), image
statistics.statistics(image.pixels, statistics.reduce(statistics.luma(image.pixels)))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_a_huge_png_costs_its_own_pixels_and_no_more(tmp_path):
    rows = (np.arange(8000 * 3, dtype=np.uint32) % 251).astype(np.uint8).reshape(1, 8000, 3)
    (tmp_path / "huge.png").write_bytes(cv2.imencode(".png", np.repeat(rows, 8000, axis=0))[1].tobytes())
    (tmp_path / "small.png").write_bytes(cv2.imencode(".png", rows[:, :50].repeat(50, axis=0))[1].tobytes())
    command = [sys.executable, "-c", PEAK, str(tmp_path / "huge.png"), str(tmp_path / "small.png")]
    grown = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown < 1.1 * 8000 * 8000 * 3 / 2**20


def test_statistics_have_their_units():
    flat = np.full((64, 64), 128, np.uint8)
    brightness, *others = statistics(cv2.cvtColor(flat, cv2.COLOR_GRAY2RGB), flat)
    assert others == [0, 0, 0, brightness, brightness, 0, 0] and round(brightness, 3) == 0.502
    noise = np.random.default_rng(0).integers(0, 256, (256, 256), np.uint8)
    found = statistics(cv2.cvtColor(noise, cv2.COLOR_GRAY2RGB), noise)
    brightness, contrast, sharpness, entropy, shadows, highlights, _, noise_share = found
    edges = sum(np.roll(noise.astype(float), shift, axis) for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)))
    expected = (edges - 4 * noise.astype(float))[1:-1, 1:-1].var() / 255**2
    assert brightness == pytest.approx(noise.mean() / 255) and contrast == pytest.approx(noise.std() / 255)
    assert sharpness == pytest.approx(expected, rel=0.05) and 7.9 < entropy <= 8
    assert (shadows, highlights) == pytest.approx(np.percentile(noise, (5, 99)) / 255, abs=1 / 255)
    assert noise_share == pytest.approx(1, rel=0.15)


@pytest.mark.parametrize("deviation", [3.0, 10.0, 30.0])
def test_noise_is_measured_at_full_resolution_and_not_fooled_by_edges(deviation: float):
    rng = np.random.default_rng(0)
    y, x = np.indices((400, 1000))
    picture = 128 + 0.05 * x - 0.1 * y + 30 * (x // 90 % 2)
    noisy = np.clip(picture[:, :, None] + deviation * rng.normal(size=(400, 1000, 1)) * np.ones(3), 0, 255)
    pixels = noisy.astype(np.uint8)
    noise = statistics(pixels, reduce(luma(pixels))).noise
    assert noise * 255 == pytest.approx(deviation, rel=0.1)


@pytest.mark.parametrize(
    ("format_", "names"),
    [
        ("JPEG", ("a.jpg", "b/c.JPEG", "d.jfif")),
        ("PNG", ("a.png",)),
        ("WEBP", ("a.webp",)),
        ("TIFF", ("a.tif", "a.TIFF")),
        ("GIF", ("a.gif",)),
        ("BMP", ("a.bmp",)),
    ],
)
def test_formats_by_content_and_by_name(picture, format_, names):
    data = encoded(picture, format_)
    assert formats.by_content(data) == format_
    assert {formats.by_name(name) for name in names} == {format_}
    assert formats.by_content(data[:2]) is None


def test_names_and_contents_that_say_nothing():
    for name in ("a", "a.b/c", "a.txt", ".png", "x.unknown"):
        assert formats.by_name(name) is None
    for data in (b"", b"some text", b"<html>"):
        assert formats.by_content(data) is None


def spider(stack: float, number: float) -> bytes:
    """The header of a format without a signature: 27 numbers that go together, but for these two."""
    header = np.zeros(27, ">f4")
    header[[0, 1, 4, 11]] = 1  # layers, height, kind, width
    header[[12, 21, 22]] = 1, 4, 4  # records of the header, its bytes, those of a record
    header[[23, 26]] = stack, number
    return header.tobytes()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (lambda: b"RIFF\x20\0\0\0WEBPVP8 ", OSError),
        (lambda: b"P6 5 x ", ValueError),
        (lambda: whole("AVIF").replace(b"pitm", b"free"), RuntimeError),
        (lambda: b"DDS " + struct.pack("<31I", 124, *[8] * 30), RuntimeError),
        (lambda: spider(np.inf, 0), OverflowError),
        (lambda: spider(0, 1), AttributeError),
    ],
)
def test_whatever_a_reader_raises_the_content_is_unknown(data, error):
    with pytest.raises(error):
        Image.open(io.BytesIO(data()))
    assert formats.by_content(data()) is None


HEADERS = ("WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO", "TGA", "DDS", "PCX", "SPIDER", "ICNS", "QOI")


@pytest.mark.filterwarnings("ignore")  # Pillow's, of tags that are cut off
@settings(max_examples=400, deadline=None)
@given(
    format_=st.sampled_from(HEADERS),
    end=st.integers(0, 4000),
    changed=st.dictionaries(st.integers(0, 300), st.sampled_from([0, 1, 127, 128, 255]), max_size=8),
)
def test_no_header_is_too_damaged_to_be_looked_at(format_, end, changed):
    data = bytearray(whole(format_)[:end])
    for at in changed.keys() & range(len(data)):
        data[at] = changed[at]
    assert formats.by_content(bytes(data)) in {None, *Image.OPEN}


@lru_cache
def whole(format_: str) -> bytes:
    return encoded(Image.fromarray(pattern(np.random.default_rng(0), 64)), format_)
