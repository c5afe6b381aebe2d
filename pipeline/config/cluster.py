"""The section `cluster`: a model for each method of clustering, told apart by `method`.

To add a method: its model, its name in METHODS, and its module in clusterers/.
"""

from collections.abc import Mapping
from itertools import product
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, TypeAdapter, model_validator

from pixsieve.config.section import Choices, Positive, Section, Similarity, View

MOST_SAMPLES = 256  # the kernels list so many neighbours of a row, of which one may be the row itself
ClusterSize = Annotated[int, Field(ge=2)]
Neighbours = Annotated[int, Field(ge=2, le=255)]
Resolution = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Selection = Literal["eom", "leaf"]
Linkage = Literal["single", "complete", "average", "ward"]
Covariance = Literal["full", "tied", "diag", "spherical"]
Method = Literal["dbscan", "hdbscan", "leiden", "kmeans", "agglomerative", "gaussian_mixture"]


class Search(Section):
    """Lists of values; every combination is a candidate, and the scores of a sample choose one."""

    method: Choices[Method] = None
    similarity: Choices[Similarity] = None
    min_samples: Choices[Positive] = None
    min_cluster_size: Choices[ClusterSize] = None
    selection: Choices[Selection] = None
    max_cluster_size: Choices[ClusterSize] = None
    allow_single_cluster: Choices[bool] = None
    neighbours: Choices[Neighbours] = None
    resolution: Choices[Resolution] = None
    n_clusters: Choices[Positive] = None
    max_iter: Choices[Positive] = None
    linkage: Choices[Linkage] = None
    covariance: Choices[Covariance] = None
    rule: Literal["robust", "minmax"] = "robust"
    per: Literal["run", "batch"] = "run"  # one choice for the run, or each batch its own
    rows: Annotated[int, Field(ge=2)] = 8192  # of the run, drawn once: what each candidate is tried on
    sample: Annotated[int, Field(ge=2)] = 4096  # of these rows, at most: what is scored

    @property
    def lists(self) -> dict[str, list[Any]]:
        """What is searched over, in the order of the keys."""
        found = self.model_dump(exclude={"rule", "per", "rows", "sample"})
        return {name: values for name, values in found.items() if values is not None}

    @model_validator(mode="after")
    def _searches(self) -> Self:
        if not self.lists:
            raise ValueError("cluster.search has no list to search over; for example similarity: [0.85, 0.9]")
        return self


