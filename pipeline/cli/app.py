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
from pixsieve.flow import run as audit
from pixsieve.folder.run_folder import Run
from pixsieve.report.words import ending, found
from pixsieve.runtime import interrupts
from pixsieve.runtime.receipts import Receipts
from pixsieve.stages import FLOW

app = typer.Typer(
    name="pixsieve",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Audits image datasets: exact and near duplicates, outliers, clusters, unreadable files.",
)
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Overrides one value; may be repeated."),
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


@app.command("run")
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
    scheduler_file: Annotated[
        Path | None, typer.Option(help="Work on the Dask cluster of this scheduler file.")
    ] = None,
) -> None:
    """Audits a source: finds duplicates, outliers and clusters, and writes tables and a report into the run folder."""
    settings = list(set_ or [])
    if scheduler_file is not None:
        settings += ["workers.kind=attach", f"workers.scheduler_file={str(scheduler_file.absolute())!r}"]
    with _exit_codes():
        summary = audit(Config.load(source, out=out, settings=settings), until=until, only=only, moved=moved)
    for line in ending(summary):
        typer.echo(line)
    raise typer.Exit(summary.exit_code)


@app.command()
def status(run: Annotated[Path, typer.Argument(help="The run folder.")]) -> None:
    """What a run holds: units done in each stage, rows, and what was found."""
    with _exit_codes():
        this = Run.open(run)
        manifest = this.manifest
    typer.echo(
        f"{this.path}: {manifest.rows:,} rows ever, {len(manifest.dead):,} removed, {len(manifest.blocks)} blocks"
    )
    for stage in FLOW:
        receipts = Receipts(this.path, stage.name).by_unit.values()
        failed = len(list((this.path / "failures" / stage.name).glob("*.txt")))
        if not (receipts or failed):
            continue
        seconds = sum(receipt.seconds for receipt in receipts)
        typer.echo(
            f"{stage.name:<10} {len(receipts)} units done in {seconds:.1f} s" + f", {failed} failed" * bool(failed)
        )
    report = this.path / "report/report.json"
    for line in found(files.read_json(report)) if report.exists() else []:
        typer.echo(line)


@app.command()
def failures(run: Annotated[Path, typer.Argument(help="The run folder.")]) -> None:
    """The tracebacks of the units that failed."""
    with _exit_codes():
        paths = sorted((Run.open(run).path / "failures").glob("*/*.txt"))
    for path in paths:
        typer.echo(f"== {path.parent.name} {path.stem}\n{path.read_text('utf-8')}")
    typer.echo(f"{len(paths)} failed units")


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
    except KeyboardInterrupt:
        typer.echo("pixsieve: interrupted; the same command goes on from here", err=True)
        raise typer.Exit(130) from None


def main() -> None:
    app()
