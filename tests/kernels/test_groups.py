"""Equal rows collapsed, and the statistics of groups."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pixsieve import kernels
from pixsieve.kernels import groups
from tests.kernels.checks import check_groups


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 60),
    d=st.integers(0, 5),
    dtype=st.sampled_from(["float16", "float32", "float64", "uint8", "int64"]),
    collide=st.booleans(),
)
def test_distinct(seed, n, d, dtype, collide):
    x = np.random.default_rng(seed).integers(0, 3, size=(n, d)).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        if collide:
            patch.setattr(groups, "MIXER", np.uint64(0))
        first, place = kernels.distinct(x)
    rows = [tuple(row) for row in x.tolist()]
    assert first.tolist() == [at for at, row in enumerate(rows) if row not in rows[:at]]
    assert [rows[first[p]] for p in place] == rows


def test_distinct_bits():
    assert kernels.distinct(np.array([[0.0], [-0.0], [np.nan], [np.nan]]))[1].tolist() == [0, 1, 2, 2]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 60), d=st.integers(1, 5), count=st.integers(1, 9))
def test_group_statistics(seed, n, d, count):
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=(n, d)), int(rng.integers(0, 4))) + rng.choice([0.0, 1e4])
    check_groups(x.astype(rng.choice(["float32", "float64"])), rng.integers(-1, count, size=n))


def test_wrong_use():
    with pytest.raises(ValueError, match=r"x is \(3, 2\), labels are \(2,\)"):
        kernels.group_statistics(np.ones((3, 2)), np.zeros(2, int))
    assert kernels.group_statistics(np.ones((2, 3)), np.array([-2, -1])).size.tolist() == []
    with pytest.raises(ValueError, match="row 1 of x holds NaN"):
        kernels.group_statistics(np.array([[1.0], [np.nan]]), np.zeros(2, int))
