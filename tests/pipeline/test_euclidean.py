"""Given vectors as points: Euclidean distances, scaled columns, and numbers kept as they are."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import cluster as sk
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import RobustScaler, StandardScaler

from pixsieve import Clusterer, Config, ConfigError, files
from pixsieve.folder import scale
from pixsieve.folder.embeddings import Store
from pixsieve.folder.views import Views
from pixsieve.matching import statistics
from tests.pipeline.helpers import audit, by_key, ran, results
from tests.pipeline.test_ownership import draw

POINTS = ("embed.metric=euclidean",)


def points(seed: int, n: int = 300, d: int = 6) -> np.ndarray:
    """(n, d) float32: groups whose columns have offsets and units of their own, some noise, some copies."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(6, d))[rng.integers(6, size=n)] + 0.15 * rng.normal(size=(n, d))
    x[rng.random(n) < 0.15] += rng.normal(size=d)
    x[rng.integers(n, size=8)] = x[rng.integers(n, size=8)]
    return (x * 10.0 ** rng.integers(-2, 3, d) + 50 * rng.normal(size=d)).astype(np.float32)


def labels(run: Path) -> np.ndarray:
    rows = sorted(by_key(run, "assignments"), key=lambda row: int(row["key"]))
    return np.array([row["cluster"] for row in rows])


def stored(run: Path) -> np.ndarray:
    """What the store holds, of a run of one batch."""
    measure, batch_rows = Views.load(run).copies, files.read_json(run / "manifest/blocks.json")["batch_rows"]
    rows = files.read_json(run / "manifest/blocks.json")["batches"][0][0]
    return Store(run, measure, batch_rows).read([0]).vectors[:rows]


