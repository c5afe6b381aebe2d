"""YAML, and settings of the command line, as a tree of plain values; and the words for what is wrong with one."""

import difflib
import io
import json
import math
import os
import shlex
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pixsieve.config.cluster import METHODS, SECTIONS
from pixsieve.errors import ConfigError

CONFIG, COMMITTED = "config.yaml", "manifest/blocks.json"  # what every run folder has, once its source is scanned


def is_run(path: Path) -> bool:
    return os.path.isfile(path / COMMITTED) and os.path.isfile(path / CONFIG)  # noqa: PTH113 (no error where forbidden)


def checked_path(given: str | Path) -> Path:
    """ConfigError for one that is empty, as of a variable that is not set, or that no file of text can hold."""
    text = str(given)
    if not text.strip():
        raise ConfigError("SOURCE is empty: is a variable not set? For the current folder, write .")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"the name {text!a} is not UTF-8: rename it, or make a link to it (ln -s)") from None
    return Path(given)


def parsed(text: str) -> Any:
    """The value of a YAML 1.2 document: `off` and `no` are words, and a key given twice is an error (YAMLError)."""
    return YAML(typ="safe", pure=True).load(text)


def dumped(tree: dict[str, Any]) -> str:
    """As YAML, in the order of the tree."""
    sink, yaml = io.StringIO(), YAML(pure=True)
    yaml.width = 4096
    yaml.dump(tree, sink)
    return sink.getvalue()


