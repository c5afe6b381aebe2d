"""Inputs at the edges: extremes of scale, thresholds and types, wrong use."""

import tracemalloc

import numpy as np
import pytest

from pixsieve import kernels
from pixsieve.kernels import tree
from pixsieve.kernels.engines.host import Host
from tests.kernels import brute
from tests.kernels.checks import check_neighbours, check_pairs, check_tree, collected


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("power", [-1000, -530, -330, -200, 200, 330, 530, 1000])
def test_float64_of_any_size(metric, power):
    """Powers of two change no digit of any answer."""
    x = brute.rows(np.random.default_rng(0), 90, 12, metric)
    values, mask = brute.hits(x, None, metric, 0.3 if metric == "euclidean" else 0.9)
    factor = np.ldexp(1.0, power)
    size = factor if metric == "euclidean" else 1.0
    threshold = 0.3 * size if metric == "euclidean" else 0.9
    i, j, s = collected(kernels.pairs(x * factor, threshold=threshold, metric=metric))
    assert list(zip(i, j, strict=True)) == list(zip(*np.nonzero(mask), strict=True))
    np.testing.assert_array_equal(s, values[i, j] * size)
    np.testing.assert_array_equal(
        kernels.neighbours(x * factor, k=4, metric=metric)[0], kernels.neighbours(x, k=4, metric=metric)[0]
    )


def test_rows_of_very_different_size():
    x = brute.rows(np.random.default_rng(1), 60, 6, "cosine") * np.ldexp(1.0, np.arange(-600, 600, 20))[:, None]
    same = brute.rows(np.random.default_rng(1), 60, 6, "cosine")
    got, expected = (collected(kernels.pairs(rows, threshold=0.8)) for rows in (x, same))
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_distances_at_the_end_of_the_range():
    assert kernels.counts(np.array([[0.0], [1e305]]), threshold=2e305, metric="euclidean").tolist() == [1, 1]
    x = np.array([[1.7e308] * 4, [-1.7e308] * 4, [1.7e308] * 3 + [1.6e308]])
    i, j, s = collected(kernels.pairs(x, threshold=9e307, metric="euclidean"))
    assert (i.tolist(), j.tolist()) == ([0], [2]) and s[0] == pytest.approx(1e307, rel=1e-12)
    far = np.array([[1.7e308], [-1.7e308]])
    with np.errstate(over="ignore"):
        assert kernels.neighbours(far, k=1, metric="euclidean")[0].tolist() == [[1], [0]]


def test_rows_far_from_the_origin_and_one_far_from_the_rest():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 8)) * 0.01 + 1e6
    check_pairs(x, None, "euclidean", 0.02)
    x[7] += 1e7
    check_pairs(x, None, "euclidean", 0.02)
    check_neighbours(x, None, "euclidean", 5)


@pytest.mark.parametrize("threshold", [-1.0, -0.5, 0.0, 1.0])
def test_thresholds_of_cosine(threshold):
    x = brute.rows(np.random.default_rng(2), 80, 5, "cosine")
    x[::9] *= -1
    check_pairs(x, None, "cosine", threshold)
    check_pairs(x[:30], x[30:], "cosine", threshold)


def test_long_bit_strings_and_wide_rows():
    rng = np.random.default_rng(3)
    bits = np.array([np.zeros(8200), np.full(8200, 255), np.r_[np.zeros(8199), 1]], np.uint8)
    check_pairs(bits, None, "hamming", 0.9)
    check_pairs(rng.integers(0, 2, size=(20, 5000)), None, "jaccard", 0.5)
    check_pairs(rng.normal(size=(20, 5000)), None, "cosine", 0.01)


@pytest.mark.parametrize("order", ["F", "C"])
def test_strided_rows_and_mapped_files(tmp_path, order):
    x = np.asarray(brute.rows(np.random.default_rng(4), 120, 12, "cosine", "float32"), order=order)
    check_pairs(x[::2, 3:], None, "cosine", 0.9)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_array_equal(kernels.counts(mapped, threshold=0.9), kernels.counts(x, threshold=0.9))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("seed", range(6))
def test_trees_with_any_core_distances(metric, seed, monkeypatch):
    monkeypatch.setattr(tree, "FEW", 8)
    monkeypatch.setattr(tree, "LISTED", 3)
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.normal(size=(60, 4)) + 9, rng.normal(size=(60, 4)) - 9])
    check_tree(x, metric, rng.uniform(0.1, 0.3, size=120))
    check_tree(x, metric, 10 ** rng.uniform(3, 6, size=120))


