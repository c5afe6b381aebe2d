"""The walk through a flow: which units are done, which have to be, and what became of them."""

import logging
import shutil
import time
from collections import Counter

from pixsieve import files
from pixsieve.errors import ConfigError
from pixsieve.folder import metadata
from pixsieve.folder.run import Run
from pixsieve.runtime import interrupts, progress
from pixsieve.runtime.execute import Failure
from pixsieve.runtime.receipts import Receipt, Receipts, fingerprint
from pixsieve.runtime.stage import Stage, Unit
from pixsieve.runtime.summary import StageSummary, Summary
from pixsieve.runtime.workers.farm import Farm, farm
from pixsieve.stages.scan import scan

log = logging.getLogger("pixsieve")


def walk(run: Run, flow: list[Stage], only: str | None) -> Summary:
    for partial in run.path.rglob("*.partial"):  # left by a process that was killed
        partial.unlink()
    log.info("run %s, device %s (asked for: %s)", run.path, run.device, run.config.workers.device)
    started = time.perf_counter()
    counts = scan(run)
    # Only now: a configuration that does not fit the run must not take the place of the one that made it.
    files.write(run.path / "config.yaml", run.config.dump().encode())
    first = StageSummary("scan", 1, int(bool(counts["new"] or counts["removed"])), counts=Counter(counts))
    first.seconds, first.done = time.perf_counter() - started, int(counts["rows"])
    summary = Summary(run.path, [first], [])
    progress.stage_line(first)
    digests = run.manifest.digests() | metadata.digests(run)
    with farm(run) as do:
        for stage in flow:
            if only not in (None, stage.name):
                _due(run, stage, digests, StageSummary(stage.name))
                continue
            if only:
                _check_ready(run, stage, flow, digests)
            result, failures = _stage(run, stage, digests, do)
            summary.stages.append(result)
            summary.failures += [(stage.name, failure) for failure in failures]
            if result.units:
                progress.stage_line(result)
            if any(failure.fatal for failure in failures):
                break
    return summary


def _check_ready(run: Run, stage: Stage, flow: list[Stage], digests: dict[str, str]) -> None:
    """ConfigError that names the stages whose results this one needs and that are not up to date."""
    missing = {path for unit in stage.units(run) for path in unit.reads if path not in digests}
    behind = [other.name for other in flow if any(path in missing for unit in other.units(run) for path in unit.writes)]
    if missing:
        raise ConfigError(f"--only {stage.name}: {', '.join(behind)} not up to date; run without --only first")


def _due(run: Run, stage: Stage, digests: dict[str, str], result: StageSummary) -> list[tuple[Unit, str]]:
    """The units of a stage that have to be done, with their fingerprints; the others go into `digests`."""
    settings = {name: run.config.value(name) for name in stage.settings}
    receipts = Receipts(run.path, stage.name)
    pending: list[tuple[Unit, str]] = []
    for unit in stage.units(run):
        result.units += 1
        marks = [fingerprint(stage, unit, settings, digests, salt) for salt in (unit.salt, *unit.accepts)]
        if marks[0] is None:
            result.blocked += 1
            continue
        receipt = next(filter(None, (receipts.current(unit, mark) for mark in marks)), None)
        if receipt is None:
            pending.append((unit, marks[0]))
        else:
            _note(receipt, result, digests)
    return pending


def _stage(run: Run, stage: Stage, digests: dict[str, str], farm: Farm) -> tuple[StageSummary, list[Failure]]:
    started = time.perf_counter()
    result, receipts = StageSummary(stage.name), Receipts(run.path, stage.name)
    pending = _due(run, stage, digests, result)
    failures: list[Failure] = []
    told = run.path / "failures" / stage.name
    shutil.rmtree(told, ignore_errors=True)
    for unit, _ in pending:
        receipts.clear(unit)
    with progress.bar(stage.name, len(pending)) as step:
        for outcome in farm(stage, pending):
            step(outcome)
            if isinstance(outcome, Failure):
                failures.append(outcome)
                if outcome.fatal:
                    break
                files.write(told / f"{outcome.unit}.txt", outcome.traceback.encode("utf-8", "backslashreplace"))
            else:
                receipts.add(outcome)
                _note(outcome, result, digests)
                result.ran += 1
                result.done += int(outcome.counts.get("rows", 0))
            interrupts.check()
    result.failed = len(failures)
    result.seconds = time.perf_counter() - started
    if not failures:
        receipts.fold(stage.units(run))
    return result, failures


def _note(receipt: Receipt, result: StageSummary, digests: dict[str, str]) -> None:
    digests.update({path: digest for path, (digest, _) in receipt.outputs.items()})
    result.counts.update(receipt.counts)
