"""Stages, units, and the one mechanism behind resume, caching and the increment: a receipt with a fingerprint.

A unit reads files of the run and writes only its own; its receipt is written last. The fingerprint hashes all that its
result depends on: the settings that the stage declares, the digests of the files that the unit reads, the version of
the stage's output. A unit whose receipt has the fingerprint of now is done. Nothing else is looked at.
"""

import errno
import shutil
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.config import ConfigError
from pipeline.folder import Run

Counts = dict[str, int | float]
VOID = ""  # the fingerprint of no unit
# Trying again, or going on with other units, would only waste the work.
NO_ROOM = (errno.ENOSPC, errno.EROFS, errno.EDQUOT)


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


@dataclass(frozen=True)
class Receipt:
    unit: str
    fingerprint: str
    outputs: dict[str, tuple[str, int]]  # path: digest, bytes
    counts: Counts
    seconds: float

    def there(self, root: Path) -> bool:
        """Whether all that the unit wrote is there, in full length."""
        found = ((root / path, size) for path, (_, size) in self.outputs.items())
        return all(file.exists() and file.stat().st_size == size for file, size in found)


@dataclass(frozen=True)
class Failure:
    unit: str
    error: str
    traceback: str
    fatal: bool = False  # every other unit would fail alike


def fingerprint(stage: Stage, unit: Unit, settings: dict[str, Any], digests: dict[str, str], salt: str) -> str | None:
    """None when a file that the unit reads has not been made."""
    if any(path not in digests for path in unit.reads):
        return None
    return files.digest_of(
        [stage.name, stage.version, settings, [[p, digests[p]] for p in unit.reads], list(unit.writes), salt]
    )


class Receipts:
    """The receipts of a stage: one file for each unit that ran lately, one index for all of a finished stage."""

    def __init__(self, root: Path, stage: str) -> None:
        self.root = root
        self.folder = root / "receipts" / stage
        self.index = root / "receipts" / f"{stage}.json"
        found = files.read_json(self.index) if self.index.exists() else {}
        for path in sorted(self.folder.glob("*.json")) if self.folder.exists() else []:
            found[path.stem] = files.read_json(path)
        self.by_unit = {name: _receipt(value) for name, value in found.items() if value["fingerprint"] != VOID}

    def current(self, unit: Unit, mark: str | None) -> Receipt | None:
        """The receipt of this unit if it has the fingerprint `mark` and its files are there in their full length."""
        receipt = self.by_unit.get(unit.name)
        if receipt is None or receipt.fingerprint != mark or not receipt.there(self.root):
            return None
        return receipt

    def add(self, receipt: Receipt) -> None:
        self.by_unit[receipt.unit] = receipt

    def clear(self, unit: Unit) -> None:
        """What the unit has written, and is not going to write again, goes; before it runs, as it may be stopped."""
        if unit.name in self.by_unit:
            for path in self.by_unit[unit.name].outputs.keys() - {*unit.writes}:
                (self.root / path).unlink(missing_ok=True)

    def fold(self, units: list[Unit]) -> None:
        """One index instead of a file per unit. What units wrote that are no more, as those of another method of
        clustering, goes with their receipts."""
        wanted = {unit.name for unit in units} & self.by_unit.keys()
        kept = {path for name in wanted for path in self.by_unit[name].outputs}
        for path in {path for receipt in self.by_unit.values() for path in receipt.outputs} - kept:
            (self.root / path).unlink(missing_ok=True)
        if self.folder.exists() or wanted != self.by_unit.keys():
            files.write_json(self.index, {name: asdict(self.by_unit[name]) for name in sorted(wanted)})
            shutil.rmtree(self.folder, ignore_errors=True)


def _receipt(value: dict[str, Any]) -> Receipt:
    outputs = {path: (digest, size) for path, (digest, size) in value.pop("outputs").items()}
    return Receipt(outputs=outputs, **value)


def execute(run: Run, stage: Stage, unit: Unit, mark: str) -> Receipt | Failure:
    """Does one unit, in whatever process this is. The receipt is written after all that the unit wrote; what an earlier
    receipt says of its files is void from the moment that work begins."""
    started = time.perf_counter()
    path = run.path / "receipts" / stage.name / f"{unit.name}.json"
    for left in range(run.config.workers.retries, -1, -1):
        try:
            files.write_json(path, asdict(Receipt(unit.name, VOID, {}, {}, 0.0)))
            counts = stage.work(run, unit)
            outputs = {p: (files.digest(run.path / p), (run.path / p).stat().st_size) for p in unit.writes}
            receipt = Receipt(unit.name, mark, outputs, counts, round(time.perf_counter() - started, 3))
            files.write_json(path, asdict(receipt))
            return receipt
        except Exception as error:
            fatal = isinstance(error, OSError) and error.errno in NO_ROOM
            again = left and not fatal and not isinstance(error, ConfigError)  # which says what to change
            failure = Failure(unit.name, f"{type(error).__name__}: {error}", traceback.format_exc(), fatal)
            if not again:
                break
    return failure
