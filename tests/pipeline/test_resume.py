"""Killed at any moment, a run goes on where it was and ends with the same bytes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pixsieve import demo
from pixsieve.runtime import interrupts
from tests.pipeline.helpers import audit, by_key, ran, results

SETTINGS = ("run.batch_rows=16", "run.block_rows=32", "workers.device=cpu", "embed.model=null")


def command(source: Path, out: Path, *settings: str) -> list[str]:
    extra = [part for setting in (*SETTINGS, *settings) for part in ("--set", setting)]
    return [sys.executable, "-m", "pixsieve", "run", str(source), "--out", str(out), *extra]


def receipts(out: Path) -> set[tuple[str, str]]:
    """(stage, unit) of every receipt on disk that is not void."""
    found = {}
    try:
        for index in out.glob("receipts/*.json"):
            found |= {(index.stem, name): receipt for name, receipt in json.loads(index.read_text()).items()}
        for path in out.glob("receipts/*/*.json"):
            found[path.parent.name, path.stem] = json.loads(path.read_text())
    except FileNotFoundError:  # folded in this moment
        return receipts(out)
    return {name for name, receipt in found.items() if receipt["fingerprint"]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    demo.draw(folder / "images", scenes=60)
    summary = audit(folder / "images", folder / "run", *SETTINGS)
    return folder / "images", results(folder / "run"), sum(stage.units for stage in summary.stages[1:])


@pytest.mark.parametrize(
    ("kind", "method"),
    [("inline", "dbscan")]
    + [
        pytest.param(*way, marks=pytest.mark.slow)
        for way in (("local", "dbscan"), ("inline", "hdbscan"), ("inline", "leiden"), ("local", "leiden"))
    ],
)
def test_killed_again_and_again(whole, tmp_path: Path, kind: str, method: str):
    source, expected, units = whole
    out, chosen = tmp_path / "run", (f"cluster.method={method}",)
    if method == "leiden":  # of what a model sees
        chosen = (*chosen, "embed.model=lite0")
    if method != "dbscan":
        summary = audit(source, tmp_path / "whole", *SETTINGS, *chosen)
        expected, units = results(tmp_path / "whole"), sum(stage.units for stage in summary.stages[1:])
    step = units // (4 if kind == "local" else 8)  # it takes seconds to begin
    rng = np.random.default_rng(0)
    kills, seen = 0, -1
    while True:
        settings = (f"workers.kind={kind}", "workers.n=2", *chosen)
        process = subprocess.Popen(
            command(source, out, *settings), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        # Wait for new receipts, so that every try gets somewhere, then for a moment of its choosing.
        while process.poll() is None and len(receipts(out)) < seen + step:
            time.sleep(0.01)
        time.sleep(float(rng.uniform(0, 0.25)))
        before = receipts(out)
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills, seen = kills + 1, len(receipts(out))
        assert before <= receipts(out)
    assert process.returncode == 0 and kills >= 3
    assert results(out) == expected
    assert len(receipts(out)) == units
    assert ran(audit(source, out, *SETTINGS, *chosen)) == {}


def test_only_the_missing_units_run(whole, tmp_path: Path):
    source, expected, units = whole
    out = tmp_path / "run"
    process = subprocess.Popen(command(source, out), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while process.poll() is None and len(receipts(out)) < 4:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = len(receipts(out))
    summary = audit(source, out, *SETTINGS)
    assert 4 <= done < units
    assert sum(stage.ran for stage in summary.stages[1:]) == units - done
    assert results(out) == expected


def test_interrupted_by_hand(whole, tmp_path: Path):
    source, expected, _ = whole
    out = tmp_path / "run"
    process = subprocess.Popen(command(source, out), stderr=subprocess.PIPE, text=True)
    while len(receipts(out)) < 2:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "interrupted" in said
    audit(source, out, *SETTINGS)
    assert results(out) == expected


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_python_drops_is_kept():
    class Noisy:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    with interrupts.kept():
        noisy = Noisy()
        del noisy
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    with interrupts.kept():
        interrupts.check()


def test_a_scan_cut_off_before_its_commit_leaves_no_trace(whole, tmp_path: Path):
    source, expected, _ = whole
    out = tmp_path / "run"
    audit(source, out, *SETTINGS, until="scan")
    (out / "manifest/blocks.json").unlink()
    (out / "manifest/00099.parquet").write_bytes(b"half a file")
    audit(source, out, *SETTINGS)
    assert results(out) == expected
    assert not (out / "manifest/00099.parquet").exists()


@pytest.mark.parametrize("after", ["store", "table"])
def test_half_done_work_under_other_settings_voids_the_old_receipt(whole, tmp_path: Path, monkeypatch, after: str):
    """The new values are half written when it fails; with the old settings again, they must not pass for the old."""
    from pixsieve.folder.embeddings import Store
    from pixsieve.stages import embed

    source, expected, _ = whole
    out = tmp_path / "run"
    audit(source, out, *SETTINGS)
    broken = OSError(5, "Input/output error")
    with monkeypatch.context() as patch:
        if after == "store":
            patch.setattr(embed.files, "write_table", _raise(broken))
        else:
            patch.setattr(Store, "write", _raise(broken))
        assert audit(source, out, *SETTINGS, "embed.max_pixels=1000").exit_code == 3
    summary = audit(source, out, *SETTINGS)
    assert summary.stage("embed").ran == summary.stage("embed").units
    assert results(out) == expected
    assert not list((out / "failures").glob("*/*"))


def _raise(error: Exception):
    def fail(*args, **kwargs):
        raise error

    return fail


def test_damaged_results_are_made_again(whole, tmp_path: Path):
    source, _, _ = whole
    out, images = tmp_path / "run", tmp_path / "images"
    shutil.copytree(source, images)
    extra = images / "city/extra.jpg"
    shutil.copyfile(images / "city/scene_0002.jpg", extra)
    audit(images, out, *SETTINGS)
    extra.unlink()
    for path in (out / "pairs").glob("*.npz"):
        path.write_bytes(b"")
    assert audit(images, out, *SETTINGS).exit_code == 0
    audit(images, tmp_path / "fresh", *SETTINGS)
    for name in ("assignments", "duplicates", "outliers"):
        assert by_key(out, name) == by_key(tmp_path / "fresh", name)


def test_what_a_killed_process_left_is_cleared_away(whole, tmp_path: Path):
    source, _, _ = whole
    out = tmp_path / "run"
    audit(source, out, *SETTINGS)
    (out / "pairs/.00000-00000.near.parquet.123.partial").write_bytes(b"half")
    audit(source, out, *SETTINGS)
    assert not list(out.rglob("*.partial"))
