"""Pickled lists of datapoints and of clusters, as old scripts wrote them, read without running what they name.

A pickle is a program: it calls whatever it names. Here it may name only what an array, a tensor or a container is put
together from; a class called Datapoint or Cluster becomes a record that does nothing, and its module is not imported.
"""

import io
import pickle
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from importlib.util import find_spec
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
    paths: list[str]  # the keys without their numbers


class PickledCluster(NamedTuple):
    id: int
    paths: list[str]
    mean_encoding: np.ndarray  # (d,) floats
    std_dev: np.ndarray  # (d,) floats
    size: int


def read(path: Path) -> Pickled:
    """Vectors, keys and labels of a pickled list of datapoints, read whole. The key is the path; a later datapoint of
    the same path gets `path#2`, `path#3`, ... Raises SourceError, also for a pickle that names anything else."""
    found = Pickled([], [], [], [])
    seen: Counter[str] = Counter()
    for where, item in _records(path, "Datapoint", ("data", "label", "path")):
        one = vector(item.data, f"{where}: data")
        first = found.vectors[0] if found.vectors else one
        if (one.shape, one.dtype) != (first.shape, first.dtype):
            raise SourceError(
                f"{where} holds {len(one)} numbers of {one.dtype}, item 0 holds {len(first)} of"
                f" {first.dtype}; give all rows one width and one type"
            )
        name = _name(item.path, f"{where}: path")
        seen[name] += 1
        found.vectors.append(one)
        found.keys.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
        found.paths.append(name)
        found.labels.append(_text(item.label, f"{where}: label"))
    return found


def read_clusters(path: Path) -> list[PickledCluster]:
    """A pickled list of clusters, likewise; id -1 is what that script called noise."""
    found = list[PickledCluster]()
    for where, item in _records(path, "Cluster", PickledCluster._fields):
        if not isinstance(item.paths, list | tuple | set):
            raise SourceError(f"{where}: paths is a {type(item.paths).__name__}; wanted: a list of paths")
        paths = [_name(one, f"{where}: paths") for one in item.paths]
        number, size = (_number(getattr(item, name), f"{where}: {name}") for name in ("id", "size"))
        mean, deviation = (vector(getattr(item, name), f"{where}: {name}") for name in ("mean_encoding", "std_dev"))
        widths = {len(one) for one in (mean, deviation, *(cluster.mean_encoding for cluster in found[:1]))}
        if len(widths) > 1:
            raise SourceError(f"{where}: means and deviations have {sorted(widths)} numbers; all must have as many")
        paths = sorted(paths) if isinstance(item.paths, set) else paths
        found.append(PickledCluster(number, paths, mean, deviation, size))
    return found


def _records(path: Path, kind: str, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """The objects of a pickled list, with where each stands. SourceError for one of another class, or without one of
    the attributes."""
    with path.open("rb") as file:
        items = _Unpickler(file, path).load()
    if not isinstance(items, list | tuple):
        raise SourceError(f"source.path: {path} holds a {type(items).__name__}; wanted: a list of {kind} objects")
    for row, item in enumerate(items):
        where = f"source.path: {path}, item {row}"
        if type(item).__name__ != kind:
            raise SourceError(f"{where} is a {type(item).__name__}; wanted: a list of {kind} objects")
        if missing := [name for name in names if name not in vars(item)]:
            has = f"{', '.join(names[:-1])} and {names[-1]}"
            raise SourceError(f"{where} has no attribute {missing[0]}; a {kind} has {has}")
        yield where, item


def vector(value: Any, where: str) -> np.ndarray:
    """(d,) floats of an array or a tensor of shape (d,) or (1, d). SourceError for anything else."""
    if isinstance(value, _Array):
        value = value.array
    elif (torch := sys.modules.get("torch")) and isinstance(value, torch.Tensor):
        # NumPy has no bfloat16; float32 holds each of its values.
        value = (value.float() if value.dtype == torch.bfloat16 else value).detach().cpu().numpy()
    if not isinstance(value, np.ndarray):
        raise SourceError(f"{where} is a {type(value).__name__}; wanted: an array or a tensor of floats")
    flat = value[0] if value.ndim == 2 and len(value) == 1 else value
    if flat.ndim != 1 or not len(flat) or not np.issubdtype(flat.dtype, np.floating):
        raise SourceError(f"{where} is {value.dtype} {value.shape}; wanted: floats of shape (d,) or (1, d)")
    return flat


def _text(value: Any, where: str) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    return str(_number(value, where, "a string or an integer"))


def _name(value: Any, where: str) -> str:
    name = _text(value, where)
    if name is None:
        raise SourceError(f"{where} is None; every datapoint needs a path")
    return name


def _number(value: Any, where: str, wanted: str = "an integer") -> int:
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    raise SourceError(f"{where} is a {type(value).__name__}; wanted: {wanted}")


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
        if module.partition(".")[0] == "torch" and find_spec("torch") is None:
            raise SourceError(
                f"source.path: {self.path} holds tensors of PyTorch, which is not installed: pip install torch, or save"
                " it as .npz: vectors, keys, labels"
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
