"""Pictures that do not belong among photos: charts, pages of text, screens of a program."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.drawing.lookalikes import LOOKALIKES, words

INK = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b"]


def _chart(rng: np.random.Generator) -> np.ndarray:
    """Bars or lines over axes with numbers, a title and a key."""
    page = Image.new("RGB", (640, 480), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    pen.text((220, 14), words(rng, 3).title(), "black", ImageFont.load_default(20))
    unit = int(rng.integers(1, 9)) * 5
    for step in range(6):
        y = 420 - 68 * step
        pen.line((70, y, 600, y), "#dddddd")
        pen.text((30, y - 8), f"{step * unit}", "black", font)
    series, bars = int(rng.integers(1, 4)), bool(rng.random() < 0.5)
    for number in range(series):
        colour, heights = INK[int(rng.integers(len(INK)))], rng.uniform(0.1, 0.95, 8)
        tops = [(95 + 64 * at + 16 * number, 420 - 340 * float(height)) for at, height in enumerate(heights)]
        for x, y in tops if bars else []:
            pen.rectangle((x, y, x + 14, 420), colour)
        if not bars:
            pen.line(tops, colour, 3)
        pen.rectangle((480, 50 + 20 * number, 494, 62 + 20 * number), colour)
        pen.text((500, 48 + 20 * number), words(rng, 1), "black", font)
    pen.line((70, 60, 70, 420, 600, 420), "black", 2)
    return np.asarray(page)


def _document(rng: np.random.Generator) -> np.ndarray:
    return LOOKALIKES["document"][1](rng, 0)


def _screen(rng: np.random.Generator) -> np.ndarray:
    """A window with a bar of entries and rows of a table."""
    page = Image.new("RGB", (800, 600), "#f3f3f3")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    accent = INK[int(rng.integers(len(INK)))]
    pen.rectangle((0, 0, 800, 36), accent)
    pen.text((14, 9), words(rng, 2).title(), "white", font)
    for at in range(int(rng.integers(5, 12))):
        pen.text((14, 60 + 28 * at), words(rng, 1), "black", font)
    for at in range(16):
        y = 56 + 32 * at
        pen.rectangle((170, y, 780, y + 28), "white" if at % 2 else "#e9eef5")
        pen.text((180, y + 6), f"{words(rng, 4)[:36]:40} {rng.integers(10000):>8}", "black", font)
        pen.rectangle((700, y + 8, 700 + int(rng.integers(10, 70)), y + 20), accent)
    return np.asarray(page)


FOREIGN: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "chart": _chart,
    "document": _document,
    "screen": _screen,
}
