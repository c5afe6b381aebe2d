"""report/index.html: one file that needs no network."""

import base64
from collections.abc import Iterable
from typing import Any

import cv2
import jinja2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixsieve.folder.measure import VECTORS, Measure
from pixsieve.folder.run_folder import Run
from pixsieve.images import decode
from pixsieve.images.statistics import reduce
from pixsieve.plural import counted
from pixsieve.report.words import labelled
from pixsieve.rules.faults import KINDS
from pixsieve.sources import folder

GROUPS, MEMBERS, SINGLES, OF_KIND, BROKEN = 60, 8, 48, 16, 200  # shown at most; the tables hold all
THUMBNAIL = 128  # pixels of the longer side


def page(run: Run, tables: dict[str, pa.Table], found: dict[str, Any]) -> str:
    duplicates, marked = tables["duplicates"], tables["findings"]
    groups, leaking = _groups(duplicates, GROUPS), _groups(duplicates.filter(duplicates["leakage"]), GROUPS // 2)
    outliers, faults = _worst(marked, "outlier", SINGLES), {kind: _worst(marked, kind, OF_KIND) for kind in KINDS}
    alike = _alike(marked, tables["assignments"])
    mislabels = _mislabels(tables["mislabels"], tables["assignments"])
    clusters, broken = _clusters(tables["clusters"], tables["assignments"]), _broken(marked)
    singles = [*outliers, *(row for rows in faults.values() for row in rows)]
    shown = {row["row"] for group in [*groups, *leaking, *alike, *mislabels, *clusters] for row in group["rows"]}
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pixsieve", "report"), autoescape=True)
    environment.filters |= {"counted": counted, "distance": lambda similarity: _distance(run.measure, similarity)}
    return environment.get_template("index.html.jinja").render(
        found=found,
        euclidean=run.measure.euclidean,
        labelled=labelled(found["labels"]),
        groups=groups,
        leaking=leaking,
        alike=alike,
        outliers=outliers,
        faults=faults,
        mislabels=mislabels,
        clusters=clusters,
        broken=broken,
        pictures=_pictures(run, shown | {row["row"] for row in singles}),
    )


def _distance(measure: Measure, similarity: float) -> str:
    """A similarity in words, as users give it."""
    return f"distance {measure.chord(similarity):.6g}" if measure.euclidean else f"similarity {similarity}"


def _groups(duplicates: pa.Table, most: int) -> list[dict[str, Any]]:
    """The largest groups of the largest sets, with their first members; the kept one comes first."""
    number, union = duplicates["group"].to_numpy(), duplicates["set"].to_numpy()
    numbers, starts, size = np.unique(number, return_index=True, return_counts=True)
    own = union[starts]
    of_set, groups_of_set = np.bincount(union)[own], np.bincount(own)[own]
    order = np.lexsort((numbers, -size, own, -of_set))[:most]
    return [
        {
            "set": int(own[g]),
            "of_set": int(of_set[g]),
            "groups_of_set": int(groups_of_set[g]),
            "size": int(size[g]),
            "rows": duplicates.slice(starts[g], min(size[g], MEMBERS)).to_pylist(),
        }
        for g in order
    ]


def _worst(found: pa.Table, kind: str, most: int) -> list[dict[str, Any]]:
    """The findings of a kind with the highest scores."""
    own = found.filter(pc.equal(found["kind"], kind))
    return own.sort_by([("score", "descending"), ("key", "ascending")]).slice(0, most).to_pylist()


def _alike(found: pa.Table, assigned: pa.Table) -> list[dict[str, Any]]:
    """The most alike pairs, then bursts, each whole, its sharpest frame first."""
    pairs = _with_related(_worst(found, "look_alike", SINGLES // 2), assigned)
    bursts = dict[int, dict[str, Any]]()
    for one in _with_related(_worst(found, "burst", len(found)), assigned):
        frame, sharpest = one["rows"]
        bursts.setdefault(one["related"], one | {"rows": [sharpest]})["rows"].append(frame)
    return [*pairs, *(one | {"rows": one["rows"][:MEMBERS]} for one in list(bursts.values())[: GROUPS // 2])]


def _mislabels(mislabels: pa.Table, assigned: pa.Table) -> list[dict[str, Any]]:
    """The likeliest label errors, each with the nearest row that has the suggested label."""
    return _with_related(
        _worst(mislabels.filter(pc.not_equal(mislabels["level"], "none")), "label", SINGLES // 2), assigned
    )


def _with_related(found: list[dict[str, Any]], assigned: pa.Table) -> list[dict[str, Any]]:
    """Each finding with its row and the related one."""
    rows = assigned["row"].to_numpy()
    for one in found:
        related = [] if one["related"] is None else [int(np.searchsorted(rows, one["related"]))]
        one["rows"] = [
            {"row": one["row"], "key": one["key"]},
            *assigned.take(pa.array(related, pa.int64())).to_pylist(),
        ]
    return found


def _clusters(clusters: pa.Table, assigned: pa.Table) -> list[dict[str, Any]]:
    """The largest clusters: the medoid, and the first of the other members."""
    cluster, rows = assigned["cluster"].to_numpy(), assigned["row"].to_numpy()
    order = np.argsort(-clusters["size"].to_numpy(), kind="stable")[: GROUPS // 2]
    found = []
    for about in clusters.take(pa.array(order)).to_pylist():
        members = np.flatnonzero(cluster == about["cluster"])
        medoid = np.searchsorted(rows, about["medoid"])
        shown = np.concatenate([[medoid], members[members != medoid][: MEMBERS - 1]])
        found.append(about | {"rows": assigned.take(pa.array(shown)).to_pylist()})
    return found


def _broken(found: pa.Table) -> list[dict[str, Any]]:
    """Files that are not what they should be, by key."""
    own = found.filter(pc.is_in(found["kind"], pa.array(("unreadable", "damaged", "misnamed", "featureless"))))
    return own.sort_by([("key", "ascending"), ("kind", "ascending")]).slice(0, BROKEN).to_pylist()


def _pictures(run: Run, rows: Iterable[int]) -> dict[int, str]:
    """Thumbnails as data URIs, by row number. An image that has vanished since has none."""
    given, source = run.measure.name == VECTORS, run.config.source
    if given and source.images is None:
        return {}
    pictures, wanted = {}, np.array(sorted(rows), np.int64)
    for batch, at, offset in run.manifest.by_batch(wanted):
        names = run.manifest.table(batch)["key" if given else "uri"].take(pa.array(offset)).to_pylist()
        for row, name in zip(wanted[at].tolist(), names, strict=True):
            try:
                data = folder.read_beside(str(source.images), name) if given else folder.read(source, name)
            except (OSError, ValueError):  # gone since, or a key that is no path
                continue
            pixels = decode.decode(data, run.config.embed.max_pixels, run.config.embed.max_decode_mb).pixels
            if pixels is not None:
                pictures[row] = _thumbnail(pixels)
    return pictures


def _thumbnail(pixels: np.ndarray) -> str:
    small = reduce(pixels, THUMBNAIL)
    encoded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
