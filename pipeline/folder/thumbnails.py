"""luma/<batch>.npy: the small images that verify near pairs, of the rows of a batch."""

from pathlib import Path

import numpy as np

from pixsieve import files
from pixsieve.folder.manifest import Manifest
from pixsieve.images.luma import SIDE


def luma_files(*batches: int) -> tuple[str, ...]:
    """The files of the small images of some batches."""
    return tuple(f"luma/{batch:05}.npy" for batch in batches)


def write_luma(root: Path, batch: int, luma: np.ndarray) -> None:
    """luma: (m, 64, 64) uint8, of the first rows of a batch."""
    (path,) = luma_files(batch)
    files.write(root / path, lambda file: np.save(file, luma))


def read_luma(root: Path, manifest: Manifest, rows: np.ndarray) -> np.ndarray:
    """(n, 64, 64) uint8 of some rows."""
    found = np.empty((len(rows), SIDE, SIDE), np.uint8)
    for batch, at, offset in manifest.by_batch(rows):
        (path,) = luma_files(batch)
        found[at] = files.read_array(root / path)[offset]
    return found
