"""Any torchvision classification network by name: the features before its classifier, its own preset transforms."""

import difflib
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from pixsieve.errors import ConfigError
from pixsieve.models.network import Network, of_module, reading_weights


def load(name: str, weights: str | None, precision: str, device: str) -> Network:
    """weights: a file with a state dict, or torchvision's name; None is torchvision's DEFAULT. Raises ConfigError."""
    models = _torchvision().models
    known = models.list_models(module=models)
    if name not in known:
        near = difflib.get_close_matches(name, ["lite0", *known], n=1, cutoff=0)[0]
        raise ConfigError(
            f"embed.model: {name!r} is neither lite0 nor a classification network of torchvision; nearest known: {near}"
        )
    choices = models.get_model_weights(name)
    file = Path(weights) if weights is not None else None
    preset = choices.DEFAULT
    if file is not None and file.is_file():
        model = models.get_model(name, weights=None)
        _read(model, file, name)
    else:
        if weights not in (None, *choices.__members__):
            raise ConfigError(
                f"embed.weights: {weights!r} is neither a file nor one of torchvision's for {name}: "
                + ", ".join(choices.__members__)
            )
        preset = choices[weights or "DEFAULT"]
        try:
            model = models.get_model(name, weights=preset)
        except OSError as error:
            raise ConfigError(
                f"the weights of {name} cannot be downloaded ({error}); fetch {preset.url}"
                " and set embed.weights to the file"
            ) from None
    _behead(model)
    return of_module(model, preset.transforms(), precision, device)


def _read(model: Any, file: Path, name: str) -> None:
    import torch

    with reading_weights(file, name):
        model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))


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
    try:
        import torchvision
    except RuntimeError as error:  # torchvision's own check of its compiled part
        import torch

        raise ConfigError(
            f"embed.model: torchvision {version('torchvision')} does not fit torch {torch.__version__} ({error});"
            " install both from one index: both from PyPI, or both from PyTorch's index of CPU builds"
        ) from None
    return torchvision