def test_what_differs_by_its_length_is_not_one_cluster(tmp_path: Path):
    rng = np.random.default_rng(0)
    x = np.concatenate([1 + 0.01 * rng.normal(size=(50, 8)), 3 + 0.01 * rng.normal(size=(50, 8))])
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "directions")
    assert labels(tmp_path / "directions").max() == 0
    audit(tmp_path / "x.npy", tmp_path / "points", *POINTS, "cluster.eps=0.5")
    assert (labels(tmp_path / "points") == np.repeat([0, 1], 50)).all()
    np.testing.assert_array_equal(stored(tmp_path / "points"), x.astype(np.float32))
    first, second = by_key(tmp_path / "points", "clusters")
    np.testing.assert_allclose(first["mean"], x[:50].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(second["std"], x[50:].std(axis=0), rtol=1e-4)
    medoid = ((x[50:] - x[50:].mean(axis=0)) ** 2).sum(axis=1).argmin()
    assert second["medoid_key"] == str(50 + medoid)


@pytest.mark.parametrize(("asked", "scaler"), [("standard", StandardScaler), ("robust", RobustScaler)])
@pytest.mark.parametrize("rows", [300, 70])
def test_dbscan_of_scaled_columns_is_that_of_scikit_learn(tmp_path: Path, asked: str, scaler: type, rows: int):
    """As the older face script has it: each column scaled, then Euclidean DBSCAN."""
    x = points(1)
    x[:, 4] = 7  # a column without any spread
    np.save(tmp_path / "x.npy", x)
    settings = (*POINTS, f"embed.scale={asked}", "cluster.eps=0.6", "cluster.min_samples=5")
    audit(tmp_path / "x.npy", tmp_path / "run", *settings, f"run.batch_rows={rows}")
    scaled = scaler().fit_transform(x.astype(np.float64))
    if rows == 300:
        np.testing.assert_allclose(stored(tmp_path / "run"), scaled, atol=1e-5)
    model = sk.DBSCAN(eps=0.6, min_samples=5).fit(scaled)
    found, core = labels(tmp_path / "run"), model.core_sample_indices_
    assert model.labels_.max() > 2 and 0 < (model.labels_ < 0).sum() < 150
    assert ((found < 0) == (model.labels_ < 0)).all()
    assert adjusted_rand_score(found[core], model.labels_[core]) == 1


def test_the_other_methods_are_those_of_scikit_learn(tmp_path: Path):
    x = points(2)
    np.save(tmp_path / "x.npy", x)
    wide = StandardScaler().fit_transform(x.astype(np.float64)).astype(np.float32)
    reference = {
        ("hdbscan", "cluster.min_cluster_size=8", "cluster.min_samples=3"): sk.HDBSCAN(8, min_samples=3, copy=True),
        ("agglomerative", "cluster.linkage=ward", "cluster.n_clusters=6"): sk.AgglomerativeClustering(6),
        ("agglomerative", "cluster.linkage=average", "cluster.eps=2.0"): sk.AgglomerativeClustering(
            None, linkage="average", distance_threshold=2.0
        ),
        ("agglomerative", "cluster.linkage=single", "cluster.eps=0.5"): sk.AgglomerativeClustering(
            None, linkage="single", distance_threshold=np.nextafter(0.5, 1)
        ),
    }
    for at, (asked, model) in enumerate(reference.items()):
        run = tmp_path / f"run{at}"
        audit(tmp_path / "x.npy", run, *POINTS, "embed.scale=standard", f"cluster.method={asked[0]}", *asked[1:])
        assert adjusted_rand_score(labels(run), model.fit_predict(wide)) == 1, asked
    for method, score in (
        ("kmeans", lambda own: -sum(((wide[own == c] - wide[own == c].mean(axis=0)) ** 2).sum() for c in range(6))),
        ("gaussian_mixture", lambda own: adjusted_rand_score(own, GaussianMixture(6, n_init=5).fit_predict(wide))),
    ):
        one, many = tmp_path / f"{method}1", tmp_path / f"{method}60"
        asked = (*POINTS, "embed.scale=standard", f"cluster.method={method}", "cluster.n_clusters=6")
        audit(tmp_path / "x.npy", one, *asked)
        audit(tmp_path / "x.npy", many, *asked, "run.batch_rows=60")
        assert labels(one).max() == labels(many).max() == 5
        if method == "kmeans":
            best = -sk.KMeans(6, n_init=20, random_state=0).fit(wide).inertia_
            assert score(labels(one)) > 2 * best and score(labels(many)) > 1.3 * best
        strength = [row["strength"] for row in by_key(many, "assignments")]
        assert min(strength) > 0 and max(strength) <= 1


@pytest.mark.parametrize("method", ["dbscan", "hdbscan"])
def test_no_cut_into_batches_changes_anything(tmp_path: Path, method: str):
    np.save(tmp_path / "x.npy", points(3))
    eps = ("cluster.eps=0.6", "duplicates.distance=0.1") if method == "dbscan" else ("cluster.min_cluster_size=8",)
    found = []
    for rows in (300, 41, 7):
        run = tmp_path / f"run{rows}"
        audit(
            tmp_path / "x.npy", run, *POINTS, "embed.scale=standard", f"cluster.method={method}", *eps,
            f"run.batch_rows={rows}", "run.block_rows=90",
        )  # fmt: skip
        found.append({name: by_key(run, name) for name in ("assignments", "clusters", "duplicates", "outliers")})
    assert found[0] == found[1] == found[2]
    assert len(found[0]["clusters"]) > 2
    assert method == "hdbscan" or any(row["kind"] == "near" for row in found[0]["duplicates"])


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32), st.integers(20, 120))
def test_the_lists_of_dataeval_are_those_of_its_clusterer(seed: int, n: int):
    x = points(seed, n)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        np.save(place / "x.npy", x)
        audit(place / "x.npy", place / "run", *POINTS, "cluster.eps=1", "outliers.rule=dataeval")
        found, expected = files.read_json(place / "run/dataeval.json"), Clusterer(x).evaluate()
    for name in ("outliers", "potential_outliers"):
        assert [int(key) for key in found[name]] == getattr(expected, name)
    for name in ("duplicates", "near_duplicates"):
        assert [[int(key) for key in group] for group in found[name]] == getattr(expected, name)


