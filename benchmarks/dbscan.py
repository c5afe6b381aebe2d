"""Exact DBSCAN: ours, over blocks and in one, against scikit-learn's brute force, or cuML's. Each has its own process.

python -m benchmarks.dbscan [--vectors X.npy] [--rows 20000] [--similarity 0.95]
python -m benchmarks.dbscan --gpu [--rows 1000000] [--depth 384]
"""

import argparse
import statistics
from pathlib import Path

import numpy as np

from benchmarks import apart, medians, record, table, vectors
from benchmarks.pairs import unit
from pixsieve import kernels


def ours(x: np.ndarray, similarity: float, min_samples: int, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    return kernels.dbscan(np.array_split(x, blocks), threshold=similarity, min_samples=min_samples)


def scikit_learn(x: np.ndarray, similarity: float, min_samples: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.cluster import DBSCAN

    model = DBSCAN(eps=float(np.sqrt(2 - 2 * similarity)), min_samples=min_samples, algorithm="brute").fit(unit(x))
    core = np.zeros(len(x), bool)
    core[model.core_sample_indices_] = True
    return model.labels_, core


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--depth", type=int)
    parser.add_argument("--similarity", type=float, default=0.95)
    parser.add_argument("--min-samples", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--gpu", action="store_true")
    options = parser.parse_args()
    n = options.rows or (1_000_000 if options.gpu else 20_000)
    depth = options.depth or (384 if options.gpu else 512)
    x = np.load(options.vectors)[:n] if options.vectors else vectors.groups(n, depth)
    seconds, grown, found = on_gpu(x, options) if options.gpu else on_cpu(x, options)
    rows = [
        (name, s, s / seconds["pixsieve"], grown.get(name, "-"), found[name][0], found[name][1], found[name][2])
        for name, s in seconds.items()
    ]
    title = f"DBSCAN of {x.shape[0]:,} x {x.shape[1]}, similarity {options.similarity}, {options.min_samples} samples"
    table(title, ("", "seconds", "times ours", "MB", "clusters", "core", "noise"), rows)
    result = {"rows": list(x.shape), "vectors": options.vectors.name if options.vectors else "groups"}
    result |= {"similarity": options.similarity, "min_samples": options.min_samples, "on_gpu": options.gpu}
    record("dbscan", result | {"seconds": seconds, "grown_mb": grown, "clusters_core_noise": found})


def _summary(labels: np.ndarray, core: np.ndarray) -> tuple[int, int, int]:
    return int(labels.max()) + 1, int(core.sum()), int((labels < 0).sum())


def on_cpu(x: np.ndarray, options: argparse.Namespace) -> tuple[dict, dict, dict]:
    tools = {
        "pixsieve": (ours, x, options.similarity, options.min_samples, 1),
        "pixsieve, 10 blocks": (ours, x, options.similarity, options.min_samples, 10),
        "scikit-learn brute": (scikit_learn, x, options.similarity, options.min_samples),
    }
    taken: dict[str, list[float]] = {name: [] for name in tools}
    grown: dict[str, int] = {}
    found = {}
    for _ in range(options.repeats):
        for name, (call, *rest) in tools.items():
            answer, seconds, megabytes = apart(call, *rest)
            taken[name].append(seconds)
            grown[name], found[name] = max(megabytes, grown.get(name, 0)), _summary(*answer)
    return {name: statistics.median(values) for name, values in taken.items()}, grown, found


def on_gpu(x: np.ndarray, options: argparse.Namespace) -> tuple[dict, dict, dict]:
    import cupy

    there = cupy.asarray(x)
    ours(there[:20_000], options.similarity, options.min_samples, 1)

    def pixsieve() -> tuple[int, int, int]:
        labels, core = kernels.dbscan([there], threshold=options.similarity, min_samples=options.min_samples)
        return _summary(labels.get(), core.get())

    calls = {"pixsieve": pixsieve}
    try:
        import cuml
    except ImportError:
        print("cuML is not installed: no figure beside ours")
    else:
        there_unit = cupy.asarray(unit(x))

        def peer() -> tuple[int, int, int]:
            eps = float(np.sqrt(2 - 2 * options.similarity))
            model = cuml.DBSCAN(eps=eps, min_samples=options.min_samples, max_mbytes_per_batch=8000)
            labels = cupy.asnumpy(model.fit_predict(there_unit, out_dtype="int64"))
            return int(labels.max()) + 1, len(model.core_sample_indices_), int((labels < 0).sum())

        calls["cuML brute"] = peer
    seconds, found = medians(calls, options.repeats)
    return seconds, {}, found


if __name__ == "__main__":
    main()
