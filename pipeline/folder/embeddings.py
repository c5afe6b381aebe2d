"""The embedding store: embeddings.zarr/<descriptor>/{vectors, status}, one shard for each batch.
FolderDamagedError where it cannot be opened."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

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

    def _arrays(self) -> tuple[zarr.Array, ...]:
        """Vectors and status."""
        place = self.root / STORE / self.measure.name
        with self._intact():
            said = tuple((place / name / "zarr.json").read_bytes() for name in ("vectors", "status"))
            return _opened(str(place), said)

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
        arrays = self._arrays()
        first = batch * self.batch_rows
        for shard in self.files(batch):  # zarr would read it first, which fails where it is damaged
            (self.root / shard).unlink(missing_ok=True)
        for array, values in zip(arrays, (vectors, status), strict=True):
            chunk = array.chunks[0]
            whole = np.zeros((-(-len(values) // chunk) * chunk, *values.shape[1:]), array.dtype)
            whole[: len(values)] = values
            array[first : first + len(whole)] = whole

    def read(self, batches: Sequence[int]) -> Shard:
        """Consecutive batches."""
        arrays = self._arrays()
        rows = slice(batches[0] * self.batch_rows, (batches[-1] + 1) * self.batch_rows)
        with self._intact():
            vectors, status = (np.asarray(array[rows]) for array in arrays)
        return Shard(vectors, status, np.isin(status, USABLE) & self.measure.usable(vectors))


@lru_cache(4)
def _opened(place: str, said: tuple[bytes, ...]) -> tuple[zarr.Array, ...]:
    """Opened once for what their metadata say: that takes longer than to read a small shard."""
    with zarr.config.set({"array.write_empty_chunks": True}):  # a shard of zeros is a file as well
        return tuple(zarr.open_array(f"{place}/{name}", mode="r+") for name in ("vectors", "status"))


def _divisor(n: int, at_most: int) -> int:
    return next(size for size in range(max(1, min(n, at_most)), 0, -1) if n % size == 0)
