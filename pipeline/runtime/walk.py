"""The walk through a flow: which units are done, which have to be, and what became of them."""

import logging
import shutil
import time
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import NamedTuple

from pixsieve import files
from pixsieve.errors import ConfigError
from pixsieve.folder.run_folder import Run
from pixsieve.runtime import interrupts, progress
from pixsieve.runtime.execute import Failure
from pixsieve.runtime.receipts import Receipt, Receipts, fingerprint
from pixsieve.runtime.stage import Stage, Unit
from pixsieve.runtime.summary import StageSummary, Summary
from pixsieve.runtime.workers.farm import Farm, farm

log = logging.getLogger("pixsieve")


def walk(run: Run, flow: list[Stage], scanned: StageSummary, only: str | None = None) -> Summary:
    """Does what is not up to date, stage by stage; or of the stage `only` alone. ConfigError if the stages before that
    one are not up to date."""
    log.info("run %s, device %s (asked for: %s)", run.path, run.backend.name, run.config.workers.device)
    summary = Summary(run.path, [scanned], [])
    progress.stage_line(scanned)
    digests = run.digests
    with farm(run) as do:
        for at, stage in enumerate(flow):
            if stage.prepare is not None:
                stage.prepare(stage.seen(run))
            due = _due(run, stage, digests)
            if only not in (None, stage.name):
                continue
            if only:
                _check_ready(run, due, flow[:at], digests)
            failures = _done(run, stage, due, digests, do)
            summary.stages.append(due.summary)
            summary.failures += [(stage.name, failure) for failure in failures]
            if due.units:
                progress.stage_line(due.summary)
            if any(failure.fatal for failure in failures):
                break
    return summary


class _Due(NamedTuple):
    units: list[Unit]
    pending: list[tuple[Unit, str]]  # those that have to be done, with their fingerprints
    receipts: Receipts
    summary: StageSummary


def _due(run: Run, stage: Stage, digests: dict[str, str]) -> _Due:
    """What there is to do of a stage; what its finished units have written goes into `digests`."""
    units, receipts = stage.units(stage.seen(run)), Receipts(run.path, stage.name)
    summary = StageSummary(stage.name, len(units))
    pending: list[tuple[Unit, str]] = []
    for unit in units:
        mark = fingerprint(stage, unit, digests)
        if mark is None:
            summary.blocked += 1
            continue
        others = (fingerprint(stage, replace(unit, depends=depends), digests) for depends in unit.accepts)
        receipt = next(filter(None, (receipts.current(unit, one) for one in (mark, *others))), None)
        if receipt is None:
            pending.append((replace(unit, former=_continued(run, stage, unit, receipts, digests)), mark))
        else:
            _note(receipt, summary, digests)
    return _Due(units, pending, receipts, summary)


def _continued(run: Run, stage: Stage, unit: Unit, receipts: Receipts, digests: dict[str, str]) -> tuple[Unit, ...]:
    """Of the units that this one may go on from the first whose result is there and unharmed, if there is one."""
    for one in unit.former:
        receipt = receipts.current(one, fingerprint(stage, one, digests))
        if receipt is not None and receipt.unharmed(run.path):
            return (one,)
    return ()


def _check_ready(run: Run, due: _Due, before: list[Stage], digests: dict[str, str]) -> None:
    """ConfigError that names the stages whose results are needed and not up to date."""
    missing = {path for unit in due.units for path in (*unit.reads, *unit.awaits) if path not in digests}
    behind = [
        s.name for s in before if any(path in missing for unit in s.units(s.seen(run)) for path in unit.writes.values())
    ]
    if missing:
        raise ConfigError(f"--only {due.summary.name}: {', '.join(behind)} not up to date; run without --only first")


def _done(run: Run, stage: Stage, due: _Due, digests: dict[str, str], farm: Farm) -> list[Failure]:
    """Has the pending units done; what came of them is in due.summary."""
    started = time.perf_counter()
    summary, receipts, failures = due.summary, due.receipts, list[Failure]()
    told = run.path / "failures" / stage.name
    shutil.rmtree(told, ignore_errors=True)
    for unit, _ in due.pending:
        receipts.clear(unit)
    with progress.bar(stage.name, len(due.pending)) as step:
        for outcome in farm(stage, due.pending):
            step(outcome)
            if isinstance(outcome, Failure):
                failures.append(outcome)
                with suppress(OSError) if outcome.fatal else nullcontext():  # a full disk may not take it
                    files.write(told / f"{outcome.unit}.txt", outcome.traceback.encode("utf-8", "backslashreplace"))
                if outcome.fatal:
                    break
            else:
                receipts.add(outcome)
                _note(outcome, summary, digests)
                summary.ran += 1
                summary.done += outcome.done
            interrupts.check()
    summary.failed = len(failures)
    summary.seconds = time.perf_counter() - started
    if not failures:
        receipts.fold(due.units)
    return failures


def _note(receipt: Receipt, summary: StageSummary, digests: dict[str, str]) -> None:
    digests.update({path: digest for path, (digest, _) in receipt.outputs.items()})
    summary.counts.update(receipt.counts)
