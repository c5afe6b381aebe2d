"""Files of vectors are unpacked into the run folder once, in bounded memory, and whole or not at all."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zarr

from pixsieve import SourceError
from pixsieve.sources import vector_files
from tests.pipeline.helpers import audit, results
from tests.pipeline.sources import given
from tests.pipeline.sources.drawn import CUT, KEYS, LABELS, changes, shards


def test_a_file_is_unpacked_once_and_again_when_it_changes(tmp_path: Path, x: np.ndarray, monkeypatch):
    path, read = given.zarr_group(tmp_path / "x.zarr", x), []
    content = vector_files.content
    monkeypatch.setattr(vector_files, "content", lambda path: read.append(path) or content(path))
    audit(path, tmp_path / "run", *CUT)
    audit(path, tmp_path / "run", *CUT)
    assert len(read) == 1
    zarr.open_group(path)["vectors"][3] = 0.5
    assert changes(audit(path, tmp_path / "run", *CUT)) == (1, 1)
    (tmp_path / "run/source/vectors.npy").unlink()
    assert audit(path, tmp_path / "run", *CUT).idle
    assert len(read) == 3


def test_processes_share_what_was_unpacked(tmp_path: Path, x: np.ndarray):
    given.parquet(tmp_path / "x.parquet", x, KEYS, LABELS)
    audit(tmp_path / "x.parquet", tmp_path / "one", *CUT)
    summary = audit(tmp_path / "x.parquet", tmp_path / "two", *CUT, "workers.kind=local", "workers.n=2")
    assert summary.exit_code == 0
    assert results(tmp_path / "one") == results(tmp_path / "two")
    assert shards(tmp_path / "one") == shards(tmp_path / "two")


MEMORY = """
import resource, sys
from pathlib import Path
import torch, zarr
from pixsieve.sources import vectors
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
vectors.unpack(Path(sys.argv[1]), Path(sys.argv[3]) / "small")
before = peak()
vectors.unpack(Path(sys.argv[2]), Path(sys.argv[3]) / "large")
print(peak() - before)
"""


@pytest.mark.parametrize("name", ["npz", "parquet", "parquet, fixed", "zarr"])
def test_the_memory_of_unpacking_does_not_grow_with_the_file(tmp_path: Path, name: str):
    """In MB; the larger file holds 320 of them."""
    rows = []
    for n in (100, 320 * 1024):
        y = np.zeros((n, 256), np.float32) + np.arange(n, dtype=np.float32)[:, None]
        path = tmp_path / f"{n}.{name.partition(',')[0]}"
        if name == "npz":
            np.savez_compressed(path, vectors=y)
        elif name == "zarr":
            zarr.create_array(path, data=y, chunks=(1000, 256))
        else:
            kind = "fixed" if "fixed" in name else "list"
            pq.write_table(pa.table({"v": given.lists(y, kind)}), path, row_group_size=n)
        rows.append(str(path))
    done = subprocess.run([sys.executable, "-c", MEMORY, *rows, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "large/source/vectors.npy").stat().st_size > 320 << 20
    assert int(done.stdout) < 200


DIE = """
import os, sys
from pixsieve import Config, run
from pixsieve.sources import vectors
def half(file, path, found):
    file.write(b"half of it")
    file.flush()
    os._exit(9)
vectors._write = half
run(Config.load(sys.argv[1], out=sys.argv[2], settings=["workers.device=cpu"]))
"""


def test_a_crash_while_unpacking_leaves_nothing_that_counts(tmp_path: Path, x: np.ndarray):
    path, out = given.npz(tmp_path / "x.npz", x, KEYS), tmp_path / "run"
    audit(path, out)
    before = results(out)
    given.npz(path, x[:50], KEYS[:50])
    done = subprocess.run([sys.executable, "-c", DIE, str(path), str(out)], capture_output=True)
    assert done.returncode == 9
    assert list(out.rglob("*.partial")) and not (out / "source/unpacked.json").exists()
    given.npz(path, x, KEYS)
    assert audit(path, out).exit_code == 0
    assert results(out) == before
    assert sorted(p.name for p in (out / "source").iterdir()) == ["names.parquet", "unpacked.json", "vectors.npy"]


def test_a_chunk_that_cannot_be_read_leaves_no_half_file(tmp_path: Path, x: np.ndarray, monkeypatch):
    monkeypatch.setattr(vector_files, "PART_BYTES", 1)
    path, out = given.zarr_group(tmp_path / "x.zarr", x), tmp_path / "run"
    (path / "vectors/c/5/1").write_bytes(b"torn")
    with pytest.raises(SourceError, match=r"cannot read vectors from .*x\.zarr"):
        audit(path, out)
    assert not (out / "source").exists() or not list((out / "source").iterdir())
