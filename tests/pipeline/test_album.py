"""Clusters of datapoints in memory, against scikit-learn and against a run; old pickles of them."""

import doctest
import os
import pickle
import re
import sys
import tempfile
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from sklearn.cluster import DBSCAN
from sklearn.preprocessing import StandardScaler

import pixsieve.album
from pixsieve import SourceError
from pixsieve.album import Cluster, Datapoint, create_clusters, load_clusters, load_datapoints, nearest
from tests.pipeline.helpers import audit
from tests.pipeline.test_euclidean import labels, points


def faces(x: np.ndarray) -> list[Datapoint]:
    return [Datapoint(row, None, f"{at}.jpg") for at, row in enumerate(x)]


def numbers(album) -> np.ndarray:
    """(n,) the cluster of each datapoint, by its path."""
    found = {path: cluster.id for cluster in album for path in cluster.paths}
    found |= {point.path: -1 for point in album.noise}
    return np.array([found[f"{at}.jpg"] for at in range(len(found))])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 200), st.sampled_from([0.2, 0.5, 1.0]), st.integers(1, 12))
def test_as_scikit_learn(seed: int, n: int, eps: float, min_samples: int):
    x = points(seed, n)
    album = create_clusters(faces(x), eps, min_samples)
    scaled = StandardScaler().fit_transform(x.astype(np.float64)).astype(np.float32).astype(np.float64)
    model = DBSCAN(eps=eps, min_samples=min_samples).fit(scaled)
    found, core = numbers(album), model.core_sample_indices_
    assert ((found < 0) == (model.labels_ < 0)).all()
    assert len(album) == model.labels_.max() + 1
    # A border row that is near to two clusters may be in either there, and is in that of its closest core row here.
    pairs = set(zip(found[core].tolist(), model.labels_[core].tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    distance = np.linalg.norm(scaled[:, None] - scaled[core][None], axis=2)
    for at in np.flatnonzero(found >= 0):
        assert found[at] == found[core[distance[at].argmin()]]
    for cluster in album:
        own = x[found == cluster.id].astype(np.float64)
        assert cluster.size == len(cluster.paths) == len(own)
        np.testing.assert_allclose(cluster.mean_encoding, own.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(cluster.std_dev, own.std(axis=0), rtol=1e-9, atol=1e-12)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 150))
def test_as_a_run(seed: int, n: int):
    x = points(seed, n)
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", x)
        asked = ("embed.metric=euclidean", "embed.scale=standard", "embed.dtype=float32")
        audit(Path(folder, "x.npy"), Path(folder, "run"), *asked, "cluster.eps=0.5", "cluster.min_samples=4")
        expected = labels(Path(folder, "run"))
    assert (numbers(create_clusters(faces(x), 0.5, 4)) == expected).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_a_new_face_is_where_a_datapoint_at_the_border_would_be(seed: int):
    rng = np.random.default_rng(seed)
    x = points(seed, 150)
    album = create_clusters(faces(x), 0.5, 4)
    scaler = StandardScaler().fit(x.astype(np.float64))
    scaled = scaler.transform(x.astype(np.float64)).astype(np.float32).astype(np.float64)
    core = DBSCAN(eps=0.5, min_samples=4).fit(scaled).core_sample_indices_
    found = numbers(album)
    new = x[rng.integers(150, size=20)] + rng.normal(size=(20, 6)) * x.std(axis=0) * rng.uniform(0, 0.5, (20, 1))
    for face in new.astype(np.float64):
        here = scaler.transform(face[None]).astype(np.float32)
        distance = np.linalg.norm(scaled[core] - here, axis=1) if len(core) else np.array([np.inf])
        answer = album.find(face)
        assert (None if answer is None else answer.id) == (
            found[core[distance.argmin()]] if distance.min() <= 0.5 else None
        )


def test_the_page_and_the_docstring_say_what_is_so():
    page = (Path(__file__).parents[2] / "docs/album.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict = {}
    exec(code, names)
    assert names["sizes"] == [20, 20, 20] and names["left"] == ["photos/30.jpg"]
    assert names["someone"] is names["album"][1] and names["nobody"] is None
    assert doctest.testmod(pixsieve.album) == (0, 5)


def test_forms_of_data_and_several_faces_of_an_image():
    x = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    forms = [x[0], x[1][None], torch.tensor(x[2], requires_grad=True), torch.tensor(x[3])[None], x[4].tolist(), *x[5:]]
    album = create_clusters([Datapoint(data, "ann", "a.jpg") for data in forms], eps=10, min_samples=2)
    (cluster,) = album
    assert album[0] is album[:1][0] is cluster and len(album) == 1 and not album.noise
    assert cluster.paths == ["a.jpg"] * 12 and cluster.size == 12
    np.testing.assert_allclose(cluster.mean_encoding, x.astype(np.float64).mean(axis=0))
    assert album.find(x[0].tolist()) is album.find(torch.tensor(x[:1])) is cluster
    cluster.add_paths("b.jpg")
    cluster.add_paths(["c.jpg", "b.jpg"])
    assert cluster.paths[12:] == ["b.jpg", "c.jpg", "b.jpg"] and cluster.size == 12


def test_what_cannot_be_clustered():
    row = np.zeros(3)
    for wrong, says in (
        ([], "there are no datapoints"),
        ([Datapoint(row, None, "a"), Datapoint(np.zeros(4), None, "b")], r"datapoint 1 \(b\) has 4 numbers; wanted: 3"),
        ([Datapoint(row, None, "a"), Datapoint([0, np.nan, 0], None, "b")], r"datapoint 1 \(b\) holds NaN"),
        ([Datapoint(np.zeros((2, 3)), None, "a")], r"datapoint 0 \(a\) is float64 \(2, 3\); wanted: floats of shape"),
        ([Datapoint("face", None, "a")], r"datapoint 0 \(a\)"),
        ([Datapoint(None, None, "a")], r"datapoint 0 \(a\)"),
    ):
        with pytest.raises(ValueError, match=says):
            create_clusters(wrong, 0.5)
    for eps in (0, -1, np.inf, np.nan):
        with pytest.raises(ValueError, match="a distance above 0 is needed"):
            create_clusters([Datapoint(row, None, "a")], eps)
    with pytest.raises(ValueError, match="data has 4 numbers; wanted: 3"):
        create_clusters([Datapoint(row, None, "a")], 0.5, 1).find(np.zeros(4))
    assert create_clusters([Datapoint(row, None, "a")], 0.5, 2).find(row) is None


def test_the_nearest_mean_within_a_radius():
    means = [Cluster(at, [], np.array([at, 0.0])) for at in (0, 10)]
    assert nearest(means, [1.0, 0], 2) is means[0] and nearest(means, [[9.0, 0]], 2) is means[1]
    assert nearest(means, [5.0, 3], 5) is None and nearest(means, [2.0, 0], 2) is means[0]
    assert nearest([], [1.0], 5) is None and nearest([Cluster(1)], [1.0], 5) is None


@contextmanager
def script_of_old() -> Iterator[types.ModuleType]:
    """Classes of a module that is gone when the pickle is read."""
    module = types.ModuleType("album_of_old")
    for name in ("Datapoint", "Cluster"):
        setattr(module, name, type(name, (), {"__module__": module.__name__}))
    sys.modules[module.__name__] = module
    try:
        yield module
    finally:
        del sys.modules[module.__name__]


def old(module: types.ModuleType, kind: str, **values: object) -> object:
    made = getattr(module, kind)()
    vars(made).update(values)
    return made


def saved(path: Path, kind: str, *all_of_them: dict[str, object]) -> Path:
    with script_of_old() as module:
        path.write_bytes(pickle.dumps([old(module, kind, **values) for values in all_of_them]))
    return path


MEAN = np.arange(3.0)
KNOWN = {"id": np.int64(0), "paths": ["a", "b", "a"], "mean_encoding": MEAN[None], "std_dev": MEAN + 1, "size": 3}


def test_old_pickles(tmp_path: Path):
    rows = [{"data": MEAN + at, "label": "ann", "path": "a"} for at in range(2)]
    found = load_datapoints(saved(tmp_path / "points.pkl", "Datapoint", *rows))
    assert [(point.data.tolist(), point.label, point.path) for point in found] == [
        ([0, 1, 2], "ann", "a"),
        ([1, 2, 3], "ann", "a"),
    ]
    clusters, noise = load_clusters(
        saved(tmp_path / "clusters.pkl", "Cluster", KNOWN, KNOWN | {"id": -1, "paths": {"n"}})
    )
    (one,) = clusters
    assert (one.id, one.paths, one.size, noise) == (0, ["a", "b", "a"], 3, ["n"])
    assert one.mean_encoding.tolist() == [0, 1, 2] and one.std_dev.tolist() == [1, 2, 3]
    assert nearest(clusters, MEAN + 0.1, 1) is one


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (KNOWN | {"paths": "a.jpg"}, "item 0: paths is a str; wanted: a list of paths"),
        (KNOWN | {"paths": [None]}, "item 0: paths is None"),
        (KNOWN | {"id": "zero"}, "item 0: id is a str; wanted: an integer"),
        (KNOWN | {"size": 2.5}, "item 0: size is a float; wanted: an integer"),
        (KNOWN | {"std_dev": np.ones(2)}, r"item 0: means and deviations have \[2, 3\] numbers"),
        (KNOWN | {"mean_encoding": [1, 2, 3]}, "item 0: mean_encoding is a list; wanted: an array or a tensor"),
        ({"id": 1}, "item 0 has no attribute paths; a Cluster has id, paths, mean_encoding, std_dev and size"),
    ],
)
def test_clusters_that_are_none(tmp_path: Path, values: dict[str, object], says: str):
    with pytest.raises(SourceError, match=says):
        load_clusters(saved(tmp_path / "x.pkl", "Cluster", values))


def test_a_pickle_of_the_other_kind(tmp_path: Path):
    with pytest.raises(SourceError, match="item 0 is a Cluster; wanted: a list of Datapoint objects"):
        load_datapoints(saved(tmp_path / "x.pkl", "Cluster", KNOWN))
    with pytest.raises(SourceError, match="item 0 is a Datapoint; wanted: a list of Cluster objects"):
        load_clusters(saved(tmp_path / "x.pkl", "Datapoint", {"data": MEAN, "label": None, "path": "a"}))


class Hostile:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("name", KNOWN)
def test_nothing_that_a_pickle_names_is_run(tmp_path: Path, name: str):
    canary = tmp_path / "ran"
    path = saved(tmp_path / "x.pkl", "Cluster", KNOWN | {name: Hostile(f"touch {canary}")})
    with pytest.raises(SourceError, match=r"wants to use posix\.system"):
        load_clusters(path)
    assert not canary.exists()
    pickle.loads(pickle.dumps(Hostile(f"touch {canary}")))
    assert canary.exists()
