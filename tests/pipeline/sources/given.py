"""Files of given vectors, written as their users write them."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import zarr


class Datapoint:
    """As old scripts have it."""

    def __init__(self, data: object, label: object, path: object) -> None:
        self.data, self.label, self.path, self.cluster = data, label, path, None


Names = list[str] | None


def npz(path: Path, x: np.ndarray, keys: Names = None, labels: list | None = None) -> Path:
    """Without null labels."""
    more = {name: np.array(values) for name, values in (("keys", keys), ("labels", labels)) if values is not None}
    np.savez(path, vectors=x, **more)
    return path


def npz_columns_first(path: Path, x: np.ndarray, keys: Names = None, labels: list | None = None) -> Path:
    more = {name: np.array(values) for name, values in (("ids", keys), ("labels", labels)) if values is not None}
    np.savez_compressed(path, anything=np.asfortranarray(x), **more)
    return path


def lists(x: np.ndarray, kind: str = "list") -> pa.Array:
    flat = pa.array(x.ravel())
    if kind == "fixed":
        return pa.FixedSizeListArray.from_arrays(flat, x.shape[1])
    array = {"list": pa.ListArray, "large": pa.LargeListArray}[kind]
    width = {"list": pa.int32(), "large": pa.int64()}[kind]
    return array.from_arrays(pa.array(np.arange(len(x) + 1) * x.shape[1], width), flat)


def parquet(
    path: Path, x: np.ndarray, keys: Names = None, labels: list | None = None, kind: str = "list", name: str = "vector"
) -> Path:
    columns = {"key": keys, name: lists(x, kind), "label": labels}
    pq.write_table(pa.table({n: c for n, c in columns.items() if c is not None}), path, row_group_size=37)
    return path


def parquet_fixed(path: Path, x: np.ndarray, keys: Names = None, labels: list | None = None) -> Path:
    return parquet(path, x, keys, labels, "fixed", "whatever")


def parquet_large(path: Path, x: np.ndarray, keys: Names = None, labels: list | None = None) -> Path:
    return parquet(path, x, keys, labels, "large", "embeddings")


def zarr_group(path: Path, x: np.ndarray, keys: Names = None, labels: list | None = None, form: int = 3) -> Path:
    """Without null labels."""
    shutil.rmtree(path, ignore_errors=True)
    group = zarr.open_group(path, mode="w", zarr_format=form)  # type: ignore[arg-type]
    group.create_array("vectors", shape=x.shape, dtype=x.dtype, chunks=(17, 3))[:] = x
    for name, values in (("keys", keys), ("labels", labels)):
        if values is not None:
            group.create_array(name, shape=(len(values),), dtype=str)[:] = np.array(values, object)
    return path


def zarr_2(path: Path, x: np.ndarray, keys: Names = None, labels: list | None = None) -> Path:
    return zarr_group(path, x, keys, labels, form=2)


def pkl(path: Path, x: np.ndarray, keys: Names = None, labels: list | None = None, protocol: int = 4) -> Path:
    names, said = keys or [str(row) for row in range(len(x))], labels or [None] * len(x)
    points = [Datapoint(row[None], label, key) for row, key, label in zip(x, names, said, strict=True)]
    path.write_bytes(pickle.dumps(points, protocol))
    return path


def pkl_torch(path: Path, x: np.ndarray, keys: Names = None, labels: list | None = None) -> Path:
    names, said = keys or [str(row) for row in range(len(x))], labels or [None] * len(x)
    tensors = [torch.from_numpy(row.copy()) for row in x]
    path.write_bytes(pickle.dumps([Datapoint(*three) for three in zip(tensors, said, names, strict=True)], 5))
    return path


Write = Callable[..., Path]
WRITERS: dict[str, tuple[str, Write]] = {
    "npz": ("x.npz", npz),
    "npz, columns first": ("x.npz", npz_columns_first),
    "parquet": ("x.parquet", parquet),
    "parquet, fixed": ("x.parquet", parquet_fixed),
    "parquet, large": ("x.parquet", parquet_large),
    "zarr 3": ("x.zarr", zarr_group),
    "zarr 2": ("x", zarr_2),
    "pickle": ("x.pkl", pkl),
    "pickle of tensors": ("x.pkl", pkl_torch),
}
