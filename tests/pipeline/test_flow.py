"""The whole flow on sets whose truth is known."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.cluster import DBSCAN

from pixsieve import demo, kernels
from pixsieve.rules.faults import KINDS
from tests.pipeline.helpers import TABLES, audit, by_key, pattern, ran, results, save, unit_rows
from tests.pipeline.rules.test_robust import slow


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    planted = demo.draw(folder / "images", scenes=90)
    return planted, folder / "run", audit(folder / "images", folder / "run", "run.batch_rows=32", "run.block_rows=64")


def test_planted_copies_are_found_with_their_kind_and_nothing_else(demonstration):
    planted, out, _ = demonstration
    rows = by_key(out, "duplicates")
    found = {row["key"]: row for row in rows}
    copies = [p for p in planted if p.of]
    for copy in copies:
        assert found[copy.key]["group"] == found[copy.of]["group"]
        assert {found[copy.key]["kind"], found[copy.of]["kind"]} - {"kept"} == {copy.kind}
    assert found.keys() == {p.key for p in copies} | {p.of for p in copies}


def test_bursts_are_the_clusters(demonstration):
    planted, out, _ = demonstration
    clusters = {row["key"]: row["cluster"] for row in by_key(out, "assignments")}
    for p in planted:
        assert (clusters[p.key] >= 0) == p.key.startswith("bursts/")
        if p.key.startswith("bursts/") and p.of:
            assert clusters[p.key] == clusters[p.of]


def test_broken_files_keep_their_row_with_a_status(demonstration):
    planted, out, _ = demonstration
    images = {row["key"]: row for row in by_key(out, "images")}
    assert len(images) == len(planted)
    for p in planted:
        expected = p.kind if p.key.startswith("broken/") else "ok"
        assert images[p.key]["status"] == expected
        assert bool(images[p.key]["reason"]) == (expected != "ok")


def test_oddballs_are_named_and_scenes_are_not(demonstration):
    planted, out, _ = demonstration
    outliers = {row["key"]: row["level"] for row in by_key(out, "outliers")}
    faults = {
        (row["key"], row["kind"]): row
        for row in by_key(out, "findings")
        if row["kind"] in KINDS and row["level"] == "certain"
    }
    assert outliers["misc/black.png"] == outliers["misc/white.png"] == "outlier"
    kinds = {"black": {"dark", "low_contrast", "flat"}, "white": {"bright", "low_contrast", "flat"}}
    kinds |= {"noise": {"noisy"}, "receipt": {"flat"}, "stripes": {"flat"}}
    for name, expected in kinds.items():
        assert {kind for key, kind in faults if key == f"misc/{name}.png"} == expected
    scenes = {p.key for p in planted if p.kind != "oddball"}
    named = {key for key, _ in faults} | {key for key, level in outliers.items() if level == "outlier"}
    assert len(named & scenes) <= 0.03 * len(scenes)
    images = {row["key"]: row for row in by_key(out, "images")}
    for (key, kind), row in faults.items():
        assert images[key][kind] == row["score"] >= 0.5 and row["reason"] and row["related"] is None
    assert images["broken/empty.jpg"]["dark"] is None


def test_rows_in_are_rows_out(demonstration):
    planted, out, summary = demonstration
    report = json.loads((out / "report/report.json").read_text())
    assert report["rows"]["ever"] == report["rows"]["live"] == len(planted)
    assert sum(report["rows"]["status"].values()) == len(planted)
    for name in ("embed", "cluster"):
        assert summary.stage(name).counts["rows"] == len(planted)
    page = (out / "report/index.html").read_text()
    assert page.count("data:image/jpeg;base64,") > 60
    assert "http://" not in page and "https://" not in page


def test_a_second_run_does_nothing(demonstration):
    _, out, _ = demonstration
    before = results(out)
    again = audit(out.parent / "images", out, "run.batch_rows=32", "run.block_rows=64")
    assert again.idle and ran(again) == {}
    assert results(out) == before


def test_lost_results_are_made_again(demonstration):
    _, out, _ = demonstration
    before = results(out)
    (out / "clusters/00001.parquet").unlink()
    (out / "outliers.parquet").write_bytes(b"")
    again = audit(out.parent / "images", out, "run.batch_rows=32", "run.block_rows=64")
    assert ran(again) == {"cluster": 1, "outliers": 1}
    assert results(out) == before


@pytest.mark.parametrize("count", [1, 7])
def test_small_sets(tmp_path: Path, count: int):
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        save(tmp_path / f"images/{number}.png", pattern(rng))
    summary = audit(tmp_path / "images", tmp_path / "run")
    assert summary.exit_code == 0
    every = ("assignments", "outliers", "images")
    assert {name: len(by_key(tmp_path / "run", name)) for name in TABLES} == {n: count * (n in every) for n in TABLES}
    assert audit(tmp_path / "images", tmp_path / "run").idle


def test_only_broken_files(tmp_path: Path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.jpg").write_bytes(b"")
    (tmp_path / "images/b.jpg").write_bytes(b"")
    assert audit(tmp_path / "images", tmp_path / "run").exit_code == 0
    assert by_key(tmp_path / "run", "duplicates") == []
    assert [row["level"] for row in by_key(tmp_path / "run", "outliers")] == ["none", "none"]


def test_the_kept_one_has_the_largest_resolution_then_the_largest_file(tmp_path: Path):
    picture = pattern(np.random.default_rng(1), 64)
    for name, pixels in {"a.png": picture[::2, ::2], "b.bmp": picture, "c.png": picture, "d.bmp": picture}.items():
        save(tmp_path / "images" / name, pixels)
    audit(tmp_path / "images", tmp_path / "run", "duplicates.similarity=0.8")
    rows = {row["key"]: row for row in by_key(tmp_path / "run", "duplicates")}
    assert {key: row["kind"] for key, row in rows.items()} == {
        "a.png": "near",
        "b.bmp": "kept",
        "c.png": "pixels",
        "d.bmp": "exact",
    }
    audit(tmp_path / "images", tmp_path / "run", "duplicates.similarity=0.8", "duplicates.keep=[key]")
    assert [row["key"] for row in by_key(tmp_path / "run", "duplicates") if row["keep"]] == ["a.png"]


def test_a_chain_is_no_group(tmp_path: Path):
    """Each vector is similar to the next, the ends are not similar: nobody is in a group with one it is unlike."""
    angles = np.arange(12) * 0.2
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "run", "duplicates.similarity=0.97")
    rows = by_key(tmp_path / "run", "duplicates")
    kept = {row["group"]: int(row["key"]) for row in rows if row["keep"]}
    stored = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16)
    for row in rows:
        s = kernels.similarity(stored, stored, np.array([int(row["key"])]), np.array([kept[row["group"]]]))[0]
        assert s >= 0.97 and row["similarity"] == s
    assert len(kept) > 2


@pytest.mark.parametrize("seed", range(4))
def test_vectors_against_scikit_learn(tmp_path: Path, seed: int):
    rng = np.random.default_rng(seed)
    x = unit_rows(rng, 400, 16, 0.25, copies=30)
    np.save(tmp_path / "x.npy", x)
    audit(
        tmp_path / "x.npy",
        tmp_path / "run",
        "cluster.similarity=0.95",
        "cluster.min_samples=4",
        "outliers.neighbours=5",
        "run.batch_rows=50",
        "run.block_rows=100",
    )
    labels = {int(row["key"]): (row["cluster"], row["strength"]) for row in by_key(tmp_path / "run", "assignments")}
    ours, strength = (np.array([labels[key][part] for key in range(400)]) for part in (0, 1))
    stored = (x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)).astype(np.float16)
    i, j = np.indices((400, 400)).reshape(2, -1)
    distance = (1 - kernels.similarity(stored, stored, i, j)).reshape(400, 400)
    theirs = DBSCAN(eps=1 - 0.95, min_samples=4, metric="precomputed").fit(np.clip(distance, 0, None))
    core = np.zeros(400, bool)
    core[theirs.core_sample_indices_] = True
    np.testing.assert_array_equal(strength == 1, core)
    np.testing.assert_array_equal(ours < 0, theirs.labels_ < 0)
    pairs = set(zip(ours[core], theirs.labels_[core], strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    for border in np.flatnonzero((ours >= 0) & ~core):
        nearest = min(np.flatnonzero(core), key=lambda c: (distance[border, c], c))
        assert ours[border] == ours[nearest]

    np.fill_diagonal(distance, np.inf)
    near = [sorted(range(400), key=lambda other: (distance[row, other], other))[:5] for row in range(400)]
    chords = np.sqrt(2 * np.clip(np.take_along_axis(distance, np.array(near), 1), 0, None))
    z = np.maximum(slow(chords[:, -1], np.array(near), ours.tolist()), 0)
    assert z.max() > 1
    copies = {int(row["key"]) for row in by_key(tmp_path / "run", "duplicates")}
    z = np.array([min(z[at], 2.5) if at in copies or ours[at] >= 0 else z[at] for at in range(400)])
    outliers = {int(row["key"]): row for row in by_key(tmp_path / "run", "outliers")}
    np.testing.assert_allclose([outliers[key]["score"] for key in range(400)], z / (z + 3.5), atol=1e-6)
    assert [outliers[key]["related"] for key in range(400)] == [str(row[0]) for row in near]
    levels = [outliers[key]["level"] for key in range(400)]
    assert all(levels[at] == "none" for at in range(400) if at in copies or ours[at] >= 0)


def test_hdbscan_stays_with_the_batches_for_now(tmp_path: Path):
    np.save(tmp_path / "x.npy", unit_rows(np.random.default_rng(0), 300, 8, 0.1))
    audit(tmp_path / "x.npy", tmp_path / "run", "cluster.method=hdbscan", "match.mode=off", "run.batch_rows=100")
    labels = pq.read_table(tmp_path / "run/assignments.parquet")
    assert labels["cluster"].to_numpy().max() > 3
    assert ((labels["strength"].to_numpy() >= 0) & (labels["strength"].to_numpy() <= 1)).all()


def test_rows_that_are_no_vectors_keep_their_place(tmp_path: Path):
    x = unit_rows(np.random.default_rng(0), 50, 8, 0.1)
    x[3], x[5, 2], x[7] = 0, np.nan, np.inf
    x[9] *= 1e30
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "run")
    status = {row["key"]: row["status"] for row in by_key(tmp_path / "run", "images")}
    assert {key for key, value in status.items() if value == "not_finite"} == {"5", "7"}
    assert {key for key, value in status.items() if value == "zero"} == {"3"}
    assert len(status) == 50


def test_very_many_pairs_are_cut_and_said_to_be(tmp_path: Path, capsys):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.normal(size=32) + 0.001 * rng.normal(size=(300, 32)))
    audit(tmp_path / "x.npy", tmp_path / "run", "duplicates.max_pairs=1000", "duplicates.similarity=0.95")
    assert json.loads((tmp_path / "run/report/report.json").read_text())["duplicates"]["units_with_pairs_dropped"] == 1
    groups = {row["group"] for row in by_key(tmp_path / "run", "duplicates")}
    assert groups == {0}
    assert len(by_key(tmp_path / "run", "duplicates")) == 300
