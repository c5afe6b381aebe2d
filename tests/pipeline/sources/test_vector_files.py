"""Files of given vectors that are not as they should be: each refused with what is wrong and where."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zarr

from pixsieve import ConfigError, SourceError, datapoints
from pixsieve.sources import vector_files
from tests.pipeline.helpers import audit, by_key
from tests.pipeline.sources import given

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
ROWS = X.tolist()
F4 = pa.list_(pa.float32())
KEYS = list("abcdef")


def npz(**arrays: object) -> tuple[str, Callable[[Path], object]]:
    return "x.npz", lambda path: np.savez(path, **arrays)  # type: ignore[arg-type]


def parquet(**columns: object) -> tuple[str, Callable[[Path], object]]:
    return "x.parquet", lambda path: pq.write_table(pa.table(columns), path)


def pkl(points: object) -> tuple[str, Callable[[Path], object]]:
    return "x.pkl", lambda path: path.write_bytes(pickle.dumps(points))


def group(**arrays: np.ndarray) -> tuple[str, Callable[[Path], object]]:
    def write(path: Path) -> None:
        root = zarr.open_group(path, mode="w")
        for name, array in arrays.items():
            root.create_array(name, data=array)

    return "x.zarr", write


def point(data: object, path: object = "a", label: object = None) -> given.Datapoint:
    return given.Datapoint(data, label, path)


def without(name: str) -> given.Datapoint:
    found = point(X[0])
    delattr(found, name)
    return found


def column(rows: list, kind: pa.DataType = F4) -> pa.Array:
    return pa.array(rows, kind)


WRONG = {
    "npz, no vectors": (npz(other=X[0], words=np.array(["a"])), r"no vectors \(only: other, words\).*the name vectors"),
    "npz, nothing": (npz(), "no vectors"),
    "npz, two": (npz(a=X, b=X), "a and b may each be the vectors; give .* the name vectors"),
    "npz, two named": (npz(vectors=X, embeddings=X), "vectors and embeddings, which mean the same; keep one"),
    "npz, integers": (npz(vectors=X.astype(int)), r"vectors: int64 \(6, 4\); wanted: floats of shape \(n, d\)"),
    "npz, one axis": (npz(vectors=X[0]), r"vectors: float32 \(4,\); wanted"),
    "npz, no width": (npz(vectors=X[:, :0]), r"vectors: float32 \(6, 0\); wanted"),
    "npz, pickled keys": (npz(vectors=X, keys=np.array(KEYS, object)), "keys is pickled; save it as an array of str"),
    "npz, keys of floats": (npz(vectors=X, keys=X[:, 0]), r"keys is float32 \(6,\); wanted: strings or integers"),
    "npz, keys of two axes": (npz(vectors=X, keys=np.arange(12).reshape(6, 2)), r"keys is int64 \(6, 2\); wanted"),
    "npz, few keys": (npz(vectors=X, keys=np.array(KEYS[:5])), "keys holds 5 values for 6 vectors"),
    "npz, few labels": (npz(vectors=X, labels=np.array(KEYS[:5])), "labels holds 5 values for 6 vectors"),
    "npz, a key twice": (npz(vectors=X, ids=np.array(list("abcadb"))), "row 3 of ids is 'a', as row 0 is; keys must"),
    "npz, two kinds of keys": (npz(vectors=X, keys=np.array(KEYS), paths=np.array(KEYS)), "keys and paths, which mean"),
    "parquet, no vectors": (parquet(key=KEYS, n=range(6)), r"no vectors \(only: key, n\)"),
    "parquet, two": (parquet(a=column(ROWS), b=column(ROWS)), "a and b may each be the vectors"),
    "parquet, two named": (parquet(vector=column(ROWS), vectors=column(ROWS)), "vector and vectors, which mean"),
    "parquet, integers": (parquet(vectors=[[1, 2]]), r"the column vectors is list<.*int64>; wanted: lists of floats"),
    "parquet, numbers": (parquet(vectors=[1.0, 2.0]), "the column vectors is double; wanted: lists of floats"),
    "parquet, ragged": (
        parquet(v=column([*ROWS[:4], [1.0] * 3, [1.0]])),
        "row 4 of v has 3 numbers, row 0 has 4; mend",
    ),
    "parquet, ragged from the start": (parquet(v=column([[], *ROWS])), r"v: float32 \(7, 0\); wanted"),
    "parquet, null first": (parquet(v=column([None, *ROWS])), "row 0 of v is null"),
    "parquet, null later": (parquet(v=column([*ROWS, None])), "row 6 of v is null"),
    "parquet, null inside": (parquet(v=column([*ROWS, [1, None, 2, 3]])), "row 6 of v holds a null"),
    "parquet, null of fixed": (parquet(v=column([*ROWS, None], pa.list_(pa.float32(), 4))), "row 6 of v is null"),
    "parquet, no rows": (parquet(v=column([])), "has no rows, and v no fixed width"),
    "parquet, null key": (parquet(v=column(ROWS), id=[*KEYS[:5], None]), "row 5 of id is null; give every row a key"),
    "parquet, a key twice": (parquet(v=column(ROWS), path=list("abcdee")), "row 5 of path is 'e', as row 4 is"),
    "parquet, keys of floats": (parquet(v=column(ROWS), key=X[:, 0]), "key is float; wanted: strings or integers"),
    "parquet, labels of booleans": (parquet(v=column(ROWS), label=[True] * 6), "label is bool; wanted"),
    "zarr, no vectors": (group(keys=np.arange(6)), r"no vectors \(only: keys\)"),
    "zarr, two named": (group(vectors=X, embedding=X), "which mean the same"),
    "zarr, integers": (group(vectors=np.arange(6)), r"vectors: int64 \(6,\); wanted"),
    "zarr, few keys": (group(vectors=X, keys=np.arange(5)), "keys holds 5 values for 6 vectors"),
    "zarr, a key twice": (group(vectors=X, keys=np.array([1, 2, 3, 4, 1, 5])), "row 4 of keys is '1', as row 0 is"),
    "pickle, no list": (pkl({"a": 1}), "holds a dict; wanted: a list of Datapoint objects"),
    "pickle, other items": (pkl([point(X[0]), X[1]]), "item 1 is a ndarray; wanted: a list of Datapoint"),
    "pickle, empty": (pkl([]), "an empty list"),
    "pickle, no path": (pkl([without("path")]), "item 0 has no attribute path"),
    "pickle, path of None": (pkl([point(X[0], None)]), "item 0: path is None"),
    "pickle, path of bytes": (pkl([point(X[0], b"a")]), "item 0: path is a bytes; wanted: a string or an integer"),
    "pickle, label of a float": (pkl([point(X[0], label=0.5)]), "item 0: label is a float; wanted"),
    "pickle, ragged": (pkl([point(X[0]), point(X[1, :3])]), "item 1 holds 3 numbers of float32, item 0 holds 4 of"),
    "pickle, two types": (pkl([point(X[0]), point(X[1].astype("f8"))]), "item 1 holds 4 numbers of float64"),
    "pickle, two rows": (pkl([point(X[:2])]), r"item 0: data is float32 \(2, 4\); wanted: floats of shape \(d,\) or"),
    "pickle, integers": (pkl([point(np.arange(3))]), r"item 0: data is int64 \(3,\)"),
    "pickle, a list": (pkl([point(ROWS[0])]), "item 0: data is a list; wanted: an array or a tensor"),
    "pickle, a key twice": (pkl([point(X[0], p) for p in ("a", "a#2", "a")]), "row 2 of path is 'a#2', as row 1 is"),
}


@pytest.mark.parametrize("name", WRONG)
def test_refused(tmp_path: Path, name: str):
    (file, write), message = WRONG[name]
    write(tmp_path / file)
    with pytest.raises(SourceError, match=message) as told:
        audit(tmp_path / file, tmp_path / "run")
    assert f"source.path: {tmp_path / file}" in str(told.value)
    assert not (tmp_path / "run/source/vectors.npy").exists()
    assert not (tmp_path / "run/manifest").exists()


@pytest.mark.parametrize("file", ["x.npz", "x.parquet", "x.pkl"])
@pytest.mark.parametrize("keep", [0, 30, -30, None])
def test_files_that_are_cut_off_or_something_else(tmp_path: Path, file: str, keep: int | None):
    path = tmp_path / file
    {"x.npz": given.npz, "x.parquet": given.parquet, "x.pkl": given.pkl}[file](path, X, KEYS)
    path.write_bytes(b"something else" if keep is None else path.read_bytes()[:keep])
    with pytest.raises(SourceError, match=rf"cannot read vectors from .*{file}: .*is it whole"):
        audit(path, tmp_path / "run")


def test_a_member_that_is_shorter_than_it_says(tmp_path: Path):
    import zipfile

    np.save(tmp_path / "x.npy", X)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as file:
        file.writestr("vectors.npy", (tmp_path / "x.npy").read_bytes()[:-8])
    with pytest.raises(SourceError, match=r"holds 88 bytes of vectors, too few or too many for \(6, 4\) float32"):
        audit(tmp_path / "x.npz", tmp_path / "run")
    assert not list((tmp_path / "run/source").iterdir())


def test_a_zarr_folder_without_a_zarr(tmp_path: Path):
    (tmp_path / "x.zarr").mkdir()
    with pytest.raises(SourceError, match=r"cannot read vectors from .*x\.zarr"):
        audit(tmp_path / "x.zarr", tmp_path / "run")


@pytest.mark.parametrize("part", ["npz", "parquet", "zarr 3"])
def test_rows_are_counted_across_parts(tmp_path: Path, part: str, monkeypatch):
    """A part of one row: what is written is the same, and the row that is told is one of the file."""
    monkeypatch.setattr(vector_files, "PART_BYTES", 1)
    file, write = given.WRITERS[part]
    many = np.repeat(X, 10, axis=0)
    parts = list(vector_files.content(write(tmp_path / file, many)).parts)
    assert b"".join(bytes(part) for part in parts) == many.tobytes()
    assert len(parts) > 1
    (file, write), message = WRONG["parquet, ragged"]
    write(tmp_path / file)
    with pytest.raises(SourceError, match=message):
        list(vector_files.content(tmp_path / file).parts)


def test_a_zarr_that_would_unpickle_is_not_read(tmp_path: Path, monkeypatch):
    # Older versions of numcodecs do not have this switch.
    monkeypatch.setattr("numcodecs.pickles.ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)

    class Bad:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    path = given.zarr_2(tmp_path / "x.zarr", X, KEYS)
    about = json.loads((path / "keys/.zarray").read_text())
    about |= {"filters": [*about["filters"], {"id": "pickle", "protocol": 5}], "compressor": None}
    (path / "keys/.zarray").write_text(json.dumps(about))
    (path / "keys/0").write_bytes(pickle.dumps(Bad()))
    with pytest.raises(SourceError, match="keys is pickled, and was not read"):
        audit(path, tmp_path / "run")
    assert not (tmp_path / "ran").exists()
    with pytest.raises(Exception):  # noqa: B017
        zarr.open_group(path, mode="r")["keys"][:]
    assert (tmp_path / "ran").exists(), "zarr itself would have run it"


def test_formats_that_are_asked_for_wrongly(tmp_path: Path):
    given.npz(tmp_path / "x.npz", X)
    with pytest.raises(ConfigError, match=r"source.format is 'folder' but .* is a vectors source"):
        audit(tmp_path / "x.npz", tmp_path / "run", "source.format=folder")
    (tmp_path / "x.csv").touch()
    with pytest.raises(SourceError, match="is a list: give the folder"):
        audit(tmp_path / "x.csv", tmp_path / "run")


@pytest.mark.parametrize("hive", [False, True])
def test_parts_of_a_parquet_file(tmp_path: Path, hive: bool):
    """As Spark, Dask and Ray write."""
    x = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    place = tmp_path / ("x.parquet" if not hive else "table")
    for number, part in enumerate(np.split(np.arange(9), [4, 4, 7])):
        folder = place / f"label=c%20{number}" if hive else place
        folder.mkdir(parents=True, exist_ok=True)
        rows = {"vector": list(x[part]), "id": [f"k{at}" for at in part]}
        pq.write_table(
            pa.table(rows, pa.schema([("vector", pa.list_(pa.float32())), ("id", pa.string())])),
            folder / f"part-{number}.parquet",
        )
    (place / "_SUCCESS").touch()
    found = list(datapoints(place))
    np.testing.assert_array_equal([one.vector for one in found], x)
    assert [one.key for one in found] == [f"k{at}" for at in range(9)]
    expected = ["c 0"] * 4 + ["c 2"] * 3 + ["c 3"] * 2
    assert [one.label for one in found] == (expected if hive else [None] * 9)
    audit(place, tmp_path / "run")
    assert len(by_key(tmp_path / "run", "images")) == 9
    pq.write_table(pa.table({"vector": [[1.0, 2.0]], "id": ["z"]}), place / "part-9.parquet")
    with pytest.raises(SourceError, match=r"part-9\.parquet.*do not fit together: dtype|of 2 numbers"):
        list(datapoints(place))
