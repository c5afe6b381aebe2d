"""What a file holds: pictures that are equal in all of it have one digest, and no others."""

import io
import struct
import zlib

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from pixsieve.images import tone
from pixsieve.images.decode import Decoded, decode
from tests.pipeline.helpers import pattern

LIMIT = 50_000_000


def encoded(image: Image.Image, format_: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def by_cv2(values: np.ndarray, suffix: str) -> bytes:
    order = values if values.ndim == 2 else values[:, :, [2, 1, 0, *range(3, values.shape[2])]]
    return cv2.imencode(suffix, order)[1].tobytes()


def ok(data: bytes) -> Decoded:
    found = decode(data, LIMIT)
    assert found.status == "ok", found
    return found


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return pattern(np.random.default_rng(0), 96)[:64]


@pytest.fixture(scope="module")
def grey(picture) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).convert("L"))


def rgba(picture: np.ndarray, alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([picture, alpha]))


def test_one_picture_in_many_containers_has_one_digest(picture):
    image = Image.fromarray(picture)
    files = [
        *(encoded(image, name) for name in ("PNG", "BMP", "TIFF", "PPM", "TGA", "ICNS", "QOI") if name != "ICNS"),
        encoded(image, "WEBP", lossless=True),
        encoded(image, "TIFF", compression="tiff_lzw"),
        encoded(rgba(picture, np.full(picture.shape[:2], 255, np.uint8)), "PNG"),
    ]
    assert len({ok(data).digest for data in files}) == 1
    assert all(ok(data).seen == "" for data in files)
    jpeg = encoded(image, "JPEG", quality=80)
    assert ok(jpeg).digest == ok(encoded(Image.open(io.BytesIO(jpeg)), "PNG")).digest
    assert ok(encoded(image.convert("L"), "PNG")).digest == ok(encoded(image.convert("L").convert("RGB"), "PNG")).digest


def different(kind: str, picture: np.ndarray, grey: np.ndarray) -> list[bytes]:
    """Files that look alike when they are reduced to 8 bits, to a white ground, to a first frame or to a range."""
    deep, image = grey.astype(np.uint16) * 256, Image.fromarray(picture)
    alphas = [np.where(np.indices(grey.shape)[axis] < 20, 0, 255).astype(np.uint8) for axis in (0, 1)]
    white = np.full_like(picture, 255)
    if kind == "masks":
        return [encoded(Image.fromarray((grey > 99).astype(np.uint16) + add), "PNG") for add in (0, 1, 7)]
    if kind == "low byte":
        return [encoded(Image.fromarray(deep + add), "PNG") for add in (0, 1)]
    if kind == "low byte of colours":
        wide = picture.astype(np.uint16) * 256
        return [by_cv2(wide + add, suffix) for add in (0, 1) for suffix in (".png",)] + [by_cv2(wide + 2, ".tiff")]
    if kind == "white icons":
        return [encoded(rgba(white, alpha), "PNG") for alpha in alphas]
    if kind == "opacity":
        whole = np.full(grey.shape, 255, np.uint8)
        return [encoded(rgba(picture, alpha), "PNG") for alpha in (whole, whole - 1, alphas[0])]
    if kind in ("GIF", "WEBP", "PNG", "TIFF"):
        ends = [image.transpose(turn) for turn in (Image.Transpose.ROTATE_180, Image.Transpose.FLIP_LEFT_RIGHT)]
        several = [encoded(image, kind, save_all=True, append_images=[end]) for end in ends]
        return [encoded(image, kind), *several]
    if kind == "ranges":
        wide = grey.astype(np.float32)
        hole = wide.copy()
        hole[3, 4] = np.nan
        return [encoded(Image.fromarray(one), "TIFF") for one in (wide, wide * 2, wide + 5, hole)]
    if kind == "types":
        return [encoded(image.convert("L"), "PNG"), encoded(Image.fromarray(grey.astype(np.uint16)), "PNG")]
    assert kind == "inks"
    inks = np.dstack([255 - picture, np.zeros(grey.shape, np.uint8)])
    black = inks.copy()
    common = inks[:, :, :3].min(axis=2)
    black[:, :, :3] -= common[:, :, None]
    black[:, :, 3] = common
    return [encoded(Image.fromarray(one, "CMYK"), "TIFF") for one in (inks, black)]


