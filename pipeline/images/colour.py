"""Colours of an image as near pairs are held to them: luma alone takes a red shirt for a blue one."""

import cv2
import numpy as np

SIDE = 8  # cells
FINE = 256  # pixels of the shorter side that are looked at, at least
PALE = 3.0  # a mean deviation from grey below which an image has no colours to be compared
# Copies that were recompressed, reduced, cropped or lightened are below 0.33, 99 of 100; images with red and blue
# exchanged, or hues turned by 60 degrees, are above 0.68.
APART = 0.40


def chroma(pixels: np.ndarray) -> np.ndarray:
    """(8, 8, 2) int8, Cr and Cb of the cells of an image (h, w, 3), uint8 RGB; 0 is grey."""
    step = max(1, min(pixels.shape[:2]) // FINE)
    cells = cv2.resize(pixels[::step, ::step], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return (cv2.cvtColor(cells, cv2.COLOR_RGB2YCrCb)[:, :, 1:].astype(np.int16) - 128).astype(np.int8)


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """How far the colours of two images are from each other, in shares of what they are from grey; 0 if one has none,
    as a copy in greys. a, b: (8, 8, 2) int8."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    own, other = np.linalg.norm(a, axis=2), np.linalg.norm(b, axis=2)
    if min(own.mean(), other.mean()) < PALE:
        return 0.0
    return float(np.linalg.norm(a - b, axis=2).sum() / (np.maximum(own, other) + PALE).sum())
