"""Times as people write them down."""

import time

import numpy as np
import pyarrow as pa
import pytest

from pixsieve.stages.lookalikes import _seconds


@pytest.fixture
def berlin(monkeypatch):
    """Where clocks are put back and forward."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_times_of_every_form_and_what_is_none(berlin):
    told = [
        ("2026-10-25T02:59:58", 0),
        ("2026-10-25T03:00:02", 4),  # by the camera's clock, whatever this machine's does in that night
        ("2026:10:25 03:00:02", 4),
        ("2026-10-25 02:59:58.5", 0.5),
        ("2026-10-25T02:59:58Z", 0),
        ("2026-10-25T03:59:58+01:00", 0),
        ("1792897198.25", 0.25),
        ("rubbish", np.nan),
        ("", np.nan),
        (None, np.nan),
    ]
    found = _seconds(pa.chunked_array([pa.array([text for text, _ in told])]))
    np.testing.assert_allclose(found - found[0], [seconds for _, seconds in told])


def test_numbers_are_seconds():
    assert _seconds(pa.chunked_array([pa.array([1.5, None, 3.0])])).tolist()[::2] == [1.5, 3.0]
