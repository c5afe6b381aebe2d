"""DataEval's four lists: outliers, potential outliers, duplicates and near duplicates.

The rule is that of the Clusterer of DataEval 0.61.0; docs/dataeval.md tells it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixsieve.dataeval.duplicates import duplicates
from pixsieve.dataeval.gaps import gaps
from pixsieve.dataeval.levels import Levels, levels
from pixsieve.dataeval.linkage import single_linkage
from pixsieve.kernels import Array, Index


@dataclass(frozen=True, eq=False)
class Lists(Mapping[str, list[Any]]):
    """Row numbers, ascending; groups of at least two, by their first rows. A row may be in several lists.

    Also the dictionary that DAML's class returned: `lists["outliers"]`, `lists.items()`, `lists == {...}`.
    """

    outliers: list[int]
    potential_outliers: list[int]
    duplicates: list[list[int]]
    near_duplicates: list[list[int]]

    @property
    def potential_duplicates(self) -> list[list[int]]:
        """What DataEval 0.61.0 calls the near duplicates."""
        return self.near_duplicates

    def __getitem__(self, name: str) -> list[Any]:
        return vars(self)[name]

    def __iter__(self) -> Iterator[str]:
        return (field.name for field in fields(self))

    def __len__(self) -> int:
        return len(fields(self))


def lists(x: Array) -> Lists:
    """The four lists of x (n, d), float64 on the host or on a GPU, n >= 2, d >= 1, finite."""
    of = levels(single_linkage(x))
    last = last_merge_levels(x, of)
    return Lists(*outliers(of, last), *duplicates(x, of, last))


def last_merge_levels(x: Array, of: Levels) -> dict[int, int]:
    """The last level up to which each id holds together; ids that nothing speaks against are not there."""
    if len(of.chains) == 1:
        return {0: int(len(of.rows) * 0.1)}
    merges = np.flatnonzero(of.inner >= 0)
    merges = merges[np.argsort(of.level[merges], kind="stable")]
    good = _good(x, of, merges)
    last: dict[int, int] = {}
    order = np.argsort(-of.level[merges], kind="stable")
    for merge, fine in zip(merges[order].tolist(), good[order].tolist(), strict=True):
        outer, inner, level = int(of.id[merge]), int(of.id[of.inner[merge]]), int(of.level[merge])
        if not fine:
            last.setdefault(outer, 0)
            last.setdefault(inner, 0)
            if last[outer] > level:
                last[outer] = level - 1
        elif outer in last:
            last[outer] = max(last[outer], level)
    return last


def _good(x: Array, of: Levels, merges: Index) -> NDArray[np.bool_]:
    """(m,) whether the gap of two clusters that join is like the heights inside clusters. float32, as in DataEval.

    merges: by level, as the last bits of a mean depend on the order.
    """
    average = of.two[merges] | (of.one[merges] & (of.size[merges] >= of.least))
    inside = np.zeros(len(of.chains), np.float32)
    counted = of.level < of.top
    np.maximum.at(inside, of.id[counted], of.mean[counted])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # heights of zero have logarithms of -inf
        usual = np.log(np.unique(inside[of.id[merges]]))
        gap = np.log(gaps(x, of, merges, average))
        limit = usual.mean() + 2 * usual.std()
        good = gap < limit
        off = np.abs((gap - limit) / limit)
        near = off[~good & (off < 1)]
        return good | (off < near.mean() + near.std()) if len(near) else good


def outliers(of: Levels, last: dict[int, int]) -> tuple[list[int], list[int]]:
    """Outliers and potential outliers: the rows that came to an id, from far, after the last level that is good."""
    found: set[int] = set()
    potential: set[int] = set()
    for c in sorted(last, reverse=True):  # what is absorbed has the higher id, and comes before what absorbs it
        _of_id(of, c, last[c], found, potential)
    return sorted(found), sorted(potential)


def _of_id(of: Levels, c: int, last: int, found: set[int], potential: set[int]) -> None:
    chain, end = of.chains[c], int(of.end[c])
    until = [*(of.level[chain[1:]] - 1).tolist(), end]
    seen = False
    for merge, stays in zip(chain.tolist(), until, strict=True):
        level, newest, few = int(of.level[merge]), int(of.newest[merge]), bool(of.size[merge] < of.least)
        if stays <= last:
            continue
        members = of.rows[of.start[merge] : of.start[merge] + of.size[merge]].tolist() if few else [newest]
        if level > last and of.inner[merge] < 0:
            if seen and newest not in found:
                found.add(newest)
            elif of.two[merge]:
                found.update(members)
                seen = True
            elif of.one[merge] and not few:
                potential.add(newest)
            elif level == end and few:
                found.update(members)
        copies = stays - max(level, last)
        if copies and seen and newest not in found:
            found.add(newest)
            copies -= 1
        if copies and stays == end and few:
            found.update(members)