KINDS = ("masks", "low byte", "low byte of colours", "white icons", "opacity", "GIF", "WEBP", "PNG", "TIFF", "ranges")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", [*KINDS, "types", "inks"])
def test_pictures_that_differ_in_what_cannot_be_seen_have_different_digests(kind, picture, grey):
    found = [ok(data) for data in different(kind, picture, grey)]
    assert len({one.digest for one in found}) == len(found)
    lossless = {"types": 2, "masks": 3, "opacity": 1}  # of these nothing is hidden
    shown = [one for one in found if one.seen]
    assert len(shown) >= len(found) - lossless.get(kind, 1)


def test_the_same_animation_is_equal_in_two_containers(picture):
    frames = [Image.fromarray(picture), Image.fromarray(picture[:, ::-1].copy())]
    files = [
        encoded(frames[0], "WEBP", lossless=True, save_all=True, append_images=frames[1:]),
        encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:]),
    ]
    assert len({ok(data).digest for data in files}) == 1
    assert {ok(data).seen for data in files} == {"the first of 2 frames"}


def test_more_frames_than_may_be_looked_at_are_equal_to_themselves_only(picture):
    frames = [Image.fromarray(picture), Image.fromarray(picture[:, ::-1].copy())]
    file = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    other = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], comment=b"x")
    assert ok(file).digest == ok(other).digest
    few = [decode(data, picture.shape[0] * picture.shape[1]) for data in (file, file, other)]
    assert [one.status for one in few] == ["ok"] * 3
    assert few[0].digest == few[1].digest != few[2].digest


def test_a_damaged_later_frame_is_damage(picture):
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    data = encoded(Image.fromarray(picture), "TIFF", save_all=True, append_images=[Image.fromarray(noise)])
    at = data.rindex(struct.pack("<HHLL", 257, 4, 1, 64))  # the height of the second
    bad = data[: at + 8] + struct.pack("<L", 64_000_000) + data[at + 12 :]
    found = decode(bad, LIMIT)
    assert found.status in ("damaged", "too_large") and found.reason


@pytest.mark.parametrize("size", [(1, 1), (64, 1), (1, 64)])
def test_a_line_of_pixels_has_a_digest(picture, size):
    image = Image.fromarray(picture).resize(size)
    found = [decode(encoded(image, name), LIMIT) for name in ("PNG", "BMP", "JPEG")]
    assert {(one.status, one.width, one.height) for one in found} == {("too_small", *size)}
    assert found[0].digest == found[1].digest is not None and found[2].digest is not None


# More than 8 bits.


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_values_in_wider_integers_are_brought_to_8_bits_by_the_bits_that_they_use(picture, grey, bits, suffix):
    for values in (grey, picture):
        deep = values.astype(np.uint16) << (bits - 8)
        deep.flat[0] = (1 << bits) - 1
        found = ok(by_cv2(deep, suffix))
        expected = np.broadcast_to((deep >> (bits - 8)).reshape(*values.shape[:2], -1), (*values.shape[:2], 3))
        np.testing.assert_array_equal(found.pixels, expected)
        assert found.seen == f"the upper 8 of {bits} bits"


