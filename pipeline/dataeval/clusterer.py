"""`Clusterer(X).evaluate()` with the answers of DataEval's class of that name."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from pixsieve.dataeval.duplicates import duplicates
from pixsieve.dataeval.levels import Levels, levels
from pixsieve.dataeval.linkage import single_linkage
from pixsieve.dataeval.lists import Lists, last_merge_levels, outliers
from pixsieve.kernels import MAGNITUDES, Array, check_finite

LEAST, LARGEST = MAGNITUDES["euclidean"]


class Clusterer:
    """Outliers, potential outliers, duplicates and near duplicates of rows of numbers, as DataEval 0.61.0 finds them.

    dataset: (n, d) numbers, n >= 2, d >= 1, finite: a NumPy or CuPy array, a tensor, or nested lists. Distances are
    float64, whatever the type; a CuPy array is worked on by the GPU. Memory: O(n d), no n x n matrix.
    """

    def __init__(self, dataset: Any) -> None:
        self._data = _checked(dataset)

    @property
    def data(self) -> Array:
        """(n, d) float64, a copy of the dataset."""
        return self._data

    @cached_property
    def _levels(self) -> Levels:
        return levels(single_linkage(self._data))

    @cached_property
    def last_good_merge_levels(self) -> dict[int, int]:
        """The last level up to which each cluster holds together, of the clusters that something speaks against."""
        return last_merge_levels(self._data, self._levels)

    def find_outliers(self, last_merge_levels: Mapping[int, int] | None = None) -> tuple[list[int], list[int]]:
        """Outliers and potential outliers: row numbers, ascending.

        last_merge_levels: of some clusters, the last level up to which each holds together; without,
        `last_good_merge_levels`. ValueError for a cluster or a level that there is not.
        """
        return outliers(self._levels, self._last(last_merge_levels))

    def find_duplicates(
        self, last_merge_levels: Mapping[int, int] | None = None
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Exact and near duplicates: groups of row numbers. last_merge_levels: as in `find_outliers`."""
        return duplicates(self._data, self._levels, self._last(last_merge_levels))

    def _last(self, given: Mapping[int, int] | None) -> dict[int, int]:
        if given is None:
            return self.last_good_merge_levels
        end = self._levels.end
        for cluster, level in given.items():
            if not 0 <= cluster < len(end):
                raise ValueError(f"last_merge_levels: there is no cluster {cluster}; there are {len(end)}, from 0 on")
            if not 0 <= level <= end[cluster]:
                raise ValueError(
                    f"last_merge_levels: cluster {cluster} has the levels 0 to {end[cluster]}, none of {level}"
                )
        return {int(cluster): int(level) for cluster, level in given.items()}

    def evaluate(self) -> Lists:
        """All four lists, by the names outliers, potential_outliers, duplicates and near_duplicates."""
        return Lists(*self.find_outliers(), *self.find_duplicates())


def _checked(dataset: Any) -> Array:
    """(n, d) float64 of its own, on the host, or on the GPU where the dataset is there."""
    kind = type(dataset).__module__.partition(".")[0]
    if isinstance(dataset, np.ma.MaskedArray):
        raise TypeError("dataset is a masked array; fill or drop what is masked first")
    if kind == "torch":
        dataset = dataset.detach().cpu()
        dataset = (dataset.double() if dataset.is_floating_point() else dataset).numpy()  # NumPy has no bfloat16
    elif kind != "cupy":
        try:
            dataset = np.asarray(dataset)
        except ValueError as error:
            raise ValueError(f"dataset is not an array: {error}") from error
    if dataset.dtype.kind not in "fiub" or dataset.dtype.itemsize > 8:
        raise TypeError(f"dataset holds {dataset.dtype}; floats of up to 64 bits or integers are needed")
    if dataset.ndim != 2:
        raise ValueError(f"dataset has {dataset.ndim} dimensions; 2 are needed: reshape it to (rows, features)")
    if len(dataset) < 2:
        raise ValueError(f"dataset has {len(dataset)} rows; at least 2 are needed")
    if dataset.shape[1] < 1:
        raise ValueError("rows of the dataset have no features; at least 1 is needed")
    check_finite("dataset", dataset)
    x = dataset.astype(np.float64) + 0.0  # -0.0 becomes 0.0: equal rows then are equal bits
    largest = float(abs(x).max())
    if largest > LARGEST or 0 < largest < LEAST:
        raise ValueError(f"the largest magnitude of the dataset is {largest:g}; its squares leave float64: rescale it")
    return x
