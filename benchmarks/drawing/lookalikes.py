"""Pictures that look alike at a glance, and are no copies: a rule that takes them for duplicates loses data.

Each function takes a generator and the number of the picture in its group, and returns (height, width, 3) uint8.
"""

from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.drawing import bytes_of, noise

Draw = Callable[[np.random.Generator, int], np.ndarray]
SYLLABLES = [a + b for a in "bcdfghjklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "il")]


def _box(rng: np.random.Generator, number: int) -> np.ndarray:
    """A texture in one centred box on white; number % 5 is its kind."""
    y, x = np.mgrid[:200, :200] / 200
    wave = rng.uniform(3, 25) * (x * np.cos(angle := rng.uniform(0, np.pi)) + y * np.sin(angle))
    texture = (
        lambda: noise(rng, 200, 200, rng.uniform(0.3, 1.8)),
        lambda: np.sign(np.sin(2 * np.pi * wave)) + 0.2 * noise(rng, 200, 200, 1),
        lambda: np.kron(rng.normal(size=(k := int(rng.integers(3, 21)), k)), np.ones((200 // k + 1,) * 2))[:200, :200],
        lambda: _discs(rng),
        lambda: np.sin(2 * np.pi * rng.uniform(2, 9) * np.hypot(x - rng.random(), y - rng.random())) + wave / 25,
    )[number % 5]()
    texture = (texture - texture.min()) / np.ptp(texture)
    dark, light = rng.uniform(0, 120, 3), rng.uniform(110, 255, 3)
    picture = np.full((400, 400, 3), 255.0)
    picture[100:300, 100:300] = dark + (light - dark) * texture[:, :, None]
    return bytes_of(picture)


def _discs(rng: np.random.Generator) -> np.ndarray:
    field = np.zeros((200, 200), np.float32)
    for _ in range(int(rng.integers(5, 60))):
        at = tuple(int(v) for v in rng.integers(0, 200, 2))
        cv2.circle(field, at, int(rng.integers(4, 25)), float(rng.uniform(0.2, 1)), -1)
    return field


def _product(rng: np.random.Generator, number: int) -> np.ndarray:
    """A thing made of two or three shaded parts, in the middle of white, with a shadow."""
    picture = np.full((450, 450, 3), 255, np.uint8)
    cv2.ellipse(picture, (225, 370), (int(rng.integers(90, 150)), 14), 0, 0, 360, (228, 228, 228), -1, cv2.LINE_AA)
    mask, colour = np.zeros((450, 450), np.uint8), rng.uniform(10, 220, 3)
    corners = int(rng.integers(5, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radii = rng.uniform(70, 150, corners)
    outline = np.stack([225 + radii * np.cos(angles), 230 + 0.9 * radii * np.sin(angles)], axis=1)
    cv2.fillPoly(mask, [outline.astype(np.int32)], 255, cv2.LINE_AA)
    for _ in range(int(rng.integers(1, 3))):
        centre, axes = (tuple(int(v) for v in rng.integers(*span, 2)) for span in ((150, 300), (25, 80)))
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
    light = np.linspace(1.25, 0.7, 450)[None, :] + 0.05 * noise(rng, 450, 450, 1.5)
    thing = bytes_of(colour * light[:, :, None])
    cv2.circle(thing, tuple(int(v) for v in rng.integers(170, 280, 2)), 22, tuple(rng.uniform(0, 255, 3)), -1)
    alpha = mask[:, :, None] / 255
    return bytes_of(alpha * thing + (1 - alpha) * picture)


def words(rng: np.random.Generator, count: int) -> str:
    return " ".join("".join(rng.choice(SYLLABLES, rng.integers(1, 4))) for _ in range(count))


def _document(rng: np.random.Generator, number: int) -> np.ndarray:
    """A page: a heading and lines of other words than every other page."""
    page = Image.new("RGB", (620, 877), "white")
    pen = ImageDraw.Draw(page)
    pen.text((60, 60), words(rng, 3).title(), "black", ImageFont.load_default(24))
    at, font = 110, ImageFont.load_default(13)
    while at < 820:
        for _ in range(int(rng.integers(3, 9))):
            if at < 820:
                pen.text((60, at), words(rng, int(rng.integers(7, 12)))[:72], "black", font)
            at += 18
        at += 14
    return np.asarray(page)


def _icon(rng: np.random.Generator, number: int) -> np.ndarray:
    """A pictogram of one colour on white: cells of a 6 x 6 grid and their mirror images, round or square."""
    picture = np.full((256, 256, 3), 255, np.uint8)
    colour, round_ = tuple(rng.uniform(0, 160, 3)), rng.random() < 0.5
    half = rng.random((6, 3)) < 0.5
    for row, column in np.argwhere(np.hstack([half, half[:, ::-1]])):
        x, y = 56 + 24 * int(column), 56 + 24 * int(row)
        if round_:
            cv2.circle(picture, (x + 12, y + 12), 12, colour, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(picture, (x, y), (x + 23, y + 23), colour, -1)
    return picture


def _night(rng: np.random.Generator, number: int) -> np.ndarray:
    """A dark sky with few stars, and perhaps a moon."""
    sky = np.linspace(2, rng.uniform(8, 26), 360)[:, None, None] * rng.uniform(0.5, 1.2, 3) * np.ones((1, 480, 1))
    sky = bytes_of(sky + rng.normal(0, 1.5, (360, 480, 1)))
    for _ in range(int(rng.integers(4, 40))):
        at = (int(rng.integers(480)), int(rng.integers(360)))
        cv2.circle(sky, at, int(rng.integers(1, 3)), (int(rng.integers(120, 256)),) * 3, -1, cv2.LINE_AA)
    if rng.random() < 0.3:
        at = (int(rng.integers(40, 440)), int(rng.integers(40, 200)))
        cv2.circle(sky, at, int(rng.integers(8, 28)), (235, 232, 215), -1, cv2.LINE_AA)
    return sky


def _fog(rng: np.random.Generator, number: int) -> np.ndarray:
    """A light grey gradient, with hills that are hardly darker."""
    top, bottom = rng.uniform(190, 235, 2)
    fog = np.linspace(top, bottom, 360)[:, None] * np.ones((1, 480))
    for depth in range(3):
        crest = 360 * (0.35 + 0.18 * depth) + rng.uniform(10, 45) * noise(rng, 1, 480, 1.5)[0]
        fog[np.arange(360)[:, None] > crest] -= rng.uniform(2, 7)
    return bytes_of(
        cv2.GaussianBlur(fog, (0, 0), 4)[:, :, None] + rng.normal(0, 1, (360, 480, 1)) + rng.normal(0, 2, 3)
    )


# kind: (how many, how each is drawn)
LOOKALIKES: dict[str, tuple[int, Draw]] = {
    "box": (200, _box),
    "product": (40, _product),
    "document": (40, _document),
    "icon": (40, _icon),
    "night": (40, _night),
    "fog": (40, _fog),
}
