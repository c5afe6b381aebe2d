"""Whether pixels have been a JPEG: its blocks of 8 x 8 have fewer coefficients than blocks elsewhere."""

import cv2
import numpy as np

SIDE = 8
PIECE, PIECES = 40, 8  # side of a piece of an image, in pixels, and how many there are along a side at most
NONE = 0.8  # levels: a coefficient below this is one that quantisation took away, after rounding
FINE = 3  # the least sum of the two frequencies of a coefficient that counts
SEEN = 1.0  # levels: a block with less deviation shows nothing
ENOUGH = 16  # blocks that show something; where they are fewer, nothing is said
TRACES = 0.04  # benchmarks/kept.py has what copies of photos have


def _cosines() -> np.ndarray:
    """The orthonormal DCT-II of 8 values."""
    at = np.arange(SIDE)
    rows = np.sqrt(2 / SIDE) * np.cos(np.pi * (2 * at + 1) * at[:, None] / (2 * SIDE))
    rows[0] /= np.sqrt(2)
    return rows.astype(np.float32)


DCT = _cosines()
COUNTED = np.add.outer(np.arange(SIDE), np.arange(SIDE)) >= FINE


def blocking(pixels: np.ndarray) -> float:
    """The share of coefficients that are missing in the blocks that a JPEG of this size has, less the share in blocks
    that lie between these; 0 where there is nothing to see. As Fan and de Queiroz compare blocks with what lies across
    their borders ("Identification of bitmap compression history", IEEE Transactions on Image Processing 12(2), 2003).

    pixels: (height, width, 3) uint8, RGB, with the upper left corner of the JPEG, or turned with its sides.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < 2 * SIDE:
        return 0.0
    tops, lefts = _places(height), _places(width)
    pieces = [pixels[top : top + PIECE, left : left + PIECE] for top in tops for left in lefts]
    on_grid, between = (_missing(pieces, shift) for shift in (0, SIDE // 2))
    return 0.0 if on_grid is None or between is None else on_grid - between


def has_traces(blocking: np.ndarray) -> np.ndarray:
    """(n,) booleans: what has been a JPEG. blocking: (n,)."""
    return blocking > TRACES


def _places(length: int) -> list[int]:
    """Where pieces start along a side: where blocks of a JPEG do."""
    most = max(1, min(PIECES, length // PIECE))
    return (np.linspace(0, max(0, length - PIECE), most) // SIDE * SIDE).astype(int).tolist()


def _missing(pieces: list[np.ndarray], shift: int) -> float | None:
    """The share of coefficients that are missing in blocks that start at `shift`; None if too few show anything."""
    found = []
    for piece in pieces:
        grey = cv2.cvtColor(np.ascontiguousarray(piece), cv2.COLOR_RGB2GRAY)
        down, across = ((length - SIDE) // SIDE for length in grey.shape)
        grey = grey[shift : shift + down * SIDE, shift : shift + across * SIDE].astype(np.float32)
        found.append(grey.reshape(down, SIDE, across, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE))
    blocks = np.concatenate(found)
    blocks = blocks[blocks.std(axis=(1, 2)) >= SEEN]
    if len(blocks) < ENOUGH:
        return None
    return float((np.abs(DCT @ blocks @ DCT.T)[:, COUNTED] < NONE).mean())
