"""The slack of a screen holds its error, on rows made to err as far as they can: none of it can be done without."""

from types import SimpleNamespace

import numpy as np
import pytest

from pixsieve import kernels
from pixsieve.kernels.engines.device import Device
from pixsieve.kernels.engines.host import Host
from pixsieve.kernels.search import screen
from pixsieve.kernels.search.exact import closeness, space
from pixsieve.kernels.search.screen import Frame
from tests.kernels import checks
from tests.kernels.cuda_cpu import Shim

METRICS = pytest.mark.parametrize("metric", ["cosine", "euclidean", "proximity"])


def ideal(dtype) -> SimpleNamespace:
    """An engine whose products have no error, of operands in this dtype."""
    return SimpleNamespace(xp=np, dtype=dtype, folds=False, multiple=1, rounding=lambda columns: 0.0)


def framed(x, metric) -> tuple[Frame, np.ndarray, np.ndarray]:
    """With every pair: its first row, its second."""
    return Frame(np, space(Host(), x, None, metric)), *np.triu_indices(len(x), 1)


def scores(made: screen.Screen, i, j) -> np.ndarray:
    """What the operands of a screen give for pairs, in extended precision."""
    left, right = (side.astype(np.longdouble) for side in (made.left, made.right))
    product = (left[i] * right[j]).sum(axis=1)
    return product if made.offset is None else product + made.offset[i] + made.offset[j]


def lossy(d: int, term: float) -> np.ndarray:
    """(2, d) rows of unit length and similarity 0.8. The products of all columns but two are less than `term`, and so
    are lost where they are added after the first, one by one."""
    x = np.full((2, d), 0.99 * np.sqrt(term))
    large = np.sqrt(1 - (d - 2) * 0.99**2 * term)
    x[:, :2] = large * np.array([[1.0, 0.0], [0.8, 0.6]])
    return x


@pytest.mark.parametrize("d", [64, 256, 4096])
def test_the_bounds_of_engines_hold_the_worst_order_of_summation(d):
    """And are not many times as wide: they rule pairs out."""
    first, *rest = (row.astype(np.float32) for row in lossy(d, 2.0**-25))
    products = first * rest[0]
    exact = products.astype(np.float64).sum()
    error = exact - np.add.accumulate(products)[-1]
    assert Host.rounding(d) / 4 < error < Host.rounding(d)

    # Tensor cores may cut off twice as much; a tile holds the sum in half precision.
    products = np.prod(lossy(d, 2.0**-24), axis=0)
    kept, error = np.float32(products[0]), 0.0
    for product in products[1:]:
        total = float(kept) + product
        kept = np.float32(total)
        kept = np.nextafter(kept, np.float32(0)) if kept > total else kept
    error = products.sum() - float(kept)
    engine = Device(Shim())
    own = engine.rounding(d) - engine.rounding(0)
    assert own / 16 < error < own
    between = 0.5 + 2.0**-12
    assert engine.rounding(0) / 4 < abs(float(np.float16(between)) - between) < engine.rounding(0)


@pytest.mark.parametrize("d", [64, 256])
def test_terms_that_float32_loses_cost_no_pair(d):
    x = lossy(d, 2.0**-25)
    i, j = np.array([0]), np.array([1])
    threshold = float(kernels.similarity(x, x, i, j)[0])
    checks.check_pairs(x, None, "cosine", threshold)
    # Among others, in a tile of which little remains.
    others = np.random.default_rng(0).normal(size=(500, d))
    checks.check_pairs(np.concatenate([others, x]), None, "cosine", threshold)


def test_terms_that_float64_loses_add_no_pair():
    """The answer is defined by its order of summation. A product may lose less, and so see the pair above."""
    x = lossy(2048, 2.0**-54)
    similarity = float(kernels.similarity(x, x, np.array([0]), np.array([1]))[0])
    for threshold, there in ((similarity, 1), (np.nextafter(similarity, 2), 0)):
        assert kernels.counts(x, threshold=float(threshold)).tolist() == [there, there]


def moved(direction: int, d: int = 64) -> np.ndarray:
    """A row of unit length. All its coordinates but two lie beside the middle between two numbers of half precision,
    and are rounded towards zero (-1) or away from it (1)."""
    row = np.full(d, 2.0**-3 * (1 + (1 + 0.02 * direction) * 2.0**-11))
    row[:2] = np.sqrt((1 - (row[2:] ** 2).sum()) / 2) * np.array([1.0, 1.0])
    return row


