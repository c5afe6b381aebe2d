"""pairs, counts and neighbours equal a float64 brute force, on every metric, dtype, scale and path."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given, settings

from pixsieve import kernels
from pixsieve.kernels.engines.host import Host
from tests.kernels import brute
from tests.kernels.checks import check_neighbours, check_pairs, collected

METRICS = ("cosine", "euclidean", "proximity", "hamming", "jaccard")


@settings(max_examples=120, deadline=None)
# A distance that is the threshold, small beside 1: 1 / (1 + distance) rounds it.
@example(0, 16, None, 1, "proximity", "float64", 1e-3, 1.0, 1, (8, 16), "off")
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 130),
    m=st.none() | st.integers(0, 90),
    d=st.integers(1, 40),
    metric=st.sampled_from(METRICS),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    scale=st.sampled_from([1.0, 1e-3, 255.0]),
    threshold=st.sampled_from([0.05, 0.3, 0.8, 0.95, 1.0]),
    k=st.integers(1, 12),
    tile=st.sampled_from([(8, 16), (32, 64), (1024, 2048)]),
    prefix=st.sampled_from(["off", 1, 3, 8]),
)
def test_every_answer_equals_brute_force(seed, n, m, d, metric, dtype, scale, threshold, k, tile, prefix):
    rng = np.random.default_rng(seed)
    x = brute.rows(rng, n + (m or 0), d, metric, dtype, scale)
    a, b = (x, None) if m is None else (x[:n], x[n:])
    if metric == "euclidean":
        threshold *= scale
    if metric == "proximity":
        threshold = 1 / (1 + threshold * scale)
    prefix = prefix if metric in ("cosine", "euclidean", "proximity") else "off"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Host, "tile", tile)
        patch.setattr(Host, "bit_tile", tile[::-1])
        patch.setattr(Host, "block", 8)
        check_pairs(a, b, metric, threshold, prefix=prefix)
        check_neighbours(a, b, metric, k, prefix=prefix)


@pytest.mark.parametrize("seed", [*range(20), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(20, 50))])
def test_pairs_by_a_hair(seed, monkeypatch):
    """Pairs planted at eps (1 +- 1e-7): none accepted that is below, none missed that is above."""
    rng = np.random.default_rng(seed)
    eps = float(rng.choice([0.01, 0.05, 0.15]))
    dtype = str(rng.choice(["float64", "float32", "float16"]))
    x = brute.planted(rng, 600, int(rng.integers(3, 130)), eps, dtype)
    monkeypatch.setattr(Host, "tile", (128, 256))
    check_pairs(x, None, "cosine", 1 - eps, prefix=["off", 4][seed % 2])
    check_pairs(x, None, "euclidean", float(np.sqrt(2 * eps)), prefix=["off", 4][seed % 2])
    check_pairs(x, None, "proximity", float(1 / (1 + np.sqrt(2 * eps))), prefix=["off", 4][seed % 2])


def test_prefix_auto_is_used_and_changes_nothing(monkeypatch):
    """Rows near a plane of few dimensions, with noise in all."""
    rng = np.random.default_rng(2)
    x = (rng.normal(size=(9000, 6)) @ rng.normal(size=(6, 96)) + 0.02 * rng.normal(size=(9000, 96))).astype(np.float32)
    products = []
    scan = Host.scan
    monkeypatch.setattr(
        Host,
        "scan",
        lambda self, part, lows: (
            products.append((part.rows.stop - part.rows.start) * part.width * part.screen.left.shape[1]),
            scan(self, part, lows),
        )[1],
    )
    for question in (
        lambda prefix: collected(kernels.pairs(x, threshold=0.99, prefix=prefix)),
        lambda prefix: (kernels.counts(x[:5000], x[5000:], threshold=0.99, prefix=prefix),),
        lambda prefix: collected(kernels.pairs(x, threshold=0.5, metric="euclidean", prefix=prefix)),
    ):
        work = []
        for prefix in ("off", "auto"):
            products.clear()
            work.append((question(prefix), sum(products)))
        for one, other in zip(work[0][0], work[1][0], strict=True):
            np.testing.assert_array_equal(one, other)
        assert work[1][1] < 0.7 * work[0][1]


@pytest.mark.parametrize("n", [0, 1])
def test_no_pairs_is_one_empty_chunk(n):
    x = np.ones((n, 4), np.float32)
    (chunk,) = kernels.pairs(x, threshold=0.5)
    assert [len(part) for part in chunk] == [0, 0, 0]
    assert kernels.counts(x, threshold=0.5).tolist() == [0] * n
    assert kernels.neighbours(x, k=2)[0].tolist() == [[-1, -1]] * n


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_cannot_be_compared(bad):
    x = np.ones((70_000, 2), np.float32)
    x[66_000, 1] = x[69_000, 0] = bad
    with pytest.raises(ValueError, match="row 66000 of a holds NaN or infinity"):
        kernels.pairs(x, threshold=0.5)
    with pytest.raises(ValueError, match="row 66000 of b holds"):
        kernels.counts(x[:3], x, threshold=0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: kernels.pairs(x[0], threshold=0.5), "a has 1 dimensions"),
        (lambda x: kernels.pairs(x, x[:, 1:], threshold=0.5), "rows of a have 4 columns, rows of b 3"),
        (lambda x: kernels.pairs(x, threshold=0.5, metric="manhattan"), "metric is 'manhattan'; one of cosine"),
        (lambda x: kernels.pairs(x, threshold=0.5, metric="hamming"), "a holds float64; hamming compares uint8"),
        (lambda x: kernels.pairs(x, threshold=0.5, metric="jaccard"), "a holds float64; jaccard compares integers"),
        (lambda x: kernels.pairs(x.astype(int), threshold=0.5), "a holds int64; cosine compares floats"),
        (lambda x: kernels.pairs(x, threshold=float("nan")), "threshold is nan; a finite"),
        (lambda x: kernels.neighbours(x, k=0), "k is 0"),
        (lambda x: kernels.neighbours(x, k=257), "k is 257"),
        (lambda x: kernels.join(x, None, kernels.Questions("euclidean", near=0.5)), "euclidean is a distance"),
    ],
)
def test_wrong_use_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.eye(4))