def test_groups_that_lie_one_after_the_other_do_not_flood_the_search(monkeypatch):
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(size=(2000, 8)) + 20, rng.normal(size=(2000, 8)) - 20])
    computed = []
    closeness = Host.closeness
    monkeypatch.setattr(
        Host, "closeness", lambda self, space, i, j: (computed.append(len(i)), closeness(space, i, j))[1]
    )
    edges, lengths = kernels.spanning_tree(x)
    assert ((edges[:, 0] < 2000) != (edges[:, 1] < 2000)).sum() == 1 and lengths[-1] > 50
    assert sum(computed) < 4000 * 300


def test_copies_are_one_row_to_neighbours(monkeypatch):
    x = np.repeat(np.random.default_rng(8).normal(size=(50, 6)), 100, axis=0)
    computed = []
    closeness = Host.closeness
    monkeypatch.setattr(
        Host, "closeness", lambda self, space, i, j: (computed.append(len(i)), closeness(space, i, j))[1]
    )
    index, similarity = kernels.neighbours(x, k=5)
    assert (index // 100 == np.arange(5000)[:, None] // 100).all() and (similarity == 1).all()
    assert index[0].tolist() == [1, 2, 3, 4, 5] and index[99].tolist() == [0, 1, 2, 3, 4]
    assert sum(computed) <= 5000 + 50 * 50


@pytest.mark.parametrize("depth", [8, pytest.param(1024, marks=pytest.mark.slow)])
def test_memory_is_bounded_where_every_pair_counts(depth):
    x = np.random.default_rng(6).normal(size=(2000, depth)).astype(np.float32) + 3
    chunks = kernels.pairs(x, threshold=-1.0, memory=2**24)
    tracemalloc.start()
    assert sum(len(i) for i, _, _ in chunks) == 2000 * 1999 // 2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24
    with pytest.raises(ValueError, match="memory is 5 bytes"):
        kernels.pairs(x, threshold=0.5, memory=5)


def test_join_takes_any_weights():
    x = brute.rows(np.random.default_rng(7), 30, 5, "cosine", "float16")
    asked = kernels.Questions(cluster=0.9)
    for weights in (np.full(30, 2, np.int32), [2] * 30):
        counts = kernels.join(x, None, asked, weights=weights).counts
        assert counts.dtype == np.int64
        np.testing.assert_array_equal(counts, 2 * kernels.join(x, None, asked).counts)
    assert kernels.join(np.zeros((3, 2), np.uint8), None, kernels.Questions("hamming")).near_total == 0


def test_copies_beyond_the_threshold_are_no_neighbours():
    same = np.ones((3, 2))
    assert kernels.dbscan([same], threshold=1.5, min_samples=2)[0].tolist() == [-1, -1, -1]
    assert kernels.dbscan([same], threshold=-1.0, min_samples=2, metric="euclidean")[0].tolist() == [-1, -1, -1]
    assert kernels.dbscan([same], threshold=0.0, min_samples=2, metric="euclidean")[0].tolist() == [0, 0, 0]


ODD = np.array([[1.0, 0.0], [1.0, 0.0], [np.nan, 0.0]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: kernels.pairs(x, threshold=np.inf), "threshold is inf"),
        (lambda x: kernels.join(x, None, kernels.Questions(near=-np.inf)), "threshold is -inf"),
        (
            lambda x: kernels.join(x, None, kernels.Questions(near=0.9), weights=np.ones(3)),
            r"weights are \(3,\); one for each of 4 rows",
        ),
        (lambda x: kernels.pairs(x, threshold=0.5, prefix=0), "prefix is 0"),
        (lambda x: kernels.pairs(x, threshold=0.5, prefix="on"), "prefix is 'on'"),
        (lambda x: kernels.similarity(x, x, np.array([-1]), np.array([0])), "i names rows -1 to -1; there are 4"),
        (lambda x: kernels.components(3, np.array([0]), np.array([3])), "edges name nodes 3 to 3; there are 3"),
        (lambda x: kernels.dbscan([x[:, :2], ODD], threshold=0.5, min_samples=2), "row 2 of block 1 holds NaN"),
        (lambda x: kernels.dbscan([x[0]], threshold=0.5, min_samples=2), "block 0 has 1 dimensions"),
        (lambda x: kernels.counts(x.astype(np.longdouble), threshold=0.5), "at most float64 is exact"),
        (
            lambda x: kernels.counts(x.astype(np.uint64), x.astype(np.int64), threshold=0.5, metric="jaccard"),
            "no integer type holds both",
        ),
    ],
)
def test_wrong_use_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.eye(4))


@pytest.mark.parametrize("x", [[[1.0, 2.0]], np.ma.masked_array([[1.0, 2.0]]), np.array([[1.0]]).tolist()])
def test_what_is_no_array(x):
    with pytest.raises(TypeError, match="a NumPy or a CuPy array is needed"):
        kernels.counts(x, threshold=0.5)
    with pytest.raises(TypeError, match="both must be arrays"):
        kernels.counts(np.eye(2), x if isinstance(x, list) else x.tolist(), threshold=0.5)
