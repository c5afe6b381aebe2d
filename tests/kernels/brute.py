"""Slow references in float64, one pair at a time or with an n x n matrix, and inputs that are hard for screens."""

import numpy as np


def closeness(x: np.ndarray, y: np.ndarray, metric: str) -> np.ndarray:
    """(n, m) similarities (euclidean: distances)."""
    if metric == "hamming":
        return np.unpackbits(~(x[:, None] ^ y), axis=2).sum(axis=2) / (8 * x.shape[1])
    if metric == "jaccard":
        return (x[:, None] == y).mean(axis=2)
    x, y = x.astype(np.float64), y.astype(np.float64)
    if metric in ("euclidean", "proximity"):
        distance = np.sqrt(_summed((x[:, None] - y) ** 2))
        return distance if metric == "euclidean" else 1 / (1 + distance)
    lengths = np.sqrt(np.outer(_summed(x * x), _summed(y * y)))
    return np.clip(np.divide(_summed(x[:, None] * y), lengths, out=np.zeros_like(lengths), where=lengths > 0), -1, 1)


def _summed(products: np.ndarray) -> np.ndarray:
    """Along the last axis, in order."""
    total = np.zeros(products.shape[:-1])
    for at in range(products.shape[-1]):
        total += products[..., at]
    return total


def hits(x: np.ndarray, y: np.ndarray | None, metric: str, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """(n, m) values, and which pairs count."""
    values = closeness(x, x if y is None else y, metric)
    mask = values <= threshold if metric == "euclidean" else values >= threshold
    return values, np.triu(mask, 1) if y is None else mask


def dbscan(x: np.ndarray, metric: str, threshold: float, min_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels in the order of the first rows, and cores; a border row goes to its closest core, ties by index."""
    values, mask = hits(x, x, metric, threshold)
    np.fill_diagonal(mask, True)
    sign = -1 if metric == "euclidean" else 1
    core = mask.sum(axis=1) >= min_samples
    label = np.arange(len(x))
    changed = True
    while changed:
        least = np.array([min(label[mask[row] & core], default=row) if core[row] else row for row in range(len(x))])
        changed = bool((least != label).any())
        label = least
    for row in np.flatnonzero(~core):
        near = np.flatnonzero(mask[row] & core)
        label[row] = label[near[np.argmax(sign * values[row, near])]] if len(near) else -1
    names = {old: new for new, old in enumerate(dict.fromkeys(label[label >= 0].tolist()))}
    return np.array([names.get(old, -1) for old in label.tolist()], np.int64), core


def rows(
    rng: np.random.Generator, n: int, d: int, metric: str, dtype: str = "float64", scale: float = 1.0
) -> np.ndarray:
    """Groups of like rows, with equal rows and, for floats, zero rows among them."""
    if metric == "hamming":
        x = rng.integers(0, 256, size=(max(1, n // 6), d), dtype=np.uint8)[rng.integers(max(1, n // 6), size=n)]
        flips = rng.random((n, d, 8)) < 0.03
        x = x ^ np.packbits(flips, axis=2)[:, :, 0]
    elif metric == "jaccard":
        x = rng.integers(0, 1000, size=(max(1, n // 6), d))[rng.integers(max(1, n // 6), size=n)]
        x = np.where(rng.random((n, d)) < 0.2, rng.integers(0, 1000, size=(n, d)), x).astype(np.uint32)
    else:
        x = rng.normal(size=(max(1, n // 8), d))[rng.integers(max(1, n // 8), size=n)]
        x = x + rng.choice([0.003, 0.1, 0.5]) * rng.normal(size=(n, d))
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        if n > 4:
            x[rng.integers(n, size=n // 16)] = 0
        x = (x * scale).astype(dtype)
    for _ in range(n // 10):
        x[rng.integers(n)] = x[rng.integers(n)]
    return x


def planted(rng: np.random.Generator, n: int, d: int, eps: float, dtype: str = "float64") -> np.ndarray:
    """Unit rows, one in four of them at cosine distance eps (1 + delta) of another, |delta| from 1e-7 to 1e-3."""
    x = rng.normal(size=(n, d))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for at in range(n // 4):
        other = rng.normal(size=d)
        other -= (other @ x[at]) * x[at]
        other /= np.linalg.norm(other)
        cosine = 1 - eps * (1 + rng.choice([1e-7, 1e-5, 1e-3]) * rng.choice([-1, 1]))
        x[n - 1 - at] = cosine * x[at] + np.sqrt(1 - cosine**2) * other
    return x.astype(dtype)
