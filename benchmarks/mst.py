"""The minimum spanning tree of mutual reachability, which HDBSCAN is made of: ours against fast_hdbscan's and SciPy's.

python -m benchmarks.mst [--rows 20000] [--depth 32] [--gpu]
"""

import argparse

import numpy as np

from benchmarks import medians, record, table, vectors
from pixsieve import kernels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--depth", type=int)
    parser.add_argument("--min-samples", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--gpu", action="store_true")
    options = parser.parse_args()
    n, depth = options.rows or (200_000 if options.gpu else 20_000), options.depth or (384 if options.gpu else 32)
    x = vectors.groups(n, depth).astype(np.float32)
    there = x
    if options.gpu:
        import cupy

        there = cupy.asarray(x)
        kernels.spanning_tree(there[:5000])

    def single() -> float:
        return float(kernels.spanning_tree(there)[1].sum())

    def mutual() -> float:
        core = kernels.neighbours(there, k=options.min_samples, metric="euclidean")[1][:, -1]
        return float(kernels.spanning_tree(there, core=core)[1].sum())

    calls = {"pixsieve, single linkage": single, "pixsieve, mutual reachability": mutual}
    if not options.gpu:
        calls |= peers(x, options.min_samples)
    seconds, found = medians(calls, options.repeats)
    rows = [
        (name, s, s / seconds["pixsieve, mutual reachability"], f"{found[name]:.6f}") for name, s in seconds.items()
    ]
    title = f"spanning trees of {n:,} x {depth}, {options.min_samples} samples, medians of {options.repeats}"
    table(title, ("", "seconds", "times ours", "total length"), rows)
    record("mst", {"rows": [n, depth], "on_gpu": options.gpu, "seconds": seconds, "total": found})


def peers(x: np.ndarray, min_samples: int) -> dict:
    from fast_hdbscan.hdbscan import compute_minimum_spanning_tree
    from scipy.cluster.hierarchy import linkage

    compute_minimum_spanning_tree(x[:500], min_samples=min_samples)  # compiled at first use

    def fast_hdbscan() -> float:
        return float(compute_minimum_spanning_tree(x, min_samples=min_samples)[0][:, 2].sum())

    calls = {"fast_hdbscan, mutual reachability": fast_hdbscan}
    if len(x) <= 30_000:
        calls["SciPy, single linkage"] = lambda: float(linkage(x.astype(np.float64), "single")[:, 2].sum())
    return calls


if __name__ == "__main__":
    main()
