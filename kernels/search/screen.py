"""Low-precision screens: a score for each pair from one product of matrices, off by a known slack at most.

Score of a pair of rows z, z' of the frame: z.z' where closeness is cosine (z: unit rows) or hamming (bits as +1, -1);
-|z - z'|^2 / 2 where it is Euclidean or a proximity (z: rows about their mean, the farthest at length 1); for jaccard
the number of equal entries. The screen computes it from rows rounded to the engine's dtype. With r the greatest
distance of a row from its rounded copy, measured in float64, a product of unit rows is off by 2 r + r^2, half a squared
distance between rows of length 1 by 4 r + 2 r^2 (the triangle inequality), and both by the engine's bound on its own
rounding.

A screen of whole numbers rounds turned coordinates to multiples of one step, at most 127 of them, and computes minus
half the squared distance of the rounded rows without an error. Rows within D of each other are within D + 2 r once
rounded. It can rule pairs out, never in.

A prefix screen scores only the first p coordinates of a rotated frame and the length of the rest: z.z' is at most, and
|z - z'| at least, what these give (Cauchy and Schwarz). It can rule pairs out, never in.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from pixsieve.kernels.search.exact import DISTANCES, Array, Space

CHUNK = 4096
# Of a frame of proximities. A distance comes back from its similarity within 4e-16 (1 + distance); of a frame of this
# size or more that is far less than a slack.
LEAST_RADIUS = 1e-6
# Columns of whole numbers that are multiplied at a time.
INT8_COLUMNS = 128


class Frame:
    """The coordinates in which a space is screened."""

    def __init__(self, xp: Any, space: Space) -> None:
        self.xp, self.space = xp, space
        self.distance = space.metric in DISTANCES
        n, d = space.rows.shape
        self.depth = 8 * d if space.metric == "hamming" else d
        self.counted = space.metric in ("hamming", "jaccard")
        self.itself = 0.0 if self.distance else 1.0  # the score of a row with itself
        self.centre, self.radius = xp.zeros(d), 1.0
        if self.distance and n:
            for at in range(0, n, CHUNK):
                self.centre += space.rows[at : at + CHUNK].astype(np.float64).sum(axis=0) / n
            longest = [float(_lengths(xp, self.rows(slice(at, at + CHUNK))).max()) for at in range(0, n, CHUNK)]
            self.radius = max(longest) or 1.0
            if space.metric == "proximity":
                self.radius = max(self.radius, LEAST_RADIUS / space.scale)
        # By how much `score` is off where a closeness near 1 stands for a small distance: that is (1 + distance) 2^-51
        # off after its way through 1 / (1 + distance) and back, and no score is asked for beyond 3 radii.
        self.rounding = 3 * (1 / (self.radius * space.scale) + 3) * 2.0**-51 if space.metric == "proximity" else 0.0

    def rows(self, ids: Any, dtype: Any = np.float64) -> Array:
        """(m, depth) coordinates of these rows, each within rounding of the dtype."""
        rows = self.space.rows[ids]
        if self.space.metric == "hamming":
            bits = rows[:, :, None] >> self.xp.asarray(np.arange(7, -1, -1, dtype=np.uint8)) & 1
            return bits.reshape(len(rows), -1).astype(dtype) * 2 - 1
        if self.distance:
            return ((rows.astype(np.float64) - self.centre) / self.radius).astype(dtype, copy=False)
        norms = self.xp.sqrt(self.space.squares[ids])[:, None]
        factor = self.xp.where(norms > 0, 1 / self.xp.where(norms > 0, norms, 1.0), 0.0)
        if rows.dtype.itemsize > 4:
            return (rows * factor).astype(dtype, copy=False)
        return rows.astype(dtype) * factor.astype(dtype)

    def score(self, closeness: Any) -> Any:
        """The score of pairs that are that close; rising with closeness."""
        if self.counted:
            closeness = np.clip(closeness, -1.0, 2.0)
            return (2 * closeness - 1 if self.space.metric == "hamming" else closeness) * self.depth
        # Beyond what rows of the frame can have, all scores are alike; they must stay where float32 resolves the slack.
        if self.space.metric == "proximity":
            with np.errstate(divide="ignore"):
                closeness = np.where(closeness > 1, np.inf, 1 - 1 / np.maximum(closeness, 0.0))
        if self.distance:
            with np.errstate(over="ignore"):
                scaled = np.clip(closeness / self.space.scale / self.radius, -3.0, 3.0)
            return 0.5 * scaled * abs(scaled)
        return np.clip(closeness, -2.0, 2.0)


class Screen(NamedTuple):
    left: Array  # (n, depth) operands, in the order of the walk
    right: Array
    offset: Array | None  # (n,) what to add to a product for each of its rows, where the operands do not hold it
    slack: float  # |score of the screen - exact score| of any pair
    unit: float = 0.0  # of a screen of whole numbers, which can only rule pairs out: what 1 of a product is worth


def screen(engine: Any, frame: Frame, order: Array, rows: Callable[[Any], Array], depth: int, extra: float) -> Screen:
    """The operands of the coordinates rows(ids). extra: by how much these are off already."""
    xp, n = engine.xp, len(order)
    columns = depth + (2 if frame.distance and engine.folds else 0)
    left = xp.zeros((n, -(-max(columns, 1) // engine.multiple) * engine.multiple), engine.dtype)
    right = left if columns == depth else xp.zeros_like(left)
    offset = xp.zeros(n, np.float32) if frame.distance else None
    residual = 0.0
    for at in range(0, n, CHUNK):
        part = slice(at, at + CHUNK)
        z = rows(order[part])
        left[part, :depth] = z
        rounded = left[part, :depth].astype(np.float64)
        residual = max(residual, float(_lengths(xp, z - rounded).max()))
        if offset is not None:
            offset[part] = -0.5 * (rounded * rounded).sum(axis=1)
    if columns > depth:
        right[:, :depth] = left[:, :depth]
        left[:, depth], left[:, depth + 1] = offset, 1
        right[:, depth], right[:, depth + 1] = 1, offset
        offset = None
    if frame.space.metric == "hamming":
        return Screen(left, right, None, 0.5)  # sums of +1 and -1 are exact; equal counts must not be lost by a hair
    bend = 4 * residual + 2 * residual**2 if frame.distance else 2 * residual + residual**2
    total = (2 if frame.distance else 1) * (1 + residual) ** 2
    return Screen(left, right, offset, bend + total * engine.rounding(columns) + extra)


def _lengths(xp: Any, x: Array) -> Array:
    return xp.sqrt((x * x).sum(axis=1))


def full(engine: Any, frame: Frame, order: Array) -> Screen:
    return screen(engine, frame, order, frame.rows, frame.depth, 1e-14 + frame.rounding)


def prefix(engine: Any, frame: Frame, order: Array, axes: Array) -> Screen:
    """axes: (depth, p) orthonormal columns."""

    def rows(ids: Any) -> Array:
        return shorten(engine.xp, frame.rows(ids), axes)

    return screen(engine, frame, order, rows, axes.shape[1] + 1, 2e-6)


def int8(engine: Any, frame: Frame, order: Array, low: float) -> Screen:
    """A screen of whole numbers that rules out pairs whose score is below `low`."""
    xp, n = engine.xp, len(order)
    turn = xp.asarray(turned(frame.depth))
    parts = [slice(at, at + CHUNK) for at in range(0, n, CHUNK)]
    largest = max((float(abs(frame.rows(order[part]) @ turn).max()) for part in parts), default=0.0)
    step = largest / 127 or 1.0
    left = xp.zeros((n, -(-frame.depth // INT8_COLUMNS) * INT8_COLUMNS), np.int8)
    offset, residual = xp.zeros(n, np.int32), 0.0
    for part in parts:
        z = frame.rows(order[part]) @ turn
        rounded = xp.rint(z / step)
        left[part, : frame.depth] = rounded
        # Half of an odd square is rounded so that the pair seems closer.
        offset[part] = -((rounded * rounded).sum(axis=1) // 2)
        residual = max(residual, float(_lengths(xp, z - rounded * step).max()))
    return Screen(left, left, offset, _beyond(frame, low, residual), step * step)


def _beyond(frame: Frame, low: float, residual: float) -> float:
    """By how much minus half the squared distance falls below `low` when rows that close are off by `residual`."""
    squared = max(2 * (frame.itself - low), 0.0)
    # 1e-9 for what the frame and its rotation round; the slack of `scan` on top holds what the roots below do.
    return ((np.sqrt(squared) + 2 * residual + 1e-9) ** 2 - squared) / 2


def turned(depth: int) -> NDArray[np.float64]:
    """A rotation (depth, depth) that spreads what is in few coordinates over all of them: signs at random, then a
    cosine transform (after Ailon and Chazelle, "The fast Johnson-Lindenstrauss transform", 2009)."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=depth)
    return signs[:, None] * dct(np.eye(depth), axis=1, norm="ortho")


def shorten(xp: Any, z: Array, axes: Array) -> Array:
    """(m, p + 1) coordinates along the axes, and the length of the rest, never less than it is."""
    u = z @ axes
    rest = xp.sqrt(xp.maximum((z * z).sum(axis=1) - (u * u).sum(axis=1), 0) + 1e-13)
    return xp.concatenate([u, rest[:, None]], axis=1)
