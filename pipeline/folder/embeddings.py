"""The embedding store: embeddings.zarr/<descriptor>/{vectors, status}, one shard for each batch."""

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from pixsieve.errors import ConfigError
from pixsieve.images.status import USABLE

CHUNK_BYTES = 1 << 20


def files_of(descriptor: str, *batches: int) -> tuple[str, ...]:
    """The shard files of some batches: vectors and status of each."""
    place = f"embeddings.zarr/{descriptor}"
    return tuple(file for b in batches for file in (f"{place}/vectors/c/{b}/0", f"{place}/status/c/{b}"))


def prepare(root: Path, descriptor: str, batches: int, batch_rows: int, dim: int, attributes: dict[str, Any]) -> None:
    """Makes the arrays, or lengthens them for new batches. ConfigError if the store was made by something else."""
    group = zarr.open_group(root / "embeddings.zarr", mode="a").require_group(descriptor)
    if "status" not in group:
        rows = max(1, batches) * batch_rows
        chunk = _divisor(batch_rows, CHUNK_BYTES // (2 * dim))
        group.create_array(
            "vectors",
            shape=(rows, dim),
            dtype="float16",
            chunks=(chunk, dim),
            shards=(batch_rows, dim),
            compressors=None,
            dimension_names=["row", "dimension"],
            overwrite=True,
        )
        group.create_array(
            "status", shape=(rows,), dtype="uint8", chunks=(batch_rows,), compressors=None, dimension_names=["row"]
        )
        group.update_attributes(attributes)
    made_with = group.attrs.get("backend", attributes["backend"])
    if made_with != attributes["backend"]:
        raise ConfigError(
            f"{root} was embedded on the {made_with}, this is the {attributes['backend']}: the values would differ."
            f" Set workers.device={made_with} or start a new run folder"
        )
    if group["vectors"].shape[1] != dim:
        raise ConfigError(
            f"{root} holds vectors of {group['vectors'].shape[1]} dimensions, the source gives {dim};"
            " start a new run folder"
        )
    if any(group.attrs.get(name) != value for name, value in attributes.items() if name != "versions"):
        group.update_attributes(attributes)
    for name in ("vectors", "status"):
        array = group[name]
        if array.shape[0] < batches * batch_rows:
            array.resize((batches * batch_rows, *array.shape[1:]))


def write(root: Path, descriptor: str, batch: int, vectors: np.ndarray, status: np.ndarray) -> None:
    """One whole shard: vectors (batch_rows, dim) float16, status (batch_rows,) uint8."""
    group = zarr.open_group(root / "embeddings.zarr", mode="r+")[descriptor]
    rows = slice(batch * len(status), (batch + 1) * len(status))
    with zarr.config.set({"array.write_empty_chunks": True}):
        group["vectors"][rows] = vectors
        group["status"][rows] = status


def read(root: Path, descriptor: str, batches: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n, dim) float16 and status (n,) of consecutive batches."""
    group = zarr.open_group(root / "embeddings.zarr", mode="r")[descriptor]
    size = group["status"].chunks[0]
    rows = slice(batches[0] * size, (batches[-1] + 1) * size)
    return group["vectors"][rows], group["status"][rows]


def usable(vectors: np.ndarray, status: np.ndarray) -> np.ndarray:
    """(n,) booleans: rows that could be read and have a direction to compare."""
    return np.isin(status, USABLE) & vectors.any(axis=1)


def dimensions(root: Path, descriptor: str) -> int:
    """Of a vector."""
    return int(zarr.open_group(root / "embeddings.zarr", mode="r")[descriptor]["vectors"].shape[1])


def _divisor(n: int, at_most: int) -> int:
    return next(size for size in range(max(1, min(n, at_most)), 0, -1) if n % size == 0)
