"""The eight symmetries of the square, on images and on `dct` vectors.

A symmetry is a number: 4 transposes, then 2 turns the rows upside down and 1 mirrors the columns. The DCT-II of a
mirrored row is that of the row with the odd coefficients negated, and that of a transposed image is the transpose
(Ahmed, Natarajan and Rao, 1974): the vector of a turned image is the vector with coefficients swapped and negated, so
that nothing is embedded twice. Ranks and weights do not care.
"""

import numpy as np

# What has to be done to an image to get the turned one.
SYMMETRIES = (
    "",
    "mirrored",
    "upside down",
    "rotated by 180",
    "transposed",
    "rotated by 90",
    "rotated by 270",
    "mirrored and rotated by 90",
)


def inverse(symmetry: int) -> int:
    """The symmetry that undoes it."""
    swap = (0, 2, 1, 3)
    return 4 | swap[symmetry & 3] if symmetry & 4 else symmetry


def turned(image: np.ndarray, symmetry: int) -> np.ndarray:
    """A (h, w) image turned; rotations are clockwise."""
    image = image.T if symmetry & 4 else image
    image = image[::-1] if symmetry & 2 else image
    return image[:, ::-1] if symmetry & 1 else image
