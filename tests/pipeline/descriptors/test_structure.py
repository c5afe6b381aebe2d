"""What verifies a near pair: copies agree, and images that only share a layout do not."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixsieve.descriptors import structure
from pixsieve.descriptors.structure import AGREE, agreement, see

SEEDS = st.integers(0, 2**32 - 1)


def scene(rng: np.random.Generator, side: int = 256) -> np.ndarray:
    """A grey picture with structure at every scale."""
    image = np.full((side, side), 128, np.float32)
    for cells in (4, 8, 16, 32, 64):
        coarse = rng.normal(0, 260 / cells**0.7 / 4, (cells, cells)).astype(np.float32)
        image += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0, 255).astype(np.uint8)


def small(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


def cropped(image: np.ndarray, share: float) -> np.ndarray:
    cut = round(share * len(image) / 2)
    return image[cut : len(image) - cut, cut : len(image) - cut]


def rotated(image: np.ndarray, degrees: float) -> np.ndarray:
    side = len(image)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1)
    return cv2.warpAffine(image, turn, (side, side), borderMode=cv2.BORDER_REFLECT)


COPIES = {
    "equal": lambda image: image,
    "jpeg": lambda image: jpeg(image, 30),
    "smaller": lambda image: cv2.resize(image, (100, 100), interpolation=cv2.INTER_AREA),
    "darker": lambda image: (image * 0.7).astype(np.uint8),
    "gamma": lambda image: (255 * (image / 255) ** 1.4).astype(np.uint8),
    "cropped": lambda image: cropped(image, 0.1),
    "rotated": lambda image: rotated(image, 4),
}


@pytest.mark.parametrize("kind", COPIES)
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_copies_agree(kind, seed):
    image = scene(np.random.default_rng(seed))
    assert agreement(see(small(image)), see(small(COPIES[kind](image)))) >= AGREE


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_other_textures_in_the_same_box_do_not(seed):
    rng = np.random.default_rng(seed)
    pages = []
    for _ in range(2):
        page = np.full((256, 256), 255, np.uint8)
        page[64:192, 64:192] = scene(rng, 128)
        pages.append(see(small(page)))
    assert agreement(pages[0], pages[0]) > 0.85
    assert agreement(*pages) < AGREE


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_other_pictures_with_the_same_layout_do_not(seed):
    """The same low frequencies, other details."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.normal(0, 40, (4, 4)).astype(np.float32), (64, 64), interpolation=cv2.INTER_CUBIC)
    fine = [cv2.resize(rng.normal(0, 12, (24, 24)).astype(np.float32), (64, 64)) for _ in range(2)]
    a, b = (see(np.clip(128 + coarse + one, 0, 255).astype(np.uint8)) for one in fine)
    assert agreement(a, b) < AGREE


def test_flat_images_and_smooth_skies_prove_nothing():
    flat = np.full((64, 64), 200, np.uint8)
    sky = np.tile(np.linspace(120, 220, 64).astype(np.uint8)[:, None], (1, 64))
    noisy = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    for a, b in ((flat, flat), (flat, noisy), (sky, sky)):
        assert agreement(see(a), see(b)) < AGREE


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, gain=st.floats(0.3, 1), lift=st.floats(0, 50))
def test_linear_changes_of_light_do_not_matter(seed, gain, lift):
    image = small(scene(np.random.default_rng(seed))).astype(np.float32)
    assert agreement(see(image), see(gain * image + lift)) >= AGREE


def test_a_map_that_moves_much_is_none():
    """One small square, in two places: laid onto each other they would be equal."""
    a, b = np.full((64, 64), 255, np.uint8), np.full((64, 64), 255, np.uint8)
    a[20:32, 20:32] = 0
    b[32:44, 32:44] = 0
    assert agreement(see(a), see(b)) < AGREE
    assert agreement(see(a), see(np.roll(a, 2, 0))) >= AGREE


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, kind=st.sampled_from(sorted(COPIES)))
def test_the_order_of_the_two_does_not_matter(seed, kind):
    image = scene(np.random.default_rng(seed))
    a, b = see(small(image)), see(small(COPIES[kind](image)))
    assert agreement(a, b) == pytest.approx(agreement(b, a), abs=1e-5)


def test_a_crop_of_a_quarter_is_another_picture(monkeypatch):
    image = scene(np.random.default_rng(1))
    a, b = see(small(image)), see(small(cropped(image, 0.26)))
    assert agreement(a, b) < AGREE
    monkeypatch.setattr(structure, "REACH", 99.0)  # it is the limit of the map that says so
    assert agreement(a, b) >= AGREE


def test_the_same_edges_at_other_contrasts_are_another_picture(monkeypatch):
    """As two mosaics have: every cell of one picture has a contrast of its own in the other."""
    rng = np.random.default_rng(0)
    texture = cv2.resize(rng.normal(size=(32, 32)).astype(np.float32), (64, 64), interpolation=cv2.INTER_CUBIC)
    gain = cv2.resize(np.exp(rng.normal(size=(5, 5))).astype(np.float32), (64, 64), interpolation=cv2.INTER_LINEAR)
    a, b = see(128 + 15 * texture), see(128 + 15 * gain * texture)
    assert agreement(a, a) >= AGREE
    assert agreement(a, b) == 0
    monkeypatch.setattr(structure, "STEADY", 99.0)
    assert agreement(a, b) >= AGREE
