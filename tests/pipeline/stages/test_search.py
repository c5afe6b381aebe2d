"""The search for parameters: candidates, scores, the choice, where it is kept and how long it stands."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics

from pixsieve import backend, files
from pixsieve.clusterers import scores
from pixsieve.config.cluster import Dbscan, Search
from pixsieve.folder.sample import Sample
from tests.pipeline.helpers import GIVEN, audit, by_key, ran
from tests.pipeline.matching.test_matching import CUT, blobs, labels_of


def tried(x: np.ndarray, of: int | None = None, **search) -> list[dict]:
    settings = Dbscan(search=Search(**search))
    sample = Sample(np.arange(len(x)), x.astype(np.float16), of or len(x))
    return scores.tried(settings, sample, 0, GIVEN, backend.cpu())


def test_candidates_are_all_combinations_that_differ():
    search = Search(method=["dbscan", "kmeans"], similarity=[0.8, 0.9], n_clusters=[3, 4], min_samples=[2, 2])
    found = [one.parameters for one in scores.candidates(Dbscan(search=search))]
    assert found == [
        {"method": "dbscan", "similarity": 0.8, "min_samples": 2},
        {"method": "dbscan", "similarity": 0.9, "min_samples": 2},
        {"method": "kmeans", "n_clusters": 3, "max_iter": 300},
        {"method": "kmeans", "n_clusters": 4, "max_iter": 300},
    ]


def test_the_scores_are_those_of_scikit_learn_without_noise(tmp_path: Path):
    x, _ = blobs(np.random.default_rng(0), 300)
    for rule in ("robust", "minmax"):
        records = tried(x, similarity=[0.7, 0.9], min_samples=[5], rule=rule)
        for record, candidate in zip(
            records, scores.candidates(Dbscan(search=Search(similarity=[0.7, 0.9]))), strict=True
        ):
            labels = scores.fit(x.astype(np.float16), candidate, 0, GIVEN, backend.cpu()).cluster
            use = labels >= 0 if rule == "robust" else np.ones(300, bool)
            rows = GIVEN.points(x.astype(np.float16))[use]
            assert record["silhouette"] == pytest.approx(metrics.silhouette_score(rows, labels[use]))
            assert record["davies_bouldin"] == pytest.approx(metrics.davies_bouldin_score(rows, labels[use]))
            assert record["calinski_harabasz"] == pytest.approx(
                metrics.calinski_harabasz_score(rows, labels[use]), rel=1e-4
            )
            assert record["noise"] == (labels < 0).mean() and record["clusters"] == labels.max() + 1


def test_the_totals():
    def record(silhouette, davies, calinski, noise=0.0):
        return {"silhouette": silhouette, "davies_bouldin": davies, "calinski_harabasz": calinski, "noise": noise}

    records = [record(0.2, 1.0, 10, 0.5), record(0.6, 3.0, 30), record(None, None, None), record(0.4, 2.0, 10, 0.1)]
    assert scores.totals(records, "minmax") == pytest.approx([0, 1 - 1 + 1, None, 0.5 - 0.5])
    third = (0.5 + 0.5 + 0) / 3
    assert scores.totals(records, "robust") == pytest.approx(
        [(0 + 1 + 0) / 3 * 0.5, (1 + 0 + 1) / 3, None, third * 0.9]
    )
    # One candidate, or all alike: no division by zero, no NaN.
    assert scores.totals([record(0.2, 1, 10)] * 2, "minmax") == [0.5, 0.5]
    assert scores.choose([{"score": None}, {"score": 0.1}, {"score": 0.1}]) == 1
    assert scores.choose([{"score": None}, {"score": None}]) == 0


@given(
    st.lists(st.tuples(*[st.one_of(st.none(), st.integers(0, 9).map(float))] * 3, st.floats(0, 1)), max_size=6),
    st.sampled_from(["robust", "minmax"]),
)
def test_a_total_does_not_depend_on_order_or_on_candidates_without_scores(values: list[tuple], rule: str):
    records = [dict(zip((*scores.SCORES, "noise"), one, strict=True)) for one in values]
    found = scores.totals(records, rule)
    known = [all(record[name] is not None for name in scores.SCORES) for record in records]
    assert [total is not None for total in found] == known
    assert scores.totals(records[::-1], rule) == found[::-1]
    scored = [record for record, use in zip(records, known, strict=True) if use]
    assert scores.totals(scored, rule) == [total for total in found if total is not None]


def test_little_of_everything_is_no_crash(tmp_path: Path):
    every = {"method": ["dbscan", "hdbscan", "kmeans", "agglomerative", "gaussian_mixture"], "n_clusters": [3]}
    for n in (0, 1, 2, 3, 5):
        records = tried(blobs(np.random.default_rng(0), max(n, 1))[0][:n], **every)
        assert len(records) == 5 and all(record["error"] is None for record in records)
    same = np.ones((40, 8), np.float32)
    for rule in ("robust", "minmax"):
        # Only what must give three clusters cuts equal rows apart.
        totals = [record["score"] for record in tried(same, **every, rule=rule)]
        assert totals == [None, None, None, 0.5, None]
        assert len(tried(blobs(np.random.default_rng(0), 50)[0], similarity=[0.9], rule=rule)) == 1


def test_a_candidate_that_fails_is_a_line_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fit(x, settings, *more):
        if settings.similarity < 0.5:
            raise ValueError("too loose")
        return real(x, settings, *more)

    real = scores.fit
    monkeypatch.setattr(scores, "fit", fit)
    bad, good = tried(blobs(np.random.default_rng(0), 100)[0], similarity=[0.4, 0.9])
    assert bad["error"] == "ValueError: too loose" and bad["score"] is None and good["score"] is not None


def test_a_sample_is_tried_with_settings_of_its_density(tmp_path: Path):
    x, _ = blobs(np.random.default_rng(0), 100)
    (record,) = tried(x, of=400, min_samples=[21], min_cluster_size=[40], method=["hdbscan"])
    assert record["parameters"]["min_samples"] == 21
    assert record["used"] == {"method": "hdbscan", "min_cluster_size": 10, "min_samples": 6, **EOM}
    (record,) = tried(x, of=400_000, min_samples=[1], method=["dbscan"])
    assert record["used"]["min_samples"] == 1


EOM = {"selection": "eom", "allow_single_cluster": False}
SEARCH = "cluster.search={similarity: [0.5, 0.85, 0.999], min_samples: [5]}"


def test_the_choice_is_made_once_and_stands(tmp_path: Path):
    rng = np.random.default_rng(0)
    x, _ = blobs(rng, 300)
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "run", *CUT, SEARCH)
    choice = files.read_json(tmp_path / "run/search/run.json")
    assert choice["rows"] == choice["of"] == 300
    assert choice["candidates"][choice["chosen"]]["parameters"]["similarity"] == 0.85
    plain = tmp_path / "plain"
    audit(tmp_path / "x.npy", plain, *CUT, "cluster.similarity=0.85")
    assert by_key(tmp_path / "run", "assignments") == by_key(plain, "assignments")
    assert files.read_json(tmp_path / "run/match.json")["parameters"]["similarity"] == 0.85

    assert audit(tmp_path / "x.npy", tmp_path / "run", *CUT, SEARCH).idle
    np.save(tmp_path / "x.npy", np.concatenate([x, blobs(rng, 60)[0]]))
    done = ran(audit(tmp_path / "x.npy", tmp_path / "run", *CUT, SEARCH))
    assert "search" not in done and done["cluster"] == done["embed"] == 1 and done["pairs"] == 3
    done = ran(audit(tmp_path / "x.npy", tmp_path / "run", *CUT, SEARCH.replace("0.999", "0.99")))
    assert done == {"search": 1, "report": 1}  # the same choice, of other candidates
    assert files.read_json(tmp_path / "run/search/run.json")["of"] == 360
    # Another choice is a change of all that depends on it.
    done = ran(audit(tmp_path / "x.npy", tmp_path / "run", *CUT, "cluster.search={similarity: [0.9]}"))
    assert {"search", "cluster", "pairs", "match"} <= set(done)


def test_the_choice_is_the_same_for_any_cut(tmp_path: Path):
    np.save(tmp_path / "x.npy", blobs(np.random.default_rng(2), 200)[0])
    search = "cluster.search={similarity: [0.6, 0.8, 0.9], min_samples: [3, 6], rows: 120, sample: 60}"
    for name, cut in (("one", ()), ("two", CUT)):
        audit(tmp_path / "x.npy", tmp_path / name, *cut, search, until="search")
    one, two = (files.read_json(tmp_path / name / "search/run.json") for name in ("one", "two"))
    assert one["candidates"] == two["candidates"] and one["rows"] == 120


@pytest.mark.parametrize("mode", ["off", "auto"])
def test_each_batch_its_own_choice(tmp_path: Path, mode: str):
    np.save(tmp_path / "x.npy", blobs(np.random.default_rng(0), 300)[0])
    search = "cluster.search={method: [kmeans, gaussian_mixture], n_clusters: [2, 5, 9], per: batch}"
    summary = audit(tmp_path / "x.npy", tmp_path / "run", *CUT, search, f"match.mode={mode}")
    assert summary.exit_code == 0 and not (tmp_path / "run/search/run.json").exists()
    told = files.read_json(tmp_path / "run/match.json")
    assert told["mode"] == ("off" if mode == "off" else "representatives") and told.get("agreement") is None
    if mode == "auto":
        truth = blobs(np.random.default_rng(0), 300)[1]
        assert metrics.adjusted_rand_score(labels_of(tmp_path / "run")[0], truth) > 0.9
    told = told["choices"]
    assert sum(one["batches"] for one in told) == 5 and told[0]["batches"] >= told[-1]["batches"]
    for batch in range(5):
        found = files.read_json(tmp_path / f"run/search/{batch:05}.json")
        assert found["of"] == 60 and len(found["candidates"]) == 6
        sizes = files.read_arrays(tmp_path / f"run/representatives/{batch:05}.npz")["size"]
        assert len(sizes) == found["candidates"][found["chosen"]]["clusters"]
