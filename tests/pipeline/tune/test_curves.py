"""Curves and suggestions of tune, against DBSCAN at each similarity."""

import re

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score

from pixsieve import kernels
from pixsieve.kernels.engines.device import Device
from pixsieve.tune import curves as at
from pixsieve.tune.suggestion import CLEAR, SEVERAL, STEADY, Suggestion, plateau, suggest
from tests.kernels import brute
from tests.pipeline.helpers import unit_rows


def planted(seed: int, *, groups: int, size: int, alone: int, d: int = 64, like: float = 0.8):
    """Unit rows (n, d) float16: groups of a similarity of about `like`, and rows alone; and their labels."""
    rng = np.random.default_rng(seed)
    x = np.repeat(rng.normal(size=(groups, d)), size, axis=0)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    x = np.sqrt(like) * x + np.sqrt((1 - like) / d) * rng.normal(size=x.shape)
    x = np.concatenate([x, rng.normal(size=(alone, d))])
    y = np.concatenate([np.repeat(np.arange(groups), size), np.full(alone, -1)])
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16), y


def check(x: np.ndarray, min_samples: int, similarities: np.ndarray) -> None:
    """All curves at these similarities against one DBSCAN at each."""
    curves = at.measure(x, min_samples)
    length = 1 - similarities
    noise, clusters, largest = (function(curves, length) for function in (at.noise, at.clusters, at.largest))
    effective = at.effective(curves, length)
    for place, similarity in enumerate(similarities.tolist()):
        labels, core = kernels.dbscan([x], threshold=similarity, min_samples=min_samples)
        np.testing.assert_array_equal(at.assigned(curves, length[place]), labels)
        sizes = np.bincount(labels[labels >= 0], minlength=1)
        found = noise[place], clusters[place], largest[place]
        assert found == ((labels < 0).sum(), labels.max(initial=-1) + 1, sizes.max())
        share = np.bincount(labels[core], minlength=1) / max(core.sum(), 1)
        np.testing.assert_allclose(effective[place], 1 / (share**2).sum() if core.any() else np.nan)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 60),
    d=st.integers(2, 8),
    min_samples=st.integers(1, 8),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
)
def test_the_curves_are_dbscan_at_every_similarity(seed, n, d, min_samples, dtype):
    """With copies, and at the very similarities of pairs."""
    rng = np.random.default_rng(seed)
    x = brute.rows(rng, n, d, "cosine", dtype)
    x = x[x.any(axis=1)]
    exactly = np.unique(brute.closeness(x, x, "cosine"))
    check(x, min_samples, np.concatenate([rng.permutation(exactly)[:15], rng.uniform(-1, 1, 5), [1.0, -1.0]]))


@pytest.mark.parametrize("min_samples", [1, 2, 5, 40])
def test_many_rows(min_samples: int):
    """Above the kernels' simple tree, with a fifth of the rows copies."""
    rng = np.random.default_rng(1)
    x = unit_rows(rng, 1500, 12, 0.4, copies=300).astype(np.float16)
    check(x, min_samples, np.concatenate([rng.uniform(0.3, 1, 12), [1.0]]))


def test_scikit_learn_agrees():
    x, _ = planted(2, groups=20, size=12, alone=100, d=16)
    length = np.clip(1 - brute.closeness(x, x, "cosine"), 0, None)
    curves = at.measure(x, 4)
    for similarity in np.linspace(0.05, 0.99, 25):
        model = DBSCAN(eps=1 - similarity, min_samples=4, metric="precomputed").fit(length)
        eps = np.array([1 - similarity])
        assert at.noise(curves, eps)[0] == (model.labels_ < 0).sum()
        assert at.clusters(curves, eps)[0] == model.labels_.max() + 1
        assert adjusted_rand_score(at.assigned(curves, 1 - similarity)[model.core_sample_indices_],
                                   model.labels_[model.core_sample_indices_]) == 1  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_the_plateau_is_the_widest(seed: int):
    """Against all ranges, one by one."""
    rng = np.random.default_rng(seed)
    curves = at.measure(unit_rows(rng, int(rng.integers(2, 90)), 8, 0.4, copies=5), int(rng.integers(1, 5)))
    length = np.unique(np.concatenate([curves.core, curves.lengths]))
    length = length[length < 1]
    number, end = at.effective(curves, length), np.append(length, 1.0)
    widest = 0.0
    for first in range(len(length)):
        for last in range(first, len(length)):
            inside = number[first : last + 1]
            if inside.min() >= SEVERAL and inside.max() <= STEADY * inside.min():
                widest = max(widest, end[last + 1] - end[first])
    found = plateau(curves)
    assert widest == (0.0 if found is None else found[1] - found[0])