def read(path: Path) -> dict[str, Any]:
    try:
        tree = parsed(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {_said(error)}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must hold sections (source:, run:, ...), not {type(tree).__name__}")
    return {name: {} if section is None else section for name, section in tree.items()}


def other_method(tree: dict[str, Any], settings: list[str]) -> None:
    """Where a setting names the method of clustering, the keys of the file that this method does not have go: they were
    meant for the one that it takes the place of."""
    named = [setting.partition("=")[2].strip(" '\"") for setting in settings if setting.startswith("cluster.method=")]
    section = tree.get("cluster")
    if named and named[-1] in SECTIONS and isinstance(section, dict):
        own, every = SECTIONS[named[-1]].model_fields, {key for one in METHODS.values() for key in one.model_fields}
        tree["cluster"] = {key: value for key, value in section.items() if key in own or key not in every}


def renamed(tree: dict[str, Any]) -> None:
    """embed.descriptor of former versions, whose place a model took: embed.copies, which then is the model too."""
    embed = tree.get("embed")
    if isinstance(embed, dict) and "descriptor" in embed:
        former = embed.pop("descriptor")
        embed.setdefault("copies", "model" if embed.get("model") else former)


def assign(tree: dict[str, Any], setting: str) -> None:
    name, equals, text = setting.partition("=")
    section, dot, key = name.partition(".")
    if not (equals and dot and section and key):
        raise ConfigError(f"--set {setting!r}: write section.key=value, for example cluster.similarity=0.9")
    try:
        # Alone, an alias or a tag of YAML means nothing: this is a pattern.
        value = text if text.startswith(("*", "!")) else parsed(text)
    except YAMLError as error:
        raise ConfigError(
            f"--set {setting!r}: the value is not valid YAML: {_said(error)}; text is quoted twice, once for the shell:"
            f" --set {_quoted(name, text)}"
        ) from None
    if not isinstance(tree.setdefault(section, {}), dict):
        raise ConfigError(f"{section}: must be a section of keys")
    tree[section][key] = value


def as_similarities(tree: dict[str, Any]) -> None:
    """Euclidean distances that are given in the place of similarities: cluster.eps, cluster.search.eps (a list),
    duplicates.distance. ConfigError for one that is none, that the metric has no use for, or that the metric needs."""
    euclidean = _get(tree, "embed", "metric") == "euclidean"
    cluster = tree.get("cluster") or {}
    named = cluster.get("method", "auto") if isinstance(cluster, dict) else None
    method = METHODS.get("dbscan" if named == "auto" else str(named))
    if method is not None and "similarity" not in method.model_fields and cluster.get("eps") is not None:
        raise ConfigError(f"cluster.eps: {cluster['method']} has no such key; it is of dbscan, agglomerative")
    for *place, key in (("cluster", "eps"), ("cluster", "search", "eps"), ("duplicates", "distance")):
        section = _get(tree, *place)
        if not isinstance(section, dict) or section.get(key) is None:
            continue
        given, name = section.pop(key), ".".join((*place, key))
        if not euclidean:
            raise ConfigError(f"{name} is a Euclidean distance, for embed.metric=euclidean; give similarity instead")
        many = isinstance(given, list) and "search" in place
        found = [_similarity(name, one) for one in (given if many else [given])]
        section["similarity"] = found if many else found[0]
    reads = method is not None and "similarity" in method.model_fields and not cluster.get("n_clusters")
    if euclidean and reads and not cluster.get("similarity") and not cluster.get("search"):
        raise ConfigError(
            "embed.metric euclidean has no usual distance: set cluster.eps, or cluster.method=hdbscan, which needs none"
        )


def _get(tree: Any, *keys: str) -> Any:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _similarity(name: str, distance: Any) -> float:
    if isinstance(distance, bool) or not isinstance(distance, int | float) or not 0 <= distance < math.inf:
        raise ConfigError(f"{name} must be a distance, 0 or more (given: {distance!r})")
    return 1 / (1 + distance)


def _quoted(name: str, text: str) -> str:
    """A setting whose value YAML takes for text, as a shell is given it."""
    return shlex.quote(f"{name}={json.dumps(text, ensure_ascii=False)}")


def _said(error: Exception) -> str:
    """What is wrong and where, without the advice for programmers that follows it."""
    if not isinstance(error, MarkedYAMLError):
        return str(error)
    where = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
    return f"{error.problem or error}{where}"


def explain(model: type[BaseModel], error: Any) -> str:
    """An error of pydantic about a tree, in one line that begins with the key."""
    loc = list(error["loc"])
    kind: Any = model
    if loc[:1] == ["cluster"]:
        # Behind the section stands the method, which is no key.
        kind, loc = SECTIONS[loc[1]] if len(loc) > 1 else model, [loc[0], *loc[2:]]
    where = ".".join(map(str, loc))
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "union_tag_invalid":
        return f"{where}.method: there is no {error['ctx']['tag']!r}; known: {', '.join(SECTIONS)}"
    if error["type"] == "union_tag_not_found":
        return f"{where}: must be a section with a method; known: {', '.join(SECTIONS)}"
    if error["type"] == "extra_forbidden":
        return f"{where}: {_unknown(kind, loc)}"
    if error["type"] == "missing":
        return f"{where}: missing"
    if not where or (error["type"] == "value_error" and isinstance(error["input"], dict)):
        return message
    shown = "" if isinstance(error["input"], dict) else f" (given: {error['input']!r})"
    if error["type"] == "string_type" and error["input"] is not None:
        shown += f"; text that YAML takes for something else is quoted, with --set twice: {_quoted(where, '...')}"
    return f"{where}: {message[0].lower()}{message[1:]}{shown}"


def _unknown(kind: Any, loc: list[Any]) -> str:
    """What to say of a key that a section does not have. kind: the model of the whole, or of a method's section."""
    key, of_method = str(loc[-1]), kind in SECTIONS.values()
    others = [name for name, other in METHODS.items() if key in other.model_fields]
    if of_method and len(loc) == 2 and others:
        method = next(name for name, other in SECTIONS.items() if other is kind)
        return f"{method} has no such key; it is of {', '.join(others)}"
    fields: Any = kind.model_fields
    for part in loc[1 if of_method else 0 : -1]:
        inner = fields[part].annotation
        fields = next(k for k in (inner, *get_args(inner)) if hasattr(k, "model_fields")).model_fields
    return f"unknown key; nearest known: {difflib.get_close_matches(key, fields, n=1, cutoff=0)[0]}"
