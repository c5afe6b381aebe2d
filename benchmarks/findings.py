"""What we and other programs find in a planted set: pairs, oddballs, broken files; and what it costs.

    python -m benchmarks.findings WHAT [--peers ENVIRONMENTS] [--parts PART ...] [--only RUN ...]

WHAT is a folder of JPEG photos, of which a set is drawn (benchmarks/planted.py), or a set that is there already. Each
program runs by its defaults. Of a program that gives groups, a pair is found if both files are in one group, and
precision is over all pairs inside groups. Programs are looked for in ENVIRONMENTS/PROGRAM/bin/python, also named by
PIXSIEVE_PEERS; one that is not there is left out, and said so. One that dies on broken files runs again without them.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks import planted, record, table
from benchmarks.peers import PEERS
from benchmarks.scoring import Found, pairs_of, score
from benchmarks.watch import watch
from pipeline import Config, ConfigError
from pipeline.images import STATUSES

OURS = {"pixsieve": (), "symmetries": ("duplicates.symmetries=true",)}
NO_FAULTS = {"exact", "pixels", "near", "leakage", "label", "unreadable", *STATUSES}  # kinds of findings
ROOT = Path(__file__).parents[1]


def ours(images: Path, scratch: Path, settings: tuple[str, ...], limit_s: float) -> tuple[dict[str, Any], Found]:
    """A run of the command line. Its exit is 3 if units failed: what there is, is read all the same."""
    out = scratch / "run"
    command = [sys.executable, "-m", "pipeline", "run", str(images), "--out", str(out)]
    cost = watch([*command, *(f"--set={one}" for one in settings)], ROOT, scratch / "log", limit_s)
    if cost.exit not in (0, 3):
        raise RuntimeError((scratch / "log").read_text("utf-8", "replace")[-2000:])
    return cost._asdict() | {"version": version("pixsieve"), "settings": settings}, read(out)


def read(out: Path) -> Found:
    """What a run folder says."""
    duplicates = pq.read_table(out / "duplicates.parquet", columns=["group", "key"]).to_pandas()
    images = pq.read_table(out / "images.parquet", columns=["key", "status"]).to_pandas()
    path = out / "findings.parquet"
    if path.exists():
        findings = pq.read_table(path, columns=["key", "kind", "level"]).to_pandas()
        findings = findings[~findings.kind.isin(NO_FAULTS)]
    else:
        findings = pq.read_table(out / "outliers.parquet", columns=["key", "level"]).to_pandas()
    strong = set(findings.key[~findings.level.isin(["none", "potential"])])
    return Found(
        pairs_of((), (group.key for _, group in duplicates.groupby("group"))),
        set(images.key[images.status != "ok"]),
        strong,
        set(findings.key[findings.level == "potential"]) - strong,
    )


def peer(
    name: str, python: Path, images: Path, truth: dict[str, Any], scratch: Path, limit_s: float
) -> tuple[dict[str, Any], Found]:
    """A run of another program; again without the broken and the misnamed files if it dies of them."""
    program, variant = PEERS[name]
    died = None
    for attempt, folder in enumerate((images, scratch / "whole")):
        if attempt:
            shutil.copytree(images, folder)
            for part in ("broken", "misnamed"):
                for gone in (gone for names in truth[part].values() for gone in names):
                    path = folder / Path(gone).parts[0]
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        work, out = scratch / f"work{attempt}", scratch / "found.json"
        work.mkdir()
        script = ROOT / "benchmarks/peers" / f"{program}.py"
        command = [str(python), str(script), str(folder), str(work), str(out), variant]
        cost = watch(command, scratch, scratch / "log", limit_s)
        if out.exists() and cost.exit == 0:
            found = json.loads(out.read_text("utf-8"))
            read_as = Found(
                pairs_of(found["pairs"], found["groups"]), set(found["unreadable"]), set(found["flagged"]) - {""}
            )
            return cost._asdict() | {"version": found["version"], "died": died}, read_as
        lines = (scratch / "log").read_text("utf-8", "replace").strip().splitlines()
        died = "timeout" if cost.exit == "timeout" else lines[-1].replace(f"{folder}/", "") if lines else str(cost.exit)
        print(f"{name}: exit {cost.exit}: {died}", flush=True)
    return cost._asdict() | {"version": None, "died": died}, Found()


def show(runs: dict[str, dict[str, Any]]) -> None:
    head = tuple(runs)

    def rows(*names: str) -> list[tuple[Any, ...]]:
        return [(name, *("-" if run[name] is None else run[name] for run in runs.values())) for name in names]

    def inside(part: str) -> list[tuple[Any, ...]]:
        kinds = list(dict.fromkeys(kind for run in runs.values() for kind in run[part]))
        return [
            (kind, *("-" if run[part].get(kind) is None else run[part][kind] for run in runs.values()))
            for kind in kinds
        ]

    table("Recall of copies, by kind", ("kind", *head), inside("recall_kinds"))
    table("Pairs", ("", *head), rows("recall_copies", "recall", "precision", "true", "wrong", "neither"))
    between = list(dict.fromkeys(kind for run in runs.values() for kind in run["wrong_between"]))
    table(
        "Wrong pairs, between",
        ("", *head),
        [(kind, *(run["wrong_between"].get(kind, 0) for run in runs.values())) for kind in between],
    )
    table("Oddballs: share called faulty or outlying", ("kind", *head), inside("oddballs"))
    table("The same, weaker calls among them", ("kind", *head), inside("oddballs_potential"))
    table("Broken files: share named", ("kind", *head), inside("broken"))
    table("Whole files with a misleading name: share called broken", ("kind", *head), inside("misnamed"))
    table("Called faulty or outlying", ("share of", *head), rows("clean", "clean_potential", "copies"))
    table("Look-alikes called faulty or outlying", ("kind", *head), inside("lookalikes"))
    table("Cost", ("", *head), rows("cpu_s", "wall_s", "peak_mb"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", type=Path)
    parser.add_argument("--peers", type=Path, default=os.environ.get("PIXSIEVE_PEERS"))
    parser.add_argument("--parts", nargs="*", default=planted.PARTS, choices=planted.PARTS)
    parser.add_argument("--only", nargs="*", choices=[*OURS, *PEERS])
    parser.add_argument("--limit", type=float, default=900, help="seconds that a program may take")
    options = parser.parse_args()
    wanted = options.only or [*OURS, *PEERS]
    runs: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        given = options.what / "truth.json"
        truth = (
            json.loads(given.read_text("utf-8"))
            if given.exists()
            else planted.make(options.what, scratch / "set", parts=tuple(options.parts))
        )
        images = (options.what if given.exists() else scratch / "set").absolute() / "images"
        for name in wanted:
            own = scratch / f"run_{len(runs)}_{wanted.index(name)}"
            own.mkdir()
            if name in OURS:
                try:
                    Config.load(images, out=own / "run", settings=list(OURS[name]))
                except ConfigError as error:
                    print(f"{name}: left out: {error}", flush=True)
                    continue
                cost, found = ours(images, own, OURS[name], options.limit)
            else:
                program = PEERS[name][0]
                python = Path(options.peers or "", program, "bin/python")
                if options.peers is None or not python.exists():
                    place = f"no {program}/bin/python in {options.peers}" if options.peers else "--peers is not given"
                    print(f"{name}: left out: {place}", flush=True)
                    continue
                cost, found = peer(name, python.absolute(), images, truth, own, options.limit)
            runs[name] = cost | score(truth, found)
            print(f"{name}: {cost['cpu_s']} s of CPU, {len(found.pairs)} pairs", flush=True)
            shutil.rmtree(own)
        files = sum(path.is_file() for path in images.rglob("*"))
    show(runs)
    record("findings", {"what": "planted", "parts": truth["parts"], "files": files, "runs": runs})


if __name__ == "__main__":
    main()
