"""The embedding store: embeddings.zarr/<descriptor>/{vectors, status}, one shard for each batch.
FolderDamagedError where it cannot be opened."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import zarr

from pixsieve import files
from pixsieve.errors import ConfigError
from pixsieve.folder.measure import Measure
from pixsieve.images.status import USABLE

STORE = "embeddings.zarr"
CHUNK_BYTES = 1 << 20


class Shard(NamedTuple):
    """Of n consecutive row numbers."""

    vectors: np.ndarray  # (n, width)
    status: np.ndarray  # (n,) uint8, places in images.status.STATUSES
    usable: np.ndarray  # (n,) booleans: rows that could be read and can be compared


@dataclass(frozen=True)
class Store:
    root: Path  # the run folder
    measure: Measure
    batch_rows: int

    def files(self, *batches: int) -> tuple[str, ...]:
        """The shard files of some batches: vectors and status of each."""
        place = f"{STORE}/{self.measure.name}"
        return tuple(file for b in batches for file in (f"{place}/vectors/c/{b}/0", f"{place}/status/c/{b}"))

    def prepare(self, batches: int, attributes: dict[str, Any]) -> None:
        """Makes the arrays, or lengthens them for new batches. ConfigError if the store was made by something else."""
        with self._intact():
            group = zarr.open_group(self.root / STORE, mode="a").require_group(self.measure.name)
            if "status" not in group:
                self._create(group, max(1, batches) * self.batch_rows)
                group.update_attributes(attributes)
            width = group["vectors"].shape[1]
        made_with = group.attrs.get("backend", attributes["backend"])
        if made_with != attributes["backend"]:
            raise ConfigError(
                f"{self.root} was embedded on the {made_with}, this is the {attributes['backend']}: the values would"
                f" differ. Set workers.device={made_with} or start a new run folder"
            )
        if width != self.measure.width:
            raise ConfigError(
                f"{self.root} holds vectors of {width} dimensions, the source gives"
                f" {self.measure.width}; start a new run folder"
            )
        if any(group.attrs.get(name) != value for name, value in attributes.items() if name != "versions"):
            group.update_attributes(attributes)
        for name in ("vectors", "status"):
            array = group[name]
            if array.shape[0] < batches * self.batch_rows:
                array.resize((batches * self.batch_rows, *array.shape[1:]))

    def _open(self, mode: Literal["r", "r+"]) -> zarr.Group:
        with self._intact():
            return zarr.open_group(self.root / STORE, mode=mode)[self.measure.name]

    def _intact(self) -> AbstractContextManager[None]:
        return files.intact(self.root / STORE)

    def _create(self, group: zarr.Group, rows: int) -> None:
        width, size = self.measure.width, np.dtype(self.measure.dtype).itemsize
        group.create_array(
            "vectors",
            shape=(rows, width),
            dtype=self.measure.dtype,
            chunks=(_divisor(self.batch_rows, CHUNK_BYTES // (size * width)), width),
            shards=(self.batch_rows, width),
            compressors=None,
            dimension_names=["row", "dimension"],
            overwrite=True,
        )
        group.create_array(
            "status",
            shape=(rows,),
            dtype="uint8",
            chunks=(self.batch_rows,),
            compressors=None,
            dimension_names=["row"],
        )

    def write(self, batch: int, vectors: np.ndarray, status: np.ndarray) -> None:
        """One shard: the first rows of a batch, vectors (m, width) and status (m,), as whole chunks. The rest is
        absent, and takes no room."""
        group = self._open("r+")
        first = batch * self.batch_rows
        for shard in self.files(batch):  # zarr would read it first, which fails where it is damaged
            (self.root / shard).unlink(missing_ok=True)
        with zarr.config.set({"array.write_empty_chunks": True}):
            for name, values in (("vectors", vectors), ("status", status)):
                chunk = group[name].chunks[0]
                whole = np.zeros((-(-len(values) // chunk) * chunk, *values.shape[1:]), group[name].dtype)
                whole[: len(values)] = values
                group[name][first : first + len(whole)] = whole

    def read(self, batches: Sequence[int]) -> Shard:
        """Consecutive batches."""
        group = self._open("r")
        rows = slice(batches[0] * self.batch_rows, (batches[-1] + 1) * self.batch_rows)
        with self._intact():
            vectors, status = group["vectors"][rows], group["status"][rows]
        return Shard(vectors, status, np.isin(status, USABLE) & self.measure.usable(vectors))


def _divisor(n: int, at_most: int) -> int:
    return next(size for size in range(max(1, min(n, at_most)), 0, -1) if n % size == 0)
