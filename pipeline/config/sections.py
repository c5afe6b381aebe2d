"""The configuration: strict YAML in, one frozen value out."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from pixsieve.config import keep_rules
from pixsieve.config.cluster import METHODS, SECTIONS, Auto, Cluster, candidates
from pixsieve.config.load import (
    CONFIG,
    as_similarities,
    assign,
    checked_path,
    dumped,
    explain,
    is_run,
    other_method,
    read,
    renamed,
)
from pixsieve.config.section import Choices, Name, Positive, Section, Similarity, View
from pixsieve.errors import ConfigError


def _without_exceptions(patterns: str | list[str]) -> str | list[str]:
    for one in [patterns] if isinstance(patterns, str) else patterns:
        if one.startswith("!") and not one.startswith("!("):
            raise ValueError(f"{one!r} begins with !, which is for source.pattern: what is excluded has no exceptions")
    return patterns


AUTO, FOLDER, NONE = "auto", "folder", "none"  # words where a column of the metadata could be named
# Keys that may hold a path, relative to where the program was called; source.path beside them.
PATHS = (("run", "path"), ("source", "metadata"), ("source", "images"), ("embed", "model"), ("embed", "weights"))
# null is what configurations of before have for auto.
Asked = Annotated[Name, BeforeValidator(lambda asked: AUTO if asked is None else asked)]


def _normalise(asked: str) -> str:
    if not re.fullmatch(r"auto|l2|(centre|whiten)(:[1-9][0-9]{0,5})?", asked):
        raise ValueError("one of auto, l2, centre, centre:DIMS, whiten, whiten:DIMS; for example centre:256")
    return asked


def is_model_file(model: str) -> bool:
    """Whether embed.model is a path, of a file of ONNX or of TorchScript, rather than a name."""
    return model.lower().endswith((".onnx", ".pt", ".pth", ".torchscript"))


def _is_path(key: str, value: str) -> bool:
    """Rather than the name of a network, or of a library's weights."""
    return is_model_file(value) if key == "model" else key != "weights" or Path(value).exists()


class Source(Section):
    path: Name
    pattern: str | Annotated[list[str], Field(min_length=1)] | None = None  # null: what is a picture
    # Files and folders that are left out, whatever the pattern says.
    exclude: Annotated[str | Annotated[list[str], Field(min_length=1)], AfterValidator(_without_exceptions)] | None = (
        None
    )
    format: Literal["auto", "folder", "vectors"] = "auto"
    max_removed: Annotated[float, Field(ge=0, le=1)] = 0.5  # of the rows; a scan that would remove more stops
    verify: Literal["never", "sample", "always"] = "never"  # by their bytes: files whose size and times are the same
    metadata: Name | None = None  # a .csv or .parquet file with a column `key`
    images: Name | None = None  # of given vectors: a folder in which their keys are paths of images, to be shown
    # A column of it, folder, none; auto: its column `label` (`split`), else folders that look like classes (that are
    # called train, val, test).
    label: Asked = "auto"
    split: Asked = "auto"


class RunFolder(Section):
    path: Name
    batch_rows: Positive = 8192
    block_rows: Positive | None = None  # rows in each side of a pair unit; changed, blocks are cut anew
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0  # of everything that draws: samples, centres to begin with


class Embed(Section):
    copies: Name = "dct"  # the descriptor that copies are found by; model: the network
    # What clusters, outliers and labels are found by: lite0, another network or its file (pipeline/models); auto: lite0
    # where it is installed
    model: str | None = AUTO
    weights: str | None = None  # a file, or the library's name of the weights
    image_size: Annotated[int, Field(ge=16, le=4096)] | None = None  # pixels a side that a model sees; null: its own
    # What its features are made comparable by: l2, centre[:DIMS], whiten[:DIMS]; auto: centre:256 beside a descriptor
    normalise: Annotated[str, AfterValidator(_normalise)] = AUTO
    metric: Literal["cosine", "euclidean"] = "cosine"  # of given vectors
    scale: Literal["none", "standard", "robust"] = "none"  # of given vectors: each column, over all rows
    dtype: Literal["auto", "float16", "float32"] = "auto"  # given vectors are kept in; auto: float32 of euclidean
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # of a model; auto: bfloat16 on a GPU
    batch_size: Positive = 256
    max_pixels: Positive = 178_956_970  # above: status too_large, never decoded
    max_file_mb: Positive = 1024  # above: status too_large, never read
    max_decode_mb: Positive = 4096  # of memory to decode one image: status too_large where it takes more
    read_ahead_mb: Positive = 256  # bytes of encoded images in flight, at most (one larger file goes alone)

    @property
    def apart(self) -> bool:
        """Whether images are seen by two descriptors."""
        return self.model is not None and self.copies != "model"


class Match(Section):
    # auto: exact for the density methods, representatives for the others
    mode: Literal["auto", "exact", "representatives", "off"] = "auto"
    representatives: Positive = 16  # of a cluster of a batch, at most
    max_unresolved: Annotated[float, Field(ge=0, le=1)] = 0.3  # of the dense rows; representatives refuse above it
    sample: Annotated[int, Field(ge=2)] = 8192  # rows of the check that says how well representatives did


KeepRule = Annotated[str, AfterValidator(keep_rules.rule)]


