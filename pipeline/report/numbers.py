"""report.json: the numbers of what was found."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixsieve import files
from pixsieve.folder.measure import NOT_ASKED
from pixsieve.folder.metadata import CLASSES
from pixsieve.folder.run_folder import Run
from pixsieve.images.status import STATUSES
from pixsieve.rules.faults import KINDS


def summary(
    run: Run, tables: Mapping[str, pa.Table], depends: Mapping[str, Any], matched: Any, searched: Any
) -> dict[str, Any]:
    """The numbers of report.json. depends: of the unit; matched, searched: what match.json and the choice of a search
    hold. Raises RuntimeError if a stage has lost a row, or made one up."""
    manifest = run.manifest
    live = manifest.rows - len(manifest.dead)
    for name in ("assignments", "outliers", "images"):
        if len(tables[name]) != live:
            raise RuntimeError(f"{name}.parquet has {len(tables[name])} rows, the manifest {live}")
    found = _counts(tables["images"]["status"])
    status = {name: found[name] for name in STATUSES if name in found}
    duplicates, cluster = tables["duplicates"], tables["assignments"]["cluster"].to_numpy()
    levels = _counts(tables["outliers"]["level"])
    of_kind = _counts(tables["findings"]["kind"])
    kinds, rows = _counts(duplicates["kind"]), tables["images"]["row"].to_numpy()
    splits = dict(sorted(_counts(run.metadata.splits(run.manifest, rows).drop_null()).items()))
    return {
        "source": run.config.source.path,
        "descriptors": depends["views"],
        "rows": {"ever": manifest.rows, "removed": len(manifest.dead), "live": live, "status": status},
        "clusters": {
            "count": int(cluster.max(initial=-1)) + 1,
            "rows": int((cluster >= 0).sum()),
            "noise": int((cluster < 0).sum()),
            **matched,
        },
        "search": searched,
        "duplicates": {
            "similarity": depends["near"] if depends["near"] < NOT_ASKED else None,
            "groups": kinds.get("kept", 0),
            "sets": len(pc.unique(duplicates["set"])),
            "redundant": len(duplicates) - (pc.sum(duplicates["keep"]).as_py() or 0),
            **{kind: kinds.get(kind, 0) for kind in ("exact", "pixels", "near", "linked")},
            "units_with_pairs_dropped": depends["truncated"],
        },
        "look_alikes": {kind: of_kind.get(kind, 0) for kind in ("look_alike", "burst")},
        "featureless": of_kind.get("featureless", 0),
        "splits": splits,
        "leakage": _leakage(duplicates) if splits else None,
        "outliers": {name: levels.get(name, 0) for name in ("outlier", "potential")},
        "faults": _levels(tables["findings"], KINDS),
        "labels": _labels(run, rows),
        "mislabels": {"labelled": len(tables["mislabels"]), **_levels(tables["findings"], ("label",))["label"]},
    }


def _labels(run: Run, rows: np.ndarray) -> dict[str, Any]:
    """Where labels come from, how many rows and classes they have; and why folders are taken for no classes."""
    origin, counts = run.metadata.label, _counts(run.metadata.labels(run.manifest, rows).drop_null())
    decided = files.read_json(run.path / CLASSES) if origin.how == "auto" else {"folders": 0}
    why = decided["why_not"] if decided["folders"] else ""
    return {**origin._asdict(), "why_not": why, "rows": sum(counts.values()), "classes": len(counts)}


def _leakage(duplicates: pa.Table) -> dict[str, int]:
    """Groups that reach into several splits, and their rows."""
    leaking = duplicates.filter(duplicates["leakage"])
    return {"groups": len(pc.unique(leaking["group"])), "rows": len(leaking)}


def _levels(found: pa.Table, kinds: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many findings of each kind there are at each level."""
    counted = found.group_by(["kind", "level"]).aggregate([([], "count_all")]).to_pylist()
    count = {(one["kind"], one["level"]): one["count_all"] for one in counted}
    return {kind: {level: count.get((kind, level), 0) for level in ("certain", "potential")} for kind in kinds}


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()}
