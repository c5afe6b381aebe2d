"""What a descriptor has to say."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pixsieve.backend import Backend
from pixsieve.config.sections import Embed
from pixsieve.folder.measure import Measure


class Embedder(NamedTuple):
    """How images become rows."""

    # In a decoding thread: pixels (h, w, 3) uint8 RGB and the reduced luma of one image to an array of fixed shape. A
    # descriptor whose pairs are verified prepares small luma images (images/luma.py), which are kept for that.
    prepare: Callable[[np.ndarray, np.ndarray], np.ndarray]
    # On the backend's device: (n, ...) prepared to (n, width) rows of the measure's dtype.
    embed: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Descriptor:
    measure: Callable[[Embed, Backend], Measure]  # may load what it takes to know the width
    load: Callable[[Embed, Backend], Embedder]  # ConfigError where that cannot be
    made_of: Callable[[Embed], Any] = lambda embed: None  # what rows follow from beside images and settings, as JSON
    attributes: Callable[[Embed, Backend], dict[str, Any]] = lambda embed, backend: {}  # to be kept with the rows
    normalised: bool = False  # whether embed.normalise is about its rows
    # Rows of images turned by images/symmetries.py; None: that cannot be had from the rows. Its pairs are verified.
    turned: Callable[[np.ndarray, int], np.ndarray] | None = None
