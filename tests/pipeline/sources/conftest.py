"""Some given vectors."""

import numpy as np
import pytest

from tests.pipeline.helpers import unit_rows
from tests.pipeline.sources.drawn import D, N


@pytest.fixture
def x() -> np.ndarray:
    rows = unit_rows(np.random.default_rng(0), N, D, 0.2)
    rows[7, 2] = np.nan
    return rows
