"""A picture, in colours and in grey."""

import numpy as np
import pytest
from PIL import Image

from tests.pipeline.helpers import pattern


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return pattern(np.random.default_rng(0), 96)[:64]


@pytest.fixture(scope="module")
def grey(picture) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).convert("L"))
