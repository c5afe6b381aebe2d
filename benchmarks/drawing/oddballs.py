"""Readable files that do not belong among photos. Each function takes a generator, the number of the file in its kind
and a photo, (height, width, 3) uint8 RGB, and returns the file."""

from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.drawing import bytes_of, jpeg, noise, png, resized
from benchmarks.drawing.lookalikes import words

Make = Callable[[np.random.Generator, int, np.ndarray], bytes]


def _solid(rng: np.random.Generator, number: int, photo: np.ndarray) -> bytes:
    colour = ((0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 30, 40), (20, 60, 180))[number]
    return png(np.full((240 + 40 * number, 320, 3), colour, np.uint8))


def _noise(rng: np.random.Generator, number: int, photo: np.ndarray) -> bytes:
    """Uniform, normal and grey, salt and pepper, coarse, and of two colours."""
    size = (300 + 20 * number, 400)
    field = (
        lambda: rng.integers(0, 256, (*size, 3)),
        lambda: 128 + 45 * rng.normal(size=(*size, 1)) * np.ones(3),
        lambda: 255 * rng.integers(0, 2, (*size, 1)) * np.ones(3),
        lambda: np.kron(rng.integers(0, 256, (size[0] // 4, size[1] // 4, 3)), np.ones((4, 4, 1))),
        lambda: np.where(rng.random((*size, 1)) < 0.5, rng.integers(0, 256, 3), rng.integers(0, 256, 3)),
    )[number]()
    return png(bytes_of(field))


def _text(rng: np.random.Generator, number: int, photo: np.ndarray) -> bytes:
    """Screens: a terminal, a message, a table, a receipt, a slide."""
    size, ground, ink = (
        ((640, 400), (12, 12, 12), (80, 240, 90)),
        ((480, 260), (0, 80, 170), (255, 255, 255)),
        ((600, 420), (255, 255, 255), (20, 20, 20)),
        ((260, 620), (246, 240, 226), (60, 50, 50)),
        ((640, 360), (250, 205, 60), (40, 20, 90)),
    )[number]
    points, left, many = ((14, 8, 6), (30, 40, 2), (13, 20, 7), (12, 18, 3), (44, 60, 2))[number]
    screen = Image.new("RGB", size, ground)
    pen, font = ImageDraw.Draw(screen), ImageFont.load_default(points)
    for at in range(points, size[1] - 2 * points, int(1.5 * points)):
        pen.text((left, at), f"{words(rng, many)} {rng.integers(10**4)}", ink, font)
    return png(np.asarray(screen))


def _dark(rng: np.random.Generator, number: int, photo: np.ndarray) -> bytes:
    return jpeg(bytes_of(photo * rng.uniform(0.03, 0.08)))


def _bright(rng: np.random.Generator, number: int, photo: np.ndarray) -> bytes:
    return jpeg(bytes_of(255 - (255.0 - photo) * rng.uniform(0.03, 0.08)))


def _blurred(rng: np.random.Generator, number: int, photo: np.ndarray) -> bytes:
    """A Gaussian of 3 to 5 % of the longer side."""
    return jpeg(cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.03, 0.05) * max(photo.shape)))


def _low_contrast(rng: np.random.Generator, number: int, photo: np.ndarray) -> bytes:
    return jpeg(bytes_of((photo - photo.mean()) * rng.uniform(0.04, 0.08) + rng.uniform(90, 165)))


def _huge(rng: np.random.Generator, number: int, photo: np.ndarray) -> bytes:
    base = 128 + 50 * noise(rng, 500, 500, 1.3)[:, :, None] + 20 * rng.normal(size=(1, 1, 3))
    return jpeg(resized(bytes_of(base), 16))


def _odd_aspect(rng: np.random.Generator, number: int, photo: np.ndarray) -> bytes:
    """A strip of a photo, 1 to 20 or narrower, across it or down it."""
    height, width = photo.shape[:2]
    if number % 2:
        at = int(rng.integers(height - (thick := max(2, width // 20)) + 1))
        return jpeg(photo[at : at + thick])
    at = int(rng.integers(width - (thick := max(2, height // 20)) + 1))
    return jpeg(photo[:, at : at + thick])


def _tiny(rng: np.random.Generator, number: int, photo: np.ndarray) -> bytes:
    return png(resized(photo, (8 + 3 * number) / max(photo.shape)))


def _bits16(rng: np.random.Generator, number: int, photo: np.ndarray) -> bytes:
    """A grey photo in 16 bits, of full range: no fault, but many programs show it white."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.uint16)
    return png(grey * 256 + rng.integers(0, 256, grey.shape, np.uint16))


def _one_pixel(rng: np.random.Generator, number: int, photo: np.ndarray) -> bytes:
    return png(rng.integers(0, 256, (1, 1, 3), np.uint8))


# kind: (how many, file ending, how each is made)
ODDBALLS: dict[str, tuple[int, str, Make]] = {
    "solid": (5, ".png", _solid),
    "noise": (5, ".png", _noise),
    "text": (5, ".png", _text),
    "dark": (5, ".jpg", _dark),
    "bright": (5, ".jpg", _bright),
    "blurred": (5, ".jpg", _blurred),
    "low_contrast": (5, ".jpg", _low_contrast),
    "huge": (1, ".jpg", _huge),
    "odd_aspect": (5, ".jpg", _odd_aspect),
    "tiny": (5, ".png", _tiny),
    "bits16": (5, ".png", _bits16),
    "one_pixel": (5, ".png", _one_pixel),
}
FROM_PHOTO = ("dark", "bright", "blurred", "low_contrast", "odd_aspect", "tiny", "bits16")
ALIKE = ("solid", "one_pixel")  # without structure: that one is the other in another colour is no error
