"""The reduced image, its luma, and the numbers that tell an image's faults."""

from typing import NamedTuple

import cv2
import numpy as np

REDUCED = 256  # the longer side of the reduced image, in pixels


def reduce(pixels: np.ndarray, side: int = REDUCED) -> np.ndarray:
    """The image with its longer side at `side` pixels, area-averaged; as it is when it is not longer."""
    height, width = pixels.shape[:2]
    scale = side / max(width, height)
    if scale >= 1:
        return pixels
    return cv2.resize(
        pixels, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )


def luma(pixels: np.ndarray) -> np.ndarray:
    """(height, width) uint8, ITU-R BT.601."""
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


COARSE = 64  # the longer side at which roughness is measured, in pixels
CROP = 256  # side of the middle part at full resolution in which noise is measured, in pixels
# Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 64, 1996: blind to planes and
# edges; its response to noise of deviation 1 has deviation 6.
SECOND = np.array([1, -2, 1], np.float32)


class Statistics(NamedTuple):
    """Of the reduced luma, as shares of 255 where nothing else is said."""

    brightness: float  # the mean
    contrast: float  # the standard deviation
    # Variance of the Laplacian over 255^2 (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR
    # 2000).
    sharpness: float
    entropy: float  # of the histogram, in bits
    shadows: float  # its 5th percentile
    highlights: float  # its 99th percentile
    noise: float  # at full resolution, 0.247 at most
    roughness: float  # deviation of the Laplacian over that of the luma at COARSE pixels; of white noise sqrt(20)


STATISTICS = Statistics._fields


def statistics(pixels: np.ndarray, grey: np.ndarray) -> Statistics:
    """pixels: (height, width, 3) uint8, RGB; grey: its reduced luma, uint8."""
    mean, deviation = cv2.meanStdDev(grey)
    _, edges = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    share = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.float64) / grey.size
    shadows, highlights = np.searchsorted(np.cumsum(share), (0.05, 0.99))
    share = share[share > 0]
    entropy = max(0.0, -float((share * np.log2(share)).sum()))
    return Statistics(
        float(mean[0, 0]) / 255,
        float(deviation[0, 0]) / 255,
        float(edges[0, 0] / 255) ** 2,
        entropy,
        float(shadows) / 255,
        float(highlights) / 255,
        _noise(pixels) / 255,
        _roughness(grey),
    )


def _noise(pixels: np.ndarray) -> float:
    """Standard deviation of the noise in the middle, in levels. The median in place of Immerkaer's mean leaves out
    texture in up to half of the crop."""
    height, width = pixels.shape[:2]
    top, left = max(0, height - CROP) // 2, max(0, width - CROP) // 2
    middle = luma(pixels[top : top + CROP, left : left + CROP])
    response = cv2.convertScaleAbs(cv2.sepFilter2D(middle, cv2.CV_16S, SECOND, SECOND))
    below = np.cumsum(cv2.calcHist([response], [0], None, [256], [0, 256]))
    return float(np.searchsorted(below, response.size / 2)) / (6 * 0.6745)


def _roughness(grey: np.ndarray) -> float:
    coarse = reduce(grey, COARSE)
    deviation, edges = (float(cv2.meanStdDev(of)[1][0, 0]) for of in (coarse, cv2.Laplacian(coarse, cv2.CV_16S)))
    return edges / deviation if deviation else 0.0
