"""A Dask cluster that is already there."""

import os
import time
from pathlib import Path
from typing import Any

from pixsieve.errors import ClusterError, ConfigError
from pixsieve.folder.run_folder import Run

PATIENCE = 60  # seconds for a scheduler, and then for a first worker, to appear


def address(run: Run) -> dict[str, str]:
    """What Client takes to find a scheduler that is already there."""
    file = run.config.workers.scheduler_file
    if file is not None:
        # A job script starts scheduler, workers and run together; Dask itself would wait for the file for ever.
        end = time.monotonic() + PATIENCE
        while not Path(file).exists():
            if time.monotonic() > end:
                raise ClusterError(f"the scheduler file {file} has not appeared in {PATIENCE} s; is the scheduler up?")
            time.sleep(0.1)
        return {"scheduler_file": file}
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if address is None:
        raise ConfigError("workers.kind is attach: give --scheduler-file or set DASK_SCHEDULER_ADDRESS")
    return {"address": address}


def wait_for_a_worker(client: Any) -> None:
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise ClusterError(f"no worker has come to the Dask scheduler in {PATIENCE} s") from None


def client_of(target: Any) -> Any:
    from distributed import Client

    try:
        return Client(**target, timeout=30) if isinstance(target, dict) else Client(target)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(f"cannot reach the Dask scheduler {target}: {error}") from None
