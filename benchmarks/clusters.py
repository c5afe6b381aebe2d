"""Global clusters against one scikit-learn over all rows, for many cuts into batches; what they cost; and what matching
by representatives makes of the same batches, ours and the usual one, by medoids alone.

    python -m benchmarks.clusters [--vectors X.npy [--labels Y.npy]] [--rows 8000] [--only agreement|cost|partitions]

Adjusted Rand scores, noise as a label of its own. Of DBSCAN a second score is over the core rows: scikit-learn leaves a
border row to the cluster that comes first, here it goes to the core row that is nearest. Of HDBSCAN a second score is
over the rows that are in clusters: rows that a split frees at their own core distance are noise here, and on a side
that the order of the rows decides there. `reordered` is scikit-learn against itself with the rows in another order.
`partitions`: methods without noise, of batches matched by moments, and of one batch that holds all rows: the adjusted
Rand of both against the truth (blobs: a tenth of the rows are no group's, and count as one; given vectors: the labels),
the one by the other, and against each other. `unlike`: one batch against one batch without a hundredth of the rows, on
those that are left: what a method owes to chance. Means of three draws.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from sklearn.cluster import DBSCAN, HDBSCAN
from sklearn.metrics import adjusted_rand_score

from benchmarks import record, table
from pixsieve import Config, files, kernels, run

BATCHES = (1, 2, 7, 10, 50)
PARTITIONS = {
    "kmeans": ("cluster.method=kmeans",),
    "gaussian_mixture": ("cluster.method=gaussian_mixture",),
    "average": ("cluster.method=agglomerative",),
    "ward": ("cluster.method=agglomerative", "cluster.linkage=ward"),
    "complete": ("cluster.method=agglomerative", "cluster.linkage=complete"),
}
HIERARCHY = ("cluster.method=hdbscan", "cluster.min_cluster_size=15", "cluster.min_samples=5")


def planted(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """20 groups of unlike density, and a tenth of noise; and the group of each row, -1 for noise."""
    which = rng.integers(20, size=n)
    x = rng.normal(size=(20, 32))[which] + rng.uniform(0.2, 0.45, 20)[which, None] * rng.normal(size=(n, 32))
    x[: n // 10] = rng.normal(size=(n // 10, 32))
    return x, np.where(np.arange(n) < n // 10, -1, which)


def blobs(rng: np.random.Generator, n: int) -> np.ndarray:
    return planted(rng, n)[0]


def apart(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """20 groups, and nothing between them."""
    which = rng.integers(20, size=n)
    return rng.normal(size=(20, 32))[which] + 0.3 * rng.normal(size=(n, 32)), which


def filaments(rng: np.random.Generator, n: int) -> np.ndarray:
    """30 thin curves: a row has about a dozen neighbours along one."""
    which, along = rng.integers(30, size=n), rng.random((n, 1)) * 3
    a, b = rng.normal(size=(2, 30, 32))
    x = a[which] * np.cos(along) + b[which] * np.sin(along)
    return x + 0.02 * rng.normal(size=x.shape)


def copies(rng: np.random.Generator, n: int) -> np.ndarray:
    """One row in four has one to four near copies; the rest is alone."""
    first = rng.normal(size=(n, 64))
    many = np.repeat(np.arange(n), np.where(rng.random(n) < 0.25, rng.integers(2, 6, n), 1))[:n]
    return first[many] + 0.03 * rng.normal(size=(n, 64))


def stored(x: np.ndarray) -> np.ndarray:
    """As a run stores them: float16 of length 1."""
    x = x.astype(np.float64)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16)


def flow(x: np.ndarray, batches: int, *settings: str) -> tuple[np.ndarray, dict[str, float], dict[str, Any]]:
    """Labels, seconds of each stage and the notes of the match, of a whole run as far as match."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "x.npy"), x)
        rows = -(-len(x) // batches)
        given = [f"run.batch_rows={rows}", "workers.device=cpu", "outliers.neighbours=5", *settings]
        config = Config.load(Path(folder, "x.npy"), out=Path(folder, "run"), settings=given)
        summary = run(config, until="match")
        if summary.failures:
            raise RuntimeError(summary.failures[0][1].error)
        found = pq.read_table(Path(folder, "run/assignments.parquet")).to_pandas()
        labels = found.assign(number=found.key.astype(int)).sort_values("number").cluster.to_numpy()
        notes = files.read_json(Path(folder, "run/match.json"))
        return labels, {stage.name: stage.seconds for stage in summary.stages}, notes


def by_medoids(x: np.ndarray, batches: int, similarity: float, min_samples: int) -> np.ndarray:
    """Each batch clustered alone, its clusters matched where their medoids are similar; noise stays noise."""
    labels, medoids, seen = np.full(len(x), -1), [], 0
    for part in np.array_split(np.arange(len(x)), batches):
        own, _ = kernels.dbscan([x[part]], threshold=similarity, min_samples=min_samples)
        labels[part] = np.where(own >= 0, own + seen, -1)
        medoids.append(part[kernels.group_statistics(x[part], own).medoid])
        seen += len(medoids[-1])
    near = [(i, j) for i, j, _ in kernels.pairs(x[np.concatenate(medoids)], threshold=similarity)]
    i, j = (np.concatenate(side) for side in zip(*near, strict=True))
    return np.append(kernels.components(seen, i, j), -1)[labels]


def agreement(name: str, x: np.ndarray, similarity: float, min_samples: int) -> dict[str, Any]:
    x = stored(x)
    wide = x.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    far = np.clip(1 - wide @ wide.T, 0, None)
    model = DBSCAN(eps=1 - similarity, min_samples=min_samples, metric="precomputed").fit(far)
    one, core = model.labels_, model.core_sample_indices_
    del far
    tree, reordered = (np.empty(len(x), np.int64) for _ in range(2))
    for labels, order in ((tree, np.arange(len(x))), (reordered, np.random.default_rng(1).permutation(len(x)))):
        labels[order] = HDBSCAN(min_cluster_size=15, min_samples=5, copy=True).fit(wide[order]).labels_
    density = (f"cluster.similarity={similarity}", f"cluster.min_samples={min_samples}")
    result: dict[str, Any] = {"data": name, "rows": len(x), "dimensions": x.shape[1], "similarity": similarity}
    result |= {
        "noise": float((one < 0).mean()),
        "clusters": int(one.max()) + 1,
        "clusters_hdbscan": int(tree.max()) + 1,
    }
    result["reordered"] = adjusted_rand_score(tree, reordered)
    for batches in BATCHES:
        rows = -(-len(x) // batches)
        block = f"run.block_rows={max(rows, len(x) // 10)}"
        labels, _, _ = flow(x, batches, *density, block)
        result[f"dbscan_{batches}"] = adjusted_rand_score(one, labels)
        result[f"dbscan_cores_{batches}"] = adjusted_rand_score(one[core], labels[core])
        labels, _, _ = flow(x, batches, *HIERARCHY, block)
        inside = labels >= 0
        result[f"hdbscan_{batches}"] = adjusted_rand_score(tree, labels)
        result[f"hdbscan_inside_{batches}"] = adjusted_rand_score(tree[inside], labels[inside])
    loose = ("match.mode=representatives", "match.max_unresolved=1", "match.sample=2")
    labels, _, notes = flow(x, 10, *density, *loose)
    result |= {"unresolved": notes["unresolved"], "representatives": adjusted_rand_score(one, labels)}
    result["medoids"] = adjusted_rand_score(one, by_medoids(x, 10, similarity, min_samples))
    return result


def cost(x: np.ndarray, *settings: str) -> dict[str, float]:
    """Seconds of clustering and matching of 10 batches, and of one."""
    took = {}
    for batches in (10, 1):
        started = time.perf_counter()
        _, seconds, _ = flow(x, batches, *settings)
        took[f"all_{batches}"] = time.perf_counter() - started
        took[f"match_{batches}"] = sum(seconds[stage] for stage in ("pairs", "reach", "tree", "match"))
    return took


def partitions(x: np.ndarray, truth: np.ndarray, batches: int, *settings: str) -> dict[str, float]:
    x = stored(x)
    one, _, _ = flow(x, 1, *settings, "match.mode=off")
    left = np.sort(np.random.default_rng(1).permutation(len(x))[: len(x) * 99 // 100])
    again, _, _ = flow(x[left], 1, *settings, "match.mode=off")
    labels, _, _ = flow(x, batches, *settings, "match.mode=representatives", "match.sample=2")
    whole, cut = adjusted_rand_score(truth, one), adjusted_rand_score(truth, labels)
    return {
        "one": whole,
        "matched": cut,
        "ratio": cut / whole,
        "against": adjusted_rand_score(one, labels),
        "unlike": adjusted_rand_score(one[left], again),
        "clusters_one": int(one.max()) + 1,
        "clusters": int(labels.max()) + 1,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--only", choices=["agreement", "cost", "partitions"])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    n = options.rows
    given = None if options.vectors is None else np.load(options.vectors, mmap_mode="r")
    if options.only in (None, "agreement"):
        sets = [
            ("blobs", blobs(rng, n), 0.8, 5),
            ("filaments", filaments(rng, n), 0.95, 5),
            ("copies", copies(rng, n), 0.98, 2),
        ]
        if given is not None:
            sets.append(("given", np.array(given[rng.permutation(len(given))[:n]]), 0.93, 5))
        found = [agreement(name, x[rng.permutation(n)], similarity, least) for name, x, similarity, least in sets]
        for method in ("dbscan", "dbscan_cores", "hdbscan", "hdbscan_inside"):
            also = ("reordered",) if method == "hdbscan" else ()
            names = (*(f"{method}_{b}" for b in BATCHES), *also)
            rows = [(one["data"], *(f"{one[name]:.4f}" for name in names)) for one in found]
            title = f"{method}: adjusted Rand against scikit-learn over all rows, by number of batches"
            table(title, ("data", *map(str, BATCHES), *also), rows)
        names = ("noise", "clusters", "dbscan_10", "unresolved", "representatives", "medoids")
        rows = [
            (one["data"], *(one[name] if name == "clusters" else f"{one[name]:.4f}" for name in names)) for one in found
        ]
        table("dbscan, 10 batches: adjusted Rand against scikit-learn over all rows", ("data", *names), rows)
        for one in found:
            record("clusters", one)
    if options.only in (None, "cost"):
        x = stored(blobs(rng, 60_000) if given is None else np.array(given))
        ways = {"dbscan": ("cluster.similarity=0.9",), "hdbscan": HIERARCHY}
        lines = []
        for method, settings in ways.items():
            took = [cost(x, *settings) for _ in range(options.repeats)]
            middle = {name: float(np.median([one[name] for one in took])) for name in took[0]}
            middle["ratio"] = float(np.median([one["match_10"] / one["match_1"] for one in took]))
            record("clusters", {"cost": method, "rows": len(x), "dimensions": x.shape[1], **middle})
            lines.append((method, middle["match_10"], middle["match_1"], middle["ratio"]))
        title = f"{len(x):,} x {x.shape[1]}: seconds of pairs, reach, tree and match, medians of {options.repeats}"
        table(title, ("method", "10 batches", "1 batch", "ratio"), lines)
    if options.only in (None, "partitions"):
        cases = [
            (name, draw, n // rows, 20) for name, draw in (("apart", apart), ("blobs", planted)) for rows in (1000, 200)
        ]
        if given is not None and options.labels is not None:
            known, classes = given, np.load(options.labels)

            def some(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
                rows = rng.permutation(len(known))[:n]
                return np.array(known[rows]), classes[rows]

            cases += [("given", some, 10, clusters) for clusters in (10, 40)]
        lines = []
        for name, draw, batches, clusters in cases:
            for method, settings in PARTITIONS.items():
                each = []
                for seed in range(3):
                    rng = np.random.default_rng(seed)
                    x, truth = draw(rng, n)
                    order = rng.permutation(n)
                    each.append(
                        partitions(x[order], truth[order], batches, *settings, f"cluster.n_clusters={clusters}")
                    )
                mean = {key: float(np.mean([found[key] for found in each])) for key in each[0]}
                about = {"data": name, "rows": n, "batches": batches, "method": method, "asked": clusters}
                record("clusters", {"partitions": about | mean})
                scores = (f"{mean[key]:.3f}" for key in ("one", "matched", "ratio", "against", "unlike"))
                lines.append((f"{name}, {batches} batches, {clusters} of {method}", *scores, f"{mean['clusters']:.0f}"))
        head = ("data", "one", "matched", "ratio", "against", "unlike", "clusters")
        table(f"{n:,} rows: adjusted Rand, means of 3 draws", head, lines)


if __name__ == "__main__":
    main()
