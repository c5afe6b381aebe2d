"""verify: near pairs of `dct` vectors looked at once more, by the small images that the vectors were made from; and,
with duplicates.symmetries, the pairs of an image and a turned one: of each pair that does not agree as it is, under the
symmetry that makes it most similar. Nothing for other descriptors.

A unit is a pair of blocks and writes pairs/<A>-<B>.verified.parquet: the nodes i and j, their similarity, the agreement
of their structure, and the symmetry that turns j into what looks like i.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from pixsieve import descriptors, files, kernels
from pixsieve.descriptors.structure import AGREE, agreement, see
from pixsieve.folder import pair_files, sample
from pixsieve.folder.neighbours import ROUNDING
from pixsieve.folder.pair_files import NEAR, VERIFIED
from pixsieve.folder.run_folder import Run
from pixsieve.folder.thumbnails import luma_files, read_luma
from pixsieve.images.symmetries import SYMMETRIES, turned
from pixsieve.rules.groups import NearPairs, best_of_each, together
from pixsieve.runtime.receipts import Receipts, served_from
from pixsieve.runtime.stage import Counts, Stage, Unit

AT_ONCE = 2**14  # pairs whose images are in memory
SLICE = 256  # pairs that a thread takes at a time


def units(run: Run) -> list[Unit]:
    if not run.measure.verified:
        return []
    receipts, found, asked = Receipts(run.path, "verify"), [], dict[str, Any]()
    if run.config.duplicates.symmetries:
        asked = run.config.values("duplicates.symmetries", "duplicates.max_pairs", "outliers.neighbours")
    for pair in pair_files.pairs(run):
        batches = tuple(sorted({*pair.batches}))
        reads = (NEAR.format(pair.name), *luma_files(*batches), *pair_files.stored(run, batches))
        near, before = [run.near] if asked else [], served_from(receipts, pair.name)
        near += [before] if asked and before < run.near else []
        depends = [asked | {"near": at} for at in near] or [asked]
        found.append(Unit(pair.name, reads, {"verified": VERIFIED.format(pair.name)}, depends[0], tuple(depends[1:])))
    return found


def work(run: Run, unit: Unit) -> Counts:
    near = files.read_table(run.path / NEAR.format(unit.name))
    i, j, similarity = (near[name].to_numpy() for name in ("i", "j", "similarity"))
    candidates, truncated = NearPairs(i, j, similarity, np.zeros(len(i), np.int8)), 0
    looked_at, (found, agreed) = len(i), _verified(run, candidates)
    counts: Counts = {}
    if unit.depends.get("duplicates.symmetries"):
        candidates, truncated = _turned_pairs(run, unit)
        candidates = _new(candidates, found)
        more, also = _verified(run, candidates)
        found, agreed = together([found, more]), np.concatenate([agreed, also])
        looked_at += len(candidates.i)
        counts["near_at"] = unit.depends["near"]
    columns = found._asdict() | {"agreement": agreed.astype(np.float32)}
    files.write_table(run.path / unit.writes["verified"], pa.table(columns))
    return {"looked_at": looked_at, "verified": len(agreed), "truncated": truncated} | counts


def _new(candidates: NearPairs, known: NearPairs) -> NearPairs:
    """Of each pair of rows the most similar candidate, where it is more similar than what is known of the pair: at a
    higher threshold it may be all that is left."""
    found = best_of_each(candidates)
    if not len(known.i):
        return found
    top = max(int(side.max(initial=0)) for side in (found.i, found.j, known.i, known.j)) + 1
    have, wanted = (np.minimum(of.i, of.j) * top + np.maximum(of.i, of.j) for of in (known, found))
    by_pair = np.argsort(have)
    at = by_pair[np.minimum(np.searchsorted(have, wanted, sorter=by_pair), len(have) - 1)]
    return found.only((have[at] != wanted) | (known.similarity[at] < found.similarity))


def _turned_pairs(run: Run, unit: Unit) -> tuple[NearPairs, int]:
    """The near pairs of a node and a turned one, of each symmetry; and how many of these had too many. Inside a block
    the node with the lesser key is as it is: the inverse symmetry finds the others."""
    pair, none = pair_files.named(run, unit.name), np.empty(0, np.int64)
    own, other = (pair_files.nodes_of(run, block, none) for block in (pair.a, pair.b))
    turn = descriptors.BUILT_IN[run.measure.name].turned
    assert turn is not None
    near, k, limit = unit.depends["near"], run.config.outliers.neighbours, run.config.duplicates.max_pairs
    if pair.a == pair.b:  # both ways, and each node with itself
        limit = 2 * limit + len(own.rows)
    asked, found, truncated = kernels.Questions(run.measure.metric, near=near, near_limit=limit), [], 0
    for symmetry in range(1, len(SYMMETRIES)):
        there = turn(other.vectors, symmetry)
        joined = run.backend.join(own.vectors, there, asked)
        if joined.near_total > limit:  # once more, for the best of each
            joined = run.backend.join(own.vectors, there, asked._replace(k=k))
            truncated += 1
        i, j, similarity = joined.near
        j = j - len(own.rows)
        pairs = NearPairs(own.rows[i], other.rows[j], similarity, np.full(len(i), symmetry, np.int8))
        found.append(pairs.only(i < j) if pair.a == pair.b else pairs)
    return together(found), truncated


def _verified(run: Run, pairs: NearPairs) -> tuple[NearPairs, np.ndarray]:
    """Those whose images agree, and how much. Equal vectors need not: inside a block they are one node."""
    agreed = np.ones(len(pairs.i))
    look = ~_equal(run, pairs)
    agreed[look] = np.concatenate([np.empty(0), *_agreements(run, pairs.only(look))])
    return pairs.only(agreed >= AGREE), agreed[agreed >= AGREE]


def _equal(run: Run, pairs: NearPairs) -> np.ndarray:
    """(n,) booleans: pairs of equal vectors, as they are."""
    found = (pairs.symmetry == 0) & (pairs.similarity > 1 - ROUNDING)
    near = np.flatnonzero(found)
    if len(near):
        found[near] = (sample.read(run, pairs.i[near]) == sample.read(run, pairs.j[near])).all(axis=1)
    return found


def _agreements(run: Run, pairs: NearPairs) -> Iterator[np.ndarray]:
    with ThreadPoolExecutor(run.threads) as threads:
        for at in range(0, len(pairs.i), AT_ONCE):
            part = pairs.only(slice(at, at + AT_ONCE))
            rows, place = np.unique(np.concatenate([part.i, part.j]), return_inverse=True)
            luma = read_luma(run.path, run.manifest, rows)
            first, second = np.split(place, 2)
            spans = pairwise([*range(0, len(first), SLICE), len(first)])
            slices = ([luma, *(side[start:stop] for side in (first, second, part.symmetry))] for start, stop in spans)
            yield from threads.map(_compared, *zip(*slices, strict=True))


def _compared(luma: np.ndarray, first: np.ndarray, second: np.ndarray, symmetry: np.ndarray) -> np.ndarray:
    """Agreement of images of luma (n, 64, 64): the first as they are, the second turned."""
    found, last, seen = np.empty(len(first)), -1, None
    for at, (p, q, s) in enumerate(zip(first.tolist(), second.tolist(), symmetry.tolist(), strict=True)):
        if seen is None or p != last:
            last, seen = p, see(luma[p])
        found[at] = agreement(seen, see(turned(luma[q], s)))
    return found


VERIFY = Stage("verify", units, work, version=2, by="duplicates")
