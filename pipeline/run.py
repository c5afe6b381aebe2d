"""A run: a folder with everything about one audited data set, and the walk through the flow that fills it."""

import logging
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline import backend, files, progress, sources
from pipeline.config import Config, ConfigError
from pipeline.lock import locked
from pipeline.manifest import Manifest
from pipeline.stage import NO_ROOM, Counts, Failure, Receipt, Receipts, Stage, Unit, fingerprint

log = logging.getLogger("pixsieve")

DONE, WRONG_USE, UNITS_FAILED, INTERRUPTED = 0, 2, 3, 130


@dataclass(frozen=True)
class Run:
    """What a unit of work gets to know: where the run is, its configuration, and what computes."""

    path: Path
    config: Config
    device: Literal["cpu", "gpu"]
    threads: int

    @classmethod
    def open(cls, path: str | Path, device: Literal["cpu", "gpu"] = "cpu", threads: int = 1) -> "Run":
        """An existing run folder. Raises ConfigError."""
        config = Path(path) / "config.yaml"
        if not config.exists():
            raise ConfigError(f"{path} is not a run folder: it has no config.yaml")
        return cls(Path(path).absolute(), Config.load(config), device, threads)

    @property
    def manifest(self) -> Manifest:
        manifest = Manifest.load(self.path)
        if manifest is None:
            raise ConfigError(f"{self.path} has no manifest yet: the source has not been scanned")
        return manifest

    @property
    def backend(self) -> "backend.Backend":
        return backend.gpu() if self.device == "gpu" else backend.cpu()

    @property
    def descriptor(self) -> str:
        """The name of the descriptor, and of its group in the store."""
        if sources.kind(self.config.source) == "vectors":
            return "vectors"
        return self.config.embed.model or self.config.embed.descriptor

    @property
    def block_rows(self) -> int:
        return self.config.run.block_rows or (1 << 20 if self.device == "gpu" else 1 << 15)


@dataclass
class StageSummary:
    name: str
    units: int = 0
    ran: int = 0
    failed: int = 0
    blocked: int = 0  # units whose input is missing because another unit failed
    seconds: float = 0.0
    done: int = 0  # rows of the units that ran
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float | None:
        return self.done / self.seconds if self.done and self.seconds else None


@dataclass
class Summary:
    path: Path
    stages: list[StageSummary]
    failures: list[tuple[str, Failure]]

    @property
    def exit_code(self) -> int:
        return UNITS_FAILED if self.failures else DONE

    def stage(self, name: str) -> StageSummary:
        return next(stage for stage in self.stages if stage.name == name)

    @property
    def idle(self) -> bool:
        """Nothing had to be done."""
        return not self.failures and not any(stage.ran for stage in self.stages)


def run(config: Config, *, until: str | None = None) -> Summary:
    """Brings the run folder up to date with the source and the configuration, as far as stage `until`.

    Raises ConfigError for wrong use; a unit that fails is in the summary, and the others are done all the same.
    """
    from pipeline.stages import FLOW

    names = ["scan", *(stage.name for stage in FLOW)]
    if until is not None and until not in names:
        raise ConfigError(f"--until {until!r}: the stages are {', '.join(names)}")
    sources.kind(config.source)
    device = backend.choose(config.workers.device)
    path = Path(config.run.path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with locked(path):
            files.write(path / "config.yaml", config.dump().encode())
            this = Run(path, config, device, len(os.sched_getaffinity(0)))
            with progress.logging_to(path / "logs"):
                return _walk(this, FLOW[: names.index(until)] if until else FLOW)
    except OSError as error:
        inside = error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(path)
        if not inside and error.errno not in NO_ROOM:
            raise
        raise ConfigError(f"cannot write to the run folder {path}: {error.strerror}") from error


def _walk(run: Run, flow: list[Stage]) -> Summary:
    from pipeline import workers
    from pipeline.stages.scan import scan

    log.info("run %s, device %s (asked for: %s)", run.path, run.device, run.config.workers.device)
    started = time.perf_counter()
    counts = scan(run)
    first = StageSummary("scan", 1, int(bool(counts["new"] or counts["removed"])), counts=Counter(counts))
    first.seconds, first.done = time.perf_counter() - started, int(counts["rows"])
    summary = Summary(run.path, [first], [])
    progress.stage_line(first)
    digests = run.manifest.digests()
    with workers.farm(run) as farm:
        for stage in flow:
            result, failures = _stage(run, stage, digests, farm)
            summary.stages.append(result)
            summary.failures += [(stage.name, failure) for failure in failures]
            progress.stage_line(result)
            if any(failure.fatal for failure in failures):
                break
    return summary


def _stage(run: Run, stage: Stage, digests: dict[str, str], farm: "object") -> tuple[StageSummary, list[Failure]]:
    started = time.perf_counter()
    units = stage.units(run)
    settings = {name: run.config.value(name) for name in stage.settings}
    receipts = Receipts(run.path, stage.name)
    result = StageSummary(stage.name, len(units))
    pending: list[tuple[Unit, str]] = []
    for unit in units:
        marks = [fingerprint(stage, unit, settings, digests, salt) for salt in (unit.salt, *unit.accepts)]
        if marks[0] is None:
            result.blocked += 1
            continue
        receipt = next(filter(None, (receipts.current(unit, mark) for mark in marks)), None)
        if receipt is None:
            pending.append((unit, marks[0]))
        else:
            _note(receipt, result, digests)
    failures: list[Failure] = []
    with progress.bar(stage.name, len(pending)) as step:
        for outcome in farm(stage, pending):  # type: ignore[operator]
            step(outcome)
            if isinstance(outcome, Failure):
                failures.append(outcome)
                if outcome.fatal:
                    break
            else:
                receipts.add(outcome)
                _note(outcome, result, digests)
                result.ran += 1
                result.done += int(outcome.counts.get("rows", 0))
    result.failed = len(failures)
    result.seconds = time.perf_counter() - started
    if not failures:
        receipts.fold(units)
    return result, failures


def _note(receipt: Receipt, result: StageSummary, digests: dict[str, str]) -> None:
    digests.update({path: digest for path, (digest, _) in receipt.outputs.items()})
    result.counts.update({name: value for name, value in receipt.counts.items() if not isinstance(value, str)})


__all__ = ["Counts", "Run", "StageSummary", "Summary", "run"]
