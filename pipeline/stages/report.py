"""report: what was found, for people (report/index.html, one file that needs no network) and programs (report.json)."""

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import jinja2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import files, images, sources
from pipeline.descriptors import near_similarity
from pipeline.folder import Run
from pipeline.rules.faults import KINDS
from pipeline.stage import Counts, Receipts, Stage, Unit
from pipeline.stages import search

GROUPS, MEMBERS, SINGLES, OF_KIND, BROKEN = 60, 8, 48, 16, 200  # shown at most; the tables hold all
TABLES = ("labels", "clusters", "duplicates", "outliers", "mislabels", "findings", "images")
THUMBNAIL = 128  # pixels of the longer side
SHOWN = ["cluster", "size", "medoid", "persistence", "labels"]


def units(run: Run) -> list[Unit]:
    tables = tuple(f"{name}.parquet" for name in TABLES)
    searched = (search.SCORES,) if search.reads(run) else ()
    reads = (*tables, "match.json", *searched, *run.manifest.files())
    salt = f"{near_similarity(run.config, run.descriptor)} {_truncated(run)}"
    return [Unit("all", reads, ("report/report.json", "report/index.html"), salt=salt)]


def work(run: Run, unit: Unit) -> Counts:
    tables = {
        name: files.read_table(run.path / f"{name}.parquet", SHOWN if name == "clusters" else None) for name in TABLES
    }
    found = summary(run, tables)
    files.write_json(run.path / unit.writes[0], found)
    page = _page(run, tables, found)
    files.write(run.path / unit.writes[1], page.encode("utf-8", "backslashreplace"))
    return {"rows": found["rows"]["live"]}


def summary(run: Run, tables: dict[str, pa.Table]) -> dict[str, Any]:
    """The numbers of report.json. Raises RuntimeError if a stage has lost a row, or made one up."""
    manifest = run.manifest
    live = manifest.rows - len(manifest.dead())
    for name in ("labels", "outliers", "images"):
        if len(tables[name]) != live:
            raise RuntimeError(f"{name}.parquet has {len(tables[name])} rows, the manifest {live}")
    found = _counts(tables["images"]["status"])
    status = {name: found[name] for name in images.STATUSES if name in found}
    duplicates, cluster = tables["duplicates"], tables["labels"]["cluster"].to_numpy()
    levels = _counts(tables["outliers"]["level"])
    kinds = _counts(duplicates["kind"])
    return {
        "source": run.config.source.path,
        "descriptor": run.descriptor,
        "rows": {"ever": manifest.rows, "removed": len(manifest.dead()), "live": live, "status": status},
        "clusters": {
            "count": int(cluster.max(initial=-1)) + 1,
            "rows": int((cluster >= 0).sum()),
            "noise": int((cluster < 0).sum()),
            **files.read_json(run.path / "match.json"),
        },
        "search": files.read_json(run.path / search.SCORES) if search.reads(run) else None,
        "duplicates": {
            "similarity": near_similarity(run.config, run.descriptor),
            "groups": kinds.get("kept", 0),
            "redundant": len(duplicates) - kinds.get("kept", 0),
            **{kind: kinds.get(kind, 0) for kind in ("exact", "pixels", "near")},
            "units_with_pairs_dropped": _truncated(run),
        },
        "leakage": _leakage(duplicates),
        "outliers": {name: levels.get(name, 0) for name in ("outlier", "potential")},
        "faults": _levels(tables["findings"], KINDS),
        "mislabels": {"labelled": len(tables["mislabels"]), **_levels(tables["findings"], ("label",))["label"]},
    }


def _leakage(duplicates: pa.Table) -> dict[str, int] | None:
    """Groups that reach into several splits, and their rows; None where no row of a group has a split."""
    if duplicates["split"].null_count == len(duplicates):
        return None
    leaking = duplicates.filter(duplicates["leakage"])
    return {"groups": len(pc.unique(leaking["group"])), "rows": len(leaking)}