def test_declared_bits_count_where_the_values_are_low(grey):
    tags = ImageFileDirectory_v2()
    tags[281] = 4095
    dark = encoded(Image.fromarray((grey // 2).astype(np.uint16)), "TIFF", tiffinfo=tags)
    np.testing.assert_array_equal(ok(dark).pixels[:, :, 0], (grey // 2) >> 4)
    undeclared = encoded(Image.fromarray((grey // 2).astype(np.uint16)), "TIFF")
    np.testing.assert_array_equal(ok(undeclared).pixels[:, :, 0], grey // 2)


HOLES = (np.nan, np.inf, -np.inf, -9999.0, -32768.0, float(np.finfo(np.float32).max))


@pytest.mark.parametrize("hole", HOLES)
@pytest.mark.parametrize("suffix", [".tiff", ".pfm"])
def test_floats_take_the_range_of_what_is_measured(picture, grey, hole, suffix):
    for values in (grey, picture)[: 1 + (suffix == ".tiff")]:
        wide = values.astype(np.float32) / 100 - 1
        low, high = float(wide.min()), float(wide.max())
        wide[5:9, 5] = hole
        data = by_cv2(wide, suffix) if values.ndim == 3 or suffix == ".pfm" else encoded(Image.fromarray(wide), "TIFF")
        pixels = ok(data).pixels
        expected = np.clip((wide.astype(float) - low) * 255 / (high - low), 0, 255).reshape(*values.shape[:2], -1)
        there = np.isfinite(expected).all(axis=2)
        there[5:9, 5] = False
        assert np.abs(pixels[there] - expected[there]).max() <= 1
        assert (pixels[5:9, 5] == 0).all() and "without a value" in ok(data).seen


def test_declared_nodata_is_no_value(grey):
    wide = grey.astype(np.float32) + 300
    wide[:4] = 17
    tags = ImageFileDirectory_v2()
    tags[42113] = "17"
    pixels = ok(encoded(Image.fromarray(wide), "TIFF", tiffinfo=tags)).pixels
    assert pixels[4:].min() == 0 and pixels.max() == 255 and pixels[4:].std() > 40


def test_signed_integers_take_their_range(grey):
    values = grey.astype(np.int16) - 128
    values[0, 0] = -9999
    pixels = ok(by_cv2(values, ".tiff")).pixels[:, :, 0]
    assert np.corrcoef(pixels.ravel()[1:], grey.ravel()[1:])[0, 1] > 0.999 and pixels.max() == 255


def test_radiance(picture):
    values = picture.astype(np.float32) / 255
    found = ok(by_cv2(values, ".hdr"))
    assert found.format == "HDR" and np.abs(found.pixels.astype(float) - picture).mean() < 4


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.floats(-1e4, 1e4, width=32), min_size=2, max_size=30),
    holes=st.lists(st.sampled_from(HOLES), max_size=5),
)
def test_the_tone_of_floats_depends_on_values_alone(values, holes):
    values = [value for value in values if value not in tone.SENTINELS] or [0.0]
    alone, words = tone.to_8_bits(np.array(values, np.float32))
    with_holes, more = tone.to_8_bits(np.array(values + holes, np.float32))
    np.testing.assert_array_equal(with_holes[: len(values)], alone)
    assert not with_holes[len(values) :].any() and more.startswith(words)
    assert (alone[np.argmax(values)] == 255) == (len(set(np.float32(values))) > 1)


# White things on no ground.


def test_what_is_white_on_transparency_lies_on_black(picture):
    alpha = np.zeros(picture.shape[:2], np.uint8)
    alpha[20:40, 30:60] = 255
    found = ok(encoded(rgba(np.full_like(picture, 255), alpha), "PNG"))
    assert found.seen == "on black" and (found.pixels[:, :, 0] == alpha).all()
    assert ok(encoded(rgba(picture, alpha), "PNG")).seen == "on white"


# Orientation.


def upright(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def segment(body: bytes) -> bytes:
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body


def test_orientation_wherever_it_stands(picture):
    jpeg = encoded(Image.fromarray(picture), "JPEG", quality=95)
    head, rest = jpeg[:2], jpeg[2:]
    files = [
        head + segment(EXIF) + rest,
        head + b"\xff\xff\xff" + segment(EXIF) + rest,  # fill bytes: ITU-T T.81, B.1.1.2
        head + segment(b"http://ns.adobe.com/xap/1.0/\0" + XMP) + rest,
    ]
    from PIL.PngImagePlugin import PngInfo

    raw = f"\nexif\n{len(EXIF):8}\n{EXIF.hex()}\n"
    for text in ({"Raw profile type exif": raw}, {"XML:com.adobe.xmp": XMP.decode()}):
        info = PngInfo()
        for name, value in text.items():
            info.add_itxt(name, value) if name.startswith("XML") else info.add_text(name, value)
        files.append(encoded(Image.fromarray(picture), "PNG", pnginfo=info))
    for data in files:
        found = ok(data)
        assert (found.width, found.height) == (64, 96)
        np.testing.assert_array_equal(found.pixels, upright(data))


# Headers.


def test_junk_before_markers_is_damage_that_can_be_seen_through(picture):
    plain = encoded(Image.fromarray(picture), "JPEG", quality=95)
    at = plain.index(b"\xff\xdb")
    icc = b"\xff\xe2" + (24).to_bytes(2, "big") + b"ICC_PROFILE\0\x09\x01" + bytes(8)
    for junk in (b"\x01", b"\xff\x00", icc):
        found = decode(plain[:at] + junk + plain[at:], LIMIT)
        assert found.status == "damaged" and found.reason
        np.testing.assert_array_equal(found.pixels, ok(plain).pixels)


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


def inner_png(side: int) -> bytes:
    chunks = [b"IHDR" + side.to_bytes(4, "big") * 2 + b"\x08\x06\0\0\0", b"IDAT" + zlib.compress(bytes(9)), b"IEND"]
    framed = [(len(c) - 4).to_bytes(4, "big") + c + zlib.crc32(c).to_bytes(4, "big") for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


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
