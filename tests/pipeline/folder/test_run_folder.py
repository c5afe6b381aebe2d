"""A run folder that is opened later: without its source, damaged, or of a former version."""

import json
from pathlib import Path

import numpy as np
import pytest

from pixsieve import ConfigError, FolderDamagedError
from pixsieve.folder.run_folder import Run
from pixsieve.tune.tuning import tune
from tests.pipeline.helpers import audit, by_key


@pytest.fixture
def made(tmp_path: Path) -> Path:
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    x[20:] = x[:20] + 0.01
    np.savez(tmp_path / "x.npz", vectors=x, keys=[f"{n}" for n in range(40, 0, -1)])
    audit(tmp_path / "x.npz", tmp_path / "run", "cluster.min_samples=2")
    return tmp_path / "run"


def test_a_run_folder_opens_and_is_tuned_without_its_source(made: Path, tmp_path: Path):
    (tmp_path / "x.npz").unlink()
    moved = made.rename(tmp_path / "moved")
    assert Run.open(moved).manifest.rows == 40
    assert tune(Run.open(moved)).rows == 40


@pytest.mark.parametrize("name", ["manifest/blocks.json", "measure.json", "receipts/match.json"])
def test_a_file_that_is_cut_off_is_named(made: Path, tmp_path: Path, name: str):
    path = made / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FolderDamagedError, match=path.name):
        audit(tmp_path / "x.npz", made, "cluster.min_samples=2")


def test_what_is_missing_is_named(made: Path):
    for name, words in (("measure.json", "former versions"), ("manifest/blocks.json", "no manifest")):
        (made / name).unlink()
        with pytest.raises(FolderDamagedError, match=words):
            Run.open(made)


def test_vectors_in_the_order_of_a_former_version_are_refused(made: Path, tmp_path: Path):
    blocks = made / "manifest/blocks.json"
    value = json.loads(blocks.read_text())
    del value["numbered"]
    blocks.write_text(json.dumps(value))
    with pytest.raises(ConfigError, match="start a new run folder"):
        audit(tmp_path / "x.npz", made, "cluster.min_samples=2")


def test_of_equal_rows_string_keys_are_compared_as_text(tmp_path: Path):
    x = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    x[1] = x[0]
    np.savez(tmp_path / "x.npz", vectors=x, keys=["2", "10", "x"])
    audit(tmp_path / "x.npz", tmp_path / "run", "duplicates.keep=[key]")
    assert [(row["key"], row["keep"]) for row in by_key(tmp_path / "run", "duplicates")] == [("10", True), ("2", False)]


def test_a_measure_of_another_version_is_named(made: Path):
    value = json.loads((made / "measure.json").read_text())
    value["measure"]["foreign"] = 1
    (made / "measure.json").write_text(json.dumps(value))
    with pytest.raises(FolderDamagedError, match=r"measure\.json is not of this version"):
        Run.open(made)
