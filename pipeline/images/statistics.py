"""The reduced image, its luma, and the numbers that tell an image's faults."""

from typing import NamedTuple

import cv2
import numpy as np

from pixsieve.images import noise

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


# The longer sides at which noise is looked for beside full resolution, in pixels: coarse grain is fine there.
COARSE = (128, 64)
FAINT = 2  # levels: less contrast than this is none that noise could have a share of


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
    noise: float  # its standard deviation
    noise_share: float  # of the contrast at COARSE, what is noise; 1 for white noise of any grain


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
        *_noise(pixels, grey),
    )


def _noise(pixels: np.ndarray, grey: np.ndarray) -> tuple[float, float]:
    """The largest level at any scale, and the largest share."""
    levels, shares = [noise.level(noise.spread(pixels), noise.PIECE)], []
    for side in COARSE:
        grey = reduce(grey, side)
        levels.append(noise.level(grey))
        shares.append(levels[-1] / max(float(cv2.meanStdDev(grey)[1][0, 0]), FAINT))
    return max(levels) / 255, min(1.0, max(shares))
