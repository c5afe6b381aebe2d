"""What a file holds: pictures that are equal in all of it have one digest, and no others."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from pixsieve.images.decode import decode
from tests.pipeline.images.encoding import LIMIT, by_cv2, encoded, ok


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


# White things on no ground.


def test_what_is_white_on_transparency_lies_on_black(picture):
    alpha = np.zeros(picture.shape[:2], np.uint8)
    alpha[20:40, 30:60] = 255
    found = ok(encoded(rgba(np.full_like(picture, 255), alpha), "PNG"))
    assert found.seen == "on black" and (found.pixels[:, :, 0] == alpha).all()
    assert ok(encoded(rgba(picture, alpha), "PNG")).seen == "on white"


def test_junk_before_markers_is_damage_that_can_be_seen_through(picture):
    plain = encoded(Image.fromarray(picture), "JPEG", quality=95)
    at = plain.index(b"\xff\xdb")
    icc = b"\xff\xe2" + (24).to_bytes(2, "big") + b"ICC_PROFILE\0\x09\x01" + bytes(8)
    for junk in (b"\x01", b"\xff\x00", icc):
        found = decode(plain[:at] + junk + plain[at:], LIMIT)
        assert found.status == "damaged" and found.reason
        np.testing.assert_array_equal(found.pixels, ok(plain).pixels)
