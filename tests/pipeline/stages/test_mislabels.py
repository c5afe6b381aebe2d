"""The stage of label errors: on files, for any cut into batches and any order."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.pipeline.helpers import audit, ran, unit_rows
from tests.pipeline.sources.given import npz

N = 300
WRONG = [f"{row:03}" for row in range(0, N, 37)]


def written(folder: Path, order: np.ndarray) -> Path:
    """Three groups of rows with labels, of which some are wrong, some empty; copies, one of them with another label."""
    rng = np.random.default_rng(0)
    label = np.arange(N) % 3
    x = 4 * rng.normal(size=(3, 12))[label] + rng.normal(size=(N, 12))
    x[1], x[7] = x[4], 0  # a copy of the same label, and a row without a direction
    x[12] = x[15] = x[0]  # whose label is wrong
    keys, names = [f"{row:03}" for row in range(N)], ["cat", "dog", "eel", ""]
    given = [names[3] if row == 5 else names[(kind + (keys[row] in WRONG)) % 3] for row, kind in enumerate(label)]
    lines = [f"{key},{name}\n" for key, name in zip(keys, given, strict=True) if key != "006"]
    (folder / "labels.csv").write_text("key,label\n" + "".join(lines))
    return npz(folder / "x.npz", x[order].astype(np.float32), keys=[keys[row] for row in order])


def found(out: Path) -> dict[str, dict]:
    """By key; related rows by their keys, as row numbers depend on the history of a run."""
    keys = dict(
        zip(*(pq.read_table(out / "assignments.parquet")[name].to_pylist() for name in ("row", "key")), strict=True)
    )
    rows = pq.read_table(out / "mislabels.parquet").to_pylist()
    assert [row.pop("row") for row in rows] == [row for row, key in keys.items() if key in {r["key"] for r in rows}]
    return {row["key"]: row | {"related": keys.get(row["related"])} for row in rows}


@pytest.fixture(scope="module")
def audited(tmp_path_factory) -> tuple[Path, dict[str, dict]]:
    folder = tmp_path_factory.mktemp("labels")
    source, labels = written(folder, np.arange(N)), f"source.metadata={folder / 'labels.csv'}"
    summary = audit(source, folder / "run", labels, "run.batch_rows=64", "run.block_rows=128")
    rows = found(folder / "run")
    for level in ("potential", "certain"):
        assert summary.stage("mislabels").counts[level] == sum(row["level"] == level for row in rows.values())
    return folder, rows


def test_wrong_labels_are_found_and_said_to_be_what(audited):
    _, rows = audited
    assert len(rows) == N - 3 and not rows.keys() & {"005", "006", "007"}
    assert {key for key, row in rows.items() if row["level"] != "none"} == set(WRONG)
    assert [rows[key]["level"] for key in WRONG].count("certain") >= len(WRONG) - 1
    for key in WRONG:
        row, right = rows[key], ("cat", "dog", "eel")[int(key) % 3]
        assert (row["kind"], row["suggested"]) == ("label", right) and row["label"] != right
        assert (row["score"] >= 0.5) == (row["level"] == "certain")
        assert right in row["reason"] and row["label"] in row["reason"]
        assert rows[row["related"]]["label"] == right
    assert rows["000"]["related"] == "012" and "2 equal to it are 'cat'" in rows["000"]["reason"]
    assert all(not row["reason"] and row["score"] < 0.25 for row in rows.values() if row["level"] == "none")


def test_batches_and_the_order_of_rows_do_not_matter(audited, tmp_path: Path):
    folder, rows = audited
    order = np.random.default_rng(1).permutation(N)
    settings = (f"source.metadata={folder / 'labels.csv'}", "run.batch_rows=50", "run.block_rows=50")
    audit(written(tmp_path, order[order % 4 != 0]), tmp_path / "run", *settings)
    audit(written(tmp_path, order), tmp_path / "run", *settings)  # 012 comes after 015
    assert found(tmp_path / "run") == rows


def test_removed_rows_do_not_vote(audited, tmp_path: Path):
    folder, _ = audited
    labels, cut = f"source.metadata={folder / 'labels.csv'}", ("run.batch_rows=64", "run.block_rows=128")
    audit(written(tmp_path, np.arange(N)), tmp_path / "run", labels, *cut)
    left = np.delete(np.arange(N), np.arange(10, 200, 7))
    audit(written(tmp_path, left), tmp_path / "run", labels, *cut)
    audit(written(tmp_path, left), tmp_path / "fresh", labels, *cut)
    assert found(tmp_path / "run") == found(tmp_path / "fresh")


def test_without_labels_there_is_nothing_to_say(tmp_path: Path):
    np.save(tmp_path / "x.npy", unit_rows(np.random.default_rng(0), 40, 8, 0.1))
    audit(tmp_path / "x.npy", tmp_path / "run")
    assert pq.read_table(tmp_path / "run/mislabels.parquet").num_rows == 0


def test_a_label_that_is_set_right(audited, tmp_path: Path):
    folder, _ = audited
    labels = tmp_path / "labels.csv"
    labels.write_text((folder / "labels.csv").read_text().replace("037,eel", "037,dog"))
    settings = (f"source.metadata={labels}", "run.batch_rows=64", "run.block_rows=128")
    assert set(ran(audit(folder / "x.npz", folder / "run", *settings))) == {"match", "mislabels", "findings", "report"}
    assert found(folder / "run")["037"]["level"] == "none"
