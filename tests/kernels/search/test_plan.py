"""How a walk is planned: by its question, without a trace on what it is given; every pair is in one tile."""

import numpy as np
import pytest

from pixsieve.kernels.engines.host import Host
from pixsieve.kernels.search.exact import space
from pixsieve.kernels.search.plan import plan, tiles
from tests.kernels import brute


def planned(x, metric="cosine", split=None, engine=None, **question):
    engine = engine or Host()
    a, b = (x, None) if split is None else (x[:split], x[split:])
    return plan(engine, space(engine, a, b, metric), **question)


def alike(n, d):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(40, d))[rng.integers(40, size=n)] + 0.05 * rng.normal(size=(n, d))).astype(np.float32)


def test_planning_twice_gives_the_same_plan_and_changes_nothing():
    x, engine = alike(9000, 48), Host()
    before = x.copy()
    one, two = (planned(x, engine=engine, low=0.97) for _ in range(2))
    assert one.short is not None
    np.testing.assert_array_equal(x, before)
    for name in ("order", "place"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    for name in ("full", "short"):
        for left, right in zip(getattr(one, name), getattr(two, name), strict=True):
            np.testing.assert_array_equal(left, right)
    assert (one.low, one.tile) == (two.low, two.tile)


def test_a_short_screen_goes_first_where_it_pays():
    x = alike(9000, 48)
    assert planned(x, low=0.97).short.left.shape[1] < 48
    assert planned(x, low=-1.0).short is None  # every pair is left
    assert planned(x[:8000], low=0.97).short is None  # few rows
    assert planned(x, low=0.97, k=5).short is None  # lists want whatever is best
    assert planned(x, low=0.97, prefix="off").short is None
    assert planned(x[:50], k=5, prefix=7).short.left.shape[1] == 8  # as was asked, and the length of the rest


def test_rows_are_moved_only_for_a_short_screen():
    x = alike(9000, 48)
    np.testing.assert_array_equal(planned(x, low=0.97, prefix="off").order, np.arange(9000))
    order = planned(x, low=0.97).order
    assert (order != np.arange(9000)).any()
    np.testing.assert_array_equal(np.sort(order), np.arange(9000))
    order = planned(x, low=0.97, split=3000).order  # those of each side by themselves
    np.testing.assert_array_equal(np.sort(order[:3000]), np.arange(3000))


def test_bits_and_signatures_are_compared_as_they_are():
    bits, signatures = (brute.rows(np.random.default_rng(0), 30, 8, metric) for metric in ("hamming", "jaccard"))
    assert planned(bits, "hamming", low=0.5).full.left is None
    assert planned(bits, "hamming", k=2).full.left is not None  # floors need a product
    assert planned(signatures, "jaccard", k=2).full.left is None


@pytest.mark.parametrize("split", [None, 0, 13, 50])
@pytest.mark.parametrize("prefix", ["off", 3])
def test_every_pair_is_in_one_tile(monkeypatch, split, prefix):
    monkeypatch.setattr(Host, "tile", (8, 16))
    n = 50
    found = planned(alike(n, 12), split=split, low=0.5, prefix=prefix)
    seen = np.zeros((n, n), int)
    for rows, columns in tiles(found):
        seen[rows, columns] += 1
        assert columns.stop > rows.start  # none is all below the diagonal
    if split is None:
        assert (np.triu(seen, 1) == np.triu(np.ones((n, n), int), 1)).all() and seen.max() == 1
    else:
        assert (seen == ((np.arange(n) < split)[:, None] & (np.arange(n) >= split))).all()


def test_a_tile_takes_no_more_memory_than_it_may():
    x = alike(50, 12)
    assert planned(x, low=0.5).tile == Host.tile
    height, width = planned(x, low=0.5, memory=2**20).tile
    assert 2**19 < height * width * 96 + (height + width) * 12 * 24 <= 2**20


def test_thresholds_and_caps_are_scores():
    """Half of minus the squared distance, in lengths of the row that is farthest from the mean."""
    x = np.array([[0.0], [2.0], [-2.0]])
    found = planned(x, "euclidean", low=-3.0, k=1, caps=np.array([-1.0, -2.0, -4.0]))
    assert found.low == -0.5 * 1.5**2
    np.testing.assert_array_equal(found.caps, [-0.125, -0.5, -2.0])
