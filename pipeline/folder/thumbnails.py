"""luma/<batch>.npy: the small images that verify near pairs."""

from pathlib import Path

import numpy as np

from pixsieve import files
from pixsieve.images.luma import SIDE


def luma_files(*batches: int) -> tuple[str, ...]:
    """The files of the small images of some batches."""
    return tuple(f"luma/{batch:05}.npy" for batch in batches)


def write_luma(root: Path, batch: int, luma: np.ndarray) -> None:
    """luma: (rows, 64, 64) uint8, of the rows of a batch."""
    (path,) = luma_files(batch)
    files.write(root / path, lambda file: np.save(file, luma))


def read_luma(root: Path, batch_rows: int, rows: np.ndarray) -> np.ndarray:
    """(n, 64, 64) uint8 of some rows."""
    found = np.empty((len(rows), SIDE, SIDE), np.uint8)
    for batch in np.unique(rows // batch_rows).tolist():
        (path,) = luma_files(batch)
        here = rows // batch_rows == batch
        found[here] = np.load(root / path, mmap_mode="r")[rows[here] % batch_rows]
    return found
