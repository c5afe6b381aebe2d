"""Weights of networks: state dicts in files, what to say where they do not fit, or cannot be had."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

from pixsieve.errors import ConfigError
from pixsieve.models.network import need

SHOWN = 3  # layers that are named of each kind of difference
QUOTED = re.compile('"([^"]+)"')


def fit(model: Any, file: Path, name: str) -> None:
    """The weights of a file, into an nn.Module. ConfigError where they are not exactly its own."""
    with fitting(file, name):
        model.load_state_dict(state(file))


def state(file: Path) -> dict[str, Any]:
    """The state dict of a file, .safetensors or torch's own. Raises whatever the library raises for other files."""
    if file.suffix == ".safetensors":
        need("safetensors")
        from safetensors.torch import load_file

        return dict(load_file(file))
    import torch

    return dict(torch.load(file, map_location="cpu", weights_only=True))


@contextmanager
def fitting(file: Path, name: str) -> Iterator[None]:
    """ConfigError for whatever goes wrong inside: torch raises many kinds of errors for a file that is no state dict,
    or that of another network."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"embed.weights: {file} is not a state dict for {name}: {difference(str(error))}") from None


def difference(said: str) -> str:
    """What torch says of weights that do not fit, which may be thousands of layers, in one line."""
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip()]
    found = [re.match(r"(Missing|Unexpected) key\(s\) in state_dict: (.*)", line) for line in lines]
    keys = [f"{one[1].lower()}: {_some(QUOTED.findall(one[2]))}" for one in found if one]
    form = r"size mismatch for (\S+): copying a param with shape (.*) from checkpoint, .* current model is (.*)\."
    sizes = [f"{name} {_shape(has)} for {_shape(wants)}" for name, has, wants in re.findall(form, "\n".join(lines))]
    parts = keys + ([f"of another shape: {_some(sizes)}"] if sizes else [])
    return "; ".join(parts) or shorten(said, 300, placeholder=" …")


def _shape(said: str) -> str:
    return said.removeprefix("torch.Size(").removesuffix(")")


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


@contextmanager
def downloading(name: str, place: str) -> Iterator[None]:
    """ConfigError for whatever goes wrong inside. place: where to fetch the file from."""
    try:
        yield
    except Exception as error:  # each library has its own
        said = shorten(str(error), 200, placeholder=" …")
        raise ConfigError(
            f"the weights of {name} cannot be downloaded ({said}); fetch {place} and set embed.weights to the file"
        ) from None
