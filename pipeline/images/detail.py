"""How much an image shows at each fineness, and whether of two alike the larger one is enlarged from the smaller.

What interpolation adds to an image is blurred: at the frequencies that both hold, the enlarged one shows less than the
one it is made from, and at those that only it holds next to nothing. An image that was reduced loses at both places.
The constants were fitted to copies of 220 photos; benchmarks/kept.py measures them on others.
"""

import cv2
import numpy as np

BANDS = 32  # of equal width, up to half a cycle a pixel
PIECE = 256  # pixels of a row or a column that are looked at together
LINES, PIECES = 32, 4  # rows, and columns, spread evenly; and pieces of each
FLOOR = -30.0  # dB: what is less counts as this, and is 0 in the store
STEP = 0.5  # dB
MIDDLES = (np.arange(BANDS) + 0.5) / BANDS
# Of a pixel's difference to the next one, against the pixel itself.
DIFFERENCE = 20 * np.log10(2 * np.sin(np.pi * MIDDLES / 2))
# Where the larger one is enlarged, in dB against what is shown at coarser frequencies.
LESS = -0.25  # it shows less where both can
FINE = (
    -8.0
)  # the smaller one shows as much at its finest: else the larger one may be a soft photo, reduced by the other
ENLARGED = -9.0  # and where only it can it shows next to nothing
LIKE_SIZES = 0.95  # of the smaller one's side to the larger one's: above, sizes tell nothing


def spectrum(pixels: np.ndarray) -> np.ndarray:
    """(BANDS,) uint8: the power of the differences between neighbours in each band of frequencies, the mean of rows and
    columns, in steps of half a dB above FLOOR. pixels: (height, width, 3) uint8, RGB."""
    power = (_power(pixels) + _power(pixels.transpose(1, 0, 2))) / 2
    decibels = 10 * np.log10(np.maximum(power, 10 ** (FLOOR / 10)))
    return np.clip(np.rint((decibels - FLOOR) / STEP), 0, 255).astype(np.uint8)


def _power(pixels: np.ndarray) -> np.ndarray:
    """(BANDS,) along the rows."""
    height, width = pixels.shape[:2]
    side = min(PIECE, width)
    rows = np.linspace(0, height - 1, min(LINES, height)).astype(int)
    grey = cv2.cvtColor(np.ascontiguousarray(pixels[rows]), cv2.COLOR_RGB2GRAY).astype(np.float32)
    starts = np.linspace(0, width - side, max(1, min(PIECES, width // side))).astype(int)
    steps = np.diff(np.concatenate([grey[:, at : at + side] for at in starts]), axis=1)
    window = np.hanning(steps.shape[1] + 2)[1:-1].astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(steps * window, axis=1))).mean(axis=0) / np.square(window).sum()
    edges = np.linspace(0, len(power), BANDS + 1).astype(int)  # a short side has fewer frequencies than bands
    return np.add.reduceat(power, edges[:-1]) / np.maximum(np.diff(edges), 1)


def enlarged(larger: np.ndarray, smaller: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """(n,) booleans. larger, smaller: (n, BANDS) spectra; ratio: (n,) of the sides, that of the smaller one over that
    of the larger one."""
    fine, coarse = (FLOOR + STEP * side.astype(float) for side in (larger, smaller))
    at = MIDDLES / ratio[:, None]  # the larger one's bands on the smaller one's scale
    theirs = _between(coarse - DIFFERENCE, at)
    more, coarser = fine - DIFFERENCE - theirs, (at > 0.1) & (at < 0.45)
    shared = _mean(more, (at > 0.65) & (at < 0.95)) - _mean(more, coarser)
    beyond = _mean(fine, np.minimum(1.08 * ratio, 0.97)[:, None] < MIDDLES) - _mean(fine, coarser)
    finest = coarse[:, MIDDLES > 0.8].mean(axis=1) - coarse[:, (MIDDLES > 0.1) & (MIDDLES < 0.45)].mean(axis=1)
    shows_nothing = shared + beyond - finest / 2 < ENLARGED
    return (ratio < LIKE_SIZES) & (shared < LESS) & (finest > FINE) & shows_nothing


def apart(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n,) dB: the most that one shows more in any band than another of its size, contrast aside.

    some, others: (n, BANDS) spectra.
    """
    more = STEP * (some.astype(float) - others)
    return np.abs(more - np.median(more, axis=1, keepdims=True)).max(axis=1, initial=0)


def _between(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The values (n, BANDS) at other places (n, m), linearly between the middles of the bands."""
    place = np.clip(at * BANDS - 0.5, 0, BANDS - 1)
    low = np.minimum(place.astype(int), BANDS - 2)
    below, above = (np.take_along_axis(values, side, axis=1) for side in (low, low + 1))
    return below + (place - low) * (above - below)


def _mean(values: np.ndarray, of: np.ndarray) -> np.ndarray:
    """(n,) of the chosen ones in each row; 0 where there are none."""
    return np.where(of, values, 0).sum(axis=1) / np.maximum(of.sum(axis=1), 1)
