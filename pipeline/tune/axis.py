"""What a threshold is given as."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Axis:
    """A length of the curves is 1 - similarity, or a Euclidean distance."""

    name: str
    setting: str

    @property
    def falls(self) -> bool:
        """Whether greater values are lesser lengths."""
        return self.name == "similarity"

    @property
    def bound(self) -> float:
        """Lengths are below this one: a similarity above 0, as the configuration wants it."""
        return 1.0 if self.falls else np.inf

    def value(self, length: Any) -> Any:
        """Also of a value the length."""
        return 1 - length if self.falls else length

    def limits(self, values: list[float]) -> tuple[float, float]:
        """Where an axis of these values begins and ends."""
        return (min(values), 1.0) if self.falls else (0.0, max(values) or 1.0)

    def shown(self, value: float) -> str:
        return f"{value:.3f}" if self.falls else f"{value:.4g}"


SIMILARITY = Axis("similarity", "cluster.similarity")
DISTANCE = Axis("distance", "cluster.eps")
