"""The level of noise: what is planted is measured, at any size; texture, edges and clipped parts do not raise it."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.drawing import bytes_of, jpeg, load
from benchmarks.drawing import noise as fractal
from pixsieve.images import noise
from pixsieve.images.statistics import Statistics, luma, reduce, statistics
from pixsieve.rules.faults import MEASUREMENTS

LEVEL, SHARE = (of for of in MEASUREMENTS if of.kind == "noisy")


def measured(field: np.ndarray) -> Statistics:
    """Of a picture of this luma, (height, width) floats, or of these colours."""
    pixels = bytes_of(field if field.ndim == 3 else field[:, :, None] * np.ones(3))
    return statistics(pixels, reduce(luma(pixels)))


def scenery(height: int, width: int) -> np.ndarray:
    """Slopes and edges."""
    y, x = np.indices((height, width))
    return 128 + 0.05 * x - 0.1 * y + 30 * (x // 90 % 2) + 20 * (x + y > 300)


@pytest.mark.parametrize("deviation", [2, 5, 10, 20, 30, 40])
@pytest.mark.parametrize(
    ("size", "tolerance"), [((32, 32), 0.3), ((64, 64), 0.2), ((300, 400), 0.07), ((900, 1300), 0.07)]
)
def test_planted_noise_is_measured_at_any_size(size: tuple[int, int], tolerance: float, deviation: float):
    rng = np.random.default_rng(0)
    found = measured(scenery(*size) + deviation * rng.normal(size=size)).noise * 255
    assert found == pytest.approx(deviation, rel=tolerance)


@pytest.mark.parametrize("quality", [75, 85, 95])
def test_noise_outlasts_jpeg(quality: int):
    rng = np.random.default_rng(0)
    field = scenery(300, 400) + 30 * rng.normal(size=(300, 400))
    stored = load(jpeg(bytes_of(field[:, :, None] * np.ones(3)), quality))
    assert measured(stored).noise * 255 == pytest.approx(30, rel=0.12)


def test_noise_of_each_channel_counts_by_its_part_of_the_luma():
    rng = np.random.default_rng(0)
    field = scenery(300, 400)[:, :, None] + 30 * rng.normal(size=(300, 400, 3))
    assert measured(field).noise * 255 == pytest.approx(30 * np.hypot(np.hypot(0.299, 0.587), 0.114), rel=0.07)


def test_what_is_clipped_does_not_hide_noise():
    rng = np.random.default_rng(0)
    field = scenery(300, 400) + 20 * rng.normal(size=(300, 400))
    for ground in (-200, 455):
        half = np.where(np.indices((300, 400))[1] < 200, field, ground)
        assert measured(half).noise * 255 == pytest.approx(20, rel=0.1)


def test_a_thing_cut_out_on_white_is_not_noisy():
    """Few blocks of it are not clipped, and they are all texture."""
    rng = np.random.default_rng(0)
    field = np.full((300, 400), 255.0)
    field[130:190, 170:250] = 128 + 60 * rng.normal(size=(60, 80))
    assert measured(field).noise == 0


def stripes(length: float, angle: float, size: tuple[int, int] = (375, 500)) -> np.ndarray:
    y, x = np.indices(size)
    return 128 + 60 * np.sin(2 * np.pi / length * (x * np.cos(angle) + y * np.sin(angle)))


@settings(max_examples=100, deadline=None)
@given(st.floats(2.5, 40), st.floats(0, np.pi))
def test_stripes_are_no_noise(length: float, angle: float):
    found = measured(stripes(length, angle))
    assert found.noise < LEVEL.never and found.noise_share < SHARE.never


def barbs() -> np.ndarray:
    """Feathers: fine stripes that fan out from quills."""
    y, x = np.indices((375, 500)).astype(float)
    across = x % 90 - 45
    return 128 + 50 * np.sin(0.9 * (y + 0.8 * np.abs(across))) * np.cos(across / 30) + 20 * (np.abs(across) < 3)


def weave() -> np.ndarray:
    return (stripes(7, 0.3) + stripes(7, 1.9)) / 2


TEXTURES = {
    "checkerboard": lambda: 128 + 60 * (-1.0) ** np.indices((375, 500)).sum(axis=0),
    "tiles": lambda: 128 + 60 * (-1.0) ** (np.indices((375, 500)) // 40).sum(axis=0),
    "clouds": lambda: 128 + 50 * fractal(np.random.default_rng(0), 375, 500, 1.5),
    "ground": lambda: 128 + 50 * fractal(np.random.default_rng(0), 375, 500, 1.0),
    "barbs": barbs,
    "weave": weave,
}


@pytest.mark.parametrize("name", TEXTURES)
def test_texture_is_no_noise_and_does_not_hide_it(name: str):
    field = TEXTURES[name]()
    clean = measured(field)
    assert clean.noise < LEVEL.never and clean.noise_share < SHARE.never
    noisy = measured((field - 128) / 2 + 128 + 35 * np.random.default_rng(1).normal(size=field.shape))
    assert noisy.noise >= LEVEL.always and noisy.noise * 255 == pytest.approx(35, rel=0.15)


@pytest.mark.parametrize("grain", [1, 2, 4])
@pytest.mark.parametrize("deviation", [10, 40])
def test_nothing_but_noise_is_known_by_its_share_at_any_grain(grain: int, deviation: float):
    rng = np.random.default_rng(0)
    field = np.kron(rng.normal(size=(300 // grain, 400 // grain)), np.ones((grain, grain)))
    assert measured(128 + deviation * field).noise_share >= SHARE.always


def test_a_faint_picture_has_no_share():
    rng = np.random.default_rng(0)
    assert measured(128 + 1.5 * rng.normal(size=(300, 400))).noise_share < SHARE.never


@given(st.integers(1, 45), st.integers(1, 45), st.integers(0, 2**32 - 1))
def test_any_size_has_a_level_and_always_the_same(height: int, width: int, seed: int):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    first, second = (statistics(pixels, reduce(luma(pixels))) for _ in range(2))
    assert first == second and np.isfinite(first.noise) and first.noise >= 0 and 0 <= first.noise_share <= 1
    assert (first.noise > 0) == (min(height, width) >= 16)
    flat = np.full_like(pixels, pixels[0, 0])
    assert statistics(flat, luma(flat))[-2:] == (0, 0)


def test_pieces_lie_evenly_over_the_image_and_none_across_its_border():
    rows = np.arange(700)[:, None] // 4
    pixels = cv2.merge([np.repeat(rows, 1000, axis=1).astype(np.uint8)] * 3)
    spread = noise.spread(pixels)
    assert spread.shape == (256, 256) and spread[0, 0] == 0 and spread[-1, 0] == rows.max()
    assert noise.spread(pixels[:70, :31]).shape == (64, 31)
