"""match: the clusters of the whole run."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from pixsieve import files, kernels
from pixsieve.config.cluster import settings_of
from pixsieve.folder import choice, pair_files
from pixsieve.folder.cluster_table import ASSIGNMENTS
from pixsieve.folder.pair_files import CLASSES, LINKS, NEIGHBOURS, REACH, TREE
from pixsieve.folder.run_folder import Run
from pixsieve.matching import Matched, communities, density, hierarchy, representatives, statistics
from pixsieve.runtime.stage import Counts, Stage, Unit

EXACT: dict[str, Callable[[Run, Any, np.ndarray, np.ndarray], Matched]] = {
    "dbscan": density.exact,
    "hdbscan": hierarchy.exact,
    "leiden": communities.exact,
}


def units(run: Run) -> list[Unit]:
    manifest, mode, settings = run.manifest, run.config.matching, choice.chosen(run)
    names = manifest.batch_names()
    if mode == "exact":
        links, neighbours, tree = (pair_files.paths(run, kind) for kind in (LINKS, NEIGHBOURS, TREE))
        reads = {"dbscan": links, "leiden": neighbours, "hdbscan": (REACH, *tree)}[settings.method]
        reads += pair_files.paths(run, CLASSES) + choice.reads(run)
    else:
        folders = (("clusters", "parquet"), ("representatives", "npz"))
        reads = tuple(f"{folder}/{name}.{kind}" for folder, kind in folders for name in names)
        reads += choice.of_batches(run)
    reads += (*manifest.files(), *run.store.files(*range(len(names))), *run.metadata.of_labels)
    depends = {
        "mode": mode,
        "method": settings.parameters,
        "labels": run.metadata.label,
        "each_its_own": mode != "exact" and choice.each_its_own(run),
    }
    if mode == "representatives":
        depends |= run.config.values("match.max_unresolved", "match.sample", "run.seed")
    elif mode == "exact" and settings.draws:
        depends |= run.config.values("run.seed")
    writes = {"assignments": ASSIGNMENTS, "clusters": "clusters.parquet", "how": "match.json"}
    return [Unit("all", reads, writes, depends)]


def work(run: Run, unit: Unit) -> Counts:
    live, rank, depends = run.manifest.live(), run.manifest.key_rank(), unit.depends
    found = _matched(run, depends, live, rank)
    rows = np.flatnonzero(live)
    # Clusters are numbered in the order of their least keys: a fresh run over the same files numbers them alike.
    by_key = rows[np.argsort(rank[rows])]
    own = found.cluster[by_key]
    cluster = np.full(len(live), -1)
    cluster[by_key] = kernels.first_seen(own)
    count = int(cluster.max(initial=-1)) + 1
    persistence = np.full(count, np.nan)
    persistence[cluster[by_key][own >= 0]] = found.persistence[own[own >= 0]]
    cluster = cluster[rows]
    keys = run.manifest.living(["key"])["key"]
    score = found.outlier_score[rows]
    table = pa.table(
        {
            "row": rows,
            "key": keys,
            "cluster": cluster,
            "strength": found.strength[rows].astype(np.float32),
            "outlier_score": pa.array(score, pa.float64(), mask=np.isnan(score)),
        }
    )
    files.write_table(run.path / unit.writes["assignments"], table)
    members = statistics.Members(rows, keys, run.metadata.labels(run.manifest, rows), cluster)
    about = statistics.table(run, members, persistence, rank)
    files.write_table(run.path / unit.writes["clusters"], about)
    how = {"mode": depends["mode"], "parameters": depends["method"], **found.notes}
    if depends["each_its_own"]:
        how["choices"] = _counted(files.read_json(run.path / path) for path in choice.of_each(run.manifest))
    files.write_json(run.path / unit.writes["how"], how)
    return {"rows": len(rows), "clusters": count, "noise": int((cluster < 0).sum())}


def _matched(run: Run, depends: Mapping[str, Any], live: np.ndarray, rank: np.ndarray) -> Matched:
    if depends["mode"] == "off":
        return representatives.of_batches(run, live)
    settings = settings_of(depends["method"])
    if depends["mode"] == "representatives":
        return representatives.matched(run, settings, depends["each_its_own"], live, rank)
    return EXACT[settings.method](run, settings, live, rank)


def _counted(searches: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What batches chose for themselves, and how many chose it, the most frequent first."""
    chosen = [search["candidates"][search["chosen"]]["parameters"] for search in searches]
    different = [what for at, what in enumerate(chosen) if what not in chosen[:at]]
    counted = [{"parameters": what, "batches": chosen.count(what)} for what in different]
    return sorted(counted, key=lambda one: -one["batches"])


MATCH = Stage("match", units, work, version=4, by="cluster")
