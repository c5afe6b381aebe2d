"""The configuration: strict YAML in, one frozen value out."""

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Similarity = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[int, Field(ge=1)]


class ConfigError(ValueError):
    """Wrong use or configuration: the message says what to change. The command line ends with 2."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Source(Section):
    path: Annotated[str, Field(min_length=1)]
    pattern: str = "**/*"
    format: Literal["auto", "folder", "vectors"] = "auto"


class RunFolder(Section):
    path: Annotated[str, Field(min_length=1)]
    batch_rows: Positive = 8192
    block_rows: Positive | None = None  # rows in each side of a pair unit; blocks already made keep their size


class Embed(Section):
    descriptor: Literal["dct"] = "dct"
    model: str | None = None  # a torchvision network; takes the place of the descriptor
    weights: str | None = None  # a file, or torchvision's name of the weights
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # of a model; auto: bfloat16 on a GPU
    batch_size: Positive = 256
    max_pixels: Positive = 178_956_970  # above: status too_large, never decoded
    max_file_mb: Positive = 1024  # above: status too_large, never read
    read_ahead_mb: Positive = 256  # bytes of encoded images in flight, at most (one larger file goes alone)


class Cluster(Section):
    method: Literal["dbscan", "hdbscan"] = "dbscan"
    similarity: Similarity = 0.90
    min_samples: Positive = 5
    min_cluster_size: Annotated[int, Field(ge=2)] = 5  # hdbscan


class Match(Section):
    mode: Literal["exact", "off"] = "exact"


KeepRule = Literal["resolution", "bytes", "key"]


class Duplicates(Section):
    similarity: Similarity | None = None  # null: the descriptor's own tested constant
    keep: list[KeepRule] = ["resolution", "bytes", "key"]
    max_pairs: Positive = (
        5_000_000  # of one pair unit; above it only the best of each row are kept, and the report says so
    )


class Outliers(Section):
    neighbours: Annotated[int, Field(ge=1, le=255)] = 10


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
        if self.cluster.method == "hdbscan" and self.match.mode == "exact":
            raise ValueError("match.mode 'exact' is for cluster.method 'dbscan'; set match.mode to 'off' for hdbscan")
        if self.embed.weights and not self.embed.model:
            raise ValueError("embed.weights is given but embed.model is not")
        return self

    @classmethod
    def load(cls, source: str | Path, *, out: str | Path | None = None, settings: list[str] | None = None) -> Self:
        """From a YAML file, or from defaults with `source` as the folder (or file of vectors) to audit.

        out: the run folder; default: the config's, else runs/<name of the source>. settings: "section.key=value", the
        value in YAML. Raises ConfigError.
        """
        path = Path(source)
        tree = _read(path) if path.suffix in (".yaml", ".yml") else {"source": {"path": str(source)}}
        for setting in settings or []:
            _set(tree, setting)
        if out is not None:
            _set(tree, f"run.path={json.dumps(str(out))}")
        place = tree.get("source")
        if isinstance(place, dict) and isinstance(place.get("path"), str):
            place["path"] = str(Path(place["path"]).absolute())
            if isinstance(tree.setdefault("run", {}), dict):
                tree["run"].setdefault("path", f"runs/{Path(place['path']).name}")
        for section, key in (("run", "path"), ("embed", "weights")):
            place = tree.get(section)
            # The name of torchvision's weights is no path.
            if (
                isinstance(place, dict)
                and isinstance(place.get(key), str)
                and (key == "path" or Path(place[key]).exists())
            ):
                place[key] = str(Path(place[key]).absolute())
        return cls.parse(tree)

    @classmethod
    def parse(cls, tree: dict[str, Any]) -> Self:
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            raise ConfigError("\n".join(_explain(cls, e) for e in error.errors())) from None

    def value(self, name: str) -> Any:
        """The value of "section.key"."""
        section, key = name.split(".")
        return getattr(getattr(self, section), key)

    def dump(self) -> str:
        return yaml.safe_dump(self.model_dump(), sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """YAML in which a key given twice is an error instead of the last one winning, and in which `off` is a word, as in
    YAML 1.2, and not a boolean."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (as PyYAML declares it)
        first: [(tag, form) for tag, form in forms if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    pairs = [(loader.construct_object(k, deep=True), loader.construct_object(v, deep=True)) for k, v in node.value]
    names = [k for k, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} stands there twice", node.start_mark)
    return dict(pairs)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _read(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.load(path.read_text("utf-8"), _Loader)
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must hold sections (source:, run:, ...), not {type(tree).__name__}")
    return {name: {} if section is None else section for name, section in tree.items()}


def _set(tree: dict[str, Any], setting: str) -> None:
    name, equals, text = setting.partition("=")
    section, dot, key = name.partition(".")
    if not (equals and dot and section and key):
        raise ConfigError(f"--set {setting!r}: write section.key=value, for example cluster.similarity=0.9")
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {setting!r}: the value is not valid YAML: {error}") from None
    if not isinstance(tree.setdefault(section, {}), dict):
        raise ConfigError(f"{section}: must be a section of keys")
    tree[section][key] = value


def _explain(model: type[BaseModel], error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        fields: Any = model.model_fields
        for part in error["loc"][:-1]:
            fields = fields[part].annotation.model_fields
        near = difflib.get_close_matches(str(error["loc"][-1]), fields, n=1, cutoff=0)
        return f"{where}: unknown key; nearest known: {near[0]}"
    if error["type"] == "missing":
        return f"{where}: missing"
    message = error["msg"].removeprefix("Value error, ")
    if not where:
        return message
    shown = "" if isinstance(error["input"], dict) else f" (given: {error['input']!r})"
    return f"{where}: {message[0].lower()}{message[1:]}{shown}"
