"""What a row is compared by. A descriptor is a value: how one image is prepared (in a decoding thread) and how a
micro-batch of prepared images becomes unit vectors (on the backend's device)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pixsieve import files
from pixsieve.backend import Backend
from pixsieve.config.sections import Config

# The similarity above which two images count as near duplicates, where the configuration names none. dct: low, as its
# pairs are verified (docs/duplicates.md). Networks and given vectors: a cautious convention, not a test.
NEAR = {"dct": 0.70}
NEAR_ELSE = 0.95


@dataclass(frozen=True)
class Descriptor:
    name: str
    dim: int
    prepare: Callable[
        [np.ndarray, np.ndarray], np.ndarray
    ]  # pixels (h, w, 3), reduced luma -> one array of fixed shape
    embed: Callable[[np.ndarray], np.ndarray]  # (n, ...) prepared -> (n, dim) float16, unit length or zero
    attributes: dict[str, Any]


def load(config: Config, backend: Backend) -> Descriptor:
    """The configured descriptor for images. Raises ConfigError."""
    embed = config.embed
    precision = embed.precision if embed.precision != "auto" else "bfloat16" if backend.autocast else "float32"
    return _load(embed.model, embed.weights, weights_salt(embed.weights), precision, backend.torch_device)


@lru_cache(2)
def _load(model: str | None, weights: str | None, salt: str, precision: str, device: str) -> Descriptor:
    if model is None:
        from pixsieve.descriptors import dct

        return Descriptor("dct", dct.DIM, dct.prepare, dct.embedder(device), {"model": "dct", "metric": "cosine"})
    from pixsieve.models import torchvision

    net = torchvision.load(model, weights, precision, device)
    attributes = {"model": model, "weights": salt, "metric": "cosine", "precision": precision}
    return Descriptor(model, net.dim, net.prepare, net.embed, attributes)


def weights_salt(weights: str | None) -> str:
    """What the weights are: the digest of a file, else torchvision's name."""
    if weights is not None and Path(weights).is_file():
        return files.digest(Path(weights))
    return weights or "DEFAULT"


def verified(name: str) -> bool:
    """Whether near pairs of the descriptor of this name are compared once more, by the images that it looked at."""
    return name == "dct"


def near_similarity(config: Config, name: str) -> float:
    """The threshold of near duplicates for the descriptor of this name."""
    return config.duplicates.similarity or NEAR.get(name, NEAR_ELSE)
