"""Questions about all pairs: which, how many, which best."""

from collections.abc import Iterator

import numpy as np

from pixsieve.kernels.engines.dispatch import engine_of
from pixsieve.kernels.groups import distinct
from pixsieve.kernels.join import MOST_NEIGHBOURS
from pixsieve.kernels.search.best import Best, with_copies
from pixsieve.kernels.search.exact import Array, Metric, Pairs, Space, closeness_of, space, to_host
from pixsieve.kernels.search.part import Engine
from pixsieve.kernels.search.plan import Prefix, plan
from pixsieve.kernels.search.walk import Exactly, Walk

# Of the memory, what the exact rows of some pairs take, whatever the tile.
FIXED, LEAST_MEMORY = 2**22, 2**23


def pairs(
    a: Array,
    b: Array | None = None,
    *,
    threshold: float,
    metric: Metric = "cosine",
    memory: int | None = None,
    prefix: Prefix = "auto",
) -> Iterator[Pairs]:
    """All pairs at or above a similarity (euclidean: at or below a distance), exactly those of a float64 brute force.

    a: (n, d); b: (m, d), or None for the pairs i < j inside a. metric: see search/exact.py for what the rows hold and
    how they are compared. threshold: least similarity in [-1, 1] for cosine, in [0, 1] for hamming and jaccard;
    greatest distance for euclidean. memory: bytes for what is being looked at, beside the screen's copy of the rows (4
    bytes a number); None: 256 MB, or a quarter of a GPU's free memory. prefix: whether a screen of the first principal
    coordinates goes first; "auto" tries it on a sample, a number says how many coordinates, "off" leaves it out. It
    changes the time and the order, never the pairs.

    Yields at least one chunk of pairs, in no particular order; euclidean: with distances in the place of similarities.
    ValueError for rows that cannot be compared, naming the first one that holds NaN or infinity.
    """
    sign, low = closeness_of(metric, threshold)
    if memory is not None and memory < LEAST_MEMORY:
        raise ValueError(f"memory is {memory} bytes; at least {LEAST_MEMORY} are needed")
    engine = engine_of(a)
    nodes = space(engine, a, b, metric)
    room = engine.memory if memory is None else memory
    return _chunks(Walk(plan(engine, nodes, low=low, prefix=prefix, memory=room - FIXED)), sign, low)


def _chunks(walk: Walk, sign: int, low: float) -> Iterator[Pairs]:
    first, none = walk.plan.space.split or 0, True
    for hits in walk:
        exactly = Exactly(walk.plan, hits)
        found = exactly.at_least(low)
        if found.any():
            none = False
            yield Pairs(hits.i[found], hits.j[found] - first, sign * exactly.closeness(found))
    if none:
        xp = walk.plan.engine.xp
        yield Pairs(xp.empty(0, np.int64), xp.empty(0, np.int64), xp.empty(0))


def counts(
    a: Array, b: Array | None = None, *, threshold: float, metric: Metric = "cosine", prefix: Prefix = "auto"
) -> Array:
    """(n,) int64: how many rows of b, or how many other rows of a, are at or above the similarity (euclidean: at or
    below the distance) to each row of a. No pair is stored; arguments as for `pairs`."""
    _, low = closeness_of(metric, threshold)
    engine = engine_of(a)
    nodes = space(engine, a, b, metric)
    walk = Walk(plan(engine, nodes, low=low, prefix=prefix))
    count, one = engine.xp.zeros(nodes.n, np.int64), engine.xp.ones(nodes.n, np.int64)
    for hits in walk:
        found = Exactly(walk.plan, hits).at_least(low)
        engine.tally(count, one, hits.i[found], hits.j[found])
    return count[: len(a)]


def neighbours(
    a: Array, b: Array | None = None, *, k: int, metric: Metric = "cosine", prefix: Prefix = "auto"
) -> tuple[Array, Array]:
    """The k rows of b, or the k other rows of a, that are closest to each row of a, ties by index.

    k: 1 to 256. Returns (n, k) int64 indices, closest first, -1 where there are fewer rows; and (n, k) float64
    similarities (-inf there), or distances (inf there) for euclidean. Other arguments as for `pairs`.
    """
    if not 1 <= k <= MOST_NEIGHBOURS:
        raise ValueError(f"k is {k}; 1 to {MOST_NEIGHBOURS} neighbours can be asked for")
    sign, _ = closeness_of(metric, 0.0)
    engine = engine_of(a)
    every = space(engine, a, b, metric)
    ours, place = distinct(a)
    theirs, other_place = (ours, place) if b is None else distinct(b)
    if len(ours) == len(a) and (b is None or len(theirs) == len(b)):
        index, closeness = _nearest(engine, every, k, prefix)
        return index, sign * closeness
    index, closeness = _nearest(engine, space(engine, a[ours], None if b is None else b[theirs], metric), k, prefix)
    here = engine.xp.arange(len(a))
    itself = to_host(engine.closeness(every, here, here)) if b is None else None
    lists = with_copies(to_host(index), to_host(closeness), to_host(place), to_host(other_place), itself)
    index, closeness = (engine.xp.asarray(part) for part in lists)
    return index, sign * closeness


def _nearest(engine: Engine, rows: Space, k: int, prefix: Prefix) -> tuple[Array, Array]:
    """As `neighbours`, with closeness."""
    xp = engine.xp
    walk = Walk(plan(engine, rows, k=k, prefix=prefix))
    best = Best(walk)
    asking = rows.n if rows.split is None else rows.split
    walk.floor[asking:] = np.inf  # the rows of b ask for nothing
    for hits in walk:
        wanted = best.wanted(hits)
        i, j = hits.i[wanted], hits.j[wanted]
        s = engine.closeness(rows, i, j)
        if rows.split is None:
            i, j, s = xp.concatenate([i, j]), xp.concatenate([j, i]), xp.concatenate([s, s])
        best.add(i, j, s)
    index = best.index[:asking]
    return xp.where(index >= 0, index - (rows.split or 0), -1), best.closeness[:asking]


def similarity(a: Array, b: Array, i: Array, j: Array, *, metric: Metric = "cosine") -> Array:
    """(m,) float64: the similarities (euclidean: distances) of the pairs (a[i], b[j])."""
    engine = engine_of(a)
    sign, _ = closeness_of(metric, 0.0)
    for name, side, n in (("i", i, len(a)), ("j", j, len(b))):
        if len(side) and not 0 <= int(side.min()) <= int(side.max()) < n:
            raise ValueError(f"{name} names rows {int(side.min())} to {int(side.max())}; there are {n}")
    return sign * engine.closeness(space(engine, a, b, metric), i, j + len(a))
