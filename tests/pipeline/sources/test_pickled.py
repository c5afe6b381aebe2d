"""Pickles: the lists that old scripts wrote are read, and nothing that a pickle names is run."""

import io
import os
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from pixsieve import SourceError
from pixsieve.sources import pickled
from tests.pipeline.helpers import audit
from tests.pipeline.sources.given import Datapoint

X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


@contextmanager
def module_of_old() -> Iterator[types.ModuleType]:
    """Classes of a module that is gone when the pickle is read."""
    module = types.ModuleType("face_clustering_of_old")
    for name in ("Datapoint", "Cluster", "Other"):
        setattr(module, name, type(name, (), {"__module__": module.__name__}))
    sys.modules[module.__name__] = module
    try:
        yield module
    finally:
        del sys.modules[module.__name__]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["arrays", "tensors", "half tensors", "brain tensors"])
def test_old_scripts(tmp_path: Path, protocol: int, kind: str):
    y = X.astype(np.float16) if kind == "half tensors" else X
    y = torch.from_numpy(X).bfloat16().float().numpy() if kind == "brain tensors" else y
    with module_of_old() as old:
        points = []
        for row, label in zip(y, ["ann", None, 3, np.int64(4), np.str_("bob")], strict=True):
            point, data = old.Datapoint(), row if label == 3 else row[None]
            tensor = torch.from_numpy(data.copy())
            point.data = data if kind == "arrays" else tensor.bfloat16() if kind == "brain tensors" else tensor
            point.label, point.path, point.cluster = label, f"photos/{len(points)}.jpg", old.Cluster()
            point.cluster.points, point.more = points, OrderedDict(a={1, 2}, b=(bytearray(b"x"), frozenset()))
            points.append(point)
        (tmp_path / "x.pkl").write_bytes(pickle.dumps(points, protocol))
    found = pickled.read(tmp_path / "x.pkl")
    np.testing.assert_array_equal(np.array(found.vectors), y)
    assert found.vectors[0].dtype == y.dtype
    assert found.labels == ["ann", None, "3", "4", "bob"]
    assert found.keys == [f"photos/{row}.jpg" for row in range(5)]


@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])
def test_both_names_of_the_core_of_numpy(tmp_path: Path, module: str):
    data = pickle.dumps([Datapoint(X[0], np.int64(3), "a")], 3)
    assert b"numpy._core.multiarray" in data
    (tmp_path / "x.pkl").write_bytes(data.replace(b"numpy._core", module.encode()))
    found = pickled.read(tmp_path / "x.pkl")
    np.testing.assert_array_equal(found.vectors[0], X[0])
    assert found.labels == ["3"]


def test_arrays_of_any_layout(tmp_path: Path):
    given = [X[0].astype(">f4"), np.asfortranarray(X[1:2]).astype(">f4"), X.astype(">f4")[::2][1]]
    (tmp_path / "x.pkl").write_bytes(pickle.dumps([Datapoint(v, None, str(i)) for i, v in enumerate(given)]))
    np.testing.assert_array_equal(np.array(pickled.read(tmp_path / "x.pkl").vectors), X[:3])


def test_several_faces_of_one_image(tmp_path: Path):
    points = [Datapoint(row, None, path) for row, path in zip(X, ["a", "b", "a", "a", "b"], strict=True)]
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(points))
    assert pickled.read(tmp_path / "x.pkl").keys == ["a", "b", "a#2", "a#3", "b#2"]


def call(module: str, name: str, *arguments: object) -> bytes:
    """A pickle of protocol 4 that calls module.name, and looks the name up through its dots."""
    texts = b"".join(b"\x8c" + bytes([len(text.encode())]) + text.encode() for text in (module, name))
    inner = pickle.dumps(arguments, 4)
    inner = inner[11:] if inner[2:3] == b"\x95" else inner[2:]  # a frame begins with its length
    return b"\x80\x04" + texts + b"\x93" + inner[:-1] + b"R."


