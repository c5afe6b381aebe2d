"""Pixels of more than 8 bits brought to 8, by a rule that does not turn them black."""

from typing import NamedTuple

import numpy as np

BITS = (8, 10, 12, 14, 16, 32)
# What is written where nothing was measured, if it is the least or the greatest value of the picture.
SENTINELS = {-9999.0, -32767.0, -32768.0, -99999.0, float(np.finfo(np.float32).min), float(np.finfo(np.float32).max)}


class Toned(NamedTuple):
    pixels: np.ndarray  # as the values, uint8
    words: str  # what was done; "" where nothing is lost


def to_8_bits(values: np.ndarray, bits: int | None = None, nodata: float | None = None) -> Toned:
    """Unsigned integers keep their upper 8 bits, of as many as are declared (`bits`) or else of the fewest of 8, 10,
    12, 14, 16 or 32 that hold the greatest value. Of all others the range of the values that are there becomes 0 to
    255; `nodata`, sentinels, NaN and infinity are no values and become 0."""
    if values.dtype.kind == "u":
        most = int(values.max(initial=0))
        if bits is None or most >> bits:
            bits = next(b for b in BITS if not most >> b)
        pixels = (values >> max(0, bits - 8)).astype(np.uint8)
        return Toned(pixels, f"the upper 8 of {bits} bits" if bits > 8 else "")
    wide = values.astype(np.float64)
    there = np.isfinite(wide)
    if nodata is not None:
        there &= wide != nodata
    while there.any() and (ends := {wide[there].min(), wide[there].max()} & SENTINELS):
        there &= ~np.isin(wide, list(ends))
    low, high = (float(wide[there].min()), float(wide[there].max())) if there.any() else (0.0, 0.0)
    span = high / 2 - low / 2  # halves: the span of float64 is no float64
    pixels = ((np.where(there, wide, low) / 2 - low / 2) / (span or 1) * 255).astype(np.uint8)
    absent = int(there.size - there.sum())
    return Toned(pixels, f"{low:g} to {high:g} as 0 to 255" + (f", {absent} without a value" if absent else ""))
