"""Label errors: labels turned at random, by our rule and by the ways of peers, on the same vectors in one run.

python -m benchmarks.mislabels --vectors X.npy --labels Y.npy      (benchmarks.vectors writes both)

Ours: neighbours over all rows, no clusters. scikit-learn: k-nearest-neighbour probabilities out of fold (5 folds), rows
ranked by that of their own label. cleanlab, where it is installed: what it calls on the same probabilities. `random`
draws every label anew, so that there is nothing to find.
"""

import argparse
import time
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score
from sklearn.model_selection import KFold
from sklearn.neighbors import NearestNeighbors

from benchmarks import record, table
from pixsieve import kernels
from pixsieve.rules.mislabels import mislabelled

RATES, NEIGHBOURS, MORE = (0.01, 0.03, 0.1), 10, 30
HEAD = ("labels turned", "average precision", "called %", "precision", "recall", "potential %", "precision", "recall")


def turned(labels: np.ndarray, rate: float | None, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(n,) labels of which a share is another one, each alike likely, and which these are; rate None: all are drawn."""
    rng = np.random.default_rng(seed)
    classes = int(labels.max()) + 1
    wrong = rng.random(len(labels)) < (1 if rate is None else rate)
    by = rng.integers(0 if rate is None else 1, classes, len(labels))
    return np.where(wrong, (labels + by) % classes, labels), wrong & (rate is not None)


def out_of_fold(x: np.ndarray, k: int) -> np.ndarray:
    """(n, k) nearest rows of the other folds."""
    unit = x / np.linalg.norm(x.astype(np.float32), axis=1, keepdims=True)
    index = np.empty((len(x), k), np.int64)
    for train, test in KFold(5, shuffle=True, random_state=0).split(unit):
        near = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(unit[train])
        index[test] = train[near.kneighbors(unit[test], return_distance=False)]
    return index


def probabilities(index: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n, classes) share of the neighbours that have each label."""
    return np.stack([(labels[index] == c).mean(axis=1) for c in range(int(labels.max()) + 1)], axis=1)


def figures(wrong: np.ndarray, score: np.ndarray | None, *called: np.ndarray) -> list[float | str]:
    """Average precision, and of each set of calls its share in %, its precision and its recall."""
    found: list[float | str] = ["-" if score is None or not wrong.any() else average_precision_score(wrong, score)]
    for part in called:
        hits = int((part & wrong).sum())
        found += [
            100 * part.mean(),
            hits / part.sum() if part.any() else "-",
            hits / wrong.sum() if wrong.any() else "-",
        ]
    return [value if isinstance(value, str) else round(float(value), 4) for value in found]


def cleaned(labels: np.ndarray, shares: np.ndarray) -> np.ndarray | None:
    """(n,) what cleanlab calls an error; None where it is not installed."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        return None
    return np.asarray(find_label_issues(labels, shares, n_jobs=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", required=True)
    parser.add_argument("--labels", required=True, help="(n,) integers from 0")
    options = parser.parse_args()
    x, labels = np.load(options.vectors), np.load(options.labels)

    started = time.perf_counter()
    index, similarity = kernels.neighbours(x, k=NEIGHBOURS)
    middle = time.perf_counter()
    others = out_of_fold(x, MORE)
    seconds = {"neighbours": middle - started, "peer": time.perf_counter() - middle, "rule": 0.0}
    agree = (labels[index[:, 0]] == labels).mean()
    nodes, alone = np.arange(len(x)), np.full(len(x), -1)
    rows: list[tuple[Any, ...]] = []
    for rate in (*RATES, None):
        given, wrong = turned(labels, rate)
        name = "random" if rate is None else f"{rate:.0%}"
        started = time.perf_counter()
        found = mislabelled(nodes, given, alone, index, similarity)
        seconds["rule"] = max(seconds["rule"], time.perf_counter() - started)
        rows.append((f"{name}, ours", *figures(wrong, found.score, found.level == 2, found.level >= 1)))
        for k in (NEIGHBOURS, MORE):
            shares = probabilities(others[:, :k], given)
            score, called = 1 - shares[nodes, given], cleaned(given, shares)
            rows.append((f"{name}, scikit-learn, k = {k}", *figures(wrong, score), *["-"] * 6))
            if called is not None:
                rows.append((f"{name}, cleanlab, k = {k}", *figures(wrong, None, called), *["-"] * 3))
    table(f"{len(x):,} x {x.shape[1]}, {agree:.3f} have the label of their nearest row", HEAD, rows)
    print({what: round(value, 1) for what, value in seconds.items()})
    record(
        "mislabels",
        {
            "rows": len(x),
            "dimensions": x.shape[1],
            "nearest_agrees": round(float(agree), 4),
            "figures": {row[0]: list(row[1:]) for row in rows},
            "seconds": seconds,
        },
    )


if __name__ == "__main__":
    main()
