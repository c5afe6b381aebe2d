"""DBSCAN (Ester, Kriegel, Sander and Xu, KDD 1996) on cosine similarity, by the exact kernels."""

import numpy as np

import kernels


def dbscan(x: np.ndarray, similarity: float, min_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and which rows are core. x: (n, d) float16 of about unit length."""
    return kernels.dbscan([x], threshold=similarity, min_samples=min_samples)
