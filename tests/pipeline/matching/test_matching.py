"""Global clusters: exact ones against scikit-learn over all rows, representatives, their warnings, and match alone."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import binom
from sklearn.cluster import DBSCAN, HDBSCAN
from sklearn.metrics import adjusted_rand_score

from pixsieve import Config, ConfigError, files, run
from pixsieve.folder.run_folder import Run
from tests.pipeline.helpers import audit, by_key, ran

CUT = ("run.batch_rows=60", "run.block_rows=120")


def blobs(rng: np.random.Generator, n: int, groups: int = 5, spread: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    truth = rng.integers(groups, size=n)
    x = rng.normal(size=(groups, 8))[truth] + spread * rng.normal(size=(n, 8))
    return x.astype(np.float32), truth


def filaments(rng: np.random.Generator, n: int) -> np.ndarray:
    """Thin lines: a row has few neighbours, and in a batch hardly any."""
    ends = rng.normal(size=(6, 2, 8))
    along, which = rng.random((n, 1)), rng.integers(6, size=n)
    x = ends[which, 0] * (1 - along) + ends[which, 1] * along
    return (x + 0.01 * rng.normal(size=x.shape)).astype(np.float32)


def copies(rng: np.random.Generator, n: int) -> np.ndarray:
    """Pairs and triples of nearly equal rows among single ones."""
    x = rng.normal(size=(n, 8))
    x[n // 2 :] = x[rng.integers(n // 4, size=n - n // 2)] + 1e-3 * rng.normal(size=(n - n // 2, 8))
    return x.astype(np.float32)


def labels_of(out: Path) -> tuple[np.ndarray, np.ndarray]:
    """Cluster and strength by number of the vector."""
    table = pq.read_table(out / "assignments.parquet").to_pandas()
    table = table.assign(number=table.key.astype(int)).sort_values("number")
    return table.cluster.to_numpy(), table.strength.to_numpy()


def stored(out: Path) -> np.ndarray:
    """The stored vectors by number, in float64, at length 1."""
    this = Run.open(out)
    x = this.store.read(range(len(this.manifest.batches))).vectors
    table = this.manifest.all(["row", "key"]).to_pandas()
    x = x[table.row.to_numpy()[np.argsort(table.key.astype(int))]].astype(np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("data", "batches"),
    [
        *(("blobs", b) for b in (1, 2, 7, 10)),
        *((data, b) for data in ("filaments", "copies") for b in (1, 7)),
        *(pytest.param(data, 50, marks=pytest.mark.slow) for data in ("blobs", "filaments", "copies")),
    ],
)
def test_exact_equals_scikit_learn_over_all_rows(tmp_path: Path, data: str, batches: int):
    rng = np.random.default_rng(batches)
    n = 400
    x = {"blobs": lambda: blobs(rng, n)[0], "filaments": lambda: filaments(rng, n), "copies": lambda: copies(rng, n)}[
        data
    ]()
    np.save(tmp_path / "x.npy", x[rng.permutation(n)])
    size = -(-n // batches)
    cut = (f"run.batch_rows={size}", f"run.block_rows={size * (rng.integers(1, 4) if batches < 50 else 9)}")
    for min_samples in (2, 5):
        out = tmp_path / f"dbscan{min_samples}"
        audit(
            tmp_path / "x.npy",
            out,
            *cut,
            "cluster.similarity=0.97",
            f"cluster.min_samples={min_samples}",
            until="match",
        )
        far = np.clip(1 - stored(out) @ stored(out).T, 0, None)
        expected = DBSCAN(eps=1 - 0.97, min_samples=min_samples, metric="precomputed").fit(far)
        labels, strength = labels_of(out)
        core = np.flatnonzero(strength == 1)
        np.testing.assert_array_equal(core, expected.core_sample_indices_)
        np.testing.assert_array_equal(labels < 0, expected.labels_ < 0)
        assert adjusted_rand_score(labels[core], expected.labels_[core]) == 1
        near = np.where(strength == 1, 1 - far, -1)
        border = np.flatnonzero(strength == 0.5)
        best = near[border].max(axis=1)
        for row, value in zip(border, best, strict=True):
            assert labels[row] in labels[np.isclose(near[row], value, rtol=0, atol=1e-12)]
    out = tmp_path / "hdbscan"
    options = ("cluster.method=hdbscan", "cluster.min_cluster_size=12", "cluster.min_samples=4")
    audit(tmp_path / "x.npy", out, *cut, *options, until="match")
    expected = HDBSCAN(min_cluster_size=12, min_samples=4, copy=True).fit(stored(out)).labels_
    labels, _ = labels_of(out)
    inside = labels >= 0
    if data != "copies":
        assert inside.sum() > n / 2 and labels.max() >= 3
        assert adjusted_rand_score(labels[inside], expected[inside]) == 1
        # Rows that a split frees at their own core distance are noise: one or two for each split.
        assert (inside != (expected >= 0)).sum() <= 2 * (labels.max() + 1)


def test_a_face_album(tmp_path: Path):
    """Embeddings of faces, without images: who is there, and faces seen once or twice in no cluster."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(40), rng.integers(1, 12, 40))
    x = rng.normal(size=(40, 128))[person] + 0.28 * rng.normal(size=(len(person), 128))
    keys = [f"face {number}" for number in range(len(person))]
    vectors = pa.array(x.astype(np.float32).tolist())
    pq.write_table(pa.table({"id": keys, "embedding": vectors}), tmp_path / "faces.parquet")
    audit(tmp_path / "faces.parquet", tmp_path / "run", "cluster.similarity=0.85", "cluster.min_samples=3")
    found = {row["key"]: row["cluster"] for row in by_key(tmp_path / "run", "assignments")}
    labels = np.array([found[key] for key in keys])
    often = np.bincount(person)[person] >= 3
    assert (labels[~often] == -1).all() and (labels[often] >= 0).all()
    assert adjusted_rand_score(labels[often], person[often]) == 1


