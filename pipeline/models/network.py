"""A network that embeds images: a module of torch, and how its images are prepared."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np

from pixsieve.errors import ConfigError


@dataclass(frozen=True)
class Network:
    dim: int
    prepare: Callable[[np.ndarray, np.ndarray], np.ndarray]  # -> (3, size, size) float32, normalised
    embed: Callable[[np.ndarray], np.ndarray]  # (n, 3, size, size) -> (n, dim) float16, unit length


def of_module(model: Any, transform: Callable[[Any], Any], precision: str, device: str) -> Network:
    """model: an nn.Module whose result has a row of features for each image. transform: (3, h, w) uint8 to (3, size,
    size) float32, both tensors."""
    import torch

    model.eval().to(device)
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]

    def prepare(pixels: np.ndarray, luma: np.ndarray) -> np.ndarray:
        return np.asarray(transform(torch.from_numpy(_middle(pixels)).permute(2, 0, 1)).numpy())

    def embed(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), torch.autocast(device, dtype, enabled=precision != "float32"):
            features = model(torch.from_numpy(batch).to(device))
        flat = features.flatten(1).double()
        length = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
        return np.asarray(torch.where(length > 0, flat / length.clamp_min(1e-30), 0.0).half().cpu().numpy())

    size = prepare(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)).shape
    return Network(embed(np.zeros((1, *size), np.float32)).shape[1], prepare, embed)


@contextmanager
def reading_weights(file: Path, name: str) -> Iterator[None]:
    """ConfigError for whatever goes wrong inside: torch raises many kinds of errors for a file that is no state dict,
    or that of another network."""
    try:
        yield
    except Exception as error:
        said = shorten(str(error), 300, placeholder=" …")  # it names every layer that differs
        raise ConfigError(f"embed.weights: {file} is not a state dict for {name}: {said}") from None


def _middle(pixels: np.ndarray) -> np.ndarray:
    """The part of a long strip of an image that the presets look at: they bring the shorter side to their size and cut
    out the middle, but would make all the rest as large before they cut it off."""
    height, width = pixels.shape[:2]
    most = 4 * min(height, width)
    top, left = max(0, height - most) // 2, max(0, width - most) // 2
    return np.require(pixels[top : top + most, left : left + most], requirements=["C", "W"])  # torch wants it writable
