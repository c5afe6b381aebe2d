"""Pairs of rows as numbers that can be compared, and which are right."""

import numpy as np


def keys(i: np.ndarray, j: np.ndarray, n: int) -> np.ndarray:
    """Pairs i < j as sorted numbers."""
    return np.sort(i[i < j].astype(np.int64) * n + j[i < j])


def unit(x: np.ndarray, dtype: type = np.float32) -> np.ndarray:
    wide = x.astype(dtype)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def truth(x: np.ndarray, similarity: float) -> np.ndarray:
    """Every pair in float64, by no product of matrices."""
    wide = x.astype(np.float64)
    lengths = (wide * wide).sum(axis=1)
    found = []
    for at in range(len(x) - 1):
        rest = wide[at + 1 :]
        s = np.einsum("ij,j->i", rest, wide[at]) / np.sqrt(lengths[at] * lengths[at + 1 :])
        found.append(at * len(x) + at + 1 + np.flatnonzero(s >= similarity))
    return np.concatenate(found)
