"""The features of a network, `embed.model`."""

from functools import lru_cache
from typing import Any

from pixsieve import models
from pixsieve.backend import Backend
from pixsieve.config.sections import Embed
from pixsieve.descriptors.descriptor import Descriptor, Embedder
from pixsieve.folder.geometry import Form
from pixsieve.folder.measure import Measure
from pixsieve.models.network import Asked, Network

NEAR = 0.95  # a cautious convention, not a test
# Of lite0, centred: pictures of one thing are above (docs/views.md), those of two are not.
CENTRED = 0.90


def measure(embed: Embed, backend: Backend) -> Measure:
    name, width, form = models.title(str(embed.model)), _network(embed, backend).dim, Form.of(embed.normalise)
    if form is None:
        return Measure(name, "cosine", "float16", width, NEAR)
    made = f"{name}-{embed.normalise.replace(':', '-')}"
    near = CENTRED if form.kind == "centre" else NEAR
    return Measure(made, "cosine", "float16", min(form.dims or width, width), near, features=name, features_width=width)


def load(embed: Embed, backend: Backend) -> Embedder:
    network = _network(embed, backend)
    return Embedder(network.prepare, network.embed)


def weights(embed: Embed) -> str:
    """What the weights are. Raises ConfigError."""
    return models.digest(str(embed.model), embed.weights)


def made_of(embed: Embed) -> Any:
    """Raises ConfigError."""
    return weights(embed) if embed.image_size is None else [weights(embed), embed.image_size]


def attributes(embed: Embed, backend: Backend) -> dict[str, Any]:
    return {"weights": weights(embed), "precision": _precision(embed, backend), "image_size": embed.image_size}


def _precision(embed: Embed, backend: Backend) -> str:
    return embed.precision if embed.precision != "auto" else "bfloat16" if backend.autocast else "float32"


def _network(embed: Embed, backend: Backend) -> Network:
    asked = Asked(str(embed.model), embed.weights, embed.image_size, _precision(embed, backend), backend.torch_device)
    return _load(asked, weights(embed))


@lru_cache(2)
def _load(asked: Asked, digest: str) -> Network:
    """digest: of the weights, as a file may change between two runs of one process."""
    return models.load(asked)


DESCRIPTOR = Descriptor(measure, load, made_of, attributes, normalised=True)
