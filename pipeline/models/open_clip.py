"""`open_clip:NAME/PRETRAINED`: the image tower of a network of OpenCLIP, images prepared as its weights want them."""

import difflib
from functools import lru_cache
from pathlib import Path
from typing import Any

from pixsieve import files
from pixsieve.errors import ConfigError
from pixsieve.models.network import Asked, Network, need, of_image, of_module
from pixsieve.models.weights import downloading, fitting

PREFIX = "open_clip:"
FILES = "open_clip_model.safetensors (or open_clip_pytorch_model.bin)"  # what repositories call theirs, mostly
LOOKS = ("mean", "std", "interpolation", "resize_mode")  # what the weights say of how images are prepared


def load(asked: Asked) -> Network:
    """Weights: a file with a state dict of both towers, or OpenCLIP's name in the place of PRETRAINED. Raises
    ConfigError."""
    library, file = _open_clip(), _file(asked.name, asked.weights)
    name, tag = _named(asked.name, asked.weights)
    about = library.get_pretrained_cfg(name, tag)
    with fitting(file, asked.name):
        model = library.create_model(
            name,
            pretrained=str(file),
            force_quick_gelu=bool(about.get("quick_gelu")),
            force_image_size=asked.image_size,
            force_preprocess_cfg={key: about[key] for key in LOOKS if key in about},
        )
    looks = model.visual.preprocess_cfg
    transform = library.image_transform(looks["size"], is_train=False, **{key: looks[key] for key in LOOKS})
    model.forward = model.encode_image
    return of_module(asked, model, of_image(transform))


def digest(name: str, weights: str | None) -> str:
    return files.digest(_file(name, weights))


def _named(asked: str, weights: str | None) -> tuple[str, str]:
    """The network, and the name of its weights, which is empty where there is a file alone. ConfigError for one that
    OpenCLIP does not know."""
    library, (name, _, tag) = _open_clip(), asked.removeprefix(PREFIX).partition("/")
    if name not in library.list_models():
        near = difflib.get_close_matches(name, library.list_models(), n=1, cutoff=0)[0]
        raise ConfigError(f"embed.model: OpenCLIP has no {name!r}; nearest known: {near}")
    file = weights is not None and Path(weights).is_file()
    if weights is not None and not file:
        tag = weights
    if not (library.get_pretrained_cfg(name, tag) if tag else file):
        known = ", ".join(library.list_pretrained_tags_by_model(name)) or "none: give a file as embed.weights"
        what = f"{tag!r} is none of" if tag else "write open_clip:NAME/PRETRAINED with one of"
        raise ConfigError(f"embed.model: {what} OpenCLIP's weights for {name}: {known}")
    return name, tag


def _file(asked: str, weights: str | None) -> Path:
    name, tag = _named(asked, weights)
    return Path(weights) if weights is not None and Path(weights).is_file() else _fetched(name, tag)


@lru_cache
def _fetched(name: str, tag: str) -> Path:
    """Downloaded, where it is not there from earlier. ConfigError where that cannot be."""
    library = _open_clip()
    about = library.get_pretrained_cfg(name, tag)
    hub, _, file = about.get("hf_hub", "").rpartition("/")
    place = f"{file or FILES} from https://huggingface.co/{hub}" if hub else str(about.get("url"))
    with downloading(f"{name}/{tag}", place):
        return Path(library.download_pretrained(about))


def _open_clip() -> Any:
    need("torch", "torchvision")
    need("open_clip", by="open_clip_torch")
    import open_clip

    return open_clip
