"""What speaks against a near pair being copies of one picture, though its structure agrees."""

import numpy as np

from pixsieve.descriptors.structure import CHANGED, changed, see
from pixsieve.images import colour
from pixsieve.images.symmetries import turned


def doubt(luma: np.ndarray, other: np.ndarray, chroma: np.ndarray, others: np.ndarray, symmetry: int = 0) -> str:
    """In words; "" where nothing speaks against it.

    luma, other: (64, 64) uint8; chroma, others: (8, 8, 2) int8; symmetry: what turns the first into the other.
    """
    luma = np.ascontiguousarray(turned(luma, symmetry))
    chroma = np.stack([turned(chroma[:, :, channel], symmetry) for channel in range(2)], axis=2)
    share = changed(see(luma), see(other))
    if share > CHANGED:
        return f"{share:.0%} of what is to be seen is another"
    return "other colours" if colour.apart(chroma, others) > colour.APART else ""
