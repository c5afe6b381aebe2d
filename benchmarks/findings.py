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
from pixsieve import Config, ConfigError
from pixsieve.images.status import STATUSES

OURS = {"pixsieve": (), "symmetries": ("duplicates.symmetries=true",)}
# Kinds of findings.
NO_FAULTS = {"exact", "pixels", "near", "linked", "companion", "leakage", "label", "unreadable", "misnamed", *STATUSES}
ROOT = Path(__file__).parents[1]


def ours(images: Path, scratch: Path, settings: tuple[str, ...], limit_s: float) -> tuple[dict[str, Any], Found]:
    """A run of the command line. Its exit is 3 if units failed: what there is, is read all the same."""
    out = scratch / "run"
    command = [sys.executable, "-m", "pixsieve", "run", str(images), "--out", str(out)]
    cost = watch([*command, *(f"--set={one}" for one in settings)], ROOT, scratch / "log", limit_s)
    if cost.exit not in (0, 3):
        raise RuntimeError((scratch / "log").read_text("utf-8", "replace")[-2000:])
    return cost._asdict() | {"version": version("pixsieve"), "settings": settings}, read(out)


def read(out: Path) -> Found:
    """What a run folder says."""
    duplicates = pq.read_table(out / "duplicates.parquet", columns=["group", "key"]).to_pandas()
    images = pq.read_table(out / "images.parquet", columns=["key", "status"]).to_pandas()
    findings = pq.read_table(out / "findings.parquet", columns=["key", "kind", "level"]).to_pandas()
    findings = findings[~findings.kind.isin(NO_FAULTS)]
    strong = set(findings.key[findings.level != "potential"])
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
    script, died = ROOT / f"benchmarks/peers/{program}.py", None
    for attempt, folder in enumerate((images, scratch / "whole")):
        if attempt:
            _without(truth, images, folder)
        work, out = scratch / f"work{attempt}", scratch / "found.json"
        work.mkdir()
        command = [str(python), str(script), str(folder), str(work), str(out), variant]
        cost = watch(command, scratch, scratch / "log", limit_s)
        if cost.exit == 0:
            told = json.loads(out.read_text("utf-8"))
            pairs = None if told["pairs"] is None else pairs_of(told["pairs"], told["groups"])
            found = Found(pairs, set(told["unreadable"]), None if told["flagged"] is None else set(told["flagged"]))
            return cost._asdict() | {"version": told["version"], "died": died}, found
        lines = (scratch / "log").read_text("utf-8", "replace").strip().splitlines()
        died = f"{cost.exit}: {lines[-1] if lines else ''}".replace(f"{folder}/", "")[:200]
        print(f"{name}: exit {died}", flush=True)
    return cost._asdict() | {"version": None, "died": died}, Found()


def _without(truth: dict[str, Any], images: Path, folder: Path) -> None:
    """A copy of the set that holds no broken and no misnamed file."""
    shutil.copytree(images, folder)
    for name in (name for part in ("broken", "misnamed") for names in truth[part].values() for name in names):
        path = folder / Path(name).parts[0]
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def measure(name: str, images: Path, truth: dict[str, Any], peers: Path | None, limit_s: float) -> dict[str, Any] | str:
    """What a run found and cost, or why there was none."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if name in OURS:
            try:
                Config.load(images, out=scratch / "run", settings=list(OURS[name]))
            except ConfigError as error:
                return str(error)
            cost, found = ours(images, scratch, OURS[name], limit_s)
        else:
            program = PEERS[name][0]
            python = None if peers is None else peers.absolute() / program / "bin/python"
            if python is None or not python.exists():
                return f"no {program}/bin/python in {peers}" if peers else "--peers is not given"
            cost, found = peer(name, python, images, truth, scratch, limit_s)
        return cost | score(truth, found)


def show(runs: dict[str, dict[str, Any]]) -> None:
    def lines(title: str, values: dict[str, list[Any]]) -> None:
        if values:
            rows = [(name, *("-" if value is None else value for value in row)) for name, row in values.items()]
            table(title, ("", *runs), rows)

    def of(*names: str) -> dict[str, list[Any]]:
        return {name: [run[name] for run in runs.values()] for name in names}

    def inside(part: str, missing: int | None = None) -> dict[str, list[Any]]:
        kinds = dict.fromkeys(kind for run in runs.values() for kind in run[part])
        return {kind: [run[part].get(kind, missing) for run in runs.values()] for kind in kinds}

    lines("Recall of copies, by kind", inside("recall_kinds"))
    lines("Pairs", of("recall_copies", "recall", "precision", "precision_photos", "true", "wrong", "neither"))
    lines("Wrong pairs, between", inside("wrong_between", 0))
    lines("Oddballs: share called faulty or outlying", inside("oddballs"))
    lines("The same, weaker calls among them", inside("oddballs_potential"))
    lines("Broken files: share named", inside("broken"))
    lines("Whole files with a misleading name: share called broken", inside("misnamed"))
    lines("Photos called faulty or outlying: share of", of("clean", "clean_potential", "copies"))
    lines("Look-alikes called faulty or outlying: share", inside("lookalikes"))
    lines("Cost", of("cpu_s", "wall_s", "peak_mb"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", type=Path)
    parser.add_argument("--peers", type=Path, default=os.environ.get("PIXSIEVE_PEERS"))
    parser.add_argument("--parts", nargs="*", choices=planted.PARTS, help="of a set that is drawn; default: all")
    parser.add_argument("--only", nargs="*", choices=[*OURS, *PEERS], default=[*OURS, *PEERS])
    parser.add_argument("--limit", type=float, default=900, help="seconds that a program may take")
    options = parser.parse_args()
    given = options.what / "truth.json"
    if given.exists() and options.parts is not None:
        parser.error(f"{options.what} is a planted set, and is taken as it is; --parts is for sets to be drawn")
    runs: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        if given.exists():
            place, truth = options.what, json.loads(given.read_text("utf-8"))
        else:
            place = Path(folder)
            truth = planted.make(options.what, place, parts=tuple(options.parts or planted.PARTS))
        images = place.absolute() / "images"
        for name in options.only:
            run = measure(name, images, truth, options.peers, options.limit)
            if isinstance(run, str):
                print(f"{name}: left out: {run}", flush=True)
            else:
                print(f"{name}: {run['cpu_s']} s of CPU", flush=True)
                runs[name] = run
        files = sum(path.is_file() for path in images.rglob("*"))
    show(runs)
    record("findings", {"what": "planted", "parts": truth["parts"], "files": files, "runs": runs})


if __name__ == "__main__":
    main()
