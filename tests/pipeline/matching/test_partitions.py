"""Batches of methods without noise, matched: like one batch, in any order, and as many clusters as are asked for."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score

from pixsieve import kernels
from pixsieve.clusterers import gaussian_mixture
from pixsieve.matching import linkage, partitions
from tests.pipeline.helpers import audit, by_key
from tests.pipeline.matching.test_matching import labels_of, stored

WAYS = [
    ("cluster.method=kmeans", "cluster.n_clusters=20"),
    *(
        ("cluster.method=gaussian_mixture", "cluster.n_clusters=20", f"cluster.covariance={c}")
        for c in ("diag", "full")
    ),
    *(
        ("cluster.method=agglomerative", "cluster.n_clusters=20", f"cluster.linkage={way}")
        for way in ("average", "ward", "complete", "single")
    ),
    *(
        ("cluster.method=agglomerative", "cluster.similarity=0.6", f"cluster.linkage={way}")
        for way in ("average", "complete", "single")
    ),
]


def groups(rng: np.random.Generator, n: int, count: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Around centres at right angles to one another."""
    truth = rng.integers(count, size=n)
    centres = np.linalg.qr(rng.normal(size=(32, count)))[0].T
    return (centres[truth] + 0.07 * rng.normal(size=(n, 32))).astype(np.float32), truth


@pytest.mark.parametrize("settings", WAYS, ids="-".join)
def test_as_many_as_asked_for_and_like_one_batch(tmp_path: Path, settings: tuple[str, ...]):
    x, truth = groups(np.random.default_rng(0), 1200)
    np.save(tmp_path / "x.npy", x)
    for name, rows in (("one", 1200), ("many", 200)):
        audit(tmp_path / "x.npy", tmp_path / name, f"run.batch_rows={rows}", *settings, until="match")
    one, many = (labels_of(tmp_path / name)[0] for name in ("one", "many"))
    assert many.max() + 1 == one.max() + 1 == 20 and many.min() == 0
    assert adjusted_rand_score(truth, many) >= max(0.95 * adjusted_rand_score(truth, one), 0.9)


@pytest.mark.parametrize("settings", WAYS[:7], ids="-".join)
def test_the_order_of_the_batches_is_nothing(tmp_path: Path, settings: tuple[str, ...]):
    """Rows without groups, where every choice shows."""
    x = np.random.default_rng(5).normal(size=(240, 8)).astype(np.float32)
    found = []
    for order in ("abcd", "cadb"):
        keys = [f"{batch}{row:03}" for batch in order for row in range(60)]
        np.savez(tmp_path / f"{order}.npz", vectors=x, keys=keys)
        asked = ("run.batch_rows=60", *settings[:1], "cluster.n_clusters=5", *settings[2:])
        audit(tmp_path / f"{order}.npz", tmp_path / order, *asked, until="match")
        rows = {row["key"]: (row["cluster"], row["strength"]) for row in by_key(tmp_path / order, "assignments")}
        found.append(np.array([rows[key] for key in keys]))
    assert adjusted_rand_score(found[0][:, 0], found[1][:, 0]) == 1
    np.testing.assert_allclose(found[0][:, 1], found[1][:, 1], atol=1e-6)


def test_batches_that_hold_other_groups_each(tmp_path: Path):
    """Rows in the order of their groups: no batch has seen more than a few of them."""
    x, truth = groups(np.random.default_rng(1), 1200)
    order = np.argsort(truth, kind="stable")
    np.save(tmp_path / "x.npy", x[order])
    audit(tmp_path / "x.npy", tmp_path / "run", "run.batch_rows=200", *WAYS[0], until="match")
    assert adjusted_rand_score(truth[order], labels_of(tmp_path / "run")[0]) > 0.95


