"""The rule of outliers that a run is asked for."""

import json
from pathlib import Path

import numpy as np
import pytest

from pixsieve import Clusterer, ConfigError
from pixsieve.folder.run_folder import Run
from tests.pipeline.helpers import audit, by_key, ran


def drawn(path: Path, n: int = 120) -> np.ndarray:
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(4, 8))
    x = centres[rng.integers(4, size=n)] + rng.normal(size=(n, 8)) * 0.2
    x[7] = x[3]
    np.save(path, x.astype(np.float32))
    stored = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    return stored


@pytest.mark.parametrize("cut", [(), ("run.batch_rows=32", "run.block_rows=32")])
def test_dataeval_in_a_run_is_the_class_over_the_stored_vectors(tmp_path: Path, cut: tuple[str, ...]):
    drawn(tmp_path / "x.npy")
    audit(tmp_path / "x.npy", tmp_path / "run", "outliers.rule=dataeval", *cut)
    keys = sorted((row["key"] for row in by_key(tmp_path / "run", "assignments")), key=int)  # in the order of the keys
    vectors = Run.open(tmp_path / "run").store.read(range(4 if cut else 1)).vectors
    rows = {row["key"]: at for at, row in enumerate(_by_row(tmp_path / "run"))}
    expected = Clusterer(vectors[[rows[key] for key in keys]].astype(float)).evaluate()
    found = json.loads((tmp_path / "run/dataeval.json").read_text())
    assert [keys[at] for at in expected.outliers] == found["outliers"]
    assert [keys[at] for at in expected.potential_outliers] == found["potential_outliers"]
    assert [[keys[at] for at in group] for group in expected.duplicates] == found["duplicates"]
    assert [[keys[at] for at in group] for group in expected.near_duplicates] == found["near_duplicates"]
    assert expected.outliers and any({"3", "7"} <= set(group) for group in found["duplicates"])
    level = {row["key"]: row["level"] for row in by_key(tmp_path / "run", "outliers")}
    assert {key for key, word in level.items() if word == "outlier"} == set(found["outliers"])
    left = set(found["potential_outliers"]) - set(found["outliers"])
    assert {key for key, word in level.items() if word == "potential"} == left


def _by_row(out: Path) -> list[dict]:
    import pyarrow.parquet as pq

    return pq.read_table(out / "assignments.parquet").to_pylist()


def test_another_rule_runs_only_what_depends_on_it(tmp_path: Path):
    drawn(tmp_path / "x.npy")
    audit(tmp_path / "x.npy", tmp_path / "run")
    assert not (tmp_path / "run/dataeval.json").exists()
    found = audit(tmp_path / "x.npy", tmp_path / "run", "outliers.rule=dataeval")
    assert set(ran(found)) == {"outliers", "findings", "report"}
    audit(tmp_path / "x.npy", tmp_path / "run")
    assert not (tmp_path / "run/dataeval.json").exists()  # as in a run that was never asked for it


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows(tmp_path: Path, rows: int):
    np.save(tmp_path / "x.npy", np.eye(4, dtype=np.float32)[:rows])
    audit(tmp_path / "x.npy", tmp_path / "run", "outliers.rule=dataeval")
    assert len(by_key(tmp_path / "run", "outliers")) == rows


def test_an_unknown_rule_is_named(tmp_path: Path):
    np.save(tmp_path / "x.npy", np.eye(4, dtype=np.float32))
    with pytest.raises(ConfigError, match=r"outliers\.rule"):
        audit(tmp_path / "x.npy", tmp_path / "run", "outliers.rule=lof")


def test_dataeval_is_told_rows_in_the_order_of_their_keys(tmp_path: Path):
    """Rows that came a night later, with lesser keys."""
    x, source = drawn(tmp_path / "x.npy"), tmp_path / "x.npz"
    keys = np.array([f"{number:03}" for number in range(len(x))])
    np.savez(source, vectors=x[60:], keys=keys[60:])
    audit(source, tmp_path / "run", "outliers.rule=dataeval")
    np.savez(source, vectors=x, keys=keys)
    audit(source, tmp_path / "run", "outliers.rule=dataeval")
    audit(source, tmp_path / "fresh", "outliers.rule=dataeval")
    assert by_key(tmp_path / "run", "outliers") == by_key(tmp_path / "fresh", "outliers")
    assert (tmp_path / "run/dataeval.json").read_bytes() == (tmp_path / "fresh/dataeval.json").read_bytes()
