"""The level of noise in an image: what is left in the parts of it that have the least texture."""

import cv2
import numpy as np

PIECE, PIECES = 32, 8  # side of a piece of an image, in pixels, and how many there are along a side at most
CELL = 4  # side of a quarter of a block, in pixels: blocks are 8 x 8, and overlap by half
WEAK = 5  # percentile of the energies of the blocks that is taken for noise alone
INSIDE = (2, 253)  # levels that are not clipped; JPEG moves a clipped one by 1
CLIPPED = 0.1  # share of clipped pixels from which a block does not count: noise is cut off there
ENOUGH = 0.25  # share of blocks that count; where they are fewer, as of a thing cut out on white, all do


def _along(right: int, down: int) -> np.ndarray:
    """The second difference between pixels this far apart."""
    kernel = np.zeros((2 * abs(down) + 1, 2 * abs(right) + 1), np.float32)
    middle = (abs(down), abs(right))
    kernel[middle[0] + down, middle[1] + right] = kernel[middle[0] - down, middle[1] - right] = 1
    kernel[middle] = -2
    return kernel


# The first is that of Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 64, 1996: it
# is blind to planes, and to edges and stripes along the axes. Each of the others is blind to stripes along itself.
KERNELS = [
    np.outer([1, -2, 1], [1, -2, 1]).astype(np.float32),
    *(_along(*way) for way in ((1, 1), (1, -1), (1, 2), (2, 1), (1, -2), (2, -1))),
]
# What the weakest blocks of white noise have by chance: the root of their energy over that of all (measured).
CHANCE = 0.722


def level(luma: np.ndarray, piece: int | None = None) -> float:
    """Standard deviation of the noise if it is white, in the units of the luma; 0 where there is no room for a block.

    Of each block the least energy of any of the responses; of the blocks the weakest, as Liu, Tanaka and Okutomi have
    patches of weak texture ("Single-image noise level estimation for blind denoising", IEEE Transactions on Image
    Processing 22(12), 2013). Texture adds to noise, but is seldom everywhere, is stronger in one direction than in
    another, and has less of the highest frequencies than of others.

    luma: (height, width) uint8; piece: the side of the pieces that it is put together from, where it is.
    """
    down, across = (_starts(length, min(length, piece or length)) for length in luma.shape)
    if not down.size or not across.size:
        return 0.0
    at = np.ix_(down, across)
    levels = luma.astype(np.float32)
    energies = [_blocks(cv2.filter2D(levels, -1, kernel) ** 2)[at] / np.square(kernel).sum() for kernel in KERNELS]
    energy = np.minimum.reduce(energies)
    counts = _blocks(cv2.inRange(luma, *INSIDE))[at] > 255 * (1 - CLIPPED)
    energy = energy[counts] if counts.mean() >= ENOUGH else energy.ravel()
    weak = len(energy) * WEAK // 100
    return float(np.sqrt(np.partition(energy, weak)[weak])) / CHANCE


def spread(pixels: np.ndarray) -> np.ndarray:
    """The luma of up to PIECES x PIECES pieces, spread evenly over the image and put together, (height, width) uint8:
    somewhere in most images there is little texture, and an image of any size costs the same.

    pixels: (height, width, 3) uint8, RGB.
    """
    tops, lefts = (_places(length) for length in pixels.shape[:2])
    strips = [np.hstack([pixels[top : top + PIECE, left : left + PIECE] for left in lefts]) for top in tops]
    return cv2.cvtColor(np.vstack(strips), cv2.COLOR_RGB2GRAY)


def _places(length: int) -> list[int]:
    """Where pieces start along a side."""
    return np.linspace(0, max(0, length - PIECE), max(1, min(PIECES, length // PIECE))).astype(int).tolist()


def _starts(length: int, piece: int) -> np.ndarray:
    """The cells along a side at which blocks start. Those at the border of a piece have a response to what is no
    neighbour of theirs."""
    return (np.arange(0, length // CELL, max(1, piece // CELL))[:, None] + np.arange(1, piece // CELL - 2)).ravel()


def _blocks(values: np.ndarray) -> np.ndarray:
    """Mean of the block that starts at each cell."""
    height, width = (length // CELL for length in values.shape)
    cells = cv2.resize(
        values[: height * CELL, : width * CELL].astype(np.float32, copy=False),
        (width, height),
        interpolation=cv2.INTER_AREA,
    )
    return cv2.boxFilter(cells, -1, (2, 2), anchor=(0, 0))
