"""What a person sees of a run: bars on a terminal, one line per unit in RUN/logs/run.log."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from pixsieve.plural import counted
from pixsieve.runtime import within
from pixsieve.runtime.execute import Failure
from pixsieve.runtime.receipts import Receipt
from pixsieve.runtime.summary import StageSummary

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
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]:>14}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not (console.is_terminal and units)) as progress:
        task = progress.add_task(stage, total=units, rate="")
        ended, rows, begun = set[str](), 0, dict[str, tuple[int, int]]()

        def show() -> None:
            now, elapsed = list(begun.values()), progress.tasks[task].elapsed
            done = rows + sum(part for part, _ in now)
            rate = f"{done / elapsed:,.0f} rows/s" if done and elapsed else ""
            progress.update(task, completed=len(ended) + sum(part / whole for part, whole in now), rate=rate)

        def within_unit(unit: str, done: int, of: int) -> None:
            if unit not in ended:  # what a worker tells may come late
                begun[unit] = done, of
                show()

        def step(outcome: Receipt | Failure) -> None:
            nonlocal rows
            begun.pop(outcome.unit, None)
            ended.add(outcome.unit)
            if isinstance(outcome, Failure):
                log.error("%s %s failed: %s", stage, outcome.unit, outcome.error)
            else:
                rows += outcome.done
                log.info("%s %s %.2fs %s", stage, outcome.unit, outcome.seconds, outcome.counts)
            show()

        with within.listening(within_unit):
            yield step


def stage_line(stage: StageSummary) -> None:
    """One line at the end of a stage."""
    idle = not (stage.ran or stage.failed or stage.blocked)
    parts = ["up to date" if idle else f"{stage.ran} of {counted(stage.units, 'unit')}"]
    if stage.ran and stage.rate:
        parts.append(f"{stage.seconds:.1f} s, {stage.rate:,.0f} rows/s")
        if rates := [f"{name} {rate:,.0f}" for name, rate in stage.rates.items()]:
            parts[-1] += f" ({', '.join(rates)}; bound by {next(iter(stage.rates))})"
    elif stage.ran:
        parts.append(f"{stage.seconds:.1f} s")
    if stage.failed:
        parts.append(f"{stage.failed} failed")
    if stage.blocked:
        parts.append(f"{stage.blocked} waiting for failed units")
    line = f"{stage.name:<10} {', '.join(parts)}"
    log.info("%s %s", line, dict(stage.counts))
    console.print(line, soft_wrap=True, highlight=False, style="red" if stage.failed or stage.blocked else None)
