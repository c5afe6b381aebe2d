"""How the pairs of a space are walked: decided once, before the first tile, and never a matter of the answers."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np

from pixsieve.kernels.search import locality, screen
from pixsieve.kernels.search.exact import Array, Space, to_host
from pixsieve.kernels.search.part import Engine
from pixsieve.kernels.search.screen import Frame, Screen

Prefix = Literal["auto", "off"] | int
# Bytes that a pair of a tile may take while it is looked at (score, marks, numbers, what is returned), and a number of
# its rows, if the tile is screened again.
PER_PAIR, PER_NUMBER = 96, 24


class Plan(NamedTuple):
    """Everything about a walk but what it finds out on the way."""

    engine: Engine
    space: Space
    frame: Frame
    low: float  # the least score that matters; inf: none does by itself
    k: int  # how many best pairs of each row matter whatever they are
    groups: Array | None  # (n,) no pair inside a group counts
    caps: Array | None  # (n,) the most that the score of a pair of the row is
    tile: tuple[int, int]  # rows and columns that are looked at together
    order: Array  # (n,) the row at each position
    place: Array  # (n,) of each position among both sides, like rows side by side
    full: Screen
    short: Screen | None  # goes before the full one


def plan(
    engine: Engine,
    space: Space,
    *,
    low: float = np.inf,
    k: int = 0,
    groups: Array | None = None,
    caps: Array | None = None,
    prefix: Prefix = "auto",
    memory: float = np.inf,
) -> Plan:
    """low, caps: closeness, where the plan has scores. memory: bytes that a tile, and what is found in it, may take.
    ValueError for a prefix that is none, and for rows of more entries than the engine counts.
    """
    frame = Frame(engine.xp, space)
    if frame.counted and frame.depth > engine.most_counted:
        raise ValueError(f"rows have {frame.depth} entries to compare; at most {engine.most_counted} on a GPU")
    if not (prefix in ("auto", "off") or (isinstance(prefix, int) and 1 <= prefix <= max(locality.LENGTHS))):
        raise ValueError(f"prefix is {prefix!r}; auto, off, or a number from 1 to {max(locality.LENGTHS)}")
    low = float(frame.score(low)) if np.isfinite(low) else low
    caps = None if caps is None else frame.score(caps)
    tile = _within(memory, engine.bit_tile if frame.counted else engine.tile, frame.depth)
    order = place = engine.xp.arange(space.n)
    directly = space.metric == "hamming" and not k and groups is None and frame.depth <= engine.bits_directly
    if space.metric == "jaccard" or directly:
        none = Screen(None, None, None, 0.5)
        return Plan(engine, space, frame, low, k, groups, caps, tile, order, place, none, None)
    axes, short = _axes(engine, frame, low, k, prefix), None
    if axes is not None:
        order, place = locality.order(engine, frame, axes)
        axes = locality.choose(engine, frame, order, low, axes) if prefix == "auto" else axes
    full = screen.full(engine, frame, order)
    if axes is not None:
        short = screen.prefix(engine, frame, order, axes)
    elif prefix == "auto" and not k and groups is caps is None and locality.int8_pays(engine, frame, order, low):
        short = screen.int8(engine, frame, order, low)
    return Plan(engine, space, frame, low, k, groups, caps, tile, order, place, full, short)


def _within(memory: float, tile: tuple[int, int], depth: int) -> tuple[int, int]:
    """The tile, halved until it takes no more bytes."""
    height, width = tile
    while height * width > 1 and height * width * PER_PAIR + (height + width) * depth * PER_NUMBER > memory:
        height, width = (height, width // 2) if width > height else (height // 2, width)
    return height, width


def _axes(engine: Engine, frame: Frame, low: float, k: int, prefix: Prefix) -> Array | None:
    """(depth, p) what the order of the rows, and a prefix screen, go by; None: the rows stay as they are."""
    if prefix == "auto":
        # Lists want whatever is best: few tiles can be left out, and those that are left cost more than all (20,000
        # rows of 512 numbers: 2.5 to 4.4 times, on a busy machine; `benchmarks.join --lists`).
        return None if k else locality.axes(engine, frame, low)
    if prefix == "off" or frame.space.metric == "hamming":
        return None
    return locality.principal(engine.xp, frame)[:, :prefix]


def tiles(plan: Plan) -> Iterable[tuple[slice, slice]]:
    """The rows and the columns, by position, of each tile."""
    if plan.short is None:
        return _in_order(plan)
    # Like rows first: their pairs raise the floors that rule out the others.
    where = to_host(plan.place)
    return sorted(_in_order(plan), key=lambda tile: abs(float(where[tile[0]].mean() - where[tile[1]].mean())))


def _in_order(plan: Plan) -> Iterator[tuple[slice, slice]]:
    n, (height, width), split = plan.space.n, plan.tile, plan.space.split
    end = n if split is None else split
    for top in range(0, end, height):
        for left in range(top if split is None else end, n, width):
            yield slice(top, min(top + height, end)), slice(left, min(left + width, n))
