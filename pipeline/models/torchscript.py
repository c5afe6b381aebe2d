"""A TorchScript archive: a network and its weights in one file."""

import warnings
from pathlib import Path
from textwrap import shorten

from pixsieve import files
from pixsieve.errors import ConfigError
from pixsieve.models.imagenet import SIZE, preparing
from pixsieve.models.network import Asked, Network, need, of_module


def load(asked: Asked) -> Network:
    """ConfigError for a file that is something else, such as a state dict, which is no network."""
    need("torch")
    import torch

    check_no_weights(asked.name, asked.weights)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that torch.export is to take its place
            model = torch.jit.load(asked.name, map_location="cpu")
    except Exception as error:  # of several kinds
        said = shorten(str(error), 200, placeholder=" …")
        raise ConfigError(
            f"embed.model: {asked.name} is no TorchScript archive ({said}); a state dict is for embed.weights, beside"
            " the name of its network"
        ) from None
    return of_module(asked, model, preparing(asked.image_size or SIZE))


def digest(name: str, weights: str | None) -> str:
    return files.digest(Path(name))


def check_no_weights(name: str, weights: str | None) -> None:
    """ConfigError where weights are given to a file that has its own."""
    if weights is not None:
        raise ConfigError(f"embed.weights: {name} has its weights within: leave the key out")
