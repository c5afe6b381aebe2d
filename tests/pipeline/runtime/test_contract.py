"""The contract of units: what a result follows from is declared, and all that is declared counts."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from pixsieve import demo
from pixsieve.folder.run_folder import Run
from pixsieve.runtime.receipts import fingerprint
from pixsieve.runtime.stage import Stage, Unit
from pixsieve.stages import FLOW
from tests.pipeline.helpers import audit, unit_rows
from tests.pipeline.sources import given

# Change no result, by promise: where things lie, how much is in flight, who works, how pairs are cut.
FREE = ("workers", "embed.batch_size", "embed.read_ahead_mb", "source.path", "source.format", "run.block_rows")
# Settings that are declared under another name, with what they come to.
AS = {
    "embed.copies": "descriptor",
    "embed.model": "descriptor",
    "embed.weights": "made_of",
    "embed.image_size": "made_of",
}
# Of the folder as a whole; what matters of it is in the digests of the manifest and of the shards.
FREE_FILES = ("zarr.json", "source/vectors.npy", "source/names.parquet")
COLUMNS = "source/metadata.parquet"


class Recorded:
    """Stands for a configuration or a section of it, and keeps the names of what is asked for."""

    def __init__(self, value: Any, seen: set[str], name: str = "") -> None:
        self._value, self._seen, self._name = value, seen, name

    def __getattr__(self, name: str) -> Any:
        if isinstance(made := getattr(type(self._value), name, None), property):
            return made.fget(self)
        value, full = getattr(self._value, name), f"{self._name}.{name}".lstrip(".")
        if not self._name and isinstance(value, BaseModel):
            return Recorded(value, self._seen, full)
        if not (callable(value) and not self._name):
            self._seen.add(full)
        return value


class Watched:
    """Stands for a manifest or its metadata: some of what it tells has to be declared."""

    def __init__(self, value: Any, seen: set[str], declared: dict[str, str]) -> None:
        self._value, self._seen, self._declared = value, seen, declared

    def __getattr__(self, name: str) -> Any:
        if name in self._declared:
            self._seen.add(self._declared[name])
        return getattr(self._value, name)


_opened: list[str] | None = None


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None and isinstance(args[0], str | bytes):
        mode, flags = args[1:]
        if "r" in mode if mode else (flags or 0) & os.O_ACCMODE == os.O_RDONLY:
            _opened.append(os.fsdecode(args[0]))


sys.addaudithook(_hook)


@contextmanager
def files_read(root: Path) -> Iterator[set[str]]:
    """Those under `root`, relative to it."""
    global _opened
    found: set[str] = set()
    _opened = []
    try:
        yield found
        inside = [path for path in _opened if path.startswith(f"{root}/") and Path(path).is_file()]
        found |= {os.path.relpath(path, root) for path in inside}
    finally:
        _opened = None


def undeclared(run: Run, stage: Stage, unit: Unit) -> list[str]:
    """What the work of a unit has used that the unit does not say."""
    settings, told = set[str](), set[str]()
    watched = replace(
        run,
        config=Recorded(run.config, settings),
        manifest=Watched(run.manifest, told, dict.fromkeys(("dead", "live", "living", "dead_in"), "removed")),
        metadata=Watched(
            run.metadata, told, {"label": "labels", "labels": "labels", "split": "splits", "splits": "splits"}
        ),
    )
    with files_read(run.path) as read:
        stage.work(watched, unit)
    wrong = []
    for name in sorted(settings):
        names = {name, name.partition(".")[0], AS.get(name, name)}
        if not (names & unit.depends.keys() or any(name.startswith(free) for free in FREE)):
            wrong.append(name)
    if "removed" in told and stage.name != "search":  # whose choice stands, whatever is removed
        declared = "left_out" in unit.depends or {*run.manifest.removed_files()} <= {*unit.reads}
        wrong += [] if declared else ["removed rows"]
    wrong += sorted(name for name in told - {"removed"} if name not in unit.depends)
    known = {*unit.reads, *unit.awaits, *unit.writes.values()} | {
        COLUMNS for path in unit.reads if path.startswith(f"{COLUMNS}#")
    }
    return wrong + sorted(path for path in read if path not in known and not path.endswith(FREE_FILES))


def images(folder: Path) -> Path:
    demo.draw(folder / "images", scenes=24)
    (folder / "images/link.png").symlink_to("misc/receipt.png")
    return folder / "images"


def vectors(folder: Path) -> Path:
    x, labels = unit_rows(np.random.default_rng(0), 120, 12, 0.2, copies=10), [f"c{n % 3}" for n in range(120)]
    return given.npz(folder / "x.npz", x, [f"{n:03}" for n in range(120)], labels)


FLOWS = {
    "dbscan": (images, ("duplicates.symmetries=true", "source.split=folder")),
    "hdbscan": (images, ("cluster.method=hdbscan", "cluster.min_cluster_size=3", "cluster.min_samples=3")),
    "representatives": (vectors, ("match.mode=representatives", "match.max_unresolved=1")),
    "kmeans": (vectors, ("cluster.method=kmeans", "cluster.n_clusters=4")),
    "search": (vectors, ("cluster.search={similarity: [0.8, 0.9]}", "duplicates.adaptive=0.5")),
    "search per batch": (vectors, ("cluster.search={similarity: [0.8, 0.9], per: batch}",)),
    "two views": (images, ("embed.model=lite0", "outliers.by=copies", "duplicates.adaptive=0.5")),
    "dataeval": (vectors, ("outliers.rule=dataeval", "match.mode=off")),
}


@pytest.fixture(params=FLOWS)
def scanned(request, tmp_path: Path) -> Run:
    """A run folder with removed rows and metadata, whose stages are all to be done."""
    make, settings = FLOWS[request.param]
    source, out = make(tmp_path), tmp_path / "run"
    cut = ["run.batch_rows=30", "run.block_rows=60", *settings]
    if make is images:
        table = tmp_path / "metadata.csv"
        keys = sorted(str(path.relative_to(source)) for path in source.rglob("*") if path.is_file())
        table.write_text("key,label,rank\n" + "".join(f"{key},{key[:1]},{len(key)}\n" for key in keys))
        cut += [f"source.metadata={table}", "duplicates.keep=[largest:rank, newest]"]
    audit(source, out, *cut, until="scan")
    if make is images:
        for path in sorted(source.rglob("*.jpg"))[::9]:
            path.unlink()
    else:
        x, names = unit_rows(np.random.default_rng(0), 120, 12, 0.2, copies=10), [f"{n:03}" for n in range(120)]
        given.npz(source, x[:100], names[:100], [f"c{n % 3}" for n in range(100)])
    audit(source, out, *cut, until="scan")
    run = Run.open(out)
    assert len(run.manifest.dead)
    return run


def test_units_use_what_they_declare_and_nothing_else(scanned: Run):
    for stage in FLOW:
        seen = stage.seen(scanned)
        if stage.prepare is not None:
            stage.prepare(seen)
        for unit in stage.units(seen):
            assert undeclared(seen, stage, unit) == [], f"{stage.name} {unit.name}"


@pytest.mark.parametrize(
    ("stage", "name"),
    [("embed", "embed.max_file_mb"), ("pairs", "duplicates.max_pairs"), ("outliers", "outliers.rule")],
)
def test_a_setting_that_is_left_out_is_seen(tmp_path: Path, stage: str, name: str):
    audit(images(tmp_path), tmp_path / "run", "run.batch_rows=30")
    run, of = Run.open(tmp_path / "run"), next(s for s in FLOW if s.name == stage)
    run = of.seen(run)
    unit = of.units(run)[0]
    assert name in unit.depends
    less = replace(unit, depends={key: value for key, value in unit.depends.items() if key != name})
    assert undeclared(run, of, less) == [name]
    assert undeclared(run, of, replace(unit, reads=unit.reads[1:])) == [unit.reads[0]]


def test_all_that_is_declared_counts():
    digests = {"a": "1", "b": "2"}
    unit = Unit("one", ("a", "b"), {"out": "c"}, {"section.key": 1})
    stage = Stage("trial", lambda run: [], lambda run, unit: {})
    marks = [
        fingerprint(stage, unit, digests),
        fingerprint(replace(stage, name="other"), unit, digests),
        fingerprint(replace(stage, version=2), unit, digests),
        fingerprint(stage, unit, digests | {"b": "3"}),
        fingerprint(stage, replace(unit, reads=("a",)), digests),
        fingerprint(stage, replace(unit, writes={"out": "d"}), digests),
        fingerprint(stage, replace(unit, writes={"other": "c"}), digests),
        fingerprint(stage, replace(unit, depends={"section.key": 2}), digests),
        fingerprint(stage, replace(unit, depends={"section.other": 1}), digests),
    ]
    assert None not in marks and len(set(marks)) == len(marks)
    assert fingerprint(stage, replace(unit, accepts=({},)), digests | {"else": "9"}) == marks[0]
    assert fingerprint(stage, replace(unit, reads=("a", "x")), digests) is None
    assert fingerprint(stage, replace(unit, awaits=("x",)), digests) is None
    assert fingerprint(stage, replace(unit, awaits=("x",), former=(unit,)), digests | {"x": "4"}) == marks[0]
