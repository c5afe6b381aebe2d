"""Pickled lists of datapoints, as old clustering scripts wrote them, read without running anything that they name.

A pickle is a program: it calls whatever it names. Here it may name only what an array, a tensor or a container is put
together from; a class called Datapoint or Cluster becomes a record that does nothing, and its module is not imported.
"""

import io
import pickle
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pixsieve.errors import SourceError

RECORDS = ("Datapoint", "Cluster")
KINDS = "biufUS"  # of numbers and texts in arrays


class Pickled(NamedTuple):
    """What the list holds, in its order: vectors of one width d and one dtype, texts."""

    vectors: list[np.ndarray]  # each (d,) floats
    keys: list[str]
    labels: list[str | None]


def read(path: Path) -> Pickled:
    """Vectors, keys and labels of a pickled list of datapoints, read whole. The key is the path; a later datapoint of
    the same path gets `path#2`, `path#3`, ... Raises SourceError, also for a pickle that names anything else."""
    with path.open("rb") as file:
        items = _Unpickler(file, path).load()
    if not isinstance(items, list | tuple):
        raise SourceError(f"source.path: {path} holds a {type(items).__name__}; wanted: a list of Datapoint objects")
    found = Pickled([], [], [])
    seen: Counter[str] = Counter()
    for row, item in enumerate(items):
        where = f"source.path: {path}, item {row}"
        if type(item).__name__ != "Datapoint":
            raise SourceError(f"{where} is a {type(item).__name__}; wanted: a list of Datapoint objects")
        if missing := [name for name in ("data", "label", "path") if name not in vars(item)]:
            raise SourceError(f"{where} has no attribute {missing[0]}; a Datapoint has data, label and path")
        vector = _vector(item.data, where)
        first = found.vectors[0] if row else vector
        if (vector.shape, vector.dtype) != (first.shape, first.dtype):
            raise SourceError(
                f"{where} holds {len(vector)} numbers of {vector.dtype}, item 0 holds {len(first)} of"
                f" {first.dtype}; give all rows one width and one type"
            )
        name = _text(item.path, f"{where}, path")
        if name is None:
            raise SourceError(f"{where}: path is None; every datapoint needs one")
        seen[name] += 1
        found.vectors.append(vector)
        found.keys.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
        found.labels.append(_text(item.label, f"{where}, label"))
    return found


def _vector(value: Any, where: str) -> np.ndarray:
    """(d,) floats of an array or a tensor of shape (d,) or (1, d)."""
    if isinstance(value, _Array):
        value = value.array
    elif (torch := sys.modules.get("torch")) and isinstance(value, torch.Tensor):
        # NumPy has no bfloat16; float32 holds each of its values.
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    if not isinstance(value, np.ndarray):
        raise SourceError(f"{where}: data is a {type(value).__name__}; wanted: an array or a tensor of floats")
    flat = value[0] if value.ndim == 2 and len(value) == 1 else value
    if flat.ndim != 1 or not len(flat) or not np.issubdtype(flat.dtype, np.floating):
        raise SourceError(f"{where}: data is {value.dtype} {value.shape}; wanted: floats of shape (d,) or (1, d)")
    return flat


def _text(value: Any, where: str) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return str(int(value))
    raise SourceError(f"{where} is a {type(value).__name__}; wanted: a string or an integer")


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BufferedReader, path: Path) -> None:
        super().__init__(file)
        self.path = path
        self.allowed = _allowed()

    def find_class(self, module: str, name: str) -> Any:
        """By exact name, never by looking into a module: `a.b` is a name like any other, and not in the list."""
        if name in RECORDS:
            return self.allowed["", name]
        if (module, name) not in self.allowed:
            raise SourceError(
                f"source.path: {self.path} was not read: it wants to use {module}.{name}, and a pickle may use only"
                " arrays, tensors, containers and Datapoint. Save it as .npz: vectors, keys, labels"
            )
        return self.allowed[module, name]


class _Dtype:
    """In place of numpy.dtype, whose own state may claim that bytes are pointers to objects."""

    def __init__(self, code: str, *_: Any) -> None:
        if code[:1] not in KINDS or not code[1:].isdecimal():
            raise TypeError(f"an array of dtype {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """In place of numpy.ndarray, until its numbers are there."""

    array: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran_order, data = state
        self.array = _from_bytes(data, dtype, shape, "F" if fortran_order else "C")


def _from_bytes(data: bytes, dtype: _Dtype, shape: tuple[int, ...], order: Any, *_: Any) -> np.ndarray:
    return np.frombuffer(data, dtype.dtype).reshape(shape, order=order)


def _allowed() -> dict[tuple[str, str], Callable[..., Any]]:
    """What a pickle may call. Made anew for each one: a pickle can set attributes of all that it is handed, and what is
    handed out here is either its own or cannot be changed."""
    found: dict[tuple[str, str], Callable[..., Any]] = {("", name): type(name, (), {}) for name in RECORDS}
    for kind in (list, tuple, dict, set, frozenset, bytearray):
        found["builtins", kind.__name__] = found["__builtin__", kind.__name__] = kind
    found["collections", "OrderedDict"] = OrderedDict
    # How protocol 2 writes bytes.
    found["_codecs", "encode"] = lambda text, _: str.encode(text, "latin-1")
    found["numpy", "ndarray"] = array = type("ndarray", (_Array,), {})
    found["numpy", "dtype"] = type("dtype", (_Dtype,), {})
    for core in ("numpy.core", "numpy._core"):
        found[f"{core}.multiarray", "_reconstruct"] = lambda *_: array()
        found[f"{core}.multiarray", "scalar"] = lambda dtype, data: _from_bytes(data, dtype, (1,), "C")[0]
        found[f"{core}.numeric", "_frombuffer"] = lambda *args: _from_bytes(*args)
    found["torch._utils", "_rebuild_tensor_v2"] = lambda *args: _tensor(*args)
    found["torch.storage", "_load_from_bytes"] = lambda data: _storage(data)
    return found


def _tensor(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Any:
    """Without the hooks and the metadata that a tensor may carry."""
    import torch

    if not isinstance(storage, torch.TypedStorage):
        raise TypeError(f"a tensor on a {type(storage).__name__}")
    return torch._utils._rebuild_tensor(storage, offset, size, stride)


def _storage(data: bytes) -> Any:
    import torch

    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
