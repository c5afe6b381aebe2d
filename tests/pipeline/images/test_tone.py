"""More than 8 bits are brought to 8 as people see them."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from pixsieve.images import tone
from tests.pipeline.images.encoding import by_cv2, encoded, ok

HOLES = (np.nan, np.inf, -np.inf, -9999.0, -32768.0, float(np.finfo(np.float32).max))


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
