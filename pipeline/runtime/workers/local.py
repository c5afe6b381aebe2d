"""A Dask cluster of this machine: a process for each core, or for each GPU."""

import logging
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from typing import Any

import psutil

from pixsieve.errors import ClusterError
from pixsieve.folder.run_folder import Run

log = logging.getLogger("pixsieve")
CLOSING = 10  # seconds; Dask itself waits for ever where a worker has died while it was started again


@contextmanager
def local_cluster(run: Run) -> Iterator[Any]:
    """Its processes have ended when this ends, whatever happened to them. ClusterError if it does not start."""
    start, before = _starter(run), set(multiprocessing.active_children())
    try:
        cluster = start()
    except Exception as error:
        _kill(before)
        raise ClusterError(
            f"the workers of this machine have not started: {_first(error)}; start it again, or work without them: "
            "--set workers.kind=inline"
        ) from error
    try:
        yield cluster
    finally:
        try:
            cluster.close(timeout=CLOSING)
        except TimeoutError:
            log.warning("the workers have not ended in %s s: killed", CLOSING)
            cluster.shutdown_on_close = False  # it would only be waited for again when Python ends
            cluster.loop.add_callback(_start_none, list(cluster.workers.values()))
        _kill(before)


def _starter(run: Run) -> Callable[[], Any]:
    options: dict[str, Any] = {"n_workers": run.config.workers.n, "threads_per_worker": 1, "dashboard_address": ":0"}
    if run.backend.name == "gpu":
        # Results are small host values: nothing to spill. rmm_async with cupy: one pool, given back between units.
        from dask_cuda import LocalCUDACluster

        options |= {"protocol": "tcp", "device_memory_limit": 0, "rmm_async": True}
        return lambda: LocalCUDACluster(**options, rmm_allocator_external_lib_list=["cupy"])
    from distributed import LocalCluster

    options["n_workers"] = options["n_workers"] or run.threads
    return lambda: LocalCluster(**options, host="127.0.0.1", memory_limit=0)


def _first(error: BaseException) -> str:
    """What began it: of Dask's errors each says only that the one within has failed."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}"


def _start_none(nannies: list[Any]) -> None:
    """A nanny starts a worker again that dies, unless it is about to end itself."""
    for nanny in nannies:
        nanny.close_gracefully()


def _kill(before: set[BaseProcess]) -> None:
    """The processes of Python that have come since, and those that they have started; and again, as long as there are
    any: a nanny may just have been starting one."""
    end = time.monotonic() + CLOSING
    while (workers := set(multiprocessing.active_children()) - before) and time.monotonic() < end:
        for worker in workers:
            with suppress(psutil.NoSuchProcess):
                for process in psutil.Process(worker.pid).children(recursive=True):
                    process.kill()
            worker.kill()
            worker.join(CLOSING)
        time.sleep(0.2)