class Reduced:
    """Pickled as a call."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.what = function, arguments

    def __reduce__(self):
        return self.what


def touching(canary: Path) -> dict[str, tuple[bytes, str]]:
    """Pickles that run a command where nobody looks, and what is refused of each."""
    command = f"touch {canary}"
    posing = type("Datapoint", (Reduced,), {"__module__": "os"})
    inside = Datapoint(X[0], None, "a")
    inside.label = Reduced(os.system, command)
    return {
        "os.system": (pickle.dumps(Reduced(os.system, command)), "posix.system"),
        "os.system, protocol 0": (pickle.dumps(Reduced(os.system, command), 0), "posix.system"),
        "eval": (pickle.dumps(Reduced(eval, f"__import__('os').system({command!r})")), "builtins.eval"),
        "a class called Datapoint": (pickle.dumps([posing(os.system, command)]), "posix.system"),
        "inside of a Datapoint": (pickle.dumps([inside]), "posix.system"),
        "through numpy": (call("numpy", "f2py.os.system", command), "numpy.f2py.os.system"),
        "through collections": (call("collections", "_sys.modules", command), "collections._sys.modules"),
        "through torch": (call("torch._utils", "torch.serialization.os.system", command), "torch._utils.torch.ser"),
        "through Datapoint": (call("os", "Datapoint.system", command), "os.Datapoint.system"),
        "through a method of a container": (call("builtins", "dict.__class__", "a"), "builtins.dict.__class__"),
        "getattr": (call("builtins", "getattr", "a", "b"), "builtins.getattr"),
        "import": (call("builtins", "__import__", "os"), "builtins.__import__"),
        "setattr": (call("builtins", "setattr", "a", "b", "c"), "builtins.setattr"),
        "torch.load": (call("torch", "load", str(canary)), "torch.load"),
        "numpy.load": (call("numpy", "load", str(canary)), "numpy.load"),
        "numpy.memmap": (call("numpy", "memmap", str(canary), "uint8", "w+", 0, 9), "numpy.memmap"),
        "another class of an old script": (call("face_clustering_of_old", "Other"), "face_clustering_of_old.Other"),
    }


@pytest.mark.parametrize("name", touching(Path("canary")))
def test_nothing_is_run(tmp_path: Path, name: str):
    canary = tmp_path / "ran"
    data, refused = touching(canary)[name]
    (tmp_path / "x.pkl").write_bytes(data)
    with pytest.raises(SourceError, match=f"wants to use {refused.replace('.', '[.]')}.*Save it as .npz"):
        audit(tmp_path / "x.pkl", tmp_path / "run")
    assert not canary.exists()


@pytest.mark.parametrize(
    "name", ["os.system", "os.system, protocol 0", "eval", "inside of a Datapoint", "through numpy", "numpy.memmap"]
)
def test_these_pickles_do_run_elsewhere(tmp_path: Path, name: str):
    pickle.loads(touching(tmp_path / "ran")[name][0])
    assert (tmp_path / "ran").exists()


def test_a_class_called_datapoint_is_not_the_one_of_its_module(tmp_path: Path):
    """Called with what it does not take, and its module not imported."""
    (tmp_path / "x.pkl").write_bytes(call("this", "Datapoint", "touch"))
    with pytest.raises(SourceError, match="Datapoint"):
        audit(tmp_path / "x.pkl", tmp_path / "run")
    assert "this" not in sys.modules


def test_a_storage_of_a_tensor_is_no_way_in(tmp_path: Path):
    stream = io.BytesIO()
    torch.save(Reduced(os.system, f"touch {tmp_path / 'ran'}"), stream)
    (tmp_path / "x.pkl").write_bytes(call("torch.storage", "_load_from_bytes", stream.getvalue()))
    with pytest.raises(SourceError, match="cannot read vectors"):
        audit(tmp_path / "x.pkl", tmp_path / "run")
    assert not (tmp_path / "ran").exists()
    torch.load(io.BytesIO(stream.getvalue()), weights_only=False)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("array", [np.array([None, 1], object), np.zeros(3, [("a", "O"), ("b", "f4")])])
def test_arrays_of_objects_are_refused(tmp_path: Path, array: np.ndarray):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps([Datapoint(array, None, "a")]))
    with pytest.raises(SourceError, match=r"an array of dtype '[OV]"):
        audit(tmp_path / "x.pkl", tmp_path / "run")


@pytest.mark.parametrize("place", [("numpy", "ndarray"), ("numpy", "dtype"), ("any", "Datapoint")])
def test_a_pickle_leaves_no_mark_on_what_the_next_one_gets(tmp_path: Path, place: tuple[str, str]):
    """The state of a class can be set as that of an object can."""
    good, bad = tmp_path / "good.pkl", tmp_path / "bad.pkl"
    good.write_bytes(pickle.dumps([Datapoint(X[0], None, "a")]))
    texts = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in place)
    bad.write_bytes(b"\x80\x04" + texts + b"\x93N}\x8c\x0c__setstate__K\x01s\x86b.")
    with pytest.raises(SourceError):
        audit(bad, tmp_path / "run")
    np.testing.assert_array_equal(pickled.read(good).vectors[0], X[0])
