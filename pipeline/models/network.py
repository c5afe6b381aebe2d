"""A network that embeds images: what it makes of a batch, and how its images are prepared."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from textwrap import shorten
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pixsieve.errors import ConfigError

# Images that go through a network together, always as many: the row of an image does not depend on how many others
# there are.
AT_ONCE, AT_ONCE_ON_GPU = 32, 256

# Pixels (h, w, 3) uint8 RGB and the luma of an image, which no network looks at, to (3, size, size) float32,
# or uint8 of a network that takes bytes.
Prepare = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Asked(NamedTuple):
    """What the configuration says of a network."""

    name: str  # embed.model
    weights: str | None = None  # a file with a state dict, or the name of what a library has; None: the network's own
    image_size: int | None = None  # pixels a side; None: the network's own
    precision: str = "float32"  # or bfloat16, of networks of torch
    device: str = "cpu"  # as torch calls it

    @property
    def at_once(self) -> int:
        return AT_ONCE if self.device == "cpu" else AT_ONCE_ON_GPU


@dataclass(frozen=True)
class Network:
    dim: int
    prepare: Prepare
    embed: Callable[[np.ndarray], np.ndarray]  # (n, 3, size, size), prepared -> (n, dim) float16, unit length or zeros


def need(*packages: str, by: str = "'pixsieve[models]'") -> None:
    """ConfigError where some are not installed. by: what pip installs them by."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise ConfigError(
            f"embed.model needs {' and '.join(missing)}: pip install {by}; without a model: embed.model=null"
        )


def of_rows(asked: Asked, features: Callable[[np.ndarray], Any], prepare: Prepare, at_once: int) -> Network:
    """features: (at_once, 3, size, size) as prepared to an array (at_once, ...) of numbers. A row that is not finite is
    kept as zeros. ConfigError where features do not fit their images, now or in any batch that is embedded later."""

    def rows(part: np.ndarray) -> np.ndarray:
        whole = np.zeros((at_once, *part.shape[1:]), part.dtype)
        whole[: len(part)] = part
        found = np.asarray(features(whole))
        if found.dtype.kind not in "fiu" or found.ndim < 2 or len(found) != at_once or not found.size:
            what = f"{found.dtype} of shape {found.shape}"
            raise ConfigError(f"embed.model: {asked.name} gives {what} for {at_once} images, and no row for each")
        return found.reshape(at_once, -1)[: len(part)]

    blank = prepare(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8))
    try:
        dim = rows(np.zeros_like(blank)[None]).shape[1]
    except ConfigError:
        raise
    except Exception as error:  # each kind of network has its own
        said = shorten(f"{type(error).__name__}: {error}", 300, placeholder=" …")
        size = "x".join(map(str, blank.shape[1:]))
        raise ConfigError(f"embed.model: {asked.name} fails on images of {size} (embed.image_size): {said}") from error

    def embed(batch: np.ndarray) -> np.ndarray:
        parts = [rows(batch[at : at + at_once]) for at in range(0, len(batch), at_once)]
        other = [part.shape[1] for part in parts if part.shape[1] != dim]
        if other:
            raise ConfigError(f"embed.model: {asked.name} gives {other[0]} features for some images, {dim} for others")
        return directions(np.concatenate(parts))

    return Network(dim, prepare, embed)


def of_module(asked: Asked, model: Any, prepare: Prepare) -> Network:
    """model: an nn.Module whose result has a row of features for each image. ConfigError as of_rows."""
    import torch

    model.eval().to(asked.device, memory_format=torch.channels_last)  # half as long again is spent without
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[asked.precision]

    def features(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), torch.autocast(asked.device, dtype, enabled=dtype != torch.float32):
            found = model(torch.from_numpy(batch).to(asked.device, memory_format=torch.channels_last))
        if not isinstance(found, torch.Tensor):
            raise ConfigError(f"embed.model: {asked.name} gives a {type(found).__name__}, not a tensor of features")
        return np.asarray(found.float().cpu().numpy())

    return of_rows(asked, features, prepare, asked.at_once)


def of_tensor(transform: Callable[[Any], Any]) -> Prepare:
    """transform: (3, h, w) uint8 to (3, size, size) float32 or uint8, both tensors."""
    import torch

    return lambda pixels, luma: np.asarray(transform(torch.from_numpy(middle(pixels)).permute(2, 0, 1)).numpy())


def of_image(transform: Callable[[Any], Any]) -> Prepare:
    """transform: an image of Pillow to a tensor (3, size, size) float32."""
    return lambda pixels, luma: np.asarray(transform(Image.fromarray(middle(pixels))).numpy())


def directions(rows: np.ndarray) -> np.ndarray:
    """Rows (n, d) at length 1 in float16; zeros where they have no direction, or are not finite."""
    wide = rows.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    sound = np.isfinite(length) & (length > 0)
    return np.where(sound, wide / np.where(sound, length, 1), 0).astype(np.float16)


def middle(pixels: np.ndarray) -> np.ndarray:
    """The part of a long strip of an image that the presets look at: they bring the shorter side to their size and cut
    out the middle, but would make all the rest as large before they cut it off."""
    height, width = pixels.shape[:2]
    most = 4 * min(height, width)
    top, left = max(0, height - most) // 2, max(0, width - most) // 2
    return np.require(pixels[top : top + most, left : left + most], requirements=["C", "W"])  # torch wants it writable
