"""YAML, and settings of the command line, as a tree of plain values; and the words for what is wrong with one."""

import difflib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel

from pixsieve.errors import ConfigError


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


def read(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.load(path.read_text("utf-8"), _Loader)
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must hold sections (source:, run:, ...), not {type(tree).__name__}")
    return {name: {} if section is None else section for name, section in tree.items()}


def assign(tree: dict[str, Any], setting: str) -> None:
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


def explain(model: type[BaseModel], error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        fields: Any = model.model_fields
        for part in error["loc"][:-1]:
            kind = fields[part].annotation
            fields = next(k for k in (kind, *get_args(kind)) if hasattr(k, "model_fields")).model_fields
        near = difflib.get_close_matches(str(error["loc"][-1]), fields, n=1, cutoff=0)
        return f"{where}: unknown key; nearest known: {near[0]}"
    if error["type"] == "missing":
        return f"{where}: missing"
    message = error["msg"].removeprefix("Value error, ")
    if not where:
        return message
    shown = "" if isinstance(error["input"], dict) else f" (given: {error['input']!r})"
    return f"{where}: {message[0].lower()}{message[1:]}{shown}"
