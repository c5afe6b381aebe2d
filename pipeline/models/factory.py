"""`package.module:factory`: a network of one's own, which a function without arguments makes.

What it returns has `embed(batch)`: float32 (n, 3, size, size), normalised by ImageNet's mean and deviation, to an array
(n, d) of numbers, both of NumPy. Or it is an nn.Module that maps such tensors to (n, d). Where it has an attribute
`image_size`, that is the size of its images; it is 224 else.
"""

import difflib
import inspect
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from textwrap import shorten
from typing import Any

import xxhash

from pixsieve import files
from pixsieve.errors import ConfigError
from pixsieve.models.imagenet import SIZE, preparing
from pixsieve.models.network import Asked, Network, of_module, of_rows
from pixsieve.models.weights import fit


def load(asked: Asked) -> Network:
    """Weights: a file with the state dict of a module; None: as the factory makes it. Raises ConfigError."""
    made = _made(asked.name)
    if asked.weights is not None:
        fit(made, _file(asked.name, made, asked.weights), asked.name)
    elif _of(asked.name, made) != digest(asked.name, None):
        raise ConfigError(
            f"embed.model: {asked.name} makes other weights each time: set the seed there, or give embed.weights"
        )
    prepare = preparing(asked.image_size or _size(asked.name, made))
    if not callable(getattr(made, "embed", None)):
        return of_module(asked, made, prepare)
    if hasattr(made, "eval"):
        made.eval()
    return of_rows(asked, made.embed, prepare, asked.at_once)


def _size(name: str, made: Any) -> int:
    own = getattr(made, "image_size", SIZE)
    if isinstance(own, bool) or not isinstance(own, int) or own < 1:
        raise ConfigError(f"embed.model: image_size of {name} is {own!r}; wanted: pixels a side, as 224")
    return own


def digest(name: str, weights: str | None) -> str:
    """Of the file of weights; else of a module's own; else of the file that the factory is written in."""
    if weights is None:
        return _digest(name)
    return files.digest(_file(name, _made(name), weights))


@lru_cache
def _digest(name: str) -> str:
    return _of(name, _made(name))


def _of(name: str, made: Any) -> str:
    if not _has_weights(made):
        return files.digest(Path(inspect.getfile(inspect.unwrap(_factory(name)))))
    values = {key: value.detach().cpu().contiguous() for key, value in sorted(made.state_dict().items())}
    return files.digest_of([[key, str(v.dtype), [*v.shape], _bytes_of(v)] for key, v in values.items()])


def _bytes_of(value: Any) -> str:
    import torch

    return xxhash.xxh3_128_hexdigest(value.flatten().view(torch.uint8).numpy())


def _has_weights(made: Any) -> bool:
    return hasattr(made, "state_dict") and hasattr(made, "load_state_dict")


def _file(name: str, made: Any, weights: str) -> Path:
    """ConfigError where there is no such file, or nothing to read it into."""
    if not _has_weights(made):
        raise ConfigError(f"embed.weights: what {name} makes is no nn.Module, and reads none: leave the key out")
    if not Path(weights).is_file():
        raise ConfigError(f"embed.weights: there is no file {weights}")
    return Path(weights)


def _made(name: str) -> Any:
    """A new one. ConfigError where the factory fails, or makes something else."""
    try:
        made = _factory(name)()
    except ConfigError:
        raise
    except Exception as error:
        said = shorten(f"{type(error).__name__}: {error}", 300, placeholder=" …")
        raise ConfigError(f"embed.model: {name} has failed when it was called: {said}") from error
    if not callable(getattr(made, "embed", None)) and not (callable(made) and _has_weights(made)):
        what = type(made).__name__
        raise ConfigError(f"embed.model: {name} makes a {what}, which is no nn.Module and has no embed(batch)")
    return made


def _factory(name: str) -> Callable[[], Any]:
    module, _, attribute = name.partition(":")
    try:
        found = import_module(module)
    except Exception as error:  # whatever the module does when it is imported
        said = shorten(f"{type(error).__name__}: {error}", 300, placeholder=" …")
        raise ConfigError(
            f"embed.model: the module {module} cannot be imported ({said}); install its package, or name the folder"
            " that it is in by PYTHONPATH"
        ) from None
    factory = getattr(found, attribute, None)
    if not callable(factory):
        near = difflib.get_close_matches(attribute, [one for one in dir(found) if callable(getattr(found, one))], n=1)
        hint = f"; nearest known: {near[0]}" if near else ""
        raise ConfigError(f"embed.model: the module {module} has no function {attribute!r}{hint}")
    made: Callable[[], Any] = factory
    return made
