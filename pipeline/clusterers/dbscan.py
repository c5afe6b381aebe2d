"""DBSCAN (Ester, Kriegel, Sander and Xu, KDD 1996) on cosine similarity, by the exact join."""

import numpy as np

import kernels


def dbscan(x: np.ndarray, similarity: float, min_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and which rows are core. x: (n, d) float16 of about unit length."""
    first, place = kernels.distinct(x)
    weights = np.bincount(place, minlength=len(first))
    joined = kernels.join(x[first], weights=weights, cluster=similarity, min_samples=min_samples)
    label = kernels.components(len(first), *joined.forest.T)
    labels = density_labels(label, joined.core, joined.edges, np.arange(len(first)))
    return kernels.first_seen(labels[place]), joined.core[place]


def density_labels(
    label: np.ndarray, core: np.ndarray, edges: tuple[np.ndarray, np.ndarray, np.ndarray], rank: np.ndarray
) -> np.ndarray:
    """(n,) labels: core rows keep theirs; a border row takes that of the core row that it is most similar to among the
    edges (i, j, similarity), ties by rank; the rest is noise, -1."""
    nearest = kernels.attach(core, *edges, rank)
    source = np.where(core, np.arange(len(core)), nearest)
    return np.where(source >= 0, label[source], -1)
