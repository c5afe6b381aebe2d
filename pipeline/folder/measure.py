"""What rows are compared by: the descriptor of a run as far as those need to know it who compare its rows.

The scan writes it into the run folder (folder/views.py). The geometry follows from the metric:

    metric    rows                             similarity                distance
    cosine    floats, about unit length        cosine                    chord, sqrt(2 - 2 similarity)
    proximity floats, of any length            1 / (1 + distance)        Euclidean
    hamming   packed bits (uint8)              share of equal bits       1 - similarity
    jaccard   MinHash signatures (integers)    share of equal entries    1 - similarity
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from pixsieve.errors import ConfigError
from pixsieve.kernels import Metric

VECTORS = "vectors"  # the name of the measure of given vectors
NOT_ASKED = 2.0  # a threshold of near pairs that no pair reaches: nobody said that near vectors are copies


@dataclass(frozen=True)
class Measure:
    name: str  # also of its group in the store
    metric: Metric
    dtype: str  # of the stored rows
    width: int  # numbers in a stored row
    near: float  # the similarity above which two images count as near duplicates, where the configuration names none
    semantic: bool = True  # whether near rows show the same kind of thing, rather than are copies
    verified: bool = False  # whether near pairs are compared once more, by the small images that were embedded
    features: str | None = None  # the group of what the rows are made of by folder/geometry.py; None: of images
    features_width: int = 0

    @property
    def embedded(self) -> Self:
        """The measure of the rows that images become."""
        if self.features is None:
            return self
        return replace(self, name=self.features, width=self.features_width, features=None, features_width=0)

    @property
    def euclidean(self) -> bool:
        """Whether rows are points of any length, rather than directions."""
        return self.metric == "proximity"

    def usable(self, x: np.ndarray) -> np.ndarray:
        """(n,) booleans: rows of x (n, width) that can be compared. Under cosine a zero row has no direction."""
        return np.asarray(x.any(axis=1)) if self.metric == "cosine" else np.ones(len(x), bool)

    def coordinates(self, x: np.ndarray) -> np.ndarray:
        """(n, d) floats of a Euclidean space, for methods that want one: bits as +1 and -1. ConfigError for a metric
        that has none."""
        if self.metric in ("cosine", "proximity"):
            return x
        if self.metric == "hamming":
            return np.unpackbits(x, axis=1).astype(np.float16) * 2 - 1
        raise ConfigError(f"rows of {self.name} have no coordinates, and the means of clusters need some")

    def points(self, x: np.ndarray) -> np.ndarray:
        """The coordinates of usable rows x (n, width) in float32, between which the Euclidean distance means something:
        each row at length 1 where it is a direction."""
        wide = self.coordinates(x).astype(np.float32)
        return wide if self.euclidean else wide / np.linalg.norm(wide, axis=1, keepdims=True)

    def cosine(self, similarity: Any) -> Any:
        """Of the coordinates of rows of this similarity."""
        return 2 * similarity - 1 if self.metric == "hamming" else similarity

    def chord(self, similarity: float) -> float:
        """Euclidean distance of the `points` of rows of this similarity."""
        if self.euclidean:
            return 1 / similarity - 1
        return float(np.sqrt(2 - 2 * self.cosine(similarity)))

    def at_chord(self, distance: float) -> float:
        """The similarity of rows whose `points` are so far apart."""
        if self.euclidean:
            return 1 / (1 + distance)
        cosine = 1 - distance**2 / 2
        return (1 + cosine) / 2 if self.metric == "hamming" else cosine

    def distance(self, length: Any) -> Any:
        """Of rows of similarity 1 - length; never below 0."""
        length = np.maximum(length, 0)
        if self.euclidean:
            return np.divide(length, 1 - length, out=np.full(np.shape(length), np.inf), where=np.less(length, 1))
        return np.sqrt(2 * length) if self.metric == "cosine" else length

    @property
    def farthest(self) -> float:
        """The distance of rows that could not be more unlike."""
        return {"cosine": 2.0, "proximity": np.inf}.get(self.metric, 1.0)
