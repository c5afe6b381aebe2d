"""Networks that embed images, one module a kind; the form of embed.model says which. Each has `load`; and `digest`,
which says what its weights are, and so whether rows are of today's."""

import re
from pathlib import Path
from typing import Protocol

from pixsieve.config.sections import is_model_file
from pixsieve.errors import ConfigError
from pixsieve.models import factory, onnx, open_clip, timm, torchscript, torchvision
from pixsieve.models.network import Asked, Network, need

LITE0 = "lite0"


class Kind(Protocol):
    def load(self, asked: Asked) -> Network:
        """Raises ConfigError."""

    def digest(self, name: str, weights: str | None) -> str:
        """Raises ConfigError."""


def load(asked: Asked) -> Network:
    """Raises ConfigError."""
    return _kind(asked.name).load(asked)


def digest(name: str, weights: str | None) -> str:
    """What the weights are: the digest of a file, or a name that means one file for good. Raises ConfigError."""
    return _kind(name).digest(name, weights)


def title(name: str) -> str:
    """A short name of a network, which a folder can have."""
    return re.sub(r"[^\w.-]", "-", Path(name).name if is_model_file(name) else name)


def _kind(name: str) -> Kind:
    if name == LITE0:
        need("torch", "torchvision")
        from pixsieve.models import lite0  # with torch, which takes a second to import

        return lite0
    if name.startswith(timm.PREFIX):
        return timm
    if name.startswith(open_clip.PREFIX):
        return open_clip
    if is_model_file(name):
        if not Path(name).is_file():
            raise ConfigError(f"embed.model: there is no file {name}")
        return onnx if name.lower().endswith(".onnx") else torchscript
    return factory if ":" in name else torchvision
