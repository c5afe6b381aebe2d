"""The configuration: strict YAML in, one frozen value out."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from pixsieve.config import keep_rules
from pixsieve.config.load import assign, dumped, explain, read
from pixsieve.errors import ConfigError

Similarity = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(min_length=1)]
T = TypeVar("T")
Choices = Annotated[list[T], Field(min_length=1)] | None
DENSITY = ("dbscan", "hdbscan")
MOST_SAMPLES = 256  # the kernels list so many neighbours of a row, of which one may be the row itself


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Source(Section):
    path: Name
    pattern: str | Annotated[list[str], Field(min_length=1)] = "**/*"
    format: Literal["auto", "folder", "vectors"] = "auto"
    metadata: Name | None = None  # a .csv or .parquet file with a column `key`
    label: Name | None = None  # a column of it, or folder; null: its column `label`, else what the source says
    split: Name | None = None  # a column of it, or folder; null: its column `split`


class RunFolder(Section):
    path: Name
    batch_rows: Positive = 8192
    block_rows: Positive | None = None  # rows in each side of a pair unit; blocks already made keep their size
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0  # of everything that draws: samples, centres to begin with


class Embed(Section):
    descriptor: Name = "dct"
    model: str | None = None  # a torchvision network; takes the place of the descriptor
    weights: str | None = None  # a file, or torchvision's name of the weights
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # of a model; auto: bfloat16 on a GPU
    batch_size: Positive = 256
    max_pixels: Positive = 178_956_970  # above: status too_large, never decoded
    max_file_mb: Positive = 1024  # above: status too_large, never read
    read_ahead_mb: Positive = 256  # bytes of encoded images in flight, at most (one larger file goes alone)


Method = Literal["dbscan", "hdbscan", "kmeans", "agglomerative", "gaussian_mixture"]
Selection = Literal["eom", "leaf"]
Linkage = Literal["single", "complete", "average", "ward"]
Covariance = Literal["full", "tied", "diag", "spherical"]
ClusterSize = Annotated[int, Field(ge=2)]


class Search(Section):
    """Lists of values; every combination is a candidate, and the scores of a sample choose one."""

    method: Choices[Method] = None
    similarity: Choices[Similarity] = None
    min_samples: Choices[Positive] = None
    min_cluster_size: Choices[ClusterSize] = None
    selection: Choices[Selection] = None
    n_clusters: Choices[Positive] = None
    linkage: Choices[Linkage] = None
    covariance: Choices[Covariance] = None
    rule: Literal["robust", "minmax"] = "robust"
    per: Literal["run", "batch"] = "run"  # one choice for the run, or each batch its own
    rows: Annotated[int, Field(ge=2)] = 8192  # of the run, drawn once: what each candidate is tried on
    sample: Annotated[int, Field(ge=2)] = 4096  # of these rows, at most: what is scored

    @property
    def lists(self) -> dict[str, list[Any]]:
        """What is searched over, in the order of the keys."""
        found = {name: getattr(self, name) for name in SEARCHED}
        return {name: values for name, values in found.items() if values is not None}


SEARCHED = (
    "method",
    "similarity",
    "min_samples",
    "min_cluster_size",
    "selection",
    "n_clusters",
    "linkage",
    "covariance",
)


class Cluster(Section):
    method: Method = "dbscan"
    similarity: Similarity = 0.90  # dbscan, and agglomerative without n_clusters
    min_samples: Positive = 5  # dbscan, hdbscan
    min_cluster_size: ClusterSize = 5  # hdbscan
    selection: Selection = "eom"  # hdbscan
    n_clusters: Positive | None = None  # kmeans, gaussian_mixture, agglomerative
    linkage: Linkage = "average"  # agglomerative
    covariance: Covariance = "diag"  # gaussian_mixture
    search: Search | None = None

    @property
    def methods(self) -> list[Method]:
        """All that may be used."""
        return (self.search and self.search.method) or [self.method]


class Match(Section):
    # auto: exact for the density methods, representatives for the others
    mode: Literal["auto", "exact", "representatives", "off"] = "auto"
    representatives: Positive = 16  # of a cluster of a batch, at most
    max_unresolved: Annotated[float, Field(ge=0, le=1)] = 0.3  # of the dense rows; representatives refuse above it
    sample: Annotated[int, Field(ge=2)] = 8192  # rows of the check that says how well representatives did


KeepRule = Annotated[str, AfterValidator(keep_rules.rule)]


class Duplicates(Section):
    similarity: Similarity | None = None  # null: the descriptor's own tested constant
    keep: list[KeepRule] = ["resolution", "bytes", "key"]
    symmetries: bool = False  # mirrored and rotated copies, too
    adaptive: Annotated[float, Field(ge=0)] | None = None  # near is so many times the usual distance in the cluster
    prefer: Choices[Name] = None  # splits: rows of an earlier one are kept rather
    max_pairs: Positive = (
        5_000_000  # of one pair unit; above it only the best of each row are kept, and the report says so
    )


class Outliers(Section):
    neighbours: Annotated[int, Field(ge=1, le=255)] = 10
    rule: Literal["robust", "dataeval"] = "robust"
    sensitivity: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0  # of robust: deviations count so many times


class Workers(Section):
    kind: Literal["inline", "local", "attach"] = "inline"
    device: Literal["auto", "cpu", "gpu"] = "auto"
    n: Positive | None = None  # local: processes; null: one for each GPU, or for each core
    scheduler_file: str | None = None  # attach; null: DASK_SCHEDULER_ADDRESS
    retries: Annotated[int, Field(ge=0)] = 1


class Config(Section):
    source: Source
    run: RunFolder
    embed: Embed = Embed()
    cluster: Cluster = Cluster()
    match: Match = Match()
    duplicates: Duplicates = Duplicates()
    outliers: Outliers = Outliers()
    workers: Workers = Workers()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        methods, search = self.cluster.methods, self.cluster.search
        partitions = [method for method in methods if method not in DENSITY]
        if partitions and self.match.mode == "exact":
            raise ValueError(
                f"match.mode 'exact' is for {' and '.join(DENSITY)}, not for {partitions[0]}; use 'representatives'"
            )
        mixed = len({method in DENSITY for method in methods}) > 1
        if mixed and self.match.mode == "auto" and not (search and search.per == "batch"):
            raise ValueError("cluster.search.method holds density methods and others; set match.mode")
        for method in ("kmeans", "gaussian_mixture"):
            if method in methods and not (self.cluster.n_clusters or (search and search.n_clusters)):
                raise ValueError(f"cluster.method {method!r} needs cluster.n_clusters")
        if search and not search.lists:
            raise ValueError("cluster.search has no list to search over; for example similarity: [0.85, 0.9]")
        if search and search.per == "batch" and self.matching == "exact":
            raise ValueError("cluster.search.per 'batch' gives batches clusters of their own kind: no match is exact")
        most = max((search and search.min_samples) or [self.cluster.min_samples])
        if "hdbscan" in methods and most > MOST_SAMPLES:
            raise ValueError(f"cluster.min_samples is {most}; hdbscan takes at most {MOST_SAMPLES}")
        if self.duplicates.symmetries and self.embed.model:
            raise ValueError("duplicates.symmetries is for the descriptor dct, not for embed.model")
        if self.embed.weights and not self.embed.model:
            raise ValueError("embed.weights is given but embed.model is not")
        named = [(f"source.{what}", getattr(self.source, what)) for what in ("label", "split")]
        named = [(where, column) for where, column in named if column not in (None, "folder")]
        named += [("duplicates.keep", column) for column in keep_rules.columns(self.duplicates.keep)]
        if named and self.source.metadata is None:
            raise ValueError(f"{named[0][0]} names the column {named[0][1]!r}, but source.metadata is not given")
        return self

    @property
    def matching(self) -> Literal["exact", "representatives", "off"]:
        """What match.mode comes to."""
        if self.match.mode != "auto":
            return self.match.mode
        own = self.cluster.search is not None and self.cluster.search.per == "batch"
        return "exact" if self.cluster.methods[0] in DENSITY and not own else "representatives"

    @classmethod
    def load(cls, source: str | Path, *, out: str | Path | None = None, settings: list[str] | None = None) -> Self:
        """From a YAML file, or from defaults with `source` as the folder (or file of vectors) to audit.

        out: the run folder; default: the config's, else runs/<name of the source>. settings: "section.key=value", the
        value in YAML. Raises ConfigError.
        """
        path = Path(source)
        tree = read(path) if path.suffix in (".yaml", ".yml") else {"source": {"path": str(source)}}
        for setting in settings or []:
            assign(tree, setting)
        if out is not None:
            assign(tree, f"run.path={json.dumps(str(out))}")
        place = tree.get("source")
        if isinstance(place, dict) and isinstance(place.get("path"), str):
            place["path"] = str(Path(place["path"]).absolute())
            if isinstance(tree.setdefault("run", {}), dict):
                tree["run"].setdefault("path", f"runs/{Path(place['path']).name}")
        for section, key in (("run", "path"), ("source", "metadata"), ("embed", "weights")):
            place = tree.get(section)
            # The name of torchvision's weights is no path.
            if (
                isinstance(place, dict)
                and isinstance(place.get(key), str)
                and (key != "weights" or Path(place[key]).exists())
            ):
                place[key] = str(Path(place[key]).absolute())
        return cls.parse(tree)

    @classmethod
    def parse(cls, tree: dict[str, Any]) -> Self:
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            raise ConfigError("\n".join(explain(cls, e) for e in error.errors())) from None

    def values(self, *names: str) -> dict[str, Any]:
        """Of settings "section.key", by these names."""
        return {name: getattr(getattr(self, name.split(".")[0]), name.split(".")[1]) for name in names}

    def dump(self) -> str:
        return dumped(self.model_dump())
