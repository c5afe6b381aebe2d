"""`timm:NAME` or `timm:NAME.TAG`: any network of timm, features before its classifier, images prepared as timm says."""

import difflib
from functools import lru_cache
from pathlib import Path
from typing import Any

from pixsieve import files
from pixsieve.errors import ConfigError
from pixsieve.models.network import Asked, Network, need, of_image, of_module
from pixsieve.models.weights import downloading, fitting

PREFIX = "timm:"
FILE = "model.safetensors"  # what timm's own repositories call theirs


def load(asked: Asked) -> Network:
    """Weights: a file of timm's or with a state dict; or a tag of timm's; None is that of the name, or timm's default.
    Weights of another image size are adapted by timm, where it can. Raises ConfigError."""
    timm, size = _timm(), asked.image_size
    name, file = _name(asked.name, asked.weights), _file(asked.name, asked.weights)
    about = timm.get_pretrained_cfg(name)
    sides = {} if size is None or not about.fixed_input_size else {"img_size": size}
    # Of NumPy's files timm knows what the arrays are; any other is a state dict, with the classifier in it.
    own = {"file": str(file), "custom_load": file.suffix == ".npz", "num_classes": about.num_classes}
    with fitting(file, asked.name):
        model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=own, **sides)
    model.reset_classifier(0)
    config = timm.data.resolve_data_config({} if size is None else {"img_size": size}, model=model)
    return of_module(asked, model, of_image(timm.data.create_transform(**config)))


def digest(name: str, weights: str | None) -> str:
    return files.digest(_file(name, weights))


def _name(asked: str, weights: str | None) -> str:
    """As timm knows it, with the tag of the weights. ConfigError for one that it does not know."""
    timm, name = _timm(), asked.removeprefix(PREFIX)
    bare, _, tag = name.partition(".")
    if not timm.is_model(bare):
        near = difflib.get_close_matches(bare, timm.list_models(), n=1, cutoff=0)[0]
        raise ConfigError(f"embed.model: timm has no {bare!r}; nearest known: {near}")
    key = "model"
    if weights is not None and not Path(weights).is_file():
        key, tag = "weights", weights
    known = [one.partition(".")[2] for one in timm.list_pretrained(f"{bare}.*")]
    if tag and tag not in known:
        what = "neither a file nor one of" if key == "weights" else "none of"
        raise ConfigError(f"embed.{key}: {tag!r} is {what} timm's weights for {bare}: {', '.join(known) or 'none'}")
    return f"{bare}.{tag}" if tag else bare


def _file(asked: str, weights: str | None) -> Path:
    name = _name(asked, weights)
    return Path(weights) if weights is not None and Path(weights).is_file() else _fetched(name)


@lru_cache
def _fetched(name: str) -> Path:
    """Downloaded, where it is not there from earlier. ConfigError where that cannot be."""
    import torch

    about = _timm().get_pretrained_cfg(name)
    hub, url = about.hf_hub_id, about.url
    if not hub and not url:
        raise ConfigError(f"embed.weights: timm has none for {name}; give a file")
    hub_file = about.hf_hub_filename or FILE
    with downloading(name, f"https://huggingface.co/{hub}/resolve/main/{hub_file}" if hub else str(url)):
        if hub:
            from huggingface_hub import hf_hub_download

            return Path(hf_hub_download(hub, hub_file))
        path = Path(torch.hub.get_dir()) / "checkpoints" / str(url).rpartition("/")[2]
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(str(url), str(path), progress=False)
        return path


def _timm() -> Any:
    need("torch", "torchvision")
    need("timm", by="timm")
    import timm

    return timm
