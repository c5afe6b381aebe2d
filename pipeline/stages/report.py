"""report: what was found, for people (report/index.html, one file that needs no network) and programs (report.json)."""

from pixsieve import files
from pixsieve.descriptors import near_similarity
from pixsieve.folder import choice
from pixsieve.folder.run import Run
from pixsieve.report.numbers import summary, truncated
from pixsieve.report.page import page
from pixsieve.runtime.stage import Counts, Stage, Unit

TABLES = ("labels", "clusters", "duplicates", "outliers", "mislabels", "findings", "images")
SHOWN = ["cluster", "size", "medoid", "persistence", "labels"]


def units(run: Run) -> list[Unit]:
    tables = tuple(f"{name}.parquet" for name in TABLES)
    searched = (choice.SCORES,) if choice.reads(run) else ()
    inputs = (*tables, "match.json", *searched, *run.manifest.files())
    salt = f"{near_similarity(run.config, run.descriptor)} {truncated(run)}"
    return [Unit("all", inputs, ("report/report.json", "report/index.html"), salt=salt)]


def work(run: Run, unit: Unit) -> Counts:
    tables = {
        name: files.read_table(run.path / f"{name}.parquet", SHOWN if name == "clusters" else None) for name in TABLES
    }
    found = summary(run, tables)
    files.write_json(run.path / unit.writes[0], found)
    html = page(run, tables, found)
    files.write(run.path / unit.writes[1], html.encode("utf-8", "backslashreplace"))
    return {"rows": found["rows"]["live"]}


REPORT = Stage("report", ("source.path",), units, work, version=3)
