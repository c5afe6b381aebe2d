"""mislabels: rows whose label is not that of their neighbours and their cluster; the rule is in rules/mislabels.py.

Rows with a label and a direction have an entry; the others have nothing to be held against. Nor has any where the
descriptor knows copies only, unless mislabels.find asks for it.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixsieve import files, kernels
from pixsieve.folder import finding_table, pair_files, sample
from pixsieve.folder.cluster_table import ASSIGNMENTS
from pixsieve.folder.neighbours import Nodes, distinct_neighbours
from pixsieve.folder.run_folder import Run
from pixsieve.rules.head import Heard, cross_fitted
from pixsieve.rules.mislabels import Mislabelled, mislabelled, nearest_with
from pixsieve.runtime.stage import Counts, Stage, Unit

MISLABELLED = pa.schema([*finding_table.FINDINGS, ("label", pa.string()), ("suggested", pa.string())])


def units(run: Run) -> list[Unit]:
    find = run.config.mislabels.find
    if find == "never" or (find == "auto" and not run.measure.semantic):
        return [Unit("all", (), {"mislabels": "mislabels.parquet"}, {"asked": False})]
    reads = (
        ASSIGNMENTS,
        *run.manifest.files(),
        *run.metadata.of_labels,
        *pair_files.paths(run, pair_files.CLASSES, pair_files.NEIGHBOURS),
        *run.store.files(*range(len(run.manifest.batches))),
    )
    if run.measure.features is not None:
        reads += run.embedded.store.files(*range(len(run.manifest.batches)))
    depends = run.config.values("outliers.neighbours", "run.seed") | {"asked": True, "labels": run.metadata.label}
    return [Unit("all", reads, {"mislabels": "mislabels.parquet"}, depends)]


def work(run: Run, unit: Unit) -> Counts:
    if not unit.depends["asked"]:
        files.write_table(run.path / unit.writes["mislabels"], MISLABELLED.empty_table())
        return {"rows": 0}
    clusters = files.read_table(run.path / ASSIGNMENTS, ["row", "key", "cluster"])
    rows = clusters["row"].to_numpy()
    names = run.metadata.labels(run.manifest, rows)
    words = pc.unique(names).drop_null().sort()
    label = pc.index_in(names, words).fill_null(-1).to_numpy().astype(np.int64)
    nodes = Nodes.of(run)
    node, index, similarity = distinct_neighbours(run, nodes, run.config.outliers.neighbours)
    node = node[rows]
    heard = _heard(run, rows, np.where(node >= 0, label, -1), node, nodes.key_rank[rows])
    found = mislabelled(node, label, clusters["cluster"].to_numpy(), index, similarity, heard)
    related = nearest_with(node, label, nodes.key_rank[rows], index, found.suggested)

    shown = np.flatnonzero((label >= 0) & (node >= 0))
    suggested = words.take(pa.array(found.suggested, mask=found.suggested < 0))
    reasons = _reasons(found, names, suggested)
    table = finding_table.table(
        rows[shown],
        clusters["key"].take(pa.array(shown)),
        "label",
        found.score[shown],
        found.level[shown],
        [reasons[at] for at in shown],
        np.where(related >= 0, rows[related], -1)[shown],
    )
    table = table.append_column("label", names.take(pa.array(shown)))
    table = table.append_column("suggested", suggested.take(pa.array(shown)))
    files.write_table(run.path / unit.writes["mislabels"], table)
    known = found.known[label[shown]].mean() if len(shown) else 0.0
    certain, potential = (
        int((found.level == level).sum()) for level in (finding_table.STRONG, finding_table.POTENTIAL)
    )
    return {"rows": len(rows), "certain": certain, "potential": potential, "agreement": round(float(known), 3)}


def _heard(run: Run, rows: np.ndarray, label: np.ndarray, node: np.ndarray, rank: np.ndarray) -> Heard | None:
    """What heads say that are fitted to what the images of the rows were embedded as, in the order of their keys. Equal
    rows share a fold."""
    order = np.argsort(rank)
    by_key, label, node = rows[order], label[order], node[order]
    groups = kernels.first_seen(np.where(node < 0, len(rows), node))
    batch_of = run.manifest.batch_of(by_key)
    parts = (np.flatnonzero((batch_of == batch) & (label >= 0)) for batch in range(len(run.manifest.batches)))
    heard = cross_fitted(label, groups, run.config.run.seed, lambda at: sample.read(run.embedded, by_key[at]), parts)
    return None if heard is None else heard.of(np.argsort(order))


def _reasons(found: Mislabelled, names: pa.ChunkedArray, suggested: pa.Array) -> list[str]:
    reasons = [""] * len(names)
    for at in np.flatnonzero(found.level):
        label, better = names[int(at)].as_py(), suggested[int(at)].as_py()
        reasons[at] = f"its neighbours are {found.other[at]:.0%} {better!r} and {found.own[at]:.0%} {label!r}"
        if copies := int(found.copies[at]):
            reasons[at] += f"; {copies} equal to it {'is' if copies == 1 else 'are'} {better!r}"
    return reasons


MISLABELS = Stage("mislabels", units, work, version=3, by="mislabels")
