"""Given vectors in every format: what a run makes of them, what it notices, what it refuses."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zarr

from pixsieve import Config, Datapoint, SourceError, datapoints, files, write_datapoints
from pixsieve.folder.manifest import Manifest
from pixsieve.sources import folder, source, vectors
from tests.pipeline.helpers import audit, pattern, save
from tests.pipeline.sources import given
from tests.pipeline.sources.drawn import CUT, KEYS, LABELS, D, N, changes, shards
from tests.pipeline.sources.given import WRITERS

every_format = pytest.mark.parametrize("name", WRITERS)
one_of_each = pytest.mark.parametrize("name", ["npz", "parquet", "zarr 3", "pickle"])


def listed(out: Path, *columns: str) -> list[tuple]:
    """Of the rows that are not removed, by key."""
    manifest = Manifest.load(out)
    assert manifest is not None
    table = manifest.all(["row", *columns])
    table = table.filter(pa.array(manifest.live()[table["row"].to_numpy()])).sort_by("key")
    return list(zip(*(table[name].to_pylist() for name in columns), strict=True))


@every_format
def test_a_format_equals_npy(tmp_path: Path, x: np.ndarray, name: str):
    file, write = WRITERS[name]
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "npy", *CUT, until="embed")
    write(tmp_path / file, x)
    assert audit(tmp_path / file, tmp_path / "bare", *CUT, until="embed").exit_code == 0
    write(tmp_path / file, x, KEYS, LABELS)
    assert audit(tmp_path / file, tmp_path / "full", *CUT, until="embed").exit_code == 0
    for batch in ("00000", "00001", "00002"):
        path = f"manifest/{batch}.parquet"
        assert (tmp_path / "bare" / path).read_bytes() == (tmp_path / "npy" / path).read_bytes()
    assert len(shards(tmp_path / "npy")) == 6
    assert shards(tmp_path / "bare") == shards(tmp_path / "npy") == shards(tmp_path / "full")
    for batch in ("00000", "00001", "00002"):
        path = f"images/{batch}.parquet"
        assert (tmp_path / "full" / path).read_bytes() == (tmp_path / "npy" / path).read_bytes()
    assert listed(tmp_path / "full", "key", "label") == sorted(zip(KEYS, LABELS, strict=True))
    assert not (tmp_path / "npy/source").exists()


@one_of_each
def test_changes_are_seen_row_by_row(tmp_path: Path, x: np.ndarray, name: str):
    file, write = WRITERS[name]
    path, out = tmp_path / file, tmp_path / "run"
    write(path, x[:100], KEYS[:100], LABELS[:100])
    audit(path, out, *CUT)
    assert audit(path, out, *CUT).idle
    write(path, x, KEYS, LABELS)
    assert changes(audit(path, out, *CUT)) == (20, 0)
    x[30] += 1
    write(path, x, KEYS, LABELS)
    assert changes(audit(path, out, *CUT)) == (1, 1)
    said = [*LABELS[:50], "somebody else", *LABELS[51:]]
    write(path, x, KEYS, said)
    assert changes(audit(path, out, *CUT)) == (1, 1)
    assert ("k50", "somebody else") in listed(out, "key", "label")
    write(path, x[1:], KEYS[1:], said[1:])
    assert changes(audit(path, out, *CUT)) == (0, 1)


@one_of_each
def test_rows_that_move_are_found_by_their_keys(tmp_path: Path, x: np.ndarray, name: str):
    file, write = WRITERS[name]
    path, out = tmp_path / file, tmp_path / "run"
    write(path, x, KEYS, LABELS)
    audit(path, out, *CUT)
    before = shards(out)
    order = np.random.default_rng(1).permutation(N)
    write(path, x[order], [KEYS[row] for row in order], [LABELS[row] for row in order])
    assert audit(path, out, *CUT).idle
    shutil.rmtree(out / "embeddings.zarr")
    assert audit(path, out, *CUT).exit_code == 0
    assert shards(out) == before


def test_a_row_that_is_gone_while_the_run_goes_on(tmp_path: Path, x: np.ndarray):
    given.npz(tmp_path / "x.npz", x, KEYS)
    audit(tmp_path / "x.npz", tmp_path / "run", until="scan")
    table = Manifest.load(tmp_path / "run").table(0)
    given.npz(tmp_path / "x.npz", x[::-1][:-1], KEYS[::-1][:-1])
    vectors.unpack(tmp_path / "x.npz", tmp_path / "run")
    config = Config.load(tmp_path / "x.npz")
    rows, there = vectors.read(config.source, tmp_path / "run", table)
    places = [KEYS.index(key) for key in table["key"].to_pylist()]
    assert places[0] == 0 and not there[0] and not rows[0].any()
    assert there[1:].all()
    np.testing.assert_array_equal(rows[1:], x[places[1:]])


def test_a_row_of_zeros_that_moved_is_there(tmp_path: Path, x: np.ndarray):
    x[-1] = 0
    given.npz(tmp_path / "x.npz", x, KEYS)
    audit(tmp_path / "x.npz", tmp_path / "run", until="scan")
    given.npz(tmp_path / "x.npz", x[[0, N - 1]], [KEYS[0], KEYS[-1]])
    vectors.unpack(tmp_path / "x.npz", tmp_path / "run")
    table = Manifest.load(tmp_path / "run").table(0)
    _, there = vectors.read(Config.load(tmp_path / "x.npz").source, tmp_path / "run", table)
    assert set(table["key"].filter(pa.array(there)).to_pylist()) == {KEYS[0], KEYS[-1]}


@pytest.mark.parametrize("name", ["npz", "parquet, fixed", "zarr 3", "zarr 2"])
def test_no_rows(tmp_path: Path, name: str):
    file, write = WRITERS[name]
    write(tmp_path / file, np.zeros((0, D), np.float32))
    assert audit(tmp_path / file, tmp_path / "run").exit_code == 0
    assert vectors.mapped(tmp_path / file, tmp_path / "run").shape == (0, D)


@every_format
def test_datapoints(tmp_path: Path, x: np.ndarray, name: str):
    file, write = WRITERS[name]
    found = list(datapoints(write(tmp_path / file, x, KEYS, LABELS)))
    assert [(point.key, point.label) for point in found] == list(zip(KEYS, LABELS, strict=True))
    np.testing.assert_array_equal(np.array([point.vector for point in found]), x)
    bare = list(datapoints(write(tmp_path / file, x)))
    assert isinstance(bare[3], Datapoint) and (bare[3].key, bare[3].label) == ("3", None)


def test_datapoints_are_written(tmp_path: Path, x: np.ndarray):
    file, write = WRITERS["pickle"]
    old = write(tmp_path / file, x, KEYS, LABELS)
    write_datapoints(tmp_path / "new.parquet", datapoints(old))
    one, two = (list(datapoints(tmp_path / name)) for name in (file, "new.parquet"))
    assert [(p.key, p.label) for p in one] == [(p.key, p.label) for p in two]
    for a, b in zip(one, two, strict=True):
        assert a.vector.dtype == b.vector.dtype
        np.testing.assert_array_equal(a.vector, b.vector)
    for wrong in ([], [one[0], Datapoint("b", np.ones(1), None)], [Datapoint("a", np.ones((1, 2)), None)]):
        with pytest.raises(ValueError, match="of one length and kind"):
            write_datapoints(tmp_path / "bad.parquet", wrong)


def test_datapoints_of_no_vectors(tmp_path: Path):
    with pytest.raises(SourceError, match="no file of vectors"):
        next(datapoints(tmp_path))


def test_integers_are_texts_and_labels_may_be_missing(tmp_path: Path, x: np.ndarray):
    np.savez(tmp_path / "x.npz", embeddings=x, ids=np.arange(N, dtype=">u4"), labels=np.arange(N) % 3)
    first = next(datapoints(tmp_path / "x.npz"))
    assert (first.key, first.label) == ("0", "0")
    labels = pa.array([None, "a"] * (N // 2)).dictionary_encode()
    pq.write_table(pa.table({"id": range(N), "e": given.lists(x), "label": labels}), tmp_path / "x.parquet")
    assert [(p.key, p.label) for p in datapoints(tmp_path / "x.parquet")][:3] == [("0", None), ("1", "a"), ("2", None)]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
def test_types_of_numbers(tmp_path: Path, x: np.ndarray, dtype: str):
    y = x.astype(dtype)
    for name in ("npz", "zarr 2", "pickle", *(["parquet"] if dtype[0] == "f" else [])):
        file, write = WRITERS[name]
        found = np.array([point.vector for point in datapoints(write(tmp_path / file, y))])
        np.testing.assert_array_equal(found, y)
        assert found.dtype.itemsize == y.dtype.itemsize


def test_a_zarr_of_one_array_and_a_folder_with_one(tmp_path: Path, x: np.ndarray):
    zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(100, D), shards=(200, D))
    assert len(list(datapoints(tmp_path / "x.zarr"))) == N
    save(tmp_path / "images/a.png", pattern(np.random.default_rng(0)))
    (tmp_path / "images/zarr.json").write_text("{}")
    config = Config.load(tmp_path / "images", settings=["source.format=folder"])
    assert source.kind(config.source) == "folder"
    assert folder.listing(config.source, tmp_path / "run").rows["key"].to_pylist() == ["a.png"]


def test_labels_of_folders(tmp_path: Path):
    pixels = pattern(np.random.default_rng(0))
    for name in ("top.png", "cats/a.png", "cats/wild/b.png"):
        save(tmp_path / "images" / name, pixels)
    audit(tmp_path / "images", tmp_path / "run", until="scan")
    expected = [("cats/a.png", "cats"), ("cats/wild/b.png", "wild"), ("top.png", None)]
    assert listed(tmp_path / "run", "key", "label") == expected


def test_a_run_from_before_there_were_labels(tmp_path: Path):
    save(tmp_path / "images/cats/a.png", pattern(np.random.default_rng(0)))
    out = tmp_path / "run"
    audit(tmp_path / "images", out, until="scan")
    path = out / "manifest/00000.parquet"
    files.write_table(path, pq.read_table(path).drop_columns("label"))
    blocks = files.read_json(out / "manifest/blocks.json")
    files.write_json(out / "manifest/blocks.json", blocks | {"batches": [[1, files.digest(path)]]})
    assert changes(audit(tmp_path / "images", out)) == (0, 0)
    save(tmp_path / "images/dogs/b.png", pattern(np.random.default_rng(1)))
    assert changes(audit(tmp_path / "images", out)) == (1, 0)
    assert listed(out, "key", "label") == [("cats/a.png", None), ("dogs/b.png", "dogs")]
    assert Manifest.load(out).table(0, ["label", "key"]).to_pylist() == [
        {"label": None, "key": "cats/a.png"},
        {"label": "dogs", "key": "dogs/b.png"},
    ]


@pytest.mark.parametrize("kind", ["npy", "npz", "npz with keys", "parquet with keys"])
def test_row_numbers_are_places_in_the_file(tmp_path: Path, kind: str):
    """Over batches; and of a second night for what was added."""
    rng = np.random.default_rng(0)
    x = np.repeat(np.eye(5, 6, dtype=np.float32), 5, axis=0)[rng.permutation(25)]
    keys = [f"{name:x}" for name in rng.permutation(1000)[:31].tolist()] if "keys" in kind else None
    path, out = tmp_path / f"x.{kind.partition(' ')[0]}", tmp_path / "run"

    def write(rows: np.ndarray) -> None:
        names = None if keys is None else keys[: len(rows)]
        np.save(path, rows) if kind == "npy" else WRITERS[path.suffix[1:]][1](path, rows, names)

    write(x)
    audit(path, out, "run.batch_rows=10", "cluster.min_samples=3")
    table = pq.read_table(out / "assignments.parquet")
    assert table["key"].to_pylist() == (keys or [str(row) for row in range(31)])[:25]
    same = table["cluster"].to_numpy()[:, None] == table["cluster"].to_numpy()
    np.testing.assert_array_equal(same, (x[:, None] == x).all(axis=2))
    write(np.concatenate([x, x[:6]]))
    audit(path, out, "run.batch_rows=10", "cluster.min_samples=3")
    table = pq.read_table(out / "assignments.parquet")
    assert table["key"].to_pylist() == (keys or [str(row) for row in range(31)])
    cluster = table["cluster"].to_numpy()
    np.testing.assert_array_equal(cluster[25:], cluster[:6])


def test_of_equal_rows_the_lower_position_is_first(tmp_path: Path):
    """2 before 10: not as text."""
    x = np.random.default_rng(0).normal(size=(12, 6)).astype(np.float32)
    x[10] = x[2]
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "run", "duplicates.keep=[key]")
    rows = pq.read_table(tmp_path / "run/duplicates.parquet").to_pylist()
    assert [(row["key"], row["keep"]) for row in rows] == [("2", True), ("10", False)]
