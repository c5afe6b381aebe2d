"""Rows that lie far from the mean, against a slow rule."""

import numpy as np

from pixsieve.rules.foreign import ENOUGH, POPULATION, foreign


def distances(n: int, odd: int, seed: int = 0) -> np.ndarray:
    """Alike for n rows, half as long again for the last `odd`."""
    found = np.exp(np.random.default_rng(seed).normal(0, 0.05, (n, 2)))
    found[n - odd :] *= 1.5
    return found


def slow(apart: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    found = np.zeros(len(apart))
    for row in range(len(apart)):
        own = cluster == cluster[row]
        if cluster[row] < 0 or own.sum() <= POPULATION * len(apart):
            own = np.ones(len(apart), bool)
        for column in apart.T:
            log = np.log(column[own])
            scale = max(1.4826 * np.median(np.abs(log - np.median(log))), np.log(1.02))
            found[row] = max(found[row], (np.log(column[row]) - np.median(log)) / scale)
    return found


def test_it_is_the_slow_rule():
    apart = distances(400, 30)
    cluster = np.random.default_rng(1).integers(-1, 12, 400)
    np.testing.assert_allclose(foreign(apart, cluster), slow(apart, cluster), atol=1e-9)


def test_few_that_are_alike_are_found_and_many_are_a_population():
    for odd, found in ((1, True), (30, True), (100, False)):
        cluster = np.arange(400) // 10 % 20
        cluster[400 - odd :] = 20
        assert (foreign(distances(400, odd), cluster)[400 - odd :] > 3.5).all() == found


def test_what_is_not_known_is_not_far():
    apart = distances(400, 0)
    apart[:5] = 0
    found = foreign(apart, np.full(400, -1))
    assert not found[:5].any() and (found >= 0).all()
    assert not foreign(distances(ENOUGH - 1, 3), np.full(ENOUGH - 1, -1)).any()
    assert foreign(np.zeros((0, 2)), np.zeros(0, int)).shape == (0,)