def _levels(found: pa.Table, kinds: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many findings of each kind there are at each level."""
    counted = found.group_by(["kind", "level"]).aggregate([([], "count_all")]).to_pylist()
    count = {(one["kind"], one["level"]): one["count_all"] for one in counted}
    return {kind: {level: count.get((kind, level), 0) for level in ("certain", "potential")} for kind in kinds}


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()}


def _truncated(run: Run) -> int:
    """Pair units that passed duplicates.max_pairs and so kept only the best pairs of each row."""
    receipts = [receipt for stage in ("pairs", "verify") for receipt in Receipts(run.path, stage).by_unit.values()]
    return len({receipt.unit for receipt in receipts if receipt.counts["truncated"]})


def _page(run: Run, tables: dict[str, pa.Table], found: dict[str, Any]) -> str:
    duplicates, marked = tables["duplicates"], tables["findings"]
    groups, leaking = _groups(duplicates, GROUPS), _groups(duplicates.filter(duplicates["leakage"]), GROUPS // 2)
    outliers, faults = _worst(marked, "outlier", SINGLES), {kind: _worst(marked, kind, OF_KIND) for kind in KINDS}
    mislabels = _mislabels(tables["mislabels"], tables["labels"])
    clusters, broken = _clusters(tables["clusters"], tables["labels"]), _broken(marked)
    singles = [*outliers, *(row for rows in faults.values() for row in rows)]
    shown = {row["row"] for group in [*groups, *leaking, *mislabels, *clusters] for row in group["rows"]}
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pipeline", "stages"), autoescape=True)
    return environment.get_template("report.html.jinja").render(
        found=found,
        groups=groups,
        leaking=leaking,
        outliers=outliers,
        faults=faults,
        mislabels=mislabels,
        clusters=clusters,
        broken=broken,
        pictures=_pictures(run, shown | {row["row"] for row in singles}),
    )


def _groups(duplicates: pa.Table, most: int) -> list[dict[str, Any]]:
    """The largest groups, with their first members; the kept one comes first."""
    number = duplicates["group"].to_numpy()
    numbers, starts, size = np.unique(number, return_index=True, return_counts=True)
    order = np.lexsort((numbers, -size))[:most]
    return [
        {"size": int(size[g]), "rows": duplicates.slice(starts[g], min(size[g], MEMBERS)).to_pylist()} for g in order
    ]


def _worst(found: pa.Table, kind: str, most: int) -> list[dict[str, Any]]:
    """The findings of a kind with the highest scores."""
    own = found.filter(pc.equal(found["kind"], kind))
    return own.sort_by([("score", "descending"), ("key", "ascending")]).slice(0, most).to_pylist()


def _mislabels(mislabels: pa.Table, labels: pa.Table) -> list[dict[str, Any]]:
    """The likeliest label errors, each with the nearest row that has the suggested label."""
    worst = _worst(mislabels.filter(pc.not_equal(mislabels["level"], "none")), "label", SINGLES // 2)
    rows = labels["row"].to_numpy()
    for one in worst:
        related = [] if one["related"] is None else [int(np.searchsorted(rows, one["related"]))]
        one["rows"] = [{"row": one["row"], "key": one["key"]}, *labels.take(pa.array(related, pa.int64())).to_pylist()]
    return worst


def _clusters(clusters: pa.Table, labels: pa.Table) -> list[dict[str, Any]]:
    """The largest clusters: the medoid, and the first of the other members."""
    cluster, rows = labels["cluster"].to_numpy(), labels["row"].to_numpy()
    order = np.argsort(-clusters["size"].to_numpy(), kind="stable")[: GROUPS // 2]
    found = []
    for about in clusters.take(pa.array(order)).to_pylist():
        members = np.flatnonzero(cluster == about["cluster"])
        medoid = np.searchsorted(rows, about["medoid"])
        shown = np.concatenate([[medoid], members[members != medoid][: MEMBERS - 1]])
        found.append(about | {"rows": labels.take(pa.array(shown)).to_pylist()})
    return found


def _broken(found: pa.Table) -> list[dict[str, Any]]:
    """Files that are not what they should be, by key."""
    own = found.filter(pc.is_in(found["kind"], pa.array(("unreadable", "damaged", "misnamed"))))
    return own.sort_by([("key", "ascending"), ("kind", "ascending")]).slice(0, BROKEN).to_pylist()


def _pictures(run: Run, rows: Iterable[int]) -> dict[int, str]:
    """Thumbnails as data URIs, by row number. An image that has vanished since has none."""
    if run.descriptor == "vectors":
        return {}
    pictures = {}
    manifest = run.manifest
    wanted = sorted(rows)
    for batch in sorted({row // manifest.batch_rows for row in wanted}):
        uris = manifest.table(batch, ["uri"])["uri"]
        for row in (row for row in wanted if row // manifest.batch_rows == batch):
            try:
                data = sources.read(run.config.source, uris[row % manifest.batch_rows].as_py())
            except OSError:
                continue
            pixels = images.decode(data, run.config.embed.max_pixels).pixels
            if pixels is not None:
                pictures[row] = _thumbnail(pixels)
    return pictures


def _thumbnail(pixels: np.ndarray) -> str:
    small = images.reduce(pixels, THUMBNAIL)
    encoded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


REPORT = Stage("report", ("source.path",), units, work, version=3)
