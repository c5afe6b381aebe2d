"""The command line. Exit codes: 0 done, 2 something to change (errors.py), 3 some units failed, 130 interrupted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import typer

from pixsieve import __version__, files
from pixsieve.config.sections import Config
from pixsieve.errors import PixsieveError
from pixsieve.flow import STAGES
from pixsieve.flow import run as audit
from pixsieve.folder import geometry
from pixsieve.folder.run_folder import Run
from pixsieve.plural import counted
from pixsieve.report.words import ending, found
from pixsieve.runtime import interrupts
from pixsieve.runtime.receipts import Receipts
from pixsieve.stages import FLOW

app = typer.Typer(
    name="pixsieve",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Audits image datasets: exact and near duplicates, outliers, clusters, unreadable files.",
)
FAILED, BEGUN = "failed", "begun and not ended"
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SECTION.KEY=VALUE", help="Overrides one value, written as in YAML; may be repeated."
    ),
]


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pixsieve {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and exit.")
    ] = False,
) -> None:
    pass


@app.command(
    "run",
    epilog="\n\n".join(
        [f"Stages: {', '.join(STAGES)}.", *(f"{name}: {', '.join(keys)}" for name, keys in Config.keys().items())]
    ),
)
def run_(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder of images, a file of vectors, a configuration (.yaml), or a run folder to continue."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The run folder; running again continues it. Default: runs/NAME.")
    ] = None,
    set_: Settings = None,
    until: Annotated[Optional[str], typer.Option(metavar="STAGE", help="Stop after this stage.")] = None,  # noqa: UP045
    only: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="STAGE", help="Do this stage alone, with what those before it have left."),
    ] = None,
    moved: Annotated[
        bool, typer.Option("--moved", help="The source of the run folder is at another place than it was.")
    ] = False,
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Fit embed.normalise again, on the rows of now: vectors of the model change."),
    ] = False,
    scheduler_file: Annotated[
        Path | None, typer.Option(help="Work on the Dask cluster of this scheduler file.")
    ] = None,
) -> None:
    """Audits a source: finds duplicates, outliers and clusters, and writes tables and a report into the run folder."""
    settings = list(set_ or [])
    if scheduler_file is not None:
        settings += ["workers.kind=attach", f"workers.scheduler_file={str(scheduler_file.absolute())!r}"]
    with _exit_codes():
        summary = audit(
            Config.load(source, out=out, settings=settings), until=until, only=only, moved=moved, refit=refit
        )
        typer.echo("\n".join(ending(summary)))
    raise typer.Exit(summary.exit_code)


@app.command()
def status(run: Annotated[Path, typer.Argument(help="The run folder.")]) -> None:
    """What a run holds: units done in each stage, rows, and what was found."""
    with _exit_codes():
        this = Run.open(run)
        manifest = this.manifest
        typer.echo(
            f"{this.path}: {counted(manifest.rows, 'row')} ever, {len(manifest.dead):,} removed,"
            f" {counted(len(manifest.blocks), 'block')}"
        )
        for stage in FLOW:
            done = Receipts(this.path, stage.name).by_unit.values()
            parts = [f"{counted(len(done), 'unit')} done in {sum(receipt.seconds for receipt in done):.1f} s"]
            told = list(_not_done(this, stage.name).values())
            parts += [f"{told.count(word)} {word}" for word in (FAILED, BEGUN) if word in told]
            if done or told:
                typer.echo(f"{stage.name:<10} {', '.join(parts)}")
        typer.echo("".join(line + "\n" for line in geometry.said(this.path, this.views.model)), nl=False)
        report = this.path / "report/report.json"
        if report.exists():
            with files.intact(report):
                lines = found(files.read_json(report))
            typer.echo("\n".join(lines))


@app.command()
def failures(run: Annotated[Path, typer.Argument(help="The run folder.")]) -> None:
    """The tracebacks of the units that failed, and the units that were begun and not ended."""
    number = 0
    with _exit_codes():
        this = Run.open(run)
        for stage in FLOW:
            for unit, word in _not_done(this, stage.name).items():
                typer.echo(f"== {stage.name} {unit}: {word}")
                if word == FAILED:
                    typer.echo(_told(this, stage.name, unit).read_text("utf-8"))
                number += 1
    typer.echo(counted(number, "unit") + " failed or not ended" if number else "0 failed units")


def _not_done(run: Run, stage: str) -> dict[str, str]:
    """The units that have no result, and why: a unit that a kill or a full disk has stopped may have left no word."""
    told = {path.stem for path in (run.path / "failures" / stage).glob("*.txt")}
    return {unit: FAILED if unit in told else BEGUN for unit in sorted({*Receipts(run.path, stage).begun, *told})}


def _told(run: Run, stage: str, unit: str) -> Path:
    return run.path / "failures" / stage / f"{unit}.txt"


@app.command()
def tune(
    run: Annotated[Path, typer.Argument(help="The run folder; its embed stage must be done.")],
    min_samples: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Neighbours that make a row core, itself included. Default: the run's."),
    ] = None,
    rows: Annotated[int, typer.Option(help="Of a run with more rows, a sample of so many.")] = 20_000,
) -> None:
    """What every similarity makes of a run: noise, clusters, the largest of them; and which one to take."""
    from rich.console import Console

    from pixsieve import backend
    from pixsieve.tune import page, tuning, words

    with _exit_codes():
        device = backend.choose(Run.open(run).config.workers.device)
        this = Run.open(run, device)
        found = tuning.tune(this, min_samples=min_samples, rows=rows)
        files.write_json(this.path / "tune/tune.json", asdict(found))
        files.write(this.path / "tune/index.html", page.render(found).encode("utf-8", "backslashreplace"))
    words.show(found, Console())
    typer.echo(f"Page: {this.path / 'tune/index.html'}")


@app.command()
def demo(folder: Annotated[Path, typer.Argument(help="Where to draw it; must not exist or be empty.")]) -> None:
    """Draws a demonstration set with planted copies, oddballs and broken files."""
    from pixsieve.demo import draw

    with _exit_codes():
        typer.echo(f"{len(draw(folder))} files in {folder}")


@contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        with interrupts.kept():
            yield
            interrupts.check()
    except PixsieveError as error:
        typer.echo(f"pixsieve: {error}", err=True)
        raise typer.Exit(error.exit_code) from None
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "can't start new thread" not in str(error):
            raise
        typer.echo(
            f"pixsieve: no memory is left ({error}): give the process more, or make run.block_rows and embed.batch_size"
            " smaller; the same command goes on from here",
            err=True,
        )
        raise typer.Exit(PixsieveError.exit_code) from None
    except KeyboardInterrupt:
        typer.echo("pixsieve: interrupted; the same command goes on from here", err=True)
        raise typer.Exit(130) from None


def main() -> None:
    app()
