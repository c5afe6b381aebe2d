"""YAML, and settings of the command line, as a tree of plain values; and the words for what is wrong with one."""

import difflib
import io
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pixsieve.errors import ConfigError


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


def assign(tree: dict[str, Any], setting: str) -> None:
    name, equals, text = setting.partition("=")
    section, dot, key = name.partition(".")
    if not (equals and dot and section and key):
        raise ConfigError(f"--set {setting!r}: write section.key=value, for example cluster.similarity=0.9")
    try:
        value = parsed(text)
    except YAMLError as error:
        raise ConfigError(f"--set {setting!r}: the value is not valid YAML: {_said(error)}") from None
    if not isinstance(tree.setdefault(section, {}), dict):
        raise ConfigError(f"{section}: must be a section of keys")
    tree[section][key] = value


def _said(error: Exception) -> str:
    """What is wrong and where, without the advice for programmers that follows it."""
    if not isinstance(error, MarkedYAMLError):
        return str(error)
    where = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
    return f"{error.problem or error}{where}"


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
