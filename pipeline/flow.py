"""A run: the folder locked, the source scanned, the flow walked through."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixsieve import backend
from pixsieve.config import auto
from pixsieve.config.sections import Config
from pixsieve.errors import ConfigError
from pixsieve.folder.begun import check_ours
from pixsieve.folder.measure import VECTORS
from pixsieve.runtime import progress
from pixsieve.runtime.execute import NO_ROOM
from pixsieve.runtime.lock import locked
from pixsieve.runtime.summary import Summary
from pixsieve.runtime.walk import walk
from pixsieve.sources import source
from pixsieve.stages import FLOW
from pixsieve.stages.scan import scan

STAGES = ["scan", *(stage.name for stage in FLOW)]


def run(
    config: Config, *, until: str | None = None, only: str | None = None, moved: bool = False, refit: bool = False
) -> Summary:
    """Brings the run folder up to date with the source and the configuration, as far as stage `until`; or does one
    stage only, with what the stages before it have left there. A run folder belongs to one source; moved: this source
    is the same at another place. refit: draws the sample anew that embed.normalise is fitted on.

    Raises a PixsieveError that says what is wrong. A unit that fails is in the summary; the others are done.
    """
    for option, stage in (("until", until), ("only", only)):
        if stage is not None and stage not in STAGES:
            raise ConfigError(f"--{option} {stage!r}: the stages are {', '.join(STAGES)}")
    if until is not None and only is not None:
        raise ConfigError("--until and --only: give one of them")
    last = until or only
    kind = source.kind(config.source)
    path = Path(config.run.path)
    config, note = auto.decided(config, kind != VECTORS, path)
    device = backend.of(backend.choose(config.workers.device))
    check_ours(path)
    with _usable(path), locked(path), progress.logging_to(path / "logs"):
        for partial in path.rglob("*.partial"):  # left by a process that was killed
            partial.unlink()
        this, scanned = scan(path, config, kind, device, len(os.sched_getaffinity(0)), moved, refit)
        summary = walk(this, FLOW[: STAGES.index(last)] if last else FLOW, scanned, only)
        summary.notes += [note] if note else []
        return summary


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    """Makes the run folder. An OSError inside it is wrong use, not a fault of the program."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        inside = error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(path)
        if not inside and error.errno not in NO_ROOM:
            raise
        where = f" ({os.fsdecode(error.filename)})" if error.filename else ""
        raise ConfigError(f"cannot use the run folder {path}: {error.strerror}{where}") from error
