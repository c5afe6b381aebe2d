"""Any torchvision classification network by name: the features before its classifier, its own preset transforms."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from textwrap import shorten
from types import ModuleType
from typing import Any

import numpy as np

from pixsieve.errors import ConfigError


@dataclass(frozen=True)
class Network:
    dim: int
    prepare: Callable[[np.ndarray, np.ndarray], np.ndarray]  # -> (3, size, size) float32, normalised
    embed: Callable[[np.ndarray], np.ndarray]  # (n, 3, size, size) -> (n, dim) float16, unit length


def load(name: str, weights: str | None, precision: str, device: str) -> Network:
    """weights: a file with a state dict, or torchvision's name; None is torchvision's DEFAULT. Raises ConfigError."""
    import torch

    models = _torchvision().models
    known = models.list_models(module=models)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
        raise ConfigError(f"embed.model: torchvision has no classification network {name!r}; nearest known: {near}")
    choices = models.get_model_weights(name)
    file = Path(weights) if weights is not None else None
    preset = choices.DEFAULT
    if file is not None and file.is_file():
        model = models.get_model(name, weights=None)
        _load(model, file, name)
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
    model.eval().to(device)
    transform = preset.transforms()
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]

    def prepare(pixels: np.ndarray, luma: np.ndarray) -> np.ndarray:
        return transform(torch.from_numpy(_middle(pixels)).permute(2, 0, 1)).numpy()

    def embed(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), torch.autocast(device, dtype, enabled=precision != "float32"):
            features = model(torch.from_numpy(batch).to(device))
        flat = features.flatten(1).double()
        length = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
        return torch.where(length > 0, flat / length.clamp_min(1e-30), 0.0).half().cpu().numpy()

    size = prepare(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)).shape
    return Network(embed(np.zeros((1, *size), np.float32)).shape[1], prepare, embed)


def _middle(pixels: np.ndarray) -> np.ndarray:
    """The part of a long strip of an image that the presets look at: they bring the shorter side to their size and cut
    out the middle, but would make all the rest as large before they cut it off."""
    height, width = pixels.shape[:2]
    most = 4 * min(height, width)
    top, left = max(0, height - most) // 2, max(0, width - most) // 2
    return np.ascontiguousarray(pixels[top : top + most, left : left + most])


def _load(model: Any, file: Path, name: str) -> None:
    import torch

    try:
        model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many kinds for a file that is no state dict, or that of another network
        said = shorten(str(error), 300, placeholder=" …")  # it names every layer that differs
        raise ConfigError(f"embed.weights: {file} is not a state dict for {name}: {said}") from None


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
