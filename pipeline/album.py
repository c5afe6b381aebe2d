"""Clusters of datapoints in memory, as scripts for face albums make them, and what they answer of a new face.

    album = create_clusters(datapoints, eps=9.0, min_samples=5)
    for cluster in album: print(cluster.id, cluster.paths)
    album.find(encoding)  # its cluster, or None

The clusters are those of a run over the same vectors with embed.metric=euclidean, embed.scale=standard and
embed.dtype=float32: DBSCAN (Ester, Kriegel, Sander and Xu, KDD 1996) on columns that are standardised.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np

from pixsieve import kernels
from pixsieve.errors import SourceError
from pixsieve.folder.scale import Scale, standard
from pixsieve.sources import pickled


@dataclass(eq=False)
class Datapoint:
    """One face of an image; an image with several has one datapoint for each."""

    data: Any  # (d,) or (1, d) floats: an array, a tensor or a list
    label: str | None
    path: str


@dataclass(eq=False)
class Cluster:
    """Mean and deviation are of the data as given, not of what is standardised."""

    id: int
    paths: list[str] = field(default_factory=list)  # one for each datapoint, so that a path may be there twice
    mean_encoding: np.ndarray | None = None  # (d,) float64
    std_dev: np.ndarray | None = None  # (d,) float64, of the population
    size: int = 0  # datapoints that mean and deviation are of

    def add_paths(self, paths: str | Iterable[str]) -> None:
        """More images of this cluster, as those that `Album.find` has answered. The mean stays what it is."""
        self.paths += [paths] if isinstance(paths, str) else paths


@dataclass(frozen=True, eq=False)
class Album(Sequence[Cluster]):
    """The clusters, by their first datapoint; and what is in none."""

    clusters: list[Cluster]
    noise: list[Datapoint]
    _scale: Scale
    _eps: float
    _core: np.ndarray  # (m, d) float32, standardised
    _of_core: np.ndarray  # (m,) places in clusters

    @overload
    def __getitem__(self, at: int) -> Cluster: ...
    @overload
    def __getitem__(self, at: slice) -> list[Cluster]: ...
    def __getitem__(self, at: int | slice) -> Cluster | list[Cluster]:
        return self.clusters[at]

    def __len__(self) -> int:
        return len(self.clusters)

    def __iter__(self) -> Iterator[Cluster]:
        return iter(self.clusters)

    def find(self, data: Any) -> Cluster | None:
        """The cluster of a new face: that of the closest core datapoint, if it is within eps, as it is for a datapoint
        at the border of a cluster; else None. data: as of a Datapoint; ValueError for another width."""
        x = self._scale.of(_one(data, "data", self._core.shape[1])[None]).astype(np.float32)
        best: tuple[float, int] | None = None
        for found in kernels.pairs(self._core, x, threshold=_similarity(self._eps), metric="proximity"):
            for at, near in zip(found.i.tolist(), found.similarity.tolist(), strict=True):
                best = max(best or (near, -at), (near, -at))
        return None if best is None else self.clusters[self._of_core[-best[1]]]


def create_clusters(datapoints: Iterable[Datapoint], eps: float, min_samples: int = 10) -> Album:
    """DBSCAN of the datapoints, columns standardised (mean 0, deviation 1; a column of one value stays 0).

    eps: greatest distance of neighbours, in deviations. min_samples: neighbours that make a datapoint core, itself
    included. ValueError for data of several widths, NaN or infinity, and for no datapoints.

    >>> rng = np.random.default_rng(0)
    >>> faces = np.concatenate([rng.normal(at, 0.1, (20, 8)) for at in (0, 5)] + [np.full((1, 8), 20.0)])
    >>> album = create_clusters([Datapoint(x, None, f"{i}.jpg") for i, x in enumerate(faces)], eps=0.5)
    >>> [cluster.size for cluster in album], [point.path for point in album.noise]
    ([20, 20], ['40.jpg'])
    >>> album.find(faces[25] + 0.01).id, album.find(faces[0] + 2.5)
    (1, None)
    """
    if not 0 < eps < np.inf:
        raise ValueError(f"eps is {eps}; a distance above 0 is needed")
    points = list(datapoints)
    if not points:
        raise ValueError("there are no datapoints")
    first = _one(points[0].data, f"datapoint 0 ({points[0].path})")
    given = np.empty((len(points), len(first)))
    for at, point in enumerate(points):
        given[at] = _one(point.data, f"datapoint {at} ({point.path})", len(first))
    scale = standard(given)
    x = scale.of(given).astype(np.float32)
    label, core = kernels.dbscan([x], threshold=_similarity(eps), min_samples=min_samples, metric="proximity")
    clusters = []
    for number in range(int(label.max()) + 1):
        members = np.flatnonzero(label == number)
        own = given[members]
        paths = [points[at].path for at in members]
        clusters.append(Cluster(number, paths, own.mean(axis=0), own.std(axis=0), len(members)))
    noise = [points[at] for at in np.flatnonzero(label < 0)]
    return Album(clusters, noise, scale, eps, x[core], label[core])


def nearest(clusters: Iterable[Cluster], data: Any, radius: float) -> Cluster | None:
    """The cluster whose mean is closest to a new face, if it is within the radius: for clusters of which only that is
    kept. Distances are those of the data as given. None if there is none so close, or no cluster."""
    found = [cluster for cluster in clusters if cluster.mean_encoding is not None]
    if not found:
        return None
    means = np.array([cluster.mean_encoding for cluster in found], np.float64)
    distance = np.linalg.norm(means - _one(data, "data", means.shape[1]), axis=1)
    at = int(distance.argmin())
    return found[at] if distance[at] <= radius else None


def load_datapoints(path: str | Path) -> list[Datapoint]:
    """From an old pickle, without running anything that it names. SourceError if it holds anything else."""
    found = pickled.read(Path(path))
    return [Datapoint(*values) for values in zip(found.vectors, found.labels, found.paths, strict=True)]


def load_clusters(path: str | Path) -> tuple[list[Cluster], list[str]]:
    """From an old pickle, likewise: the clusters, and the paths of what is in none, which those scripts wrote as a
    cluster -1. To go on with them: `nearest`."""
    clusters, noise = list[Cluster](), list[str]()
    for number, paths, mean, deviation, size in pickled.read_clusters(Path(path)):
        if number == -1:
            noise += paths
        else:
            clusters.append(Cluster(number, paths, mean.astype(np.float64), deviation.astype(np.float64), size))
    return clusters, noise


def _similarity(eps: float) -> float:
    return 1 / (1 + eps)


def _one(data: Any, what: str, width: int | None = None) -> np.ndarray:
    """(d,) float64. ValueError for anything else than one row of finite numbers."""
    try:
        x = pickled.vector(data if hasattr(data, "shape") else np.asarray(data, np.float64), what).astype(np.float64)
    except SourceError as error:
        raise ValueError(str(error)) from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: {error}") from None
    if width is not None and len(x) != width:
        raise ValueError(f"{what} has {len(x)} numbers; wanted: {width}, as the first datapoint has")
    if not np.isfinite(x).all():
        raise ValueError(f"{what} holds NaN or infinity")
    return x
