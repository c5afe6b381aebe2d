"""Workers in other processes: the same work, and what happens when one fails or dies."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixsieve import ClusterError, Config, ConfigError
from pixsieve.folder.run_folder import Run
from pixsieve.runtime import within
from pixsieve.runtime.execute import Failure, execute
from pixsieve.runtime.receipts import Receipt
from pixsieve.runtime.stage import Stage, Unit
from pixsieve.runtime.workers import attach, local, remote
from pixsieve.runtime.workers.farm import farm
from pixsieve.stages import FLOW
from pixsieve.stages.cluster import CLUSTER
from pixsieve.stages.embed import EMBED
from tests.pipeline.helpers import audit, by_key, pattern, ran, save, unit_rows

CUT = ("run.batch_rows=20", "run.block_rows=40")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    np.save(tmp_path / "x.npy", unit_rows(np.random.default_rng(0), 100, 8, 0.1))
    return tmp_path / "x.npy"


@contextmanager
def cluster(folder: Path, nanny: bool = True):
    """A scheduler and a worker as a job script would start them."""
    file = folder / "scheduler.json"
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--scheduler-file", str(file), "--port", "0"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1"]
    # So that a worker finds the functions of this module.
    there = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, "env": there}
    worker += [] if nanny else ["--no-nanny"]
    options = ["--host", "127.0.0.1", "--dashboard-address", ":0"]
    started = [subprocess.Popen([*scheduler, *options], **silent), subprocess.Popen([*worker, *options], **silent)]
    try:
        while not file.exists():
            assert started[0].poll() is None
        yield file
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def test_attach_by_scheduler_file(source: Path, tmp_path: Path):
    audit(source, tmp_path / "inline", *CUT)
    with cluster(tmp_path) as file:
        command = [sys.executable, "-m", "pixsieve", "run", str(source), "--out", str(tmp_path / "run")]
        extra = [part for setting in CUT for part in ("--set", setting)]
        done = subprocess.run([*command, *extra, "--scheduler-file", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert by_key(tmp_path / "run", "assignments") == by_key(tmp_path / "inline", "assignments")


def test_attach_needs_an_address(source: Path, tmp_path: Path, monkeypatch):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with pytest.raises(ConfigError, match="give --scheduler-file or set DASK_SCHEDULER_ADDRESS"):
        audit(source, tmp_path / "run", "workers.kind=attach")


def test_a_scheduler_that_is_not_there(source: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(attach, "PATIENCE", 0.2)
    with pytest.raises(ClusterError, match=r"has not appeared in 0\.2 s"):
        missing = f"workers.scheduler_file={tmp_path / 'none.json'}"
        audit(source, tmp_path / "run", "workers.kind=attach", missing)


def test_a_failed_unit_stops_only_what_needs_it(source: Path, tmp_path: Path):
    out = tmp_path / "run"
    audit(source, out, *CUT, until="embed")
    shard = out / "embeddings.zarr/vectors/vectors/c/3/0"
    good = shard.read_bytes()
    shard.write_bytes(good[:-16] + bytes(16))  # same length, wrong index: reading it fails
    summary = audit(source, out, *CUT)
    assert summary.exit_code == 3
    assert summary.stage("cluster").ran == 4 and summary.stage("cluster").failed == 1
    assert summary.stage("pairs").ran == 3 and summary.stage("pairs").failed == 3  # blocks 0, 1, 2 of two batches
    assert summary.stage("match").blocked == summary.stage("report").blocked == 1
    text = (out / "failures/cluster/00003.txt").read_text()
    assert "Traceback" in text
    shard.write_bytes(good)
    assert ran(audit(source, out, *CUT)) == {
        "cluster": 1,
        "pairs": 3,
        "match": 1,
        "duplicates": 1,
        "outliers": 1,
        "mislabels": 1,
        "findings": 1,
        "report": 1,
    }
    assert not list((out / "failures").glob("*/*.txt"))


def test_a_passing_fault_is_tried_again(source: Path, tmp_path: Path):
    audit(source, tmp_path / "run", *CUT, until="embed")
    run = Run.open(tmp_path / "run")
    tries = []

    def work(run: Run, unit: Unit) -> dict[str, int]:
        tries.append(unit.name)
        if len(tries) == 1:
            raise OSError(5, "Input/output error")
        return {"rows": 1}

    stage = Stage("trial", lambda run: [], work)
    outcome = execute(run, stage, Unit("one", (), {}), "mark")
    assert isinstance(outcome, Receipt) and len(tries) == 2
    once = replace(
        run, config=run.config.model_copy(update={"workers": run.config.workers.model_copy(update={"retries": 0})})
    )
    tries.clear()
    assert isinstance(execute(once, stage, Unit("two", (), {}), "mark"), Failure)


def test_a_dying_worker_is_a_failed_unit(source: Path, tmp_path: Path, monkeypatch):
    """Units on a local cluster whose workers are killed by the unit itself: the run says so and goes on."""
    audit(source, tmp_path / "run", *CUT, until="embed")
    config = Config.load(tmp_path / "run/config.yaml", settings=["workers.kind=local", "workers.n=1"])
    run = replace(Run.open(tmp_path / "run"), config=config)
    units = [(unit, "mark") for unit in CLUSTER.units(run)]
    monkeypatch.setattr(remote, "_execute", _die_on_the_second)
    import dask
    import distributed  # noqa: F401 (its configuration, before some of it is set)

    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), farm(run) as do:
        outcomes = {outcome.unit: outcome for outcome in do(CLUSTER, units)}
    assert len(outcomes) == 5
    assert [name for name, outcome in outcomes.items() if isinstance(outcome, Failure)] == ["00001"]
    assert "KilledWorker" in outcomes["00001"].error


def _die_on_the_second(unit: Unit, mark: str, **where) -> Receipt:
    if unit.name == "00001":
        os._exit(9)
    return Receipt(unit.name, mark, {}, {}, 0.0)


def _local(out: Path) -> Run:
    config = Config.load(out / "config.yaml", settings=["workers.kind=local", "workers.n=1"])
    return replace(Run.open(out), config=config)


def _kill_the_first(tries: int) -> None:
    """Workers are killed as soon as they are there, also those that take the place of the killed."""
    end = time.monotonic() + 30
    while tries and time.monotonic() < end:
        for worker in multiprocessing.active_children():
            worker.kill()
            worker.join()
            tries -= 1
        time.sleep(0.01)


def test_workers_that_die_while_they_start(source: Path, tmp_path: Path):
    audit(source, tmp_path / "run", *CUT, until="scan")
    killer = threading.Thread(target=_kill_the_first, args=(1,))
    killer.start()
    with (
        pytest.raises(ClusterError, match=r"have not started: .*--set workers\.kind=inline"),
        farm(_local(tmp_path / "run")),
    ):
        pass
    killer.join()
    assert not multiprocessing.active_children()


def test_workers_that_die_while_they_are_started_again(source: Path, tmp_path: Path, monkeypatch):
    """Dask waits for such a worker for ever when it closes."""
    monkeypatch.setattr(local, "CLOSING", 1)
    audit(source, tmp_path / "run", *CUT, until="scan")
    with farm(_local(tmp_path / "run")):
        _kill_the_first(4)
    assert not multiprocessing.active_children()


def test_no_worker_is_left(source: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(remote, "PATIENCE", 1)
    monkeypatch.setattr(remote, "_execute", _die_on_the_second)
    audit(source, tmp_path / "run", *CUT, until="embed")
    with cluster(tmp_path, nanny=False) as file:
        config = Config.load(
            tmp_path / "run/config.yaml", settings=["workers.kind=attach", f"workers.scheduler_file={file}"]
        )
        run = replace(Run.open(tmp_path / "run"), config=config)
        with farm(run) as do, pytest.raises(ClusterError, match="all workers are gone"):
            list(do(CLUSTER, [(unit, "mark") for unit in CLUSTER.units(run)]))


def test_names_and_counts_travel_and_nothing_else(source: Path, tmp_path: Path):
    import pickle

    audit(source, tmp_path / "run", *CUT)
    run = Run.open(tmp_path / "run")
    for stage in FLOW:
        for unit in stage.units(run):
            sent = replace(unit, reads=(), accepts=())
            assert len(pickle.dumps((sent, "mark"))) < 1000


def test_an_image_of_the_source_may_change_hands_while_it_is_read(tmp_path: Path):
    """A file that vanishes between the scan and the reading is a row with a status."""
    for number in range(5):
        save(tmp_path / f"images/{number}.png", pattern(np.random.default_rng(number)))
    audit(tmp_path / "images", tmp_path / "run", until="scan")
    (tmp_path / "images/2.png").unlink()
    run = Run.open(tmp_path / "run")
    EMBED.prepare(run)
    assert EMBED.work(run, EMBED.units(run)[0])["unreadable"] == 1


@pytest.mark.parametrize("kind", ["inline", "local"])
def test_how_far_a_unit_is_is_told_while_it_runs(tmp_path: Path, kind: str):
    for number in range(70):
        save(tmp_path / f"images/{number}.png", pattern(np.random.default_rng(number)))
    audit(tmp_path / "images", tmp_path / "run", until="scan")
    config = Config.load(tmp_path / "run/config.yaml", settings=[f"workers.kind={kind}", "workers.n=1"])
    run = replace(Run.open(tmp_path / "run"), config=config)
    EMBED.prepare(run)
    told = []
    with within.listening(lambda *how_far: told.append(how_far)), farm(run) as do:
        (outcome,) = do(EMBED, [(unit, "mark") for unit in EMBED.units(run)])
        assert outcome.counts["rows"] == 70
        end = time.monotonic() + 20
        while len(told) < 2 and time.monotonic() < end:  # events of a worker are not waited for
            time.sleep(0.05)
    assert told == [("00000", 32, 70), ("00000", 64, 70)]
