"""Who does the units: this process, a local Dask cluster, or one that is already there."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pipeline import backend
from pipeline.config import ConfigError
from pipeline.folder import Run
from pipeline.stage import Failure, Receipt, Stage, Unit, execute
from pipeline.stages import FLOW

PATIENCE = 60  # seconds for a scheduler, and then for a first worker, to appear

Farm = Callable[[Stage, list[tuple[Unit, str]]], Iterable[Receipt | Failure]]


@contextmanager
def farm(run: Run) -> Iterator[Farm]:
    """A function that does units (each with its fingerprint) and yields what became of them, in any order."""
    kind = run.config.workers.kind
    if kind == "inline":
        yield lambda stage, units: (execute(run, stage, unit, mark) for unit, mark in units)
    elif kind == "local":
        with _local(run) as cluster, _client(cluster) as client:
            yield _Remote(client, run, max(1, run.threads // len(cluster.workers)))
    else:
        with _client(_address(run)) as client:
            _wait_for_a_worker(client)
            yield _Remote(client, run, run.threads)


@contextmanager
def _local(run: Run) -> Iterator[Any]:
    options: dict[str, Any] = {"n_workers": run.config.workers.n, "threads_per_worker": 1, "dashboard_address": ":0"}
    if run.device == "gpu":
        # Results are small host values: nothing to spill. rmm_async with cupy: one pool, given back between units.
        from dask_cuda import LocalCUDACluster

        with LocalCUDACluster(
            **options, protocol="tcp", device_memory_limit=0, rmm_async=True, rmm_allocator_external_lib_list=["cupy"]
        ) as cluster:
            yield cluster
    else:
        from distributed import LocalCluster

        options["n_workers"] = options["n_workers"] or run.threads
        with LocalCluster(**options, host="127.0.0.1", memory_limit=0) as cluster:
            yield cluster


def _address(run: Run) -> dict[str, str]:
    """What Client takes to find a scheduler that is already there."""
    file = run.config.workers.scheduler_file
    if file is not None:
        # A job script starts scheduler, workers and run together; Dask itself would wait for the file for ever.
        end = time.monotonic() + PATIENCE
        while not Path(file).exists():
            if time.monotonic() > end:
                raise ConfigError(f"the scheduler file {file} has not appeared in {PATIENCE} s; is the scheduler up?")
            time.sleep(0.1)
        return {"scheduler_file": file}
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if address is None:
        raise ConfigError("workers.kind is attach: give --scheduler-file or set DASK_SCHEDULER_ADDRESS")
    return {"address": address}


def _wait_for_a_worker(client: Any) -> None:
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise ConfigError(f"no worker has come to the Dask scheduler in {PATIENCE} s") from None


def _client(target: Any) -> Any:
    from distributed import Client

    try:
        return Client(**target, timeout=30) if isinstance(target, dict) else Client(target)
    except (OSError, TimeoutError, ValueError) as error:
        raise ConfigError(f"cannot reach the Dask scheduler {target}: {error}") from None


class _Remote:
    """Units on Dask workers. Their names and small counts travel, nothing else."""

    def __init__(self, client: Any, run: Run, threads: int) -> None:
        self.client, self.run, self.threads = client, run, threads

    def __call__(self, stage: Stage, units: list[tuple[Unit, str]]) -> Iterator[Receipt | Failure]:
        from distributed import as_completed

        futures = {future.key: (future, unit) for future, unit in zip(self._submit(stage, units), units, strict=True)}
        killed = []
        try:
            for future in as_completed([future for future, _ in futures.values()]):
                if future.status == "finished":
                    yield future.result()
                else:
                    killed.append(futures[future.key][1])
            # A worker that dies too often takes with it the units that only waited there: each gets a try of its own.
            for unit in killed:
                (future,) = self._submit(stage, [unit])
                error = future.exception()
                yield (
                    future.result()
                    if error is None
                    else Failure(unit[0].name, f"{type(error).__name__}: {error}", f"{error}\n")
                )
            self.client.run(_release, self.run.device)
        finally:
            self._stop([future for future, _ in futures.values()])

    def _stop(self, futures: list[Any]) -> None:
        """After an interruption nothing may go on writing once the lock of the run is free."""
        self.client.cancel(futures)
        end = time.monotonic() + PATIENCE
        while any(self.client.processing().values()) and time.monotonic() < end:
            time.sleep(0.1)

    def _submit(self, stage: Stage, units: list[tuple[Unit, str]]) -> list[Any]:
        return self.client.map(
            _execute,
            [replace(unit, reads=(), accepts=()) for unit, _ in units],
            [mark for _, mark in units],
            stage=stage.name,
            path=str(self.run.path),
            device=self.run.device,
            threads=self.threads,
            pure=False,
        )


def _execute(
    unit: Unit, mark: str, *, stage: str, path: str, device: Literal["cpu", "gpu"], threads: int
) -> Receipt | Failure:
    return execute(Run.open(path, device, threads), next(s for s in FLOW if s.name == stage), unit, mark)


def _release(device: str) -> None:
    """Between stages a worker gives its memory back: stages never need what the one before kept."""
    (backend.gpu() if device == "gpu" else backend.cpu()).release()
