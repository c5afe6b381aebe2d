"""Any torchvision classification network by name: the features before its classifier, its own preset transforms."""

import difflib
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from pixsieve import files
from pixsieve.errors import ConfigError
from pixsieve.models.network import Asked, Network, need, of_module, of_tensor
from pixsieve.models.weights import downloading, fit

OTHERS = "timm:NAME, open_clip:NAME/PRETRAINED, package.module:factory, or a file of ONNX or TorchScript"


def load(asked: Asked) -> Network:
    """Weights: a file with a state dict, or torchvision's name; None is torchvision's DEFAULT. Raises ConfigError."""
    name, weights, models = asked.name, asked.weights, _torchvision().models
    known = models.list_models(module=models)
    if name not in known:
        near = difflib.get_close_matches(name, ["lite0", *known], n=1, cutoff=0)[0]
        raise ConfigError(
            f"embed.model: {name!r} is neither lite0 nor a classification network of torchvision; nearest known: {near}"
            f"; others are {OTHERS}"
        )
    choices = models.get_model_weights(name)
    preset = choices.DEFAULT
    if weights is not None and Path(weights).is_file():
        model = models.get_model(name, weights=None)
        fit(model, Path(weights), name)
    else:
        if weights not in (None, *choices.__members__):
            raise ConfigError(
                f"embed.weights: {weights!r} is neither a file nor one of torchvision's for {name}: "
                + ", ".join(choices.__members__)
            )
        preset = choices[weights or "DEFAULT"]
        with downloading(name, preset.url):
            model = models.get_model(name, weights=preset)
    _behead(model)
    return of_module(asked, model, of_tensor(_transforms(preset, asked.image_size)))


def digest(name: str, weights: str | None) -> str:
    """Of a file; else torchvision's name, which means one file for good."""
    return files.digest(Path(weights)) if weights is not None and Path(weights).is_file() else weights or "DEFAULT"


def _transforms(preset: Any, size: int | None) -> Any:
    """Those of the preset; of another size, with the same margin around the middle."""
    own = preset.transforms()
    if size is None:
        return own
    return preset.transforms(crop_size=size, resize_size=round(size * own.resize_size[0] / own.crop_size[0]))


def _behead(model: Any) -> None:
    """Replaces the last linear layer, the classifier, by nothing; of a network without one (squeezenet), the
    convolutions that classify, by the mean that comes after them."""
    import torch

    linear = [path for path, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    if linear:
        parent, _, last = linear[-1].rpartition(".")
        setattr(model.get_submodule(parent), last, torch.nn.Identity())
    else:
        model.classifier = torch.nn.AdaptiveAvgPool2d(1)


def _torchvision() -> ModuleType:
    need("torch", "torchvision")
    try:
        import torchvision
    except RuntimeError as error:  # torchvision's own check of its compiled part
        import torch

        raise ConfigError(
            f"embed.model: torchvision {version('torchvision')} does not fit torch {torch.__version__} ({error});"
            " install both from one index: both from PyPI, or both from PyTorch's index of CPU builds"
        ) from None
    return torchvision
