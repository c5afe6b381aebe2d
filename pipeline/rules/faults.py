"""Image faults: what is wrong with an image by its own measurements, against what is usual in the set.

Each kind has one measurement or two. Its deviation is z = (t - median) / (1.4826 MAD) over the set, t being the
measurement, or its logarithm where ratios count, turned so that more is worse; the scale is at least one `step`. What
is usual in a set is no fault there. But z is held between two lines that no set moves: up to `never` a value is
potential at most, and from `always` on it is certain.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from pixsieve.rules import deviation
from pixsieve.rules.deviation import POTENTIAL_CUT, STRONG_CUT

Columns = Mapping[str, np.ndarray]


class Measurement(NamedTuple):
    """One way in which an image can be at fault. `never`, `always` and `step` are in the units of the measurement; of
    ratios, `step` is the factor of one deviation."""

    kind: str
    measure: Callable[[Columns], np.ndarray]
    never: float
    always: float
    step: float
    ratio: bool
    text: str  # {value}, and what is {usual}


def _of(name: str) -> Callable[[Columns], np.ndarray]:
    return lambda columns: columns[name]


def _side(columns: Columns) -> np.ndarray:
    return np.sqrt(columns["width"] * columns["height"])


def _aspect(columns: Columns) -> np.ndarray:
    width, height = columns["width"], columns["height"]
    return np.maximum(width, height) / np.minimum(width, height)


def _sharpness(columns: Columns) -> np.ndarray:
    """Of an image without contrast there is none to measure."""
    contrast = columns["contrast"]
    return np.divide(np.sqrt(columns["sharpness"]), contrast, out=np.full(len(contrast), np.nan), where=contrast > 0)


# The lines lie between what photos have and what was planted among them: docs/faults.md has both.
MEASUREMENTS = (
    Measurement("dark", _of("highlights"), 0.30, 0.11, 0.05, False, "99 % of it below {value:.0%} of white"),
    Measurement("bright", _of("shadows"), 0.80, 0.92, 0.04, False, "95 % of it above {value:.0%} of white"),
    Measurement("low_contrast", _of("contrast"), 0.055, 0.02, 1.25, True, "contrast {value:.3f}"),
    Measurement("blurred", _sharpness, 0.14, 0.03, 1.2, True, "edges {value:.2f} of the contrast"),
    Measurement("noisy", _of("noise"), 0.07, 0.13, 0.022, False, "noise of {value:.1%} of white"),
    Measurement("noisy", _of("noise_share"), 0.5, 0.7, 0.05, False, "noise is {value:.0%} of the contrast"),
    Measurement("flat", _of("entropy"), 2.9, 0.0, 0.4, False, "luma of {value:.1f} bits"),
    Measurement("tiny", _side, 64, 8, 1.2, True, "{value:.0f} pixels a side"),
    Measurement("huge", _side, 4500, 16000, 1.2, True, "{value:.0f} pixels a side"),
    Measurement("odd_aspect", _aspect, 3, 16, 1.2, True, "sides as {value:.1f} to 1"),
)
KINDS = tuple(dict.fromkeys(measurement.kind for measurement in MEASUREMENTS))


class Fault(NamedTuple):
    """One kind of fault, of n rows."""

    score: np.ndarray  # (n,) float64 in [0, 1], NaN for what cannot be read
    level: np.ndarray  # (n,) 0, 1, 2
    reason: list[str]  # in words where there is a level, else empty


def faults(columns: Columns, readable: np.ndarray) -> dict[str, Fault]:
    """Score, level and reason of every row for each of KINDS.

    columns: (n,) floats: width and height in pixels and the statistics of images; readable: (n,) booleans: the
    rows that have them. What one row is called does not depend on the order of the rows, and grows with its
    measurement.
    """
    found: dict[str, Fault] = {}
    at = np.flatnonzero(readable)
    read = {name: column[at].astype(np.float64) for name, column in columns.items()}
    for measurement in MEASUREMENTS:
        score, level = np.full(len(readable), np.nan), np.zeros(len(readable), np.int64)
        values = measurement.measure(read)
        z = deviations(values, measurement)
        score[at], level[at] = deviation.score(z), deviation.level(z)
        usual = float(np.nanmedian(values)) if np.isfinite(values).any() else np.nan
        reason = [""] * len(readable)
        for row in np.flatnonzero(level[at]):
            value, ordinary = (measurement.text.format(value=v) for v in (values[row], usual))
            reason[at[row]] = f"{value}; usual here: {ordinary}"
        one = Fault(score, level, reason)
        found[measurement.kind] = _worse(found[measurement.kind], one) if measurement.kind in found else one
    return found


def deviations(values: np.ndarray, of: Measurement) -> np.ndarray:
    """(n,) robust deviations of the values (n,) between the lines; 0 where there is no value (NaN)."""
    sign = 1 if of.always > of.never else -1
    t, never, always, step = values, np.float64(of.never), np.float64(of.always), of.step
    if of.ratio:
        t, never, always, step = np.log(np.maximum(t, 1e-9)), np.log(never), np.log(always), np.log(step)
    t, never, always = sign * t, sign * never, sign * always
    known = t[~np.isnan(t)]
    median, scale = deviation.median_and_scale(known, np.zeros(len(known), np.int64), 1)
    z = (t - median) / np.fmax(scale, step)
    z = np.clip(z, STRONG_CUT + (t - always) / step, POTENTIAL_CUT + (t - never) / step)
    return np.nan_to_num(np.maximum(z, 0))


def _worse(one: Fault, other: Fault) -> Fault:
    """Row by row the one of greater score."""
    first = ~(other.score > one.score)
    reason = [a if use else b for a, b, use in zip(one.reason, other.reason, first.tolist(), strict=True)]
    return Fault(np.where(first, one.score, other.score), np.where(first, one.level, other.level), reason)
