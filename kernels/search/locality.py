"""What lets a walk leave out work: a frame whose first coordinates tell most, and an order that puts like rows side by
side.

The axes are the principal directions of a sample (of the rows as they are: the mean is one of the directions). The
order is that of the leaves of a tree that halves the rows at the median of the coordinate that varies most among them
(a k-d tree: Friedman, Bentley and Finkel, "An algorithm for finding best matches in logarithmic expected time", 1977).
Neither has a say in the answers.
"""

from typing import Any

import numpy as np

from pixsieve.kernels.search import screen
from pixsieve.kernels.search.exact import Array
from pixsieve.kernels.search.part import Engine
from pixsieve.kernels.search.screen import CHUNK, Frame, shorten

SAMPLE = 8192
LEAF = 128
# Coordinates that the tree looks at, and lengths of the prefix that are tried.
LOOKED_AT = 16
LENGTHS = (8, 16, 31, 63)  # and one for the rest: 64 columns are what tensor cores take at a time
# Fewer rows or columns than these are not worth the preparation.
FEW_ROWS, FEW_COLUMNS = 8192, 32
# Axes cost about as many products of rows as this times the square of their length.
AXES_COST = 100
# The share of a sample of tiles that a prefix may leave to be done in full at most.
MOST_TILES = 0.4
# From this depth on whole numbers of 8 bits are worth a try, at twice the rate; and from so many rows for each column
# on, when their rotation costs little beside the product.
DEEP, ROTATION_COST = 384, 256
# The share of all pairs that the longest prefix may leave open at most.
MOST_LEFT = 0.05


def axes(engine: Engine, frame: Frame, low: float) -> Array | None:
    """(depth, p) the principal directions, most telling first; None where a screen of their coordinates would leave too
    many of all pairs, in whatever order."""
    n, split = frame.space.n, frame.space.split
    if frame.space.metric == "hamming" or n < FEW_ROWS or frame.depth < FEW_COLUMNS:
        return None
    if AXES_COST * frame.depth**2 > (n * n / 2 if split is None else split * (n - split)):
        return None
    xp = engine.xp
    found = principal(xp, frame)
    start, end = (0, n) if split is None else (split, split)
    z, other = frame.rows(_spread(xp, end, 64)), frame.rows(start + _spread(xp, n - start, 2 * SAMPLE))
    if not len(z) or not len(other):
        return None
    bound = _scores(xp, frame, *(shorten(xp, x, found) for x in (z, other)))
    return found if float((bound >= low).mean()) < MOST_LEFT else None


