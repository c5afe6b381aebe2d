"""The small luma image that descriptors look at and that verifies near pairs."""

import cv2
import numpy as np

SIDE = 64  # of the small image, in pixels; what the store keeps of it and verify looks at


def small(luma: np.ndarray) -> np.ndarray:
    """(64, 64) uint8 of a luma image (h, w): area-averaged, or interpolated where a side is shorter."""
    larger = min(luma.shape) >= SIDE
    # OpenCV's area averages enlarge in blocks.
    return cv2.resize(luma, (SIDE, SIDE), interpolation=cv2.INTER_AREA if larger else cv2.INTER_LINEAR)
