"""A Dask cluster of this machine: a process for each core, or for each GPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pixsieve.folder.run_folder import Run


@contextmanager
def local_cluster(run: Run) -> Iterator[Any]:
    options: dict[str, Any] = {"n_workers": run.config.workers.n, "threads_per_worker": 1, "dashboard_address": ":0"}
    if run.backend.name == "gpu":
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