def principal(xp: Any, frame: Frame) -> Array:
    z = frame.rows(_spread(xp, frame.space.n, SAMPLE))
    _, vectors = xp.linalg.eigh(z.T @ z)
    return xp.ascontiguousarray(vectors[:, ::-1][:, : min(max(LENGTHS), max(1, frame.depth // 2))])


def _scores(xp: Any, frame: Frame, x: Array, y: Array) -> Array:
    tile = x @ y.T
    if frame.distance:
        tile -= 0.5 * (x * x).sum(axis=1)[:, None] + 0.5 * (y * y).sum(axis=1)
    return tile


def order(engine: Engine, frame: Frame, axes: Array) -> tuple[Array, Array]:
    """The rows in the order of the leaves, those of each side by themselves; and the leaf place of each position."""
    xp, space = engine.xp, frame.space
    n = space.n
    look = axes[:, :LOOKED_AT].astype(np.float32)
    u = xp.empty((n, look.shape[1]), np.float32)
    for at in range(0, n, CHUNK):
        u[at : at + CHUNK] = frame.rows(slice(at, at + CHUNK), np.float32) @ look
    joint = tree(xp, u)
    if space.split is None:
        return joint, xp.arange(n)
    first = joint < space.split
    place = xp.concatenate([xp.flatnonzero(first), xp.flatnonzero(~first)])
    return joint[place], place


def tree(xp: Any, u: Array) -> Array:
    """(n,) the rows of u (n, q) in the order of the leaves. All segments of a level are halved at once."""
    n = len(u)
    levels = max(int(np.ceil(np.log2(max(n, 1) / LEAF))), 0)
    size = -(-n // 2**levels)
    ids = xp.arange(size * 2**levels)
    for level in range(levels):
        ids = ids.reshape(2**level, -1)
        here = xp.minimum(ids, n - 1)  # numbers from n on fill up; they go last
        widest = xp.empty(len(ids), np.int64)
        step = max(1, 2**20 // ids.shape[1])
        for at in range(0, len(ids), step):
            widest[at : at + step] = u[here[at : at + step]].var(axis=1).argmax(axis=1)
        key = xp.where(ids < n, u[here, widest[:, None]], np.inf)
        ids = xp.take_along_axis(ids, xp.argsort(key, axis=1), axis=1)
    ids = ids.ravel()
    return ids[ids < n]


def choose(engine: Engine, frame: Frame, order: Array, low: float, axes: Array) -> Array | None:
    """The axes of the prefix screen that costs least on a sample of the tiles, or None if none saves a fifth."""
    xp, block = engine.xp, engine.block
    end = frame.space.n if frame.space.split is None else frame.space.split
    start = 0 if frame.space.split is None else end
    rows = _blocks(xp, 0, end, 4, 64)
    columns = _blocks(xp, start, frame.space.n, max(1, SAMPLE // block), block)
    if not len(rows) or not len(columns):
        return None
    z, other = frame.rows(order[rows]), frame.rows(order[columns])
    whole = frame.depth + engine.overhead
    best, cheapest = None, 0.8 * whole
    for p in LENGTHS:
        if p > axes.shape[1]:
            break
        x, y = shorten(xp, z, axes[:, :p]), shorten(xp, other, axes[:, :p])
        left = _scores(xp, frame, x, y) >= low - engine.rounding(p + 1)
        used = len(columns) // block * block
        share = left[:, :used].reshape(-1, 64, used // block, block).mean(axis=(1, 3)) if used else left.mean()
        padded = -(-(p + 1) // engine.multiple) * engine.multiple
        cost = padded + engine.overhead + float(xp.minimum(share * engine.gather * frame.depth, whole).mean())
        if cost < cheapest and float((share * engine.gather >= 1).mean()) <= MOST_TILES:
            best, cheapest = axes[:, :p], cost
    return best


def int8_pays(engine: Engine, frame: Frame, order: Array, low: float) -> bool:
    """Whether a screen of whole numbers saves a fifth on a sample, though what it leaves is looked at one by one."""
    n, split = frame.space.n, frame.space.split
    if not engine.int8 or frame.counted or frame.depth < DEEP or n < ROTATION_COST * frame.depth:
        return False
    xp = engine.xp
    start, end = (0, n) if split is None else (split, split)
    rows, columns = order[_spread(xp, end, 64)], order[start + _spread(xp, n - start, 2 * SAMPLE)]
    if not len(rows) or not len(columns):
        return False
    coarse = screen.int8(engine, frame, columns, low)
    left = _scores(xp, frame, frame.rows(rows), frame.rows(columns)) >= low - coarse.slack
    left &= rows[:, None] != columns
    cost = frame.depth / 2 + engine.overhead + float(left.mean()) * engine.gather * frame.depth
    return cost < 0.8 * (frame.depth + engine.overhead)


def _spread(xp: Any, n: int, most: int) -> Array:
    """Up to `most` of the numbers below n, evenly spread."""
    return xp.arange(n) if n <= most else xp.arange(most) * n // most


def _blocks(xp: Any, start: int, stop: int, count: int, size: int) -> Array:
    """The numbers of `count` evenly spread runs of `size` numbers."""
    starts = start + _spread(xp, max(0, (stop - start) // size), count) * size
    return (starts[:, None] + xp.arange(size)).ravel()