def test_a_row_that_changes_the_scale_changes_all_rows(tmp_path: Path):
    x = points(4, 60)
    np.save(tmp_path / "x.npy", x)
    asked = (*POINTS, "embed.scale=standard", "cluster.eps=0.6", "run.batch_rows=20")
    audit(tmp_path / "x.npy", tmp_path / "run", *asked)
    assert ran(audit(tmp_path / "x.npy", tmp_path / "run", *asked)) == {}
    longer = np.concatenate([x, 9 * x[:5]])
    np.save(tmp_path / "x.npy", longer)
    assert ran(audit(tmp_path / "x.npy", tmp_path / "run", *asked))["embed"] == 4
    audit(tmp_path / "x.npy", tmp_path / "fresh", *asked)
    for name in ("assignments", "clusters", "outliers"):
        assert by_key(tmp_path / "run", name) == by_key(tmp_path / "fresh", name)
    assert ran(audit(tmp_path / "x.npy", tmp_path / "run", *asked, "embed.scale=none"))["embed"] == 4
    assert not (tmp_path / "run/source/scale.npz").exists()


def test_a_store_of_another_form_is_refused_before_anything_is_written(tmp_path: Path):
    np.save(tmp_path / "x.npy", points(5, 40))
    audit(tmp_path / "x.npy", tmp_path / "run")
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    with pytest.raises(ConfigError, match="holds vectors of float16 numbers, float32 are asked for"):
        audit(tmp_path / "x.npy", tmp_path / "run", *POINTS, "cluster.eps=1")
    np.save(tmp_path / "x.npy", points(5, 40, 7))
    with pytest.raises(ConfigError, match="holds vectors of 6 numbers a row, 7 are asked for"):
        audit(tmp_path / "x.npy", tmp_path / "run")
    after = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert {p.name for p in before if after[p] != before[p]} <= {"lock"} and before.keys() == after.keys()


@pytest.mark.parametrize("asked", [*POINTS, "embed.scale=robust", "embed.dtype=float32"])
def test_images_are_embedded_in_their_own_way(tmp_path: Path, asked: str):
    draw(tmp_path / "images", 3)
    with pytest.raises(ConfigError, match=r"is for given vectors; this source is a folder of images"):
        audit(tmp_path / "images", tmp_path / "run", asked, "cluster.method=hdbscan")
    assert not (tmp_path / "run/manifest").exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("embed.metric=euclidean",), "has no usual distance: set cluster.eps"),
        (("cluster.eps=0.5",), r"cluster\.eps is a Euclidean distance, for embed\.metric=euclidean"),
        ((*POINTS, "cluster.eps=-1"), r"cluster\.eps must be a distance, 0 or more \(given: -1\)"),
        ((*POINTS, "cluster.eps=.inf"), "must be a distance"),
        ((*POINTS, "cluster.eps=true"), "must be a distance"),
        ((*POINTS, "cluster.eps=1", "duplicates.distance=[1]"), r"duplicates\.distance must be a distance"),
        ((*POINTS, "cluster.search={eps: [1, x]}"), r"cluster\.search\.eps must be a distance"),
        ((*POINTS, "cluster.eps=1", "embed.dtype=float64"), r"embed\.dtype"),
    ],
)
def test_distances_that_are_none(tmp_path: Path, asked: tuple[str, ...], said: str):
    np.save(tmp_path / "x.npy", points(5, 10))
    with pytest.raises(ConfigError, match=said):
        Config.load(tmp_path / "x.npy", settings=list(asked))


