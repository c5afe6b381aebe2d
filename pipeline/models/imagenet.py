"""How images are prepared for networks that do not say it themselves: as torchvision and timm do for ImageNet."""

import numpy as np
from PIL import Image

from pixsieve.models.network import Prepare

SIZE = 224  # pixels a side, where nobody says otherwise
MIDDLE = 7 / 8  # of the shorter side is seen
CENTRE, SPREAD = (np.array(rgb, np.float32) for rgb in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def preparing(size: int) -> Prepare:
    """The middle of an image, at size x size pixels, by ImageNet's mean and deviation."""

    def prepare(pixels: np.ndarray, luma: np.ndarray) -> np.ndarray:
        height, width = pixels.shape[:2]
        side = min(height, width) * MIDDLE
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
        image = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR, box)
        normalised = (np.asarray(image, np.float32) / 255 - CENTRE) / SPREAD
        return np.ascontiguousarray(normalised.transpose(2, 0, 1))

    return prepare
