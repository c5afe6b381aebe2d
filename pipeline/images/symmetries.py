"""The eight symmetries of the square.

A symmetry is a number: 4 transposes, then 2 turns the rows upside down and 1 mirrors the columns.
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
