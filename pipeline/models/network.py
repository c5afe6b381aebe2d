"""A network that embeds images: a module of torch, and how its images are prepared."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np

from pixsieve.errors import ConfigError

# Images that go through a network together, always as many: the row of an image does not depend on how many others
# there are.
AT_ONCE, AT_ONCE_ON_GPU = 32, 256


@dataclass(frozen=True)
class Network:
    dim: int
    prepare: Callable[[np.ndarray, np.ndarray], np.ndarray]  # -> (3, size, size) float32, normalised
    embed: Callable[[np.ndarray], np.ndarray]  # (n, 3, size, size) -> (n, dim) float16, unit length


def of_module(model: Any, transform: Callable[[Any], Any], precision: str, device: str) -> Network:
    """model: an nn.Module whose result has a row of features for each image. transform: (3, h, w) uint8 to (3, size,
    size) float32, both tensors."""
    import torch

    model.eval().to(device, memory_format=torch.channels_last)  # half as long again is spent without
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]

    def prepare(pixels: np.ndarray, luma: np.ndarray) -> np.ndarray:
        return np.asarray(transform(torch.from_numpy(_middle(pixels)).permute(2, 0, 1)).numpy())

    def embed(batch: np.ndarray) -> np.ndarray:
        at_once = AT_ONCE if device == "cpu" else AT_ONCE_ON_GPU
        parts = [rows(batch[at : at + at_once], at_once) for at in range(0, len(batch), at_once)]
        return np.concatenate(parts)[: len(batch)]

    def rows(part: np.ndarray, at_once: int) -> np.ndarray:
        whole = np.zeros((at_once, *part.shape[1:]), part.dtype)
        whole[: len(part)] = part
        with torch.inference_mode(), torch.autocast(device, dtype, enabled=precision != "float32"):
            features = model(torch.from_numpy(whole).to(device, memory_format=torch.channels_last))
        flat = features.flatten(1).double()
        length = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
        sound = (length > 0) & torch.isfinite(length)
        return np.asarray(torch.where(sound, flat / length.clamp_min(1e-30), 0.0).half().cpu().numpy())

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
