"""The choice between the ways of doing units."""

from collections.abc import Iterator
from contextlib import contextmanager

from pixsieve.folder.run_folder import Run
from pixsieve.runtime.execute import execute
from pixsieve.runtime.workers.attach import address, client_of, wait_for_a_worker
from pixsieve.runtime.workers.local import local_cluster
from pixsieve.runtime.workers.remote import Farm, Remote


@contextmanager
def farm(run: Run) -> Iterator[Farm]:
    """A function that does units (each with its fingerprint) and yields what became of them, in any order."""
    kind = run.config.workers.kind
    if kind == "inline":
        yield lambda stage, units: (execute(run, stage, unit, mark) for unit, mark in units)
    elif kind == "local":
        with local_cluster(run) as cluster, client_of(cluster) as client:
            yield Remote(client, run, max(1, run.threads // len(cluster.workers)))
    else:
        with client_of(address(run)) as client:
            wait_for_a_worker(client)
            yield Remote(client, run, run.threads)