def test_distances_are_kept_as_similarities(tmp_path: Path):
    np.save(tmp_path / "x.npy", points(5, 10))
    found = Config.load(
        tmp_path / "x.npy",
        settings=[*POINTS, "cluster.eps=3", "duplicates.distance=0", "cluster.search={eps: [0, 1, 4]}"],
    )
    assert (found.cluster.similarity, found.duplicates.similarity) == (0.25, 1)
    assert found.cluster.search.similarity == [1, 0.5, 0.2]
    again = tmp_path / "c.yaml"
    again.write_text(found.dump())
    assert Config.load(again).cluster.similarity == 0.25


def test_numbers_that_the_store_cannot_hold_have_a_status(tmp_path: Path):
    x = points(6, 30).astype(np.float64)
    x[3], x[4, 1], x[5, 0] = 0, 1e6, np.nan
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "run", *POINTS, "embed.dtype=float16", "cluster.eps=1")
    status = {int(row["key"]): (row["status"], row["reason"]) for row in by_key(tmp_path / "run", "images")}
    assert {at: status[at][0] for at in range(30) if status[at][0] != "ok"} == {4: "too_large", 5: "not_finite"}
    assert status[4][1] == "holds a number beyond float16: see embed.dtype, embed.scale"
    x[4, 1] = 1e60
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "wide", *POINTS, "cluster.eps=1")
    assert [row["status"] for row in by_key(tmp_path / "wide", "images") if row["key"] == "4"] == ["too_large"]
    audit(tmp_path / "x.npy", tmp_path / "cosine", "embed.scale=standard", "embed.dtype=float32")
    assert Views.load(tmp_path / "cosine").copies.dtype == "float32"


def test_a_folder_looks_the_same_after_every_run(tmp_path: Path):
    np.save(tmp_path / "x.npy", points(7, 90))
    asked = (*POINTS, "embed.scale=robust", "cluster.eps=0.6", "run.batch_rows=30")
    found = []
    for name in ("a", "b"):
        audit(tmp_path / "x.npy", tmp_path / name, *asked)
        found.append(results(tmp_path / name) | {"scale": (tmp_path / name / scale.PLACE).read_bytes()})
    assert found[0] == found[1]


@given(st.integers(0, 2**32), st.sampled_from([1e-30, 1e-3, 1.0, 1e5, 1e30]))
def test_sums_of_two_parts_do_not_depend_on_their_order(seed: int, unit: float):
    rng = np.random.default_rng(seed)
    x = (unit * rng.normal(size=400) * 10.0 ** rng.integers(-9, 1, 400)).astype(np.float32).astype(np.float64)
    top = 2.0 ** np.frexp(np.abs(x).max())[1]
    for values, most in ((x, top), (x * x, top**2)):
        parts = statistics._two(values, most)
        sums = {tuple(float(part[rng.permutation(400)].cumsum()[-1]) for part in parts) for _ in range(5)}
        assert len(sums) == 1
        assert np.abs(sum(parts) - values).max() <= most * 2.0**-48


@pytest.mark.gpu
@pytest.mark.parametrize("method", ["dbscan", "hdbscan", "kmeans"])
def test_points_on_a_gpu_are_clustered_as_on_a_cpu(tmp_path: Path, method: str):
    np.save(tmp_path / "x.npy", points(3, 600))
    cut = ("run.batch_rows=100", "run.block_rows=200", f"cluster.method={method}", "cluster.n_clusters=6")
    for device in ("cpu", "gpu"):
        where = (f"workers.device={device}", *(["cluster.eps=0.6"] if method == "dbscan" else []))
        audit(tmp_path / "x.npy", tmp_path / device, *POINTS, "embed.scale=standard", *cut, *where)
    if method == "kmeans":
        assert adjusted_rand_score(labels(tmp_path / "gpu"), labels(tmp_path / "cpu")) > 0.95
    else:
        assert by_key(tmp_path / "gpu", "assignments") == by_key(tmp_path / "cpu", "assignments")
    assert by_key(tmp_path / "gpu", "duplicates") == by_key(tmp_path / "cpu", "duplicates")