class Duplicates(Section):
    by: View = "copies"
    similarity: Similarity | None = None  # null: the descriptor's own tested constant
    keep: list[KeepRule] = Field(default=["original", "resolution", "bytes", "name", "key"])
    symmetries: bool = False  # mirrored and rotated copies, too
    adaptive: Annotated[float, Field(ge=0)] | None = None  # near is so many times the usual distance in the cluster
    look_alike: Similarity | None = None  # to the model, of pictures that are no copies; null: the model's own
    burst_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0  # between frames of a burst, by EXIF or `time`
    prefer: Choices[Name] = None  # splits: rows of an earlier one are kept rather
    max_pairs: Positive = (
        5_000_000  # of one pair unit; above it only the best of each row are kept, and the report says so
    )


class Mislabels(Section):
    by: View = "model"
    # auto: where the descriptor knows what an image shows; of one that knows copies only, neighbours say nothing
    find: Literal["auto", "always", "never"] = "auto"


class Outliers(Section):
    by: View = "model"
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
    cluster: Cluster = Auto()
    match: Match = Match()
    duplicates: Duplicates = Duplicates()
    outliers: Outliers = Outliers()
    mislabels: Mislabels = Mislabels()
    workers: Workers = Workers()

    @model_validator(mode="after")
    def _matching_fits(self) -> Self:
        search = self.cluster.search
        kinds = {SECTIONS[name].exact: name for name in reversed(self.methods)}
        if self.match.mode == "exact" and False in kinds:
            exact = ", ".join(name for name, method in METHODS.items() if method.exact)
            raise ValueError(f"match.mode 'exact' is for {exact}, not for {kinds[False]}; use 'representatives'")
        if self.matching == "representatives" and "leiden" in self.methods:
            raise ValueError("match.mode 'representatives' is not for leiden, whose clusters are exact at no more cost")
        own = search is not None and search.per == "batch"
        if len(kinds) > 1 and self.match.mode == "auto" and not own:
            raise ValueError("cluster.search.method holds methods that are matched exactly and others; set match.mode")
        if self.matching == "representatives" and self.match.max_unresolved < 1 and "hdbscan" in self.methods:
            raise ValueError(
                "match.mode 'representatives' loses what cannot be predicted of hdbscan: use 'exact', or allow anything"
                " by match.max_unresolved: 1"
            )
        if own and self.matching == "exact":
            raise ValueError("cluster.search.per 'batch' gives batches clusters of their own kind: no match is exact")
        try:
            candidates(self.cluster)
        except ValidationError as error:
            wrong = error.errors()[0]
            key = f"cluster.{wrong['loc'][-1]}: " if len(wrong["loc"]) > 1 else ""
            raise ValueError(f"{key}{wrong['msg'].removeprefix('Value error, ')} ({wrong['loc'][0]})") from None
        return self

    @model_validator(mode="after")
    def _weights_have_a_model(self) -> Self:
        if self.embed.weights and self.embed.model in (None, AUTO):
            raise ValueError("embed.weights is given but embed.model is not: name the model, too")
        if self.embed.image_size and self.embed.model is None:
            raise ValueError("embed.image_size is given but embed.model is not")
        return self

    @model_validator(mode="after")
    def _columns_have_a_table(self) -> Self:
        named = [(f"source.{what}", getattr(self.source, what)) for what in ("label", "split")]
        named = [(where, column) for where, column in named if column not in (AUTO, FOLDER, NONE)]
        named += [("duplicates.keep", column) for column in keep_rules.columns(self.duplicates.keep)]
        if named and self.source.metadata is None:
            raise ValueError(f"{named[0][0]} names the column {named[0][1]!r}, but source.metadata is not given")
        return self

    @classmethod
    def keys(cls) -> dict[str, list[str]]:
        """The keys of each section, of all methods of clustering."""
        models: dict[str, Any] = {name: [field.annotation] for name, field in cls.model_fields.items()}
        models["cluster"] = METHODS.values()
        return {name: [*dict.fromkeys(key for one in of for key in one.model_fields)] for name, of in models.items()}

    @property
    def methods(self) -> Sequence[str]:
        """All that may be used, as asked for."""
        search = self.cluster.search
        return (search and search.method) or [self.cluster.method]

    @property
    def matching(self) -> Literal["exact", "representatives", "off"]:
        """What match.mode comes to."""
        if self.match.mode != "auto":
            return self.match.mode
        own = self.cluster.search is not None and self.cluster.search.per == "batch"
        return "exact" if SECTIONS[self.methods[0]].exact and not own else "representatives"

    @classmethod
    def load(cls, source: str | Path, *, out: str | Path | None = None, settings: list[str] | None = None) -> Self:
        """From a YAML file; from a run folder, to continue it as it was asked for; or from defaults with `source` as
        the folder (or file of vectors) to audit.

        out: the run folder; default: the config's, else runs/<name of the source>. settings: "section.key=value", the
        value in YAML. Raises ConfigError.
        """
        path = checked_path(source)
        if is_run(path):
            tree = read(path / CONFIG)
            tree["run"] = tree.get("run", {}) | {"path": str(path.absolute())}
        else:
            tree = read(path) if path.suffix in (".yaml", ".yml") else {"source": {"path": str(source)}}
        renamed(tree)
        other_method(tree, settings or [])
        for setting in settings or []:
            assign(tree, setting)
        if out is not None:
            assign(tree, f"run.path={json.dumps(str(checked_path(out)))}")
        as_similarities(tree)
        place = tree.get("source")
        if isinstance(place, dict) and isinstance(place.get("path"), str):
            place["path"] = str(Path(place["path"]).absolute())
            if isinstance(tree.setdefault("run", {}), dict):
                tree["run"].setdefault("path", f"runs/{Path(place['path']).name}")
        for section, key in PATHS:
            place = tree.get(section)
            if isinstance(place, dict) and isinstance(place.get(key), str) and _is_path(key, place[key]):
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
