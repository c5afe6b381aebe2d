"""What features are made comparable by, against plain linear algebra; and what a small sample leaves open."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

from pixsieve.folder import geometry
from pixsieve.folder.geometry import Form, fit


def cone(n: int, width: int, seed: int = 0) -> np.ndarray:
    """Directions about one mean, more spread along some axes than along others."""
    rng = np.random.default_rng(seed)
    x = 3 * rng.normal(size=width) + rng.normal(size=(n, width)) * np.geomspace(2, 0.1, width)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16)


def length(x: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x.astype(np.float64), axis=1)


def same_angles(one: np.ndarray, two: np.ndarray) -> None:
    two = two / np.linalg.norm(two, axis=1, keepdims=True)
    np.testing.assert_allclose(one.astype(np.float64) @ one.T.astype(np.float64), two @ two.T, atol=3e-3)


def test_centred_is_what_pca_gives():
    x = cone(300, 24)
    found = fit(x, Form("centre", 8), 0)
    same_angles(found.of(x).vectors, PCA(8).fit_transform(x.astype(np.float64)))
    same_angles(fit(x, Form("centre", None), 0).of(x).vectors, x.astype(np.float64) - x.astype(np.float64).mean(axis=0))


def test_whitened_is_what_the_shrunk_covariance_gives():
    x = cone(300, 24).astype(np.float64)
    values, axes = np.linalg.eigh(LedoitWolf().fit(x).covariance_)
    wanted = (x - x.mean(axis=0)) @ axes[:, -8:] / np.sqrt(values[-8:])
    same_angles(fit(x.astype(np.float16), Form("whiten", 8), 0).of(x.astype(np.float16)).vectors, wanted)


def test_a_cone_becomes_a_ball():
    x = cone(500, 32)
    assert np.median(x.astype(np.float64) @ x.T.astype(np.float64)) > 0.8
    for kind in ("centre", "whiten"):
        y = fit(x, Form(kind, 16), 0).of(x).vectors.astype(np.float64)
        assert abs(np.median(y @ y.T)) < 0.1


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 12), st.integers(2, 10), st.sampled_from(["centre", "whiten"]), st.integers(1, 12))
def test_any_sample_will_do(n: int, width: int, kind: str, dims: int):
    """Rows of later, too, keep lengths where the sample says nothing of an axis: none is lost."""
    x, later = cone(n, width, 1), cone(40, width, 2)
    found = fit(x, Form(kind, dims), 0)
    assert found.rows == n and found.axes.shape == (width, min(dims, width))
    np.testing.assert_allclose(found.axes.T @ found.axes, np.eye(min(dims, width)), atol=1e-9)
    assert np.isfinite(found.scale).all()
    vectors, apart = found.of(later)
    np.testing.assert_allclose(length(vectors), 1, atol=1e-2)
    assert np.isfinite(apart).all() and (apart > 0).all()


def test_zeros_stay_zeros():
    x = cone(50, 8)
    x[3] = 0
    vectors, apart = fit(cone(50, 8), Form("centre", 4), 0).of(x)
    assert not vectors[3].any() and not apart[3].any() and vectors[4].any()


def test_equal_rows_have_no_deviation():
    x = np.repeat(cone(1, 6), 20, axis=0)
    for kind in ("centre", "whiten"):
        own = fit(x, Form(kind, 6), 0).of(x).vectors
        assert (own == own[0]).all() and length(own).tolist() == [1] * 20
        vectors = fit(x, Form(kind, 6), 0).of(cone(9, 6, 3)).vectors
        assert np.isfinite(vectors).all() and vectors.any()


def test_the_places_of_rows_do_not_depend_on_their_company():
    x = cone(200, 40)
    found = fit(x, Form("centre", 16), 0)
    whole = found.of(x)
    for size in (1, 7, 64):
        parts = [found.of(x[at : at + size]) for at in range(0, 200, size)]
        np.testing.assert_array_equal(np.concatenate([part.vectors for part in parts]), whole.vectors)


@pytest.mark.parametrize(
    ("asked", "form"),
    [
        ("l2", None),
        ("centre", Form("centre", None)),
        ("centre:9", Form("centre", 9)),
        ("whiten:9", Form("whiten", 9)),
    ],
)
def test_forms(asked: str, form: Form | None):
    assert Form.of(asked) == form


def test_the_file_holds_it(tmp_path):
    found = fit(cone(50, 8), Form("whiten", 4), 0)
    found.save(tmp_path)
    again = geometry.Geometry.load(tmp_path)
    assert again.rows == 50
    np.testing.assert_array_equal(again.of(cone(9, 8, 5)).vectors, found.of(cone(9, 8, 5)).vectors)