def test_the_hierarchy_gives_scores_and_persistence(tmp_path: Path):
    rng = np.random.default_rng(0)
    x, _ = blobs(rng, 300)
    x[:20] = 3 * rng.normal(size=(20, 8))
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "run", *CUT, "cluster.method=hdbscan", "cluster.min_cluster_size=20")
    table = pq.read_table(tmp_path / "run/assignments.parquet").to_pandas()
    scores = table.assign(number=table.key.astype(int)).sort_values("number").outlier_score.to_numpy()
    assert np.median(scores[:20]) > np.quantile(scores[20:], 0.9) and scores.min() >= 0 and scores.max() <= 1
    persistence = pq.read_table(tmp_path / "run/clusters.parquet")["persistence"].to_numpy()
    assert len(persistence) == 5 and (persistence > 0).all() and (persistence <= 1).all()


@pytest.mark.parametrize("method", ["dbscan", "hdbscan", "kmeans", "agglomerative", "gaussian_mixture"])
def test_representatives_find_what_is_there(tmp_path: Path, method: str):
    x, truth = blobs(np.random.default_rng(3), 600, spread=0.12)
    np.save(tmp_path / "x.npy", x)
    options = [
        f"cluster.method={method}",
        "cluster.n_clusters=5",
        "cluster.similarity=0.93",
        "match.mode=representatives",
    ]
    audit(tmp_path / "x.npy", tmp_path / "run", *CUT, *options, "cluster.min_cluster_size=5", "match.max_unresolved=1")
    labels, strength = labels_of(tmp_path / "run")
    assert adjusted_rand_score(labels, truth) > 0.95
    assert ((strength > 0) == (labels >= 0)).all()
    told = files.read_json(tmp_path / "run/match.json")
    assert told["mode"] == "representatives" and told["agreement"]["rows"] == 600
    assert told["agreement"]["adjusted_rand"] > 0.95


