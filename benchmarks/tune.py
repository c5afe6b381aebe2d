"""The similarity that `pixsieve tune` suggests, against the best that there is and against other ways to choose one.

    python -m benchmarks.tune [--vectors X.npy] [--seeds 5]

Rows are drawn around known centres. The scores are adjusted Rand indices, noise as a label of its own; `best` is the
best of 150 similarities and of all these ways. The ratio is that of the ends of the widest range, as lengths: the
larger, the clearer the clusters. Data without clusters have one too; `none` counts the draws for which nothing is
suggested (the score is then that of the middle of the range). Of the vectors 3,000 are drawn, each time others.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from sklearn.metrics import adjusted_rand_score

from benchmarks import record, table
from pixsieve.tune import curves as at
from pixsieve.tune import suggestion
from pixsieve.tune.curves import Curves

ROWS = 3000
FACTORS = (1.1, 1.2, 1.3, 1.5, 2.0)  # tried for STEADY
Planted = tuple[np.ndarray, np.ndarray]  # rows (n, d), and the groups that they were drawn from (n,), -1: none


def sphere(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    x = rng.normal(size=(n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def around(rng: np.random.Generator, centres: np.ndarray, like: np.ndarray) -> np.ndarray:
    """(n, d) a row for each centre (n, d); two rows of one centre have a similarity of about `like` (n,)."""
    away = rng.normal(size=centres.shape)
    away -= (away * centres).sum(axis=1, keepdims=True) * centres
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    return np.sqrt(like)[:, None] * centres + np.sqrt(1 - like)[:, None] * away


def blobs(rng: np.random.Generator, d: int, groups: int, like: tuple[float, float], noise: float) -> Planted:
    """Groups of unlike sizes, each with a similarity of its own between those given, and a share of noise."""
    n = int(ROWS * (1 - noise))
    group = rng.choice(groups, n, p=rng.dirichlet(np.full(groups, 3.0)))
    own = rng.uniform(*like, groups)[group] + rng.normal(0, 0.03, n)
    x = around(rng, sphere(rng, groups, d)[group], np.clip(own, 0.05, 0.995))
    return np.concatenate([x, sphere(rng, ROWS - n, d)]), np.append(group, np.full(ROWS - n, -1))


def faces(
    rng: np.random.Generator, d: int, people: int = 250, strangers: float = 0.15, alone: float = 0.2, poor: float = 0.0
) -> Planted:
    """3 to 40 images of each person; a similarity of strangers; a share of people with one image, and of poor images,
    which are less like all others."""
    common = np.sqrt(strangers) * sphere(rng, 1, d)
    centres = common + np.sqrt(1 - strangers) * sphere(rng, people, d)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    group = np.repeat(np.arange(people), np.clip(np.exp(rng.normal(2.2, 0.7, people)).round(), 3, 40).astype(int))
    like = np.clip(rng.uniform(0.75, 0.95, people)[group] + rng.normal(0, 0.04, len(group)), 0.4, 0.98)
    like = np.where(rng.random(len(group)) < poor, rng.uniform(0.3, 0.6, len(group)), like)
    others = common + np.sqrt(1 - strangers) * sphere(rng, int(alone * len(group)), d)
    return np.concatenate([around(rng, centres[group], like), others]), np.append(group, np.full(len(others), -1))


def copies(rng: np.random.Generator, d: int, size: tuple[int, int], like: float = 0.95, groups: int = 0) -> Planted:
    """Rows that are alone, or in wide groups, a tenth of them with so many near copies of at least this similarity."""
    x = sphere(rng, ROWS, d)
    if groups:
        x = around(rng, sphere(rng, groups, d)[np.arange(ROWS) % groups], np.full(ROWS, 0.5))
    first = rng.choice(ROWS, ROWS // 10, replace=False)
    group = np.repeat(np.arange(len(first)), rng.integers(size[0], size[1], len(first), endpoint=True) - 1)
    near = around(rng, x[first][group], rng.uniform(like, 1, len(group)) ** 2)
    planted = np.full(ROWS, -1)
    planted[first] = np.arange(len(first))
    return np.concatenate([x, near]), np.append(planted, group)


Case = tuple[str, int, Callable[[np.random.Generator], Planted]]  # what, min_samples, how it is drawn
CLUSTERS: list[Case] = [
    ("8 blobs, 16 numbers", 5, lambda rng: blobs(rng, 16, 8, (0.6, 0.9), 0.1)),
    ("8 blobs, 16 numbers, no noise", 5, lambda rng: blobs(rng, 16, 8, (0.6, 0.9), 0.0)),
    ("8 blobs, 64 numbers", 5, lambda rng: blobs(rng, 64, 8, (0.6, 0.9), 0.3)),
    ("8 blobs, 512 numbers", 5, lambda rng: blobs(rng, 512, 8, (0.6, 0.9), 0.0)),
    ("3 blobs, 128 numbers", 5, lambda rng: blobs(rng, 128, 3, (0.5, 0.95), 0.1)),
    ("6 blobs, 24 numbers", 10, lambda rng: blobs(rng, 24, 6, (0.6, 0.9), 0.3)),
    ("12 blobs, 256 numbers", 5, lambda rng: blobs(rng, 256, 12, (0.3, 0.9), 0.05)),
    ("40 blobs, 32 numbers", 5, lambda rng: blobs(rng, 32, 40, (0.7, 0.9), 0.1)),
    ("40 blobs, 128 numbers", 5, lambda rng: blobs(rng, 128, 40, (0.4, 0.9), 0.3)),
    ("100 blobs, 64 numbers", 5, lambda rng: blobs(rng, 64, 100, (0.5, 0.9), 0.2)),
    ("faces, 128 numbers", 3, lambda rng: faces(rng, 128)),
    ("faces, 512 numbers", 3, lambda rng: faces(rng, 512, alone=0)),
    ("faces, alike strangers", 3, lambda rng: faces(rng, 128, strangers=0.3)),
    ("faces, poor images", 3, lambda rng: faces(rng, 512, poor=0.1)),
    ("faces, half alone", 2, lambda rng: faces(rng, 128, alone=0.5)),
    ("faces, 40 people", 5, lambda rng: faces(rng, 512, people=40)),
    ("pairs of copies", 2, lambda rng: copies(rng, 64, (2, 2))),
    ("2 to 4 copies", 2, lambda rng: copies(rng, 64, (2, 4), like=0.9)),
    ("5 to 9 copies", 5, lambda rng: copies(rng, 128, (5, 9))),
    ("pairs in 30 groups", 2, lambda rng: copies(rng, 128, (2, 2), groups=30)),
    ("exact copies", 2, lambda rng: copies(rng, 64, (2, 2), like=1)),
]
WITHOUT: list[Case] = [
    ("sphere, 16 numbers", 5, lambda rng: (sphere(rng, ROWS, 16), np.empty(0))),
    ("sphere, 128 numbers", 5, lambda rng: (sphere(rng, ROWS, 128), np.empty(0))),
    ("sphere, 128 numbers", 2, lambda rng: (sphere(rng, ROWS, 128), np.empty(0))),
    ("sphere, 512 numbers", 5, lambda rng: (sphere(rng, ROWS, 512), np.empty(0))),
    ("sphere, 300 rows", 5, lambda rng: (sphere(rng, 300, 128), np.empty(0))),
    ("one blob, 64 numbers", 5, lambda rng: blobs(rng, 64, 1, (0.7, 0.7), 0.0)),
    ("one blob in noise, 64 numbers", 5, lambda rng: blobs(rng, 64, 1, (0.7, 0.7), 0.3)),
    ("one blob in noise, 16 numbers", 5, lambda rng: blobs(rng, 16, 1, (0.8, 0.8), 0.3)),
]


def knee(values: np.ndarray) -> float:
    """Where the sorted values bend most: farthest below the line between their ends (Kneedle, see tune/suggestion)."""
    values = np.sort(values)
    rise = (values - values[0]) / max(values[-1] - values[0], 1e-300)
    return float(values[np.argmax(np.linspace(0, 1, len(values)) - rise)])


def halves(values: np.ndarray) -> float:
    """Between the two classes whose means differ most, by their sizes (Otsu, IEEE Trans. SMC 9, 1979)."""
    values = np.sort(values)
    below, total = np.arange(1, len(values)), np.cumsum(values)
    above = len(values) - below
    first = int(np.argmax(below * above * (total[:-1] / below - (total[-1] - total[:-1]) / above) ** 2))
    return float(values[first : first + 2].mean())


def tuned(curves: Curves) -> float:
    """The length that tune suggests; the middle of the widest range where that is not clear enough to be suggested."""
    found = suggestion.suggest(curves)
    return sum(suggestion.plateau(curves) or (0.0, 0.0)) / 2 if isinstance(found, str) else 1 - found.value


def rules(curves: Curves) -> dict[str, float]:
    """The length that each way to choose takes."""
    length = np.unique(np.concatenate([curves.core, curves.lengths]))
    length = np.append(length[length < 1], 1.0)
    number = at.clusters(curves, length[:-1])
    start = np.flatnonzero(np.diff(number, prepend=-1))  # of each range in which it stays the same
    stop = np.append(start[1:], len(number))
    width = np.where(number[start] > 1, length[stop] - length[start], 0)
    most, widest = int(np.argmax(number[start])), int(np.argmax(width))
    return {
        "tune": tuned(curves),
        "0.9": 0.1,
        "knee": knee(curves.core),
        "tree's knee": knee(curves.lengths),
        "Otsu": halves(curves.lengths),
        "most": float(length[start[most]] + length[stop[most]]) / 2,
        "same number": float(length[start[widest]] + length[stop[widest]]) / 2,
    }


def ratio(curves: Curves) -> float:
    low, high = suggestion.plateau(curves) or (1.0, 1.0)
    return high / low if low else np.inf


def measured(case: Case, seed: int) -> tuple[Curves, np.ndarray]:
    x, planted = case[2](np.random.default_rng(seed))
    return at.measure(x.astype(np.float16), case[1]), planted


def scores(curves: Curves, planted: np.ndarray) -> tuple[dict[str, float], list[float]]:
    """Of the best similarity and of each way to choose one; and of tune, for each of FACTORS."""

    def score(length: float) -> float:
        return float(adjusted_rand_score(planted, at.assigned(curves, length)))

    ways = {name: score(length) for name, length in rules(curves).items()}
    every = np.quantile(np.concatenate([curves.core, curves.lengths]), np.linspace(0, 1, 150))
    steady = []
    for value in FACTORS:
        with mock.patch.object(suggestion, "STEADY", value):
            steady.append(score(tuned(curves)))
    return {"best": max(*ways.values(), *map(score, every.tolist()))} | ways, steady


def with_clusters(seeds: int) -> dict[str, Any]:
    found, steady, lines, ratios = [], [], [], {}
    for case in CLUSTERS:
        draws = [measured(case, seed) for seed in range(seeds)]
        own = [scores(*draw) for draw in draws]
        found += [one for one, _ in own]
        steady += [one for _, one in own]
        ratios[case[0]] = min(ratio(curves) for curves, _ in draws)
        none = sum(isinstance(suggestion.suggest(curves), str) for curves, _ in draws)
        means = (float(np.mean([one[name] for one, _ in own])) for name in found[0])
        lines.append((case[0], *means, ratios[case[0]], none))
    of = {"mean": np.mean, "least": np.min}
    summary = {what: {name: float(f([one[name] for one in found])) for name in found[0]} for what, f in of.items()}
    lines += [(what, *(f"{score:.3f}" for score in one.values()), "", "") for what, one in summary.items()]
    table(f"adjusted Rand, means of {seeds} draws", ("data", *found[0], "least ratio", "none"), lines)
    by_steady = {what: f(steady, axis=0).tolist() for what, f in of.items()}
    lines = [(what, *(f"{score:.3f}" for score in one)) for what, one in by_steady.items()]
    table("adjusted Rand of tune, by STEADY", ("", *map(str, FACTORS)), lines)
    return {"adjusted_rand": summary, "by_steady": by_steady, "least_ratio": min(ratios.values())}


def without(cases: list[Case], seeds: int) -> list[dict[str, Any]]:
    found = []
    for case in cases:
        draws = [measured(case, seed)[0] for seed in range(seeds)]
        ratios = sorted(map(ratio, draws))
        none = sum(isinstance(suggestion.suggest(curves), str) for curves in draws)
        found.append({"data": case[0], "min_samples": case[1], "ratios": ratios, "none": none})
    lines = [(*list(one.values())[:2], one["ratios"][0], one["ratios"][-1], one["none"]) for one in found]
    title = f"without clusters, {seeds} draws"
    table(title, ("data", "min_samples", "least ratio", "greatest ratio", "none"), lines)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    cases = WITHOUT
    if options.vectors is not None:
        given = np.load(options.vectors, mmap_mode="r")

        def some(rng: np.random.Generator) -> Planted:
            return given[np.sort(rng.permutation(len(given))[:ROWS])], np.empty(0)

        cases = [*cases, (options.vectors.name, 5, some), (options.vectors.name, 2, some)]
    found = with_clusters(options.seeds) | {"without": without(cases, options.seeds)}
    record("tune", {"seeds": options.seeds, **found})


if __name__ == "__main__":
    main()
