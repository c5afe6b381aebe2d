"""match: the clusters of the whole run."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from pixsieve import clusterers, files, kernels
from pixsieve.folder import choice, embeddings, metadata, pair_files
from pixsieve.folder.run import Run
from pixsieve.matching import Matched, density, hierarchy, representatives, statistics
from pixsieve.runtime.stage import Counts, Stage, Unit


def units(run: Run) -> list[Unit]:
    manifest, mode, settings = run.manifest, run.config.matching, choice.chosen(run)
    names = manifest.batch_names()
    if mode == "exact":
        reads = (
            (pair_files.REACH, *pair_files.paths(run, pair_files.TREE))
            if settings.method == "hdbscan"
            else pair_files.paths(run, pair_files.LINKS)
        )
        reads += pair_files.paths(run, pair_files.CLASSES) + choice.reads(run)
    else:
        folders = (("clusters", "parquet"), ("representatives", "npz"))
        reads = tuple(f"{folder}/{name}.{kind}" for folder, kind in folders for name in names)
    reads = (
        *reads,
        *manifest.files(),
        *embeddings.files_of(run.descriptor, *range(len(names))),
        *metadata.of_labels(run),
    )
    how: list[object] = [mode, clusterers.parameters(settings)]
    reads += choice.of_batches(run)
    if mode == "representatives":
        how += [run.config.match.model_dump(exclude={"mode"}), run.config.run.seed]
    return [Unit("all", reads, ("labels.parquet", "clusters.parquet", "match.json"), salt=files.digest_of(how))]


def work(run: Run, unit: Unit) -> Counts:
    live, rank, settings = run.manifest.live(), run.manifest.key_rank(), choice.chosen(run)
    found = _matched(run, live, rank)
    rows = np.flatnonzero(live)
    # Clusters are numbered in the order of their least keys: a fresh run over the same files numbers them alike.
    by_key = rows[np.argsort(rank[rows])]
    own = found.labels[by_key]
    labels = np.full(len(live), -1)
    labels[by_key] = kernels.first_seen(own)
    count = int(labels.max(initial=-1)) + 1
    persistence = np.full(count, np.nan)
    persistence[labels[by_key][own >= 0]] = found.persistence[own[own >= 0]]
    labels = labels[rows]
    keys = run.manifest.living(["key"])["key"]
    score = found.outlier_score[rows]
    table = pa.table(
        {
            "row": rows,
            "key": keys,
            "cluster": labels,
            "strength": found.strength[rows].astype(np.float32),
            "outlier_score": pa.array(score, pa.float64(), mask=np.isnan(score)),
        }
    )
    files.write_table(run.path / unit.writes[0], table)
    about = statistics.table(run, rows, keys, metadata.labels(run, rows), labels, persistence, rank)
    files.write_table(run.path / unit.writes[1], about)
    how = {"mode": run.config.matching, "parameters": clusterers.parameters(settings), **found.notes}
    if choices := choice.of_batches(run):
        how["choices"] = _counted(files.read_json(run.path / path) for path in choices)
    files.write_json(run.path / unit.writes[2], how)
    return {"rows": len(rows), "clusters": count, "noise": int((labels < 0).sum())}


def _counted(searches: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What batches chose for themselves, and how many chose it, the most frequent first."""
    chosen = [search["candidates"][search["chosen"]]["parameters"] for search in searches]
    different = [what for at, what in enumerate(chosen) if what not in chosen[:at]]
    counted = [{"parameters": what, "batches": chosen.count(what)} for what in different]
    return sorted(counted, key=lambda one: -one["batches"])


def _matched(run: Run, live: np.ndarray, rank: np.ndarray) -> Matched:
    settings = choice.chosen(run)
    if run.config.matching == "off":
        return representatives.of_batches(run, live)
    if run.config.matching == "representatives":
        return representatives.matched(run, settings, live, rank)
    exact = hierarchy.exact if settings.method == "hdbscan" else density.exact
    return exact(run, settings, live, rank)


MATCH = Stage("match", ("source.label",), units, work, version=2)
