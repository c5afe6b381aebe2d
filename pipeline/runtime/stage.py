"""Stages, units, and the one mechanism behind resume, caching and the increment: a receipt with a fingerprint.

A unit reads files of the run and writes only its own; its receipt is written last. The fingerprint hashes all that its
result depends on: the settings that the stage declares, the digests of the files that the unit reads, the version of
the stage's output. A unit whose receipt has the fingerprint of now is done. Nothing else is looked at.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pixsieve.folder.run import Run

Counts = dict[str, int | float]


@dataclass(frozen=True)
class Unit:
    """The least piece of work that is done, retried and resumed. Paths are relative to the run folder."""

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    salt: str = ""  # what else the result depends on
    accepts: tuple[str, ...] = ()  # salts under which an existing result still serves


@dataclass(frozen=True)
class Stage:
    """One step of the flow. `work` must not depend on anything that the fingerprint does not cover."""

    name: str
    settings: tuple[str, ...]  # "section.key" of the configuration
    units: Callable[[Run], list[Unit]]
    work: Callable[[Run, Unit], Counts]
    version: int = 1