def test_rows_of_kmeans_are_with_the_centre_that_is_nearest(tmp_path: Path):
    x = np.random.default_rng(2).normal(size=(600, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    asked = ("run.batch_rows=60", "cluster.method=kmeans", "cluster.n_clusters=6")
    audit(tmp_path / "x.npy", tmp_path / "run", *asked, until="match")
    labels, strength = labels_of(tmp_path / "run")
    unit = stored(tmp_path / "run")
    # Cells of nearest centres are convex: each two are told apart by a plane, which one more mean finds nearly.
    means = np.array([unit[labels == own].mean(axis=0) for own in range(6)])
    nearest = ((unit[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert adjusted_rand_score(labels, nearest) > 0.8
    towards = (unit * means[labels]).sum(axis=1) / np.linalg.norm(means[labels], axis=1)
    assert np.corrcoef(towards, strength)[0, 1] > 0.95


@given(st.integers(0, 2**32), st.integers(3, 40), st.integers(2, 6))
def test_the_variance_ratio_is_that_of_all_rows(seed: int, n: int, least: int):
    x = np.random.default_rng(seed).normal(size=(n, 3))
    single = linkage.Groups(np.ones(n), x, np.zeros(n))
    tree = linkage.tree(single, "ward")
    counts = range(min(least, n), n)
    labels = [partitions.cut(tree, n, count) for count in counts]
    found = partitions.by_variance_ratio(single, least)
    if len(counts) and found.max() + 1 < n:
        ratios = [calinski_harabasz_score(x, label) for label in labels]
        assert calinski_harabasz_score(x, found) == pytest.approx(max(ratios)) and found.max() + 1 >= min(least, n)


@pytest.mark.parametrize("spread", [0.0, 0.02])
def test_batches_of_one_group_have_one_cluster(spread: float):
    """Means that differ by as much as the rows say that they would are no clusters."""
    rng = np.random.default_rng(0)
    pieces = linkage.Groups(np.full(6, 100.0), np.ones((6, 32)) + spread * rng.normal(size=(6, 32)), np.full(6, 32.0))
    assert partitions.by_variance_ratio(pieces, 1).max() == 0
    far = pieces._replace(mean=np.repeat(10 * np.eye(32)[:2], 3, axis=0) + pieces.mean)
    assert partitions.by_variance_ratio(far, 1).tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_shares_are_the_probabilities_of_the_components(covariance: str):
    rng = np.random.default_rng(0)
    x, own = rng.normal(size=(90, 3)) @ rng.normal(size=(3, 3)), np.arange(90) % 3
    x += own[:, None]
    mean = np.array([x[own == c].mean(axis=0) for c in range(3)])
    parts = [gaussian_mixture.scatter(x[at], own[at], mean, covariance) for at in np.array_split(np.arange(90), 4)]
    size = np.array([20.0, 30.0, 40.0])  # weights need not be those of the rows
    made = gaussian_mixture.components(np.full(3, 30.0), mean, sum(parts), covariance)
    made["weights_init"] = size / size.sum()
    whole = [np.cov(x[own == c].T, bias=True) for c in range(3)]
    of = {
        "full": whole,
        "tied": [np.mean(whole, axis=0)] * 3,
        "diag": [np.diag(np.diag(each)) for each in whole],
        "spherical": [np.eye(3) * np.diag(each).mean() for each in whole],
    }[covariance]
    density = np.stack([multivariate_normal(m, c).pdf(x) for m, c in zip(mean, of, strict=True)], axis=1) * size
    expected = density / density.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(gaussian_mixture.shares(x, made, covariance), expected, atol=1e-4)


@given(st.integers(0, 2**32))
def test_the_order_of_pieces_says_nothing_of_their_batches(seed: int):
    rng = np.random.default_rng(seed)
    size, mean, spread = rng.integers(1, 3, 12), rng.integers(2, size=(12, 3)) * 0.5, rng.integers(2, size=12) * 0.5
    shuffled = rng.permutation(12)
    one = [part[partitions.ordered(size, mean, spread)] for part in (size, mean, spread)]
    other = [part[shuffled] for part in (size, mean, spread)]
    other = [part[partitions.ordered(*other)] for part in other]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
    assert kernels.components(12, *linkage.tree(linkage.Groups(*map(np.float64, one)), "ward").edges.T).max() == 0