def test_noise_of_all_batches_is_pooled(tmp_path: Path):
    """Two copies of a row in two batches are noise in both; three make a cluster that no batch has seen."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(180, 8)).astype(np.float32)
    x[[10, 75, 130]] = x[10]
    np.save(tmp_path / "x.npy", x)
    options = (
        "cluster.min_samples=3",
        "cluster.similarity=0.99",
        "match.mode=representatives",
        "match.max_unresolved=1",
    )
    audit(tmp_path / "x.npy", tmp_path / "run", *CUT, *options)
    labels, _ = labels_of(tmp_path / "run")
    assert np.flatnonzero(labels >= 0).tolist() == [10, 75, 130] and labels[10] == labels[75] == labels[130]


@pytest.mark.parametrize("mode", ["representatives", "off"])
def test_removed_rows_decide_nothing(tmp_path: Path, mode: str):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(65, 8)).astype(np.float32)
    x[30:36] = x[30] + 0.01 * rng.normal(size=(6, 8))
    keys = np.array([f"{row:03}" for row in range(65)])
    left = np.r_[:30, 35:65]
    options = ("cluster.min_samples=5", "cluster.similarity=0.98", f"match.mode={mode}", "match.max_unresolved=1")
    for rows in (np.arange(65), left):
        np.savez(tmp_path / "x.npz", vectors=x[rows], keys=keys[rows])
        done = ran(audit(tmp_path / "x.npz", tmp_path / "run", "run.batch_rows=40", *options))
    assert done["cluster"] == 1  # of two batches
    audit(tmp_path / "x.npz", tmp_path / "fresh", "run.batch_rows=40", *options)
    assert by_key(tmp_path / "run", "assignments") == by_key(tmp_path / "fresh", "assignments")
    assert all(row["cluster"] == -1 for row in by_key(tmp_path / "run", "assignments"))


def test_copies_in_many_batches_are_one_cluster(tmp_path: Path):
    """Of HDBSCAN too, where one row stands for all copies of a batch."""
    x = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", np.tile(x, (40, 1)))
    options = ("cluster.method=hdbscan", "match.mode=representatives", "match.max_unresolved=1", "run.batch_rows=400")
    audit(tmp_path / "x.npy", tmp_path / "run", *options)
    labels, _ = labels_of(tmp_path / "run")
    assert adjusted_rand_score(labels, np.tile(np.arange(20), 40)) == 1


def test_what_another_method_left_is_cleared(tmp_path: Path):
    np.save(tmp_path / "x.npy", blobs(np.random.default_rng(1), 300)[0])
    audit(tmp_path / "x.npy", tmp_path / "run", *CUT, "cluster.method=hdbscan")
    assert len(list((tmp_path / "run/tree").iterdir())) == 7
    audit(tmp_path / "x.npy", tmp_path / "run", *CUT)
    assert not list((tmp_path / "run/tree").iterdir())


def test_the_order_of_the_batches_is_nothing(tmp_path: Path):
    """The same batches with their numbers turned round."""
    x, _ = blobs(np.random.default_rng(5), 240, spread=0.3)
    names = np.array([f"{batch}{row:03}" for batch in "abcd" for row in range(60)])
    turned = np.array([f"{batch}{row:03}" for batch in "dcba" for row in range(60)])
    found = []
    for keys, out in ((names, "one"), (turned, "two")):
        np.savez(tmp_path / f"{out}.npz", vectors=x, keys=keys)
        options = ("cluster.method=kmeans", "cluster.n_clusters=5")
        audit(tmp_path / f"{out}.npz", tmp_path / out, *CUT, *options)
        by = {row["key"]: row["cluster"] for row in by_key(tmp_path / out, "assignments")}
        found.append([by[key] for key in keys])
    assert adjusted_rand_score(*found) == 1


def test_it_refuses_where_it_would_lose_too_much(tmp_path: Path):
    np.save(tmp_path / "x.npy", filaments(np.random.default_rng(0), 600))
    options = (*CUT, "cluster.similarity=0.999", "match.mode=representatives")
    summary = audit(tmp_path / "x.npy", tmp_path / "run", *options)
    assert summary.exit_code == 3 and [stage for stage, _ in summary.failures] == ["match"]
    assert "of the dense rows unresolved, and match.max_unresolved is 0.3" in summary.failures[0][1].error
    done = ran(audit(tmp_path / "x.npy", tmp_path / "run", *options, "match.max_unresolved=1"))
    assert set(done) == {"match", "outliers", "mislabels", "findings", "report"}
    predicted = files.read_json(tmp_path / "run/match.json")["unresolved"]

    x = stored(tmp_path / "run")
    near = (x @ x.T >= 0.999).sum(axis=1)
    dense = near >= 5
    np.testing.assert_allclose(predicted, binom.cdf(3, near[dense] - 1, 0.1).mean(), rtol=1e-9)
    # And that is about what happens: rows that are dense, and not in their batch.
    strength = np.zeros(600)
    for path in (tmp_path / "run/clusters").iterdir():
        table = pq.read_table(path).to_pandas()
        keys = Run.open(tmp_path / "run").manifest.all(["row", "key"]).to_pandas().set_index("row").key
        strength[keys[table.row].astype(int)] = table.strength
    assert abs((strength[dense] < 1).mean() - predicted) < 0.05


def test_match_alone(tmp_path: Path):
    """What is left of the batches is matched, and nothing else is done. Clusters that are not to be matched are others:
    they are made first."""
    np.save(tmp_path / "x.npy", blobs(np.random.default_rng(1), 300)[0])
    options = (*CUT, "cluster.method=kmeans", "cluster.n_clusters=5")
    audit(tmp_path / "x.npy", tmp_path / "run", *options, until="cluster")
    config = Config.load(tmp_path / "x.npy", out=tmp_path / "run", settings=[*options, "workers.device=cpu"])
    summary = run(config, only="match")
    assert ran(summary) == {"match": 1} and not (tmp_path / "run/pairs").exists()
    assert pq.read_table(tmp_path / "run/clusters.parquet").num_rows == 5
    off = config.model_copy(update={"match": config.match.model_copy(update={"mode": "off"})})
    with pytest.raises(ConfigError, match="--only match: cluster not up to date"):
        run(off, only="match")
    run(off, until="match")
    assert pq.read_table(tmp_path / "run/clusters.parquet").num_rows == 25

    other = Config.load(tmp_path / "x.npy", out=tmp_path / "run", settings=[*CUT, "workers.device=cpu"])
    with pytest.raises(ConfigError, match="--only match: pairs not up to date"):
        run(other, only="match")
    with pytest.raises(ConfigError, match="the stages are"):
        run(other, only="matching")
    with pytest.raises(ConfigError, match="give one of them"):
        run(other, only="match", until="match")


def test_the_notes_are_json(tmp_path: Path):
    np.save(tmp_path / "x.npy", blobs(np.random.default_rng(1), 100)[0])
    audit(tmp_path / "x.npy", tmp_path / "run", *CUT)
    told = json.loads((tmp_path / "run/match.json").read_text())
    assert told == {"mode": "exact", "parameters": {"method": "dbscan", "similarity": 0.9, "min_samples": 5}}


@pytest.mark.parametrize("first", ["left", "right"])
@pytest.mark.parametrize("batch_rows", [100, 4])
def test_a_border_row_between_two_clusters_goes_to_the_core_row_with_the_first_key(tmp_path: Path, first, batch_rows):
    """A row is as near to a core row on its left as to one on its right; each of the two has a copy."""
    degrees = {f"m_{side}_{n}": sign * 50 for side, sign in (("left", 1), ("right", -1)) for n in range(4)}
    degrees |= {f"k_{side}_{n}": sign * 30 for n in range(2) for side, sign in (("left", 1), ("right", -1))}
    degrees |= {"border": 0, f"a_{first}": {"left": 30, "right": -30}[first]}
    angle = np.radians(list(degrees.values()))
    x = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    np.savez(tmp_path / "x.npz", vectors=x, keys=list(degrees))
    asked = ("cluster.similarity=0.85", "cluster.min_samples=7", f"run.batch_rows={batch_rows}", "run.block_rows=8")
    audit(tmp_path / "x.npz", tmp_path / "run", *asked)
    cluster = {row["key"]: row["cluster"] for row in by_key(tmp_path / "run", "assignments")}
    assert cluster["m_left_0"] != cluster["m_right_0"] and cluster["k_left_0"] == cluster["m_left_0"]
    assert cluster["border"] == cluster[f"m_{first}_0"]