def far_from_their_copies(metric: str) -> np.ndarray:
    """(2, d) rows whose score sinks as far as it can when they are rounded to half precision."""
    return np.stack([moved(-1), moved(-1)]) if metric == "cosine" else np.stack([moved(1), -moved(1)])


@METRICS
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_slack_holds_what_rounding_the_rows_does(metric, dtype):
    x = far_from_their_copies(metric)
    frame, i, j = framed(x, metric)
    made = screen.full(ideal(dtype), frame, np.arange(2))
    error = abs(scores(made, i, j) - frame.score(closeness(frame.space, i, j)))
    assert error.max() <= made.slack
    assert dtype == np.float32 or error.max() > 0.9 * made.slack


def test_the_slack_holds_what_the_frame_itself_rounds():
    x = np.random.default_rng(0).normal(size=(60, 40))
    frame, i, j = framed(x, "cosine")
    made = screen.full(ideal(np.float64), frame, np.arange(60))
    error = abs(scores(made, i, j) - frame.score(closeness(frame.space, i, j)))
    assert 0 < error.max() <= made.slack < 1e-13


@METRICS
def test_a_prefix_screen_is_never_below_the_score(metric):
    """Pairs whose rests are parallel: it has nothing to spare."""
    rng = np.random.default_rng(1)
    axes = np.linalg.qr(rng.normal(size=(30, 5)))[0]
    x = rng.normal(size=(80, 4)) @ axes[:, :4].T + rng.uniform(1, 2, size=(80, 1)) * axes[:, 4]
    x[:20] = rng.normal(size=(20, 4)) @ axes[:, :4].T
    frame, i, j = framed(x, metric)
    made = screen.prefix(ideal(np.float64), frame, np.arange(80), axes[:, :4])
    assert ((scores(made, i, j) - frame.score(closeness(frame.space, i, j))) >= -made.slack).all()


def test_the_length_of_the_rest_is_never_less_than_it_is():
    rng = np.random.default_rng(2)
    axes = np.linalg.qr(rng.normal(size=(30, 6)))[0]
    rest = np.repeat([0.0, 1e-9, 1e-8, 1e-4, 1.0], 20)
    z = rng.normal(size=(100, 5)) @ axes[:, :5].T + rest[:, None] * axes[:, 5]
    assert (screen.shorten(np, z, axes[:, :5])[:, -1] >= rest).all()


def odd_and_whole() -> np.ndarray:
    """Turned coordinates that are multiples of the step, with odd squares: half of them is no whole number."""
    turned = np.zeros((2, 64))
    turned[:, 0], turned[:, 1], turned[0, 2], turned[1, 3] = 127, 2, 4, 4
    return turned


def beside_the_middle() -> np.ndarray:
    """Turned coordinates that whole numbers of the step move away from those of the other row."""
    turned = np.full((2, 64), 63.51)
    turned[:, 0] = 127
    turned[1] *= -1
    return turned


@METRICS
@pytest.mark.parametrize("coordinates", [odd_and_whole, beside_the_middle])
def test_whole_numbers_rule_out_no_pair_at_the_threshold(metric, coordinates):
    x = coordinates() @ screen.turned(64).T
    x = x if metric == "cosine" else np.concatenate([x, -x])  # about their mean
    frame, i, j = framed(x, metric)
    for pair in zip(i, j, strict=True):
        low = float(frame.score(closeness(frame.space, *np.array([pair]).T))[0])
        made = screen.int8(ideal(None), frame, np.arange(len(x)), low)
        assert frame.itself + made.unit * scores(made, *np.array([pair]).T)[0] >= low - made.slack


@METRICS
def test_rows_that_half_precision_moves_cost_no_pair(monkeypatch, metric):
    x = far_from_their_copies(metric)
    x[1, :2] = x[1, 0] * np.array([1.01, 0.99])
    monkeypatch.setattr("pixsieve.kernels.engines.host.Host", lambda: Device(Shim()))
    similarity = kernels.similarity(x, x, np.array([0]), np.array([1]), metric=metric)
    checks.check_pairs(x, None, metric, float(similarity[0]), prefix="off")