@pytest.mark.parametrize("seed", range(8))
def test_settled(seed: int):
    rng = np.random.default_rng(seed)
    curves = at.measure(unit_rows(rng, 80, 6, 0.5, copies=5), 3)
    every = np.unique(np.concatenate([curves.joins, curves.lengths]))

    def one(length: float) -> bool:
        core = at.assigned(curves, length)[curves.core <= length]
        return at.noise(curves, np.array([length]))[0] <= 8 and np.bincount(core).max() >= 0.9 * len(core)

    first = next(length for length in every.tolist() if (curves.core <= length).any() and one(length))
    assert at.settled(curves, 0.9) == first


@pytest.mark.parametrize(
    ("given", "min_samples"),
    [
        ({"groups": 8, "size": 60, "alone": 0}, 5),
        ({"groups": 8, "size": 60, "alone": 200}, 5),
        ({"groups": 60, "size": 6, "alone": 100, "d": 128}, 3),
        ({"groups": 40, "size": 2, "alone": 800, "like": 0.97}, 2),
        ({"groups": 12, "size": 40, "alone": 60, "like": 0.5, "d": 256}, 5),
    ],
)
def test_planted_groups_are_found(given: dict, min_samples: int):
    x, truth = planted(3, **given)
    curves = at.measure(x, min_samples)
    found = suggest(curves)
    assert isinstance(found, Suggestion) and found.least < found.value < found.most
    labels, _ = kernels.dbscan([x], threshold=found.value, min_samples=min_samples)
    assert adjusted_rand_score(truth, labels) > 0.99
    assert found.clusters == labels.max() + 1 == given["groups"]
    assert (found.noise, found.largest) == ((labels < 0).sum(), np.bincount(labels[labels >= 0]).max())
    assert len(repr(found.value)) <= len("0.77")


def test_groups_close_to_each_other_get_the_digits_they_need():
    rng = np.random.default_rng(4)
    x = 1 + 1e-3 * rng.normal(size=(6, 32)).repeat(20, axis=0) + 2e-5 * rng.normal(size=(120, 32))
    found = suggest(at.measure(x, 5))
    assert isinstance(found, Suggestion) and found.clusters == 6 and found.noise == 0
    assert 0.99999 < found.value < 1


def test_copies_alone_are_groups():
    x = np.random.default_rng(5).normal(size=(50, 32)).repeat([1, 3] * 25, axis=0)
    found = suggest(at.measure(x, 2))
    assert isinstance(found, Suggestion) and (found.clusters, found.noise, found.largest) == (25, 25, 3)
    assert found.most == 1


@pytest.mark.parametrize(
    ("x", "min_samples", "said"),
    [
        (np.empty((0, 4)), 5, "no rows"),
        (np.eye(1, 4), 5, r"fewer rows \(1\) than min_samples \(5\)"),
        (np.eye(2, 4), 5, r"fewer rows \(2\) than min_samples \(5\)"),
        (np.eye(1, 4), 1, "all rows are alike"),
        (np.eye(2, 4), 2, "at no similarity above 0"),
        (np.ones((30, 4)), 5, "all rows are alike"),
        (np.eye(40), 5, "at no similarity above 0"),
        (np.random.default_rng(6).normal(size=(600, 32)), 5, "no groups that stand apart"),
    ],
)
def test_there_may_be_nothing_to_suggest(x: np.ndarray, min_samples: int, said: str):
    found = suggest(at.measure(x, min_samples))
    assert isinstance(found, str) and re.search(said, found)


def test_a_range_is_a_plateau_or_not():
    low, high = plateau(at.measure(np.random.default_rng(6).normal(size=(600, 32)), 5))
    assert high < CLEAR * low
    low, high = plateau(at.measure(planted(6, groups=6, size=30, alone=30)[0], 5))
    assert high > CLEAR * low


@pytest.mark.gpu
def test_rows_on_a_gpu():
    x = unit_rows(np.random.default_rng(1), 1500, 12, 0.4, copies=300).astype(np.float16)
    there, here = at.measure(Device().xp.asarray(x), 5), at.measure(x, 5)
    for name in ("core", "joins", "lengths", "pairs", "biggest", "near", "through"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))


@pytest.mark.parametrize("min_samples", [0, 257])
def test_wrong_min_samples(min_samples: int):
    with pytest.raises(ValueError, match="1 to 256"):
        at.measure(np.eye(3), min_samples)
