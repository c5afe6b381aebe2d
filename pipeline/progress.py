"""What a person sees of a run: bars on a terminal, one line per unit in RUN/logs/run.log."""

import logging
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline import files
from pipeline.stage import Failure, Receipt, Receipts

if TYPE_CHECKING:
    from pipeline.run import StageSummary, Summary

log = logging.getLogger("pixsieve")
console = Console(stderr=True)


@contextmanager
def logging_to(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    handler = _Handler(folder / "run.log", encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        with suppress(OSError):  # what a full disk did not take is lost with the log, not with the run
            handler.close()


class _Handler(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A log that cannot be written (a full disk) must not bury the error that matters."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


@contextmanager
def bar(stage: str, units: int) -> Iterator[Callable[[Receipt | Failure], None]]:
    """A function to call with each unit's outcome. Draws only on a terminal."""
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:>14}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not (console.is_terminal and units)) as progress:
        task = progress.add_task(stage, total=units, rate="")
        rows = 0

        def step(outcome: Receipt | Failure) -> None:
            nonlocal rows
            if isinstance(outcome, Failure):
                log.error("%s %s failed: %s", stage, outcome.unit, outcome.error)
            else:
                rows += int(outcome.counts.get("rows", 0))
                log.info("%s %s %.2fs %s", stage, outcome.unit, outcome.seconds, outcome.counts)
            elapsed = progress.tasks[task].elapsed
            progress.update(task, advance=1, rate=f"{rows / elapsed:,.0f} rows/s" if rows and elapsed else "")

        yield step


def stage_line(stage: "StageSummary") -> None:
    """One line at the end of a stage."""
    idle = not (stage.ran or stage.failed or stage.blocked)
    parts = ["up to date" if idle else f"{stage.ran} of {stage.units} units"]
    if stage.ran and stage.rate:
        parts.append(f"{stage.seconds:.1f} s, {stage.rate:,.0f} rows/s")
    elif stage.ran:
        parts.append(f"{stage.seconds:.1f} s")
    if stage.failed:
        parts.append(f"{stage.failed} failed")
    if stage.blocked:
        parts.append(f"{stage.blocked} waiting for failed units")
    line = f"{stage.name:<10} {', '.join(parts)}"
    log.info("%s %s", line, dict(stage.counts))
    console.print(line, highlight=False, style="red" if stage.failed or stage.blocked else None)


def ending(summary: "Summary") -> list[str]:
    """What a run says last: what it found, where it is, and whether the rows add up."""
    lines = []
    if summary.idle:
        rows = summary.stages[0].counts["rows"]
        lines.append(f"Nothing to do: {rows:,} rows and the configuration are unchanged.")
    for stage, failure in summary.failures:
        lines.append(f"FAILED {stage} {failure.unit}: {failure.error}")
    if summary.failures:
        lines.append(f"{len(summary.failures)} units failed; see: pixsieve failures {shlex.quote(str(summary.path))}")
    report = summary.path / "report"
    if summary.stages[-1].name == "report" and not summary.failures:
        lines += found(files.read_json(report / "report.json"))
        lines.append(f"Report: {report / 'index.html'}")
    return lines


def found(report: dict[str, Any]) -> list[str]:
    rows, duplicates, outliers = report["rows"], report["duplicates"], report["outliers"]
    statuses = ", ".join(f"{count:,} {name}" for name, count in rows["status"].items())
    lines = [
        f"Rows        {rows['ever']:,} in = {rows['live']:,} out + {rows['removed']:,} removed; {statuses or 'none'}",
        f"Duplicates  {duplicates['groups']:,} groups, {duplicates['redundant']:,} redundant:"
        f" {duplicates['exact']:,} equal files, {duplicates['pixels']:,} equal pixels, {duplicates['near']:,} similar",
        f"Outliers    {outliers['outlier']:,}, and {outliers['potential']:,} potential",
        f"Clusters    {report['clusters']['count']:,} with {report['clusters']['rows']:,} rows;"
        f" {report['clusters']['noise']:,} in none",
    ]
    if duplicates["units_with_pairs_dropped"]:
        lines.append(
            f"Note        {duplicates['units_with_pairs_dropped']} pair units passed duplicates.max_pairs:"
            " there, only the best pairs of each row count"
        )
    return lines


def status(folder: Path) -> list[str]:
    """Of an existing run folder, from its receipts."""
    from pipeline.run import Run
    from pipeline.stages import FLOW

    run = Run.open(folder)
    manifest = run.manifest
    lines = [
        f"{run.path}: {manifest.rows:,} rows ever, {len(manifest.dead()):,} removed, {len(manifest.blocks)} blocks"
    ]
    for stage in FLOW:
        receipts = Receipts(run.path, stage.name).by_unit.values()
        failed = len(list((run.path / "failures" / stage.name).glob("*.txt")))
        seconds = sum(receipt.seconds for receipt in receipts)
        lines.append(
            f"{stage.name:<10} {len(receipts)} units done in {seconds:.1f} s" + (f", {failed} failed" if failed else "")
        )
    report = run.path / "report/report.json"
    return lines + (found(files.read_json(report)) if report.exists() else [])
