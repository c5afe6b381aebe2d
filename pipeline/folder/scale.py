"""RUN/source/scale.npz: what each column of given vectors is shifted and divided by, where embed.scale asks for it.

It follows from all rows of the file as it is now, so that no cut into batches and no history changes it; where a new
row changes it, all rows are stored anew.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np

from pixsieve import files

PLACE = "source/scale.npz"
AT_ONCE = 2**23  # numbers that are looked at at a time


class Scale(NamedTuple):
    centre: np.ndarray  # (d,) float64
    spread: np.ndarray  # (d,) float64, not 0

    @classmethod
    def load(cls, root: Path) -> Self | None:
        return cls(**files.read_arrays(root / PLACE)) if (root / PLACE).exists() else None

    def of(self, x: np.ndarray) -> np.ndarray:
        """(n, d) float64 of x (n, d)."""
        return (x.astype(np.float64) - self.centre) / self.spread


def scanned(root: Path, asked: Literal["none", "standard", "robust"], x: np.ndarray) -> None:
    """Brings the file up to date with the vectors x (n, d)."""
    place = root / PLACE
    if asked == "none":
        place.unlink(missing_ok=True)
        return
    found, known = (standard if asked == "standard" else robust)(x), Scale.load(root)
    if known is None or not all(np.array_equal(*pair) for pair in zip(found, known, strict=True)):
        files.write_arrays(place, **found._asdict())


def digests(root: Path) -> dict[str, str]:
    """As units name it."""
    return {PLACE: files.digest(root / PLACE)} if (root / PLACE).exists() else {}


def standard(x: np.ndarray) -> Scale:
    """Mean and standard deviation of the population, of the rows without NaN or infinity; 1 where that is 0."""
    total, count = np.zeros(x.shape[1]), 0
    for part in _finite(x):
        total += part.sum(axis=0)
        count += len(part)
    mean = total / max(count, 1)
    squares = np.zeros(x.shape[1])
    for part in _finite(x):
        squares += ((part - mean) ** 2).sum(axis=0)
    return _not_zero(mean, np.sqrt(squares / max(count, 1)))


def robust(x: np.ndarray) -> Scale:
    """Median and interquartile range (scikit-learn's RobustScaler), likewise."""
    finite = np.concatenate([np.empty(0, bool), *(np.isfinite(part).all(axis=1) for part in _parts(x))])
    n, d = x.shape
    if not finite.any():
        return Scale(np.zeros(d), np.ones(d))
    step = max(1, AT_ONCE // max(n, 1))
    parts = [
        np.quantile(x[:, at : at + step][finite].astype(np.float64), [0.25, 0.5, 0.75], axis=0)
        for at in range(0, d, step)
    ]
    low, median, high = np.concatenate([np.empty((3, 0)), *parts], axis=1)
    return _not_zero(median, high - low)


def _not_zero(centre: np.ndarray, spread: np.ndarray) -> Scale:
    return Scale(centre, np.where(spread > 0, spread, 1.0))


def _parts(x: np.ndarray) -> Iterator[np.ndarray]:
    step = max(1, AT_ONCE // max(x.shape[1], 1))
    for at in range(0, len(x), step):
        yield x[at : at + step].astype(np.float64)


def _finite(x: np.ndarray) -> Iterator[np.ndarray]:
    for part in _parts(x):
        yield part[np.isfinite(part).all(axis=1)]
