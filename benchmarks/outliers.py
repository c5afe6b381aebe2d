"""The rule for outliers on drawn sets whose outliers are known, against scikit-learn's local outlier factor and one
median for all rows.

python -m benchmarks.outliers [--rows 2000] [--seeds 5] [--vectors X.npy]
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.neighbors import LocalOutlierFactor

from benchmarks import record, table
from pixsieve import kernels
from pixsieve.rules import deviation
from pixsieve.rules.robust import outlying

K = 10
Drawn = tuple[np.ndarray, np.ndarray, np.ndarray]  # rows (n, d), clusters (n,), planted (n,)


def densities(rng: np.random.Generator, n: int, d: int) -> Drawn:
    """Ten clusters, the widest five times as wide as the densest, and one row in a hundred moved out of its own."""
    label = rng.integers(10, size=n)
    spread = rng.uniform(0.1, 0.5, 10)[label][:, None]
    x = rng.normal(size=(10, d))[label] / np.sqrt(d) + spread * rng.normal(size=(n, d)) / np.sqrt(d)
    planted = np.arange(n) < n // 100
    x[planted] += 0.8 * rng.normal(size=(int(planted.sum()), d)) / np.sqrt(d)
    return x, np.where(planted, -1, label), planted


def bursts(rng: np.random.Generator, n: int, d: int) -> Drawn:
    """Rows alike only in tens: one in ten belongs to a burst of 25. Nothing is planted."""
    x, label = rng.normal(size=(n, d)), np.full(n, -1)
    for burst in range(n // 250):
        rows = slice(25 * burst, 25 * burst + 25)
        x[rows], label[rows] = x[25 * burst] + 0.02 * rng.normal(size=(25, d)), burst
    return x, label, np.zeros(n, bool)


def copied(rng: np.random.Generator, n: int, d: int) -> Drawn:
    """Of two rows in three there are three near copies. Nothing is planted."""
    x = rng.normal(size=(n // 3, d))
    near = [x[: 2 * len(x) // 3] + 0.03 * rng.normal(size=(2 * len(x) // 3, d)) for _ in range(3)]
    x = np.concatenate([x, *near])
    return x, np.full(len(x), -1), np.zeros(len(x), bool)


def of_vectors(path: Path) -> Callable[[np.random.Generator, int, int], Drawn]:
    """Rows of given embeddings, one in a hundred half turned to a direction at random."""

    def draw(rng: np.random.Generator, n: int, d: int) -> Drawn:
        x = np.load(path, mmap_mode="r")
        x = x[np.sort(rng.choice(len(x), n, replace=False))].astype(np.float64)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        planted = np.arange(n) < n // 100
        noise = rng.normal(size=x[planted].shape)
        x[planted] += 0.7 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        return x, np.full(n, -1), planted

    return draw


def called(x: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """(n,) booleans by each rule."""
    index, distance = kernels.neighbours(x, k=K, metric="euclidean")
    mean = distance.mean(axis=1)
    usual, scale = deviation.median_and_scale(mean, np.zeros(len(x), np.int64), 1)
    return {
        "ours": outlying(distance[:, -1], index, label).level == 2,
        "ours, no clusters": outlying(distance[:, -1], index, np.full(len(x), -1)).level == 2,
        "one median": mean - usual >= deviation.STRONG_CUT * scale,
        "LOF": LocalOutlierFactor(K).fit_predict(x) < 0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--vectors", type=Path)
    options = parser.parse_args()
    sets = {f"{draw.__name__}, {d} axes": (draw, d) for draw in (densities, bursts, copied) for d in (8, 64)}
    if options.vectors:
        sets["given vectors"] = (of_vectors(options.vectors), 0)
    lines: list[tuple[str, ...]] = []
    for name, (draw, d) in sets.items():
        found: dict[str, list[tuple[int, int, int, int]]] = {}
        for seed in range(options.seeds):
            x, label, planted = draw(np.random.default_rng(seed), options.rows, d)
            for rule, mask in called(x, label).items():
                of_planted, of_clean = mask[planted], mask[~planted]
                counts = int(of_planted.sum()), len(of_planted), int(of_clean.sum()), len(of_clean)
                found.setdefault(rule, []).append(counts)
        for rule, parts in found.items():
            hit, of, wrong, clean = (sum(part) for part in zip(*parts, strict=True))
            result = {"set": name, "rule": rule, "found": hit / of if of else None, "called_clean": wrong / clean}
            record("outliers", result | {"rows": options.rows, "seeds": options.seeds})
            lines.append((name, rule, f"{hit / of:.1%}" if of else "", f"{wrong / clean:.2%}"))
    table(
        f"Outliers, {options.rows:,} rows, {options.seeds} seeds",
        ("set", "rule", "planted found", "others called"),
        lines,
    )


if __name__ == "__main__":
    main()
