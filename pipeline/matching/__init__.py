"""The clusters of the whole run: exactly, however the rows are cut into batches, or from representatives."""

from typing import NamedTuple

import numpy as np


class Matched(NamedTuple):
    """By row number."""

    cluster: np.ndarray  # (numbers,) int64, -1 for noise and for rows without direction
    strength: np.ndarray  # (numbers,) float64
    outlier_score: np.ndarray  # (numbers,) float64, of the density hierarchy; NaN where there is none
    persistence: np.ndarray  # (clusters,) float64, NaN where the method has none
    notes: dict[str, object]  # what to tell about how it was done
