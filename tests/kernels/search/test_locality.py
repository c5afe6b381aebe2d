"""When a coarse screen goes first. It never has a say in the answers."""

import numpy as np
import pytest

from pixsieve.kernels.engines import device, host
from pixsieve.kernels.search import locality
from pixsieve.kernels.search.exact import space
from pixsieve.kernels.search.screen import Frame
from tests.kernels.interpreted import runtime


def drawn(n: int, d: int, alike: float, seed: int = 0) -> np.ndarray:
    """Rows in no direction, but for a share of them that are alike, which stand first."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    x[: int(alike * n)] = rng.normal(size=d) + 0.05 * rng.normal(size=(int(alike * n), d))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def framed(engine, x):
    return Frame(engine.xp, space(engine, x, None, "cosine"))


@pytest.mark.parametrize("alike, chosen", [(0.0, True), (0.5, True), (0.7, False)])
def test_a_prefix_is_not_used_where_it_leaves_too_many_tiles(alike, chosen):
    """Of all tiles, those among the rows that are alike are left: a quarter, half."""
    engine, x = host.Host(), drawn(4096, 256, alike)
    frame = framed(engine, x)
    axes = locality.principal(np, frame)
    assert (locality.choose(engine, frame, np.arange(len(x)), 0.9, axes) is not None) == chosen


def test_whole_numbers_are_used_where_they_pay(monkeypatch):
    monkeypatch.setattr(locality, "ROTATION_COST", 1000 / 384)
    engine = device.Device(runtime())

    def pays(x, low=0.9, engine=engine):
        return locality.int8_pays(engine, framed(engine, x), np.arange(len(x)), low)

    assert pays(drawn(1000, 384, 0.0))
    assert not pays(drawn(999, 384, 0.0))  # few rows
    assert not pays(drawn(1001, 383, 0.0))  # few columns
    assert not pays(drawn(1000, 384, 0.5))  # many pairs are left
    assert not pays(drawn(1000, 384, 0.0), low=0.0)
    assert not pays(drawn(1000, 384, 0.0), engine=host.Host())
    assert not pays(drawn(1000, 384, 0.0), engine=device.Device(type(runtime())()))  # tile by tile
