"""Look-alikes and bursts against a slow rule."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

from pixsieve.rules.lookalikes import alike


def slow(pairs, similarity, seconds, camera, sharpness, within):
    """(other, frames) of each row: a search through all pairs."""
    n = len(seconds)
    at_once = [abs(seconds[i] - seconds[j]) <= within and camera[i] == camera[j] for i, j in pairs]
    burst = list(range(n))
    for _ in range(n):
        for (i, j), one in zip(pairs, at_once, strict=True):
            if one:
                burst[i] = burst[j] = min(burst[i], burst[j])
    other, frames = [-1] * n, [0] * n
    for row in range(n):
        members = [r for r in range(n) if burst[r] == burst[row]]
        best = min(members, key=lambda r: (-sharpness[r], r))
        if len(members) > 1 and best != row:
            other[row], frames[row] = best, len(members)
            continue
        before = [
            (-s, min(i, j))
            for (i, j), s in zip(pairs, similarity, strict=True)
            if max(i, j) == row and burst[i] != burst[j]
        ]
        if before:
            other[row] = min(before)[1]
    return other, frames


@st.composite
def drawn(draw):
    n = draw(st.integers(2, 9))
    places = st.lists(
        st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] != p[1]), max_size=9
    )
    pairs = sorted({(min(p), max(p)) for p in draw(places)})
    values = st.sampled_from([0.9, 0.91, 0.95])
    return (
        pairs,
        [draw(values) for _ in pairs],
        [draw(st.sampled_from([0.0, 4.0, 9.0, 30.0, float("nan")])) for _ in range(n)],
        [draw(st.integers(0, 1)) for _ in range(n)],
        [draw(st.sampled_from([1.0, 2.0, 3.0])) for _ in range(n)],
        draw(st.sampled_from([0.0, 5.0, 10.0])),
    )


@settings(deadline=None, max_examples=300)
@given(drawn())
def test_it_is_the_slow_rule(case):
    arrays = (np.array(case[0], np.int64).reshape(-1, 2), *map(np.array, case[1:5]))
    found = alike(*arrays, case[5])
    other, frames = slow(*case)
    assert found.other.tolist() == other and found.frames.tolist() == frames
    assert (np.isnan(found.similarity) == (found.other < 0)).all()
    assert ((found.seconds > 0) <= (found.frames > 0)).all()


def test_the_seconds_of_a_burst_are_those_from_its_first_frame_to_its_last():
    pairs = np.array([[0, 1], [1, 2], [0, 2]])
    found = alike(pairs, np.array([0.9, 0.95, 0.92]), np.array([0, 7, 14.0]), np.zeros(3), np.array([1, 3, 2.0]), 10.0)
    assert found.other.tolist() == [1, -1, 1] and found.seconds.tolist() == [14, 0, 14]
    assert found.similarity[[0, 2]].tolist() == [0.9, 0.95]
