"""Stages and units: the contract between the flow and the machinery.

A unit reads files of the run and writes only its own. It says in advance all that its result follows from: the files
that it reads, and in `depends` the settings and whatever else. `work` may use nothing else. So one fingerprint of these
(receipts.py) serves resume, caching and the nightly increment: a unit whose receipt has the fingerprint of now is done.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pixsieve.folder.run_folder import Run

Counts = dict[str, int | float]


@dataclass(frozen=True)
class Unit:
    """The least piece of work that is done, retried and resumed. Paths are relative to the run folder.

    depends: JSON values by name; a setting has the name "section.key" that it has in the configuration. awaits: files
    that must have been made before, though the result stands when they change. former: units of less, of whose results
    this one is a continuation; `work` is told at most one, whose files are as it wrote them.
    """

    name: str
    reads: tuple[str, ...]
    writes: Mapping[str, str]  # what each file is to the stage, and its path
    depends: Mapping[str, Any] = field(default_factory=dict)
    accepts: tuple[Mapping[str, Any], ...] = ()  # other `depends` under which an existing result still serves
    awaits: tuple[str, ...] = ()
    former: tuple["Unit", ...] = ()


@dataclass(frozen=True)
class Stage:
    """One step of the flow, as functions of a module, which travel to workers by name."""

    name: str
    units: Callable[[Run], list[Unit]]
    work: Callable[[Run, Unit], Counts]
    version: int = 1  # of what the units write
    prepare: Callable[[Run], None] | None = None  # before any unit: what all of them write into
    by: str | None = None  # the section of the configuration that says which view it sees the run by; None: no one view

    def seen(self, run: Run) -> Run:
        """The run as `units`, `work` and `prepare` are given it."""
        return run if self.by is None else run.by(getattr(run.config, self.by).by)
