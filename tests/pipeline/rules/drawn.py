"""Euclidean data with clusters of different density, noise and copies; its distances and nearest neighbours, slowly."""

import numpy as np
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)


def rows(seed: int, least: int = 2, most: int = 70) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) float64 and the (n,) clusters that the rows were drawn from, -1 for none."""
    rng = np.random.default_rng(seed)
    n, d, clusters = int(rng.integers(least, most)), int(rng.integers(1, 9)), int(rng.integers(1, 5))
    labels = rng.integers(-1, clusters, size=n)
    centres, spread = 20 * rng.normal(size=(clusters, d)), rng.uniform(0.1, 3, clusters)
    x = centres[labels] + spread[labels, None] * rng.normal(size=(n, d))
    x[labels < 0] = 30 * rng.normal(size=(int((labels < 0).sum()), d))
    for copy, of in rng.integers(n, size=(int(rng.integers(0, n)), 2)) if rng.random() < 0.5 else ():
        x[copy], labels[copy] = x[of], labels[of]
    return x, labels


def distances(x: np.ndarray) -> np.ndarray:
    """(n, n)."""
    return np.sqrt(((x[:, None] - x[None]) ** 2).sum(axis=2))


def nearest(x: np.ndarray, keys: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) distance to the k-th nearest other row, or the last, and (n, k) the k nearest, ties by key; -1 for none."""
    n, between = len(x), distances(x)
    distance, index = np.zeros(n), np.full((n, k), -1)
    for row in range(n):
        others = [other for other in range(n) if other != row]
        others.sort(key=lambda other: (between[row, other], keys[other]))
        for place, other in enumerate(others[:k]):
            distance[row], index[row, place] = between[row, other], other
    return distance, index
