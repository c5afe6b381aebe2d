"""Units on the workers of a Dask cluster."""

import queue
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, Literal, TypeVar

from pixsieve import backend
from pixsieve.errors import ClusterError
from pixsieve.folder.run_folder import Run
from pixsieve.runtime import within
from pixsieve.runtime.execute import Failure, execute
from pixsieve.runtime.receipts import Receipt
from pixsieve.runtime.stage import Stage, Unit
from pixsieve.runtime.workers.attach import PATIENCE

Device = Literal["cpu", "gpu"]
T = TypeVar("T")
Farm = Callable[[Stage, list[tuple[Unit, str]]], Iterable[Receipt | Failure]]


class Remote:
    """Units on Dask workers. Their names, what they depend on and small counts travel, nothing else."""

    def __init__(self, client: Any, run: Run, threads: int) -> None:
        self.client, self.run, self.threads = client, run, threads
        self.opening = uuid.uuid4().hex

    def __call__(self, stage: Stage, units: list[tuple[Unit, str]]) -> Iterator[Receipt | Failure]:
        topic = f"{self.opening}-{stage.name}"
        self.client.subscribe_topic(topic, lambda event: within.tell(*event[1]))
        futures = {future.key: (future, unit) for future, unit in zip(self._submit(stage, units), units, strict=True)}
        killed = []
        try:
            for future in self._completed([future for future, _ in futures.values()]):
                outcome = self._outcome(future)
                if isinstance(outcome, Exception):
                    killed.append(futures[future.key][1])
                else:
                    yield outcome
            # A worker that dies too often takes with it the units that only waited there: each gets a try of its own.
            for unit in killed:
                (future,) = self._completed(self._submit(stage, [unit]))
                outcome = self._outcome(future)
                if isinstance(outcome, Exception):
                    outcome = Failure(unit[0].name, f"{type(outcome).__name__}: {outcome}", f"{outcome}\n")
                yield outcome
            self.client.run(_release, self.run.backend.name)
        finally:
            self._stop([future for future, _ in futures.values()])
            self.client.unsubscribe_topic(topic)

    def _completed(self, futures: list[Any]) -> Iterator[Any]:
        """The futures as they end."""
        ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for future in futures:
            future.add_done_callback(ended.put)
        for _ in futures:
            yield self._patiently(ended.get, queue.Empty)

    def _outcome(self, future: Any) -> Receipt | Failure | Exception:
        """Of a unit that has ended; the exception where its worker has died. Where the worker has died since, and its
        result with it, Dask does the unit again."""
        try:
            return self._patiently(future.result, TimeoutError)
        except ClusterError:
            raise
        except Exception as error:
            return error

    def _patiently(self, take: Callable[..., T], late: type[Exception]) -> T:
        """What `take` returns. ClusterError when no worker has been there for a while: Dask waits for ever."""
        seen = time.monotonic()
        while True:
            try:
                return take(timeout=PATIENCE / 10)
            except late:
                if self.client.nthreads():
                    seen = time.monotonic()
                elif time.monotonic() - seen > PATIENCE:
                    raise ClusterError(
                        f"all workers are gone, none has come in {PATIENCE} s; the same command goes on from here"
                    ) from None

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
            stage=stage,
            path=str(self.run.path),
            device=self.run.backend.name,
            threads=self.threads,
            opening=self.opening,
            pure=False,
        )


def _execute(
    unit: Unit, mark: str, *, stage: Stage, path: str, device: Device, threads: int, opening: str
) -> Receipt | Failure:
    from distributed import get_worker

    tell = partial(get_worker().log_event, f"{opening}-{stage.name}")
    with within.listening(lambda *how_far: tell(how_far)):
        return execute(_opened(path, device, threads, opening), stage, unit, mark)


@lru_cache(1)
def _opened(path: str, device: Device, threads: int, opening: str) -> Run:
    """The run folder, read once in each process for each `opening`, which names a run of the client."""
    return Run.open(path, device, threads)


def _release(device: Device) -> None:
    """Between stages a worker gives its memory back: stages never need what the one before kept."""
    backend.of(device).release()
