"""All pairs above a similarity: ours against what people use for it, and how many pairs each gets wrong.

    python -m benchmarks.join [--vectors X.npy] [--rows 50000] [--similarity 0.95]     on the CPU
    python -m benchmarks.join --lists [--vectors X.npy] [--rows 20000]                 what a prefix does to lists
    python -m benchmarks.join --gpu [--vectors X.npy] [--rows 200000 1000000]          on a GPU

Without vectors, drawn groups. `python -m benchmarks.vectors` makes embeddings of CIFAR-10.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import join_gpu, medians, record, table, vectors
from benchmarks.pairs import keys, truth, unit
from pixsieve import kernels

BLOCK = 4096


def ours(x: np.ndarray, similarity: float, prefix: str = "auto") -> np.ndarray:
    found = [(i, j) for i, j, _ in kernels.pairs(x, threshold=similarity, prefix=prefix)]  # type: ignore[arg-type]
    return keys(*(np.concatenate(side) for side in zip(*found, strict=True)), len(x))


def _tiles(x: np.ndarray, similarity: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for top in range(0, len(x), BLOCK):
        for left in range(top, len(x), BLOCK):
            i, j = np.nonzero(x[top : top + BLOCK] @ x[left : left + BLOCK].T >= similarity)
            yield i + top, j + left


def products(x: np.ndarray, similarity: float, dtype: type = np.float32) -> np.ndarray:
    """Blocks of the upper triangle by BLAS."""
    i, j = (np.concatenate(side) for side in zip(*_tiles(unit(x, dtype), similarity), strict=True))
    return keys(i, j, len(x))


def faiss_range(x: np.ndarray, similarity: float, l2: bool = False) -> np.ndarray:
    import faiss

    y = unit(x)
    index = faiss.IndexFlatL2(y.shape[1]) if l2 else faiss.IndexFlatIP(y.shape[1])
    index.add(y)
    limits, _, j = index.range_search(y, 2 - 2 * similarity if l2 else similarity)
    return keys(np.repeat(np.arange(len(y)), np.diff(limits).astype(np.int64)), j, len(y))


def radius_neighbours(x: np.ndarray, similarity: float) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    y = unit(x)
    model = NearestNeighbors(radius=float(np.sqrt(2 - 2 * similarity)), algorithm="brute").fit(y)
    found = model.radius_neighbors(y, return_distance=False)
    return keys(np.repeat(np.arange(len(y)), [len(row) for row in found]), np.concatenate(found), len(y))


def mismatches(seeds: int) -> dict[str, int]:
    """Wrong pairs of each, summed over seeds: rows with pairs planted at eps (1 +- 1e-7)."""
    from tests.kernels import brute

    wrong: dict[str, int] = {}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        eps = float(rng.choice([0.01, 0.05, 0.15]))
        x = brute.planted(rng, 1500, 256, eps, "float32")
        right = truth(x, 1 - eps)
        for name, call in TOOLS.items():
            wrong[name] = wrong.get(name, 0) + len(np.setxor1d(call(x, 1 - eps), right))
        wrong["pairs"] = wrong.get("pairs", 0) + len(right)
    return wrong


TOOLS = {
    "pixsieve": ours,
    "pixsieve, prefix 16": lambda x, similarity: ours(x, similarity, 16),  # type: ignore[arg-type]
    "numpy float32": products,
    "faiss inner product": faiss_range,
    "faiss L2": lambda x, similarity: faiss_range(x, similarity, l2=True),
    "scikit-learn radius": radius_neighbours,
}


def given(options: argparse.Namespace) -> np.ndarray:
    return np.load(options.vectors)[: options.rows] if options.vectors else vectors.groups(options.rows, 512)


def source(options: argparse.Namespace) -> str:
    return options.vectors.name if options.vectors else "groups"


def on_cpu(options: argparse.Namespace) -> None:
    x = given(options)
    similarity = options.similarity
    calls = {
        "pixsieve": lambda: ours(x, similarity),
        "pixsieve, no prefix": lambda: ours(x, similarity, "off"),
        "numpy, blocks of products": lambda: products(x, similarity),
        "faiss range_search": lambda: faiss_range(x, similarity),
    }
    seconds, found = medians(calls, options.repeats)
    right = found["pixsieve"]  # what the mismatches below, and the tests, hold to a float64 brute force
    rows = [
        (name, s, s / seconds["pixsieve"], len(found[name]), len(np.setxor1d(found[name], right)))
        for name, s in seconds.items()
    ]
    title = f"pairs of {len(x):,} x {x.shape[1]} at similarity >= {similarity}, medians of {options.repeats}"
    table(title, ("", "seconds", "times ours", "pairs", "not ours"), rows)
    wrong = mismatches(options.seeds)
    total = wrong.pop("pairs")
    title = f"wrong pairs of {total:,}, {options.seeds} seeds, 1 in 4 planted at the threshold +- 1e-7"
    table(title, ("", "wrong"), list(wrong.items()))
    record(
        "join",
        {
            "rows": list(x.shape),
            "vectors": source(options),
            "similarity": similarity,
            "seconds": seconds,
            "pairs": len(right),
            "seeds": options.seeds,
            "planted_pairs": total,
            "wrong": wrong,
        },
    )


def lists(options: argparse.Namespace) -> None:
    """The 10 nearest neighbours of each row, with and without a prefix screen."""
    x = given(options)
    calls = {str(p): lambda p=p: kernels.neighbours(x, k=10, prefix=p)[0] for p in ("off", 16, 32, 64)}
    seconds, found = medians(calls, options.repeats)
    rows = [(name, s, s / seconds["off"], int((found[name] != found["off"]).sum())) for name, s in seconds.items()]
    title = f"10 nearest of {len(x):,} x {x.shape[1]}, medians of {options.repeats}"
    table(title, ("prefix", "seconds", "times off", "not as off"), rows)
    record("join", {"lists": list(x.shape), "vectors": source(options), "seconds": seconds})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--rows", type=int, nargs="+")
    parser.add_argument("--similarity", type=float, default=0.95)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=50)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--lists", action="store_true")
    way.add_argument("--gpu", action="store_true")
    options = parser.parse_args()
    if options.gpu:
        given = np.load(options.vectors) if options.vectors else None
        join_gpu.main(options.rows or [200_000, 1_000_000], options.similarity, options.repeats, given)
        return
    options.rows = options.rows[0] if options.rows else 20_000 if options.lists else 50_000
    (lists if options.lists else on_cpu)(options)


if __name__ == "__main__":
    main()
