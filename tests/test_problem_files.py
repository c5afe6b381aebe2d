"""Mutated files of all formats, and suites of problem files, audited in little memory."""

import os
from pathlib import Path

import pytest

from benchmarks.drawing import generator
from benchmarks.problem_files import mutated, originals, study

LIMIT_MB = 1500
SUITES = [Path(folder) for folder in os.environ.get("PIXSIEVE_SUITES", "").split(os.pathsep) if folder]


@pytest.mark.slow
def test_mutated_files_cost_their_own_rows_only(tmp_path: Path):
    rng, folder = generator(0, "mutated"), tmp_path / "files"
    folder.mkdir()
    whole = originals(rng)
    for number in range(1500):
        (folder / f"{number:04}").write_bytes(mutated(rng, whole[number % len(whole)]))
    found = study(folder, LIMIT_MB, compare=False)
    assert (found["exit"], found["failed_units"], found["rows"], found["printed"]) == (0, 0, 1500, [])
    assert found["peak_mb"] <= LIMIT_MB
    assert len(found["statuses"]) >= 4 and found["statuses"]["ok"] >= 100


@pytest.mark.slow
@pytest.mark.skipif(not SUITES, reason="PIXSIEVE_SUITES names no folders of problem files")
@pytest.mark.parametrize("folder", SUITES, ids=str)
def test_a_suite_of_problem_files_loses_no_row(folder: Path):
    found = study(folder, LIMIT_MB, compare=True)
    assert (found["exit"], found["failed_units"], found["printed"]) == (0, 0, [])
    assert found["rows"] == found["files"] and found["peak_mb"] <= LIMIT_MB
    assert len(found["differ_from_pillow"]) <= found["rows"] // 100, found["differ_from_pillow"]