class Clusterer(Section):
    """What the methods share."""

    density: ClassVar[bool] = False  # dense rows make clusters, others may be in none
    exact: ClassVar[bool] = False  # whether the clusters of the whole can be had whatever the batches
    draws: ClassVar[bool] = False  # begins with a random choice

    method: str
    by: View = "model"
    search: Search | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The method, and what it depends on."""
        return self.model_dump(exclude={"by", "search"}, exclude_none=True)

    @property
    def together(self) -> bool:
        """Whether equal rows may be taken for one with a weight."""
        return True

    def thinned(self, share: float) -> Self:
        """The settings for a sample of this share of the rows: a row keeps that share of its neighbours, and a cluster
        of its rows."""
        least = {
            "min_samples": lambda value: min(value, max(2, round((value - 1) * share) + 1)),
            "min_cluster_size": lambda value: max(2, round(value * share)),
            "max_cluster_size": lambda value: value and max(2, round(value * share)),
        }
        own = {name: of(getattr(self, name)) for name, of in least.items() if name in type(self).model_fields}
        return self.model_copy(update=own)


class Auto(Clusterer):
    """What auto.py decides."""

    exact = True

    method: Literal["auto"] = "auto"


class Dbscan(Clusterer):
    density = True
    exact = True

    method: Literal["dbscan"] = "dbscan"
    similarity: Similarity = 0.90
    min_samples: Positive = 5  # the row itself counts


class Hdbscan(Clusterer):
    density = True
    exact = True

    method: Literal["hdbscan"] = "hdbscan"
    min_cluster_size: ClusterSize = 5
    min_samples: Annotated[int, Field(ge=1, le=MOST_SAMPLES)] = 5
    selection: Selection = "eom"
    max_cluster_size: ClusterSize | None = None  # eom passes over larger ones, and takes those inside them
    allow_single_cluster: bool = False  # eom may choose the whole, if that is the most stable

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.selection == "leaf" and (self.max_cluster_size or self.allow_single_cluster):
            raise ValueError("cluster.max_cluster_size and cluster.allow_single_cluster are for selection 'eom'")
        if self.max_cluster_size is not None and self.max_cluster_size < self.min_cluster_size:
            raise ValueError("cluster.max_cluster_size is less than cluster.min_cluster_size: no cluster is left")
        return self


class Leiden(Clusterer):
    """Communities of the graph of nearest neighbours."""

    exact = True
    draws = True

    method: Literal["leiden"] = "leiden"
    neighbours: Neighbours = 10
    resolution: Resolution = 2.0  # more: more clusters, and smaller ones
    min_cluster_size: ClusterSize = 5  # the rows of smaller ones are in none


class Partition(Clusterer):
    """Into as many clusters as are asked for, by `n_clusters` or a list of them to search over."""

    draws = True

    n_clusters: Positive | None = None

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if not (self.n_clusters or (self.search and self.search.n_clusters)):
            raise ValueError(f"cluster.method {self.method!r} needs cluster.n_clusters")
        return self


class Kmeans(Partition):
    method: Literal["kmeans"] = "kmeans"
    max_iter: Positive = 300


class GaussianMixture(Partition):
    method: Literal["gaussian_mixture"] = "gaussian_mixture"
    covariance: Covariance = "diag"
    max_iter: Positive = 100

    @property
    def together(self) -> bool:
        return False


class Agglomerative(Clusterer):
    method: Literal["agglomerative"] = "agglomerative"
    linkage: Linkage = "average"
    n_clusters: Positive | None = None
    similarity: Similarity = 0.90  # where n_clusters is null: all merges up to it

    @property
    def parameters(self) -> dict[str, Any]:
        without = {"search", "similarity" if self.n_clusters else "n_clusters"}
        return self.model_dump(exclude=without, exclude_none=True)

    @property
    def together(self) -> bool:
        return self.linkage in ("single", "complete")


METHODS: dict[str, type[Clusterer]] = {
    "dbscan": Dbscan,
    "hdbscan": Hdbscan,
    "leiden": Leiden,
    "kmeans": Kmeans,
    "agglomerative": Agglomerative,
    "gaussian_mixture": GaussianMixture,
}
SECTIONS: dict[str, type[Clusterer]] = {"auto": Auto, **METHODS}


def _method(section: Any) -> Any:
    """A section without a method is that of dbscan, unless it leaves everything open."""
    if not isinstance(section, Mapping):
        return getattr(section, "method", None)
    open_ = section.keys() <= Auto.model_fields.keys() and section.get("search") is None
    return section.get("method", "auto" if open_ else "dbscan")


Cluster = Annotated[
    Annotated[Auto, Tag("auto")]
    | Annotated[Dbscan, Tag("dbscan")]
    | Annotated[Hdbscan, Tag("hdbscan")]
    | Annotated[Leiden, Tag("leiden")]
    | Annotated[Kmeans, Tag("kmeans")]
    | Annotated[Agglomerative, Tag("agglomerative")]
    | Annotated[GaussianMixture, Tag("gaussian_mixture")],
    Discriminator(_method),
]
_CLUSTER: TypeAdapter[Any] = TypeAdapter(Cluster)


def settings_of(section: Mapping[str, Any]) -> Any:
    """The model of a section. ValidationError where it is none."""
    return _CLUSTER.validate_python(dict(section))


def candidates(settings: Clusterer) -> list[Any]:
    """Every combination of the lists of `search`, in their order, without those that come to the same. A key that the
    method of a candidate does not have is nothing to it."""
    lists = settings.search.lists if settings.search else {}
    base, found, seen = settings.model_dump(exclude={"search"}), [], set()
    for values in product(*lists.values()):
        whole = base | dict(zip(lists, values, strict=True))
        one = settings_of({key: value for key, value in whole.items() if key in SECTIONS[whole["method"]].model_fields})
        if (what := str(one.parameters)) not in seen:
            seen.add(what)
            found.append(one)
    return found
