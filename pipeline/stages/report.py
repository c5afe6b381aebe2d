"""report: what was found, for people (report/index.html, one file that needs no network) and programs (report.json)."""

from pixsieve import files
from pixsieve.folder import choice, skipped
from pixsieve.folder.run_folder import Run
from pixsieve.report.numbers import summary
from pixsieve.report.page import page
from pixsieve.runtime.receipts import Receipts
from pixsieve.runtime.stage import Counts, Stage, Unit

TABLES = ("assignments", "clusters", "duplicates", "outliers", "mislabels", "findings", "images")
SEEN = ("duplicates", "outliers", "mislabels", "cluster")  # sections of the configuration that name a view
SHOWN = ["cluster", "size", "medoid", "persistence", "labels"]


def units(run: Run) -> list[Unit]:
    tables = tuple(f"{name}.parquet" for name in TABLES)
    searched = (choice.SCORES,) if choice.reads(run) else ()
    said = (*run.metadata.of_labels, *run.metadata.of_splits)
    reads = (*tables, "match.json", *searched, skipped.PLACE, *run.manifest.files(), *said)
    depends = run.config.values("source.path", "source.images", "embed.max_pixels", "embed.max_decode_mb")
    depends |= {"views": _views(run), "near": run.near, "truncated": _truncated(run)}
    depends |= {"labels": run.metadata.label, "splits": run.metadata.split}
    return [Unit("all", reads, {"numbers": "report/report.json", "page": "report/index.html"}, depends)]


def _views(run: Run) -> dict[str, str]:
    """The descriptor that each kind of finding comes from."""
    return {name: run.by(getattr(run.config, name).by).measure.name for name in SEEN}


def _truncated(run: Run) -> int:
    """Pair units that passed duplicates.max_pairs and so kept only the best pairs of each row."""
    receipts = [receipt for stage in ("pairs", "verify") for receipt in Receipts(run.path, stage).by_unit.values()]
    return len({receipt.unit for receipt in receipts if receipt.counts["truncated"]})


def work(run: Run, unit: Unit) -> Counts:
    tables = {
        name: files.read_table(run.path / f"{name}.parquet", SHOWN if name == "clusters" else None) for name in TABLES
    }
    matched = files.read_json(run.path / "match.json")
    searched = files.read_json(run.path / choice.SCORES) if choice.SCORES in unit.reads else None
    left = files.read_table(run.path / skipped.PLACE)
    found = summary(run, tables, unit.depends, matched, searched) | {"skipped": skipped.numbers(left)}
    files.write_json(run.path / unit.writes["numbers"], found)
    html = page(run, tables, found)
    files.write(run.path / unit.writes["page"], html.encode("utf-8", "backslashreplace"))
    return {"rows": found["rows"]["live"]}


REPORT = Stage("report", units, work, version=8, by="duplicates")
