"""Enlarged images and traces of JPEG, on pictures drawn with the spectrum of photos."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixsieve.images.blocks import blocking, has_traces
from pixsieve.images.detail import BANDS, FLOOR, STEP, apart, enlarged, spectrum

WAYS = [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS]


def natural(seed: int, height: int = 300, width: int = 400) -> np.ndarray:
    """(height, width, 3) uint8 with the spectrum of photos, and edges."""
    rng = np.random.default_rng(seed)
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    f[0, 0] = np.inf
    fields = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(3, height, width))) / f**1.1, s=(height, width))
    pixels = 128 + 45 * (fields / fields.std()).transpose(1, 2, 0)
    for _ in range(6):
        y, x, h, w = (int(v) for v in rng.uniform(0, (height, width, height / 3, width / 3)))
        pixels[y : y + h, x : x + w] += rng.uniform(-90, 90, 3)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def resized(pixels: np.ndarray, factor: float, way: Image.Resampling = Image.Resampling.LANCZOS) -> np.ndarray:
    size = tuple(round(side * factor) for side in pixels.shape[1::-1])
    return np.asarray(Image.fromarray(pixels).resize(size, way))


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality)
    return np.asarray(Image.open(out))


def is_enlarged(larger: np.ndarray, smaller: np.ndarray) -> bool:
    ratio = np.sqrt([smaller.size / larger.size])
    return bool(enlarged(spectrum(larger)[None], spectrum(smaller)[None], ratio)[0])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("factor", "quality"), [(1.3, None), (1.5, None), (3, None), (1.5, 90), (2, 90), (3, 90)])
def test_an_enlarged_copy_is_known_and_a_reduced_one_is_none(way: Image.Resampling, factor: float, quality: int | None):
    for seed in range(3):
        original = natural(seed)
        larger, smaller = resized(original, factor, way), resized(original, 1 / factor, way)
        if quality:
            larger, smaller = jpeg(larger, quality), jpeg(smaller, quality)
        assert is_enlarged(larger, original)
        assert not is_enlarged(original, smaller)
        assert is_enlarged(resized(smaller, factor, way), smaller)


def test_a_soft_photo_is_not_enlarged_from_its_reduced_copy():
    for seed, blur in enumerate([0.6, 0.8, 1.2, 2.0]):
        soft = cv2.GaussianBlur(natural(seed), (0, 0), blur)
        for factor in (0.9, 0.8, 0.7):
            assert not is_enlarged(soft, resized(soft, factor))
            assert not is_enlarged(jpeg(soft, 90), jpeg(resized(soft, factor), 75))


def test_images_of_one_size_are_not_enlarged_from_each_other():
    soft = cv2.GaussianBlur(natural(0), (0, 0), 3)
    assert not is_enlarged(soft, natural(0)) and not is_enlarged(soft, natural(0)[4:, 4:])


@given(st.integers(2, 300), st.integers(2, 300))
def test_every_size_has_a_spectrum(height: int, width: int):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    found = spectrum(pixels)
    assert found.shape == (BANDS,) and found.dtype == np.uint8
    assert spectrum(np.ascontiguousarray(pixels.transpose(1, 0, 2))).tolist() == found.tolist()
    assert 0 <= blocking(pixels) + 1 <= 2


def test_a_wave_is_in_its_band_and_its_power_is_that_of_its_steps():
    """One cycle in 8 pixels, a quarter of the way to half a cycle a pixel; flat in columns."""
    wave = np.rint(128 + 100 * np.cos(2 * np.pi * np.arange(256) / 8)).astype(np.uint8)
    found = FLOOR + STEP * spectrum(np.repeat(np.tile(wave, (64, 1))[:, :, None], 3, axis=2)).astype(float)
    assert abs(int(found.argmax()) - BANDS / 4) <= 1
    steps = np.diff(wave.astype(float))
    total = (10 ** (found / 10)).mean() * 2  # of the two axes one has all
    assert total == pytest.approx(np.square(steps).mean(), rel=0.05)
    assert (spectrum(np.full((64, 64, 3), 7, np.uint8)) == 0).all()


def test_contrast_is_no_difference_and_lost_detail_is():
    picture = natural(3)
    lower = (64 + picture.astype(float) / 2).astype(np.uint8)
    blurred = cv2.GaussianBlur(picture, (0, 0), 0.7)
    found = apart(*(np.stack([spectrum(p) for p in side]) for side in ([picture] * 3, [picture, lower, blurred])))
    assert found[0] == 0 and found[1] <= 1 < 3 < found[2]


@pytest.mark.parametrize("quality", [30, 60, 75, 90, 95])
def test_what_has_been_a_jpeg_is_known(quality: int):
    for seed in range(3):
        picture = natural(seed, 200, 300)
        found = blocking(jpeg(picture, quality))
        assert has_traces(np.array([found])).all()
        assert not has_traces(np.array([blocking(picture), blocking(resized(jpeg(picture, quality), 0.8))])).any()


def test_a_sheet_of_tiles_has_not_been_a_jpeg():
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 256, (30, 40, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    sprites = np.tile(rng.integers(0, 256, (8, 8, 3), np.uint8), (30, 40, 1))
    bars = np.zeros((240, 320, 3), np.uint8)
    bars[:, ::16] = 255
    for picture in (tiles, sprites, bars, np.full((240, 320, 3), 200, np.uint8)):
        assert not has_traces(np.array([blocking(picture)])).any()
