"""Vectors of turned images are the vectors turned."""

import numpy as np
import pytest

from pixsieve import backend
from pixsieve.descriptors import dct
from pixsieve.descriptors.dct import turned_vectors
from pixsieve.images.symmetries import SYMMETRIES, inverse, turned

EVERY = range(len(SYMMETRIES))


@pytest.mark.parametrize("symmetry", EVERY)
def test_vectors_turn_with_their_images(symmetry):
    rng = np.random.default_rng(symmetry)
    images = rng.integers(0, 256, (20, 64, 64)).astype(np.uint8)
    embed = dct.embedder(backend.cpu())
    want = embed(np.stack([turned(image, symmetry) for image in images]))
    got = turned_vectors(embed(images), symmetry)
    assert got.dtype == np.float16
    np.testing.assert_allclose(got.astype(float), want.astype(float), atol=2e-3)
    assert (np.sort(np.abs(got)) == np.sort(np.abs(embed(images)))).all()  # the same numbers


@pytest.mark.parametrize("symmetry", EVERY)
def test_the_inverse_undoes(symmetry):
    image = np.arange(64 * 64).reshape(64, 64)
    assert (turned(turned(image, symmetry), inverse(symmetry)) == image).all()


def test_the_names_say_what_is_done():
    image = np.arange(9).reshape(3, 3)
    named = dict(zip(SYMMETRIES, EVERY, strict=True))
    assert (turned(image, named["rotated by 90"]) == np.rot90(image, -1)).all()  # clockwise
    assert (turned(image, named["rotated by 270"]) == np.rot90(image)).all()
    assert (turned(image, named["rotated by 180"]) == np.rot90(image, 2)).all()
    assert (turned(image, named["mirrored"]) == image[:, ::-1]).all()
    assert (turned(image, named["upside down"]) == image[::-1]).all()
    assert (turned(image, named["transposed"]) == image.T).all()
    assert (turned(image, named["mirrored and rotated by 90"]) == np.rot90(image[:, ::-1], -1)).all()
    assert len({turned(image, symmetry).tobytes() for symmetry in EVERY}) == 8
