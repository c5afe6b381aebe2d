"""A file of ONNX, by onnxruntime: a network and its weights, as it was exported. It needs no torch."""

import os
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np

from pixsieve import files
from pixsieve.errors import ConfigError
from pixsieve.models.imagenet import SIZE, preparing
from pixsieve.models.network import Asked, Network, need, of_rows
from pixsieve.models.torchscript import check_no_weights

FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}


def load(asked: Asked) -> Network:
    """The first of its results, of as many images at once as it was exported for, or of AT_ONCE where that is free.
    ConfigError for a file that is none, or whose input is no batch of images."""
    check_no_weights(asked.name, asked.weights)
    session = _session(asked)
    wanted, output = session.get_inputs(), session.get_outputs()[0].name
    if len(wanted) != 1 or not _is_batch(wanted[0]):
        said = ", ".join(f"{one.name}: {one.type} {one.shape}" for one in wanted)
        raise ConfigError(
            f"embed.model: {asked.name} takes {said}; it must take one batch of images, (n, 3, size, size) floats"
        )
    name, kind, (many, _, *sides) = wanted[0].name, FLOATS[wanted[0].type], wanted[0].shape

    def features(batch: np.ndarray) -> Any:
        return session.run([output], {name: batch.astype(kind, copy=False)})[0]

    at_once = many if isinstance(many, int) else asked.at_once
    return of_rows(asked, features, preparing(_size(asked, *sides)), at_once)


def digest(name: str, weights: str | None) -> str:
    """Of the file, and of the weights that are kept beside one larger than 2 GB: model.onnx.data, model.onnx_data."""
    path = Path(name)
    beside = sorted(one for one in path.parent.iterdir() if one.name.startswith(path.name) and one.is_file())
    return files.digest(path) if beside == [path] else files.digest_of([files.digest(one) for one in beside])


def _is_batch(given: Any) -> bool:
    """Axes that are free have a name, or None."""
    shape = given.shape
    return given.type in FLOATS and len(shape) == 4 and (shape[1] == 3 or not isinstance(shape[1], int))


def _size(asked: Asked, *sides: Any) -> int:
    """Pixels a side. ConfigError where the file has other sides than are asked for, or two."""
    fixed = {side for side in sides if isinstance(side, int)} or {asked.image_size or SIZE}
    if fixed != {asked.image_size or min(fixed)}:
        said = " x ".join(map(str, sides))
        raise ConfigError(
            f"embed.image_size: {asked.name} takes images of {said} pixels, not of {asked.image_size or 'equal sides'}"
        )
    return min(fixed)


def _session(asked: Asked) -> Any:
    need("onnxruntime", by="'pixsieve[onnx]'")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors, which are raised as well
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", 0))  # which says it to torch; 0: all cores
    there = onnxruntime.get_available_providers()
    providers = [one for one in (PROVIDERS[asked.device], PROVIDERS["cpu"]) if one in there]
    try:
        return onnxruntime.InferenceSession(asked.name, options, providers=[*dict.fromkeys(providers)])
    except Exception as error:  # of many kinds
        said = shorten(str(error), 300, placeholder=" …")
        raise ConfigError(f"embed.model: {asked.name} is no network of ONNX: {said}") from None
