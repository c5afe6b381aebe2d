"""Colours of more than 8 bits, which Pillow would cut down or does not read, by OpenCV."""

from typing import NamedTuple

import cv2
import numpy as np

from pixsieve.images import tone
from pixsieve.images.content import Content, digest_of_frames, joined
from pixsieve.images.orientation import upright


class Layout(NamedTuple):
    """What a file says of its values."""

    turn: int = 1  # orientation
    bits: int | None = None  # of a value
    nodata: float | None = None  # what is no value
    alpha: bool = True  # the fourth channel is opacity
    frames: int = 1


def read_deep(data: bytes, layout: Layout, max_pixels: int) -> Content | None:
    """None for what OpenCV does not read, and for what has 8 bits after all. The size has been checked."""
    buffer = np.frombuffer(data, np.uint8)
    first = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    if first is None or first.dtype == np.uint8:
        return None
    pixels, words = _seen(first, layout)
    every, mode = [first], "BGR"
    if layout.frames > 1:
        words = joined(f"the first of {layout.frames} frames", words)
        if layout.frames * first.shape[0] * first.shape[1] <= max_pixels:
            every = list(cv2.imdecodemulti(buffer, cv2.IMREAD_UNCHANGED)[1])
        if len(every) < layout.frames:  # too many to look at, or not all readable: it is equal to itself alone
            every, mode = [buffer], "file"
    digest = digest_of_frames(
        ("" if frame.ndim == 2 else mode, upright(frame, layout.turn) if frame is not buffer else frame)
        for frame in every
    )
    return Content(upright(pixels, layout.turn), digest, "", words)


def _seen(values: np.ndarray, layout: Layout) -> tuple[np.ndarray, str]:
    """(height, width, 3) uint8 RGB, and what was done."""
    if values.ndim == 2:
        pixels, words = tone.to_8_bits(values, layout.bits, layout.nodata)
        return np.repeat(pixels[:, :, None], 3, axis=2), words
    pixels, words = tone.to_8_bits(values[:, :, 2::-1], layout.bits, layout.nodata)
    if values.shape[2] == 4 and layout.alpha:
        alpha = values[:, :, 3].astype(np.float64)
        whole = np.iinfo(values.dtype).max if values.dtype.kind in "ui" else 1.0
        if alpha.min() < whole:
            share = np.clip(alpha / whole, 0, 1)[:, :, None]
            pixels = np.rint(pixels * share + 255 * (1 - share)).astype(np.uint8)
            words = joined(words, "on white")
    return pixels, words
