"""A measure is one file and one line: bits compared by Hamming go through the whole flow."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from scipy.sparse.csgraph import minimum_spanning_tree
from sklearn import cluster as sk
from sklearn.metrics import adjusted_rand_score

from pixsieve import Config, ConfigError, demo, descriptors, kernels, run
from pixsieve.folder.measure import Measure
from pixsieve.folder.run_folder import Run
from pixsieve.tune.tuning import tune
from tests.pipeline.descriptors import difference
from tests.pipeline.helpers import audit, by_key

CUT = ("run.batch_rows=32", "run.block_rows=64", "embed.copies=difference", "cluster.similarity=0.85")


@pytest.fixture(scope="module", autouse=True)
def line():
    descriptors.BUILT_IN["difference"] = difference.DESCRIPTOR
    yield
    del descriptors.BUILT_IN["difference"]


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    demo.draw(folder / "images", scenes=60)
    return folder / "images"


def bits(out: Path) -> tuple[np.ndarray, list[str]]:
    """(n, 128) of the readable rows, and their keys."""
    this = Run.open(out)
    usable = np.concatenate([this.store.read([batch]).usable for batch in range(len(this.manifest.batches))])
    stored = zarr.open_group(out / "embeddings.zarr")["difference/vectors"][:]
    assert stored.dtype == np.uint8
    return np.unpackbits(stored[usable], axis=1), this.manifest.of_rows(np.flatnonzero(usable), "key").to_pylist()


def similarity(x: np.ndarray) -> np.ndarray:
    return (x[:, None] == x[None]).mean(axis=2)


def test_pairs_and_dbscan_are_those_of_a_brute_force(images: Path, tmp_path: Path):
    assert audit(images, tmp_path / "run", *CUT).exit_code == 0
    assert audit(images, tmp_path / "whole", "embed.copies=difference", "cluster.similarity=0.85").exit_code == 0
    x, keys = bits(tmp_path / "run")
    like = similarity(x)
    cluster = {row["key"]: row["cluster"] for row in by_key(tmp_path / "run", "assignments")}
    model = sk.DBSCAN(eps=0.15 + 1e-9, min_samples=5, metric="precomputed").fit(1 - like)
    core = model.core_sample_indices_
    own = np.array([cluster[key] for key in keys])
    assert adjusted_rand_score(model.labels_[core], own[core]) == 1 and own.max() >= 0
    assert ((own < 0) == (model.labels_ < 0)).all()
    place = {key: at for at, key in enumerate(keys)}
    for row in by_key(tmp_path / "run", "better"):
        others = like[place[row["key"]]] >= 0.9
        assert row["similarity"] == 1 or (others.sum() > 1 and row["similarity"] >= 0.9)
    for name in ("assignments", "clusters", "duplicates", "better"):
        assert by_key(tmp_path / "run", name) == by_key(tmp_path / "whole", name)
    kinds = {row["kind"] for row in by_key(tmp_path / "run", "duplicates")}
    assert {"kept", "exact", "near"} <= kinds
    about = by_key(tmp_path / "run", "clusters")[0]
    members = x[own == about["cluster"]]
    np.testing.assert_allclose(about["mean"], (members * 2.0 - 1).mean(axis=0), atol=1e-6)
    assert (tmp_path / "run/report/index.html").exists()


@pytest.mark.parametrize(
    "settings",
    [
        ("cluster.method=hdbscan", "cluster.min_cluster_size=3"),
        ("cluster.method=kmeans", "cluster.n_clusters=4"),
        ("cluster.method=agglomerative", "cluster.n_clusters=4"),
        ("cluster.method=agglomerative", "cluster.linkage=single"),
        ("cluster.method=gaussian_mixture", "cluster.n_clusters=2"),
        ("match.mode=representatives", "match.max_unresolved=1", "cluster.search={similarity: [0.8, 0.9]}"),
        ("outliers.rule=dataeval", "duplicates.adaptive=0.5"),
    ],
)
def test_every_method_takes_bits(images: Path, tmp_path: Path, settings: tuple[str, ...]):
    out = tmp_path / "run"
    audit(images, out, *CUT, until="embed")
    given = [setting for setting in CUT if "similarity" not in setting or "hdbscan" not in settings[0]]
    assert audit(images, out, *given, *settings).exit_code == 0
    assert pq.read_table(out / "assignments.parquet").num_rows == len(by_key(out, "images"))
    assert tune(Run.open(out)).rows > 60


def test_hdbscan_of_bits_is_that_of_their_distances(images: Path, tmp_path: Path):
    """By a tree of all distances, which are full of ties."""
    settings = ("cluster.method=hdbscan", "cluster.min_cluster_size=4", "cluster.min_samples=3")
    audit(images, tmp_path / "run", *CUT, *settings)
    x, keys = bits(tmp_path / "run")
    apart = 1 - similarity(x)
    core = np.sort(apart, axis=1)[:, 2]
    reach = np.maximum(apart, np.maximum(core[:, None], core))
    tree = minimum_spanning_tree(np.triu(reach + 1e-12, 1)).tocoo()
    edges, ones = np.column_stack([tree.row, tree.col]), np.ones(len(x), int)
    lengths = reach[tree.row, tree.col]
    order = np.argsort(lengths, kind="stable")
    expected = kernels.density_hierarchy(edges[order], lengths[order], core, ones, min_cluster_size=4)
    cluster = {row["key"]: row["cluster"] for row in by_key(tmp_path / "run", "assignments")}
    own = np.array([cluster[key] for key in keys])
    assert kernels.first_seen(own).tolist() == kernels.first_seen(expected.label).tolist() and own.max() > 1


def test_what_it_has_not_is_named(images: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="rows of difference cannot be turned"):
        audit(images, tmp_path / "run", *CUT, "duplicates.symmetries=true")
    with pytest.raises(ConfigError, match="no 'dcd'; nearest known: dct"):
        run(Config.load(images, out=tmp_path / "run", settings=["embed.copies=dcd", "workers.device=cpu"]))
    jaccard = Measure("some", "jaccard", "uint32", 4, 0.9)
    with pytest.raises(ConfigError, match="no coordinates"):
        jaccard.coordinates(np.zeros((1, 4), np.uint32))
