"""clusters.parquet against NumPy, and its Python view."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pixsieve import read_clusters, write_clusters
from pixsieve.folder import cluster_table
from pixsieve.matching import statistics
from tests.pipeline.helpers import audit, by_key
from tests.pipeline.matching.test_matching import CUT, blobs, stored


def made(tmp_path: Path, *settings: str) -> tuple[Path, np.ndarray]:
    rng = np.random.default_rng(0)
    x, _ = blobs(rng, 240)
    x[100:110] = x[100]
    classes = np.array(["cat", "dog", "emu"])[rng.integers(3, size=240)]
    np.savez(tmp_path / "x.npz", vectors=x, labels=classes)
    audit(tmp_path / "x.npz", tmp_path / "run", *CUT, *settings)
    return tmp_path / "run", classes


def test_it_says_what_is_so(tmp_path: Path):
    out, classes = made(tmp_path)
    labels = pq.read_table(out / "assignments.parquet").to_pandas()
    number = labels.key.astype(int).to_numpy()
    x = stored(out)
    table = pq.read_table(out / "clusters.parquet").to_pandas()
    assert table.cluster.tolist() == list(range(labels.cluster.max() + 1)) and len(table) >= 5
    for row in table.itertuples():
        members = number[labels.cluster == row.cluster]
        assert row.size == len(members)
        np.testing.assert_allclose(row.mean, x[members].mean(axis=0), atol=1e-3)
        np.testing.assert_allclose(row.std, x[members].std(axis=0), atol=1e-3)
        near = x[members] @ x[members].mean(axis=0)
        assert near[members == int(row.medoid_key)][0] == pytest.approx(near.max(), abs=1e-4)
        assert labels.key[labels.row == row.medoid].tolist() == [row.medoid_key]
        names, counts = np.unique(classes[members], return_counts=True)
        assert [(share["label"], share["share"]) for share in row.labels] == list(zip(names, counts / len(members)))  # noqa: B905
        batches, counts = np.unique(labels.row[labels.cluster == row.cluster] // 60, return_counts=True)
        assert [(share["batch"], share["share"]) for share in row.batches] == list(zip(batches, counts / len(members)))  # noqa: B905
        assert np.isnan(row.persistence)


def test_equal_rows_have_no_deviation(tmp_path: Path):
    np.save(tmp_path / "x.npy", np.repeat(np.random.default_rng(0).normal(size=(2, 24)), 9, axis=0))
    audit(tmp_path / "x.npy", tmp_path / "run")
    assert [cluster.std.max() for cluster in read_clusters(tmp_path / "run")] == [0, 0]


def test_many_clusters_take_more_passes_and_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out, _ = made(tmp_path)
    expected = (out / "clusters.parquet").read_bytes()
    (out / "clusters.parquet").unlink()
    monkeypatch.setattr(statistics, "AT_A_TIME", 16)
    audit(tmp_path / "x.npz", out, *CUT)
    assert (out / "clusters.parquet").read_bytes() == expected


def test_a_folder_is_the_label_of_its_images(tmp_path: Path):
    import cv2

    pixels = np.random.default_rng(0).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    for name in ("cats/a.png", "cats/b.png", "cats/c.png", "dogs/d.png", "e.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "images" / name), pixels)
    audit(tmp_path / "images", tmp_path / "run", "source.label=folder")
    (cluster,) = read_clusters(tmp_path / "run")
    assert cluster.labels == {"cats": 0.6, "dogs": 0.2} and cluster.batches == {0: 1.0}


def test_read_and_write(tmp_path: Path):
    out, _ = made(tmp_path, "cluster.method=hdbscan")
    found = read_clusters(out)
    write_clusters(tmp_path / "copy.parquet", found)
    again = read_clusters(tmp_path / "copy.parquet")
    assert len(found) == len(again) > 3
    for one, two in zip(found, again, strict=True):
        assert (one.mean == two.mean).all() and (one.std == two.std).all() and one.mean.dtype == np.float32
        for name in ("number", "size", "medoid", "persistence", "labels", "batches"):
            assert getattr(one, name) == getattr(two, name)
    write_clusters(tmp_path / "none.parquet", [])
    assert read_clusters(tmp_path / "none.parquet") == []
    with pytest.raises(ValueError, match="all must have as many"):
        write_clusters(
            tmp_path / "bad.parquet", [found[0], cluster_table.Cluster(1, 1, "", np.ones(2), np.ones(3), None, {}, {})]
        )


def test_no_clusters(tmp_path: Path):
    np.save(tmp_path / "x.npy", np.eye(8))
    audit(tmp_path / "x.npy", tmp_path / "run")
    assert read_clusters(tmp_path / "run") == [] and len(by_key(tmp_path / "run", "assignments")) == 8
