"""Leiden over a whole run: the same whatever the batches, blocks and history, and as one Leiden over its rows."""

from pathlib import Path

import numpy as np
import pytest

from pixsieve import backend, clusterers
from pixsieve.config.cluster import Leiden
from pixsieve.folder.measure import Measure
from tests.pipeline.helpers import audit, by_key, unit_rows
from tests.pipeline.sources import given

METHOD = ("cluster.method=leiden", "cluster.neighbours=6", "outliers.neighbours=4")


def data(copies: int) -> tuple[np.ndarray, list[str]]:
    x = unit_rows(np.random.default_rng(0), 150, 12, 0.2, copies)
    return x, [f"{n:03}" for n in np.random.default_rng(1).permutation(len(x))]


def clusters(out: Path) -> dict[str, tuple[int, float]]:
    return {row["key"]: (row["cluster"], row["strength"]) for row in by_key(out, "assignments")}


@pytest.mark.parametrize("copies", [0, 12])
def test_no_cut_and_no_history_changes_it(tmp_path: Path, copies: int):
    x, keys = data(copies)
    audit(given.npz(tmp_path / "x.npz", x, keys), tmp_path / "whole", *METHOD)
    wanted = clusters(tmp_path / "whole")
    assert len({cluster for cluster, _ in wanted.values()} - {-1}) > 3
    for batch, block in ((7, 14), (40, 40), (64, 256)):
        out = tmp_path / f"{batch}"
        audit(tmp_path / "x.npz", out, *METHOD, f"run.batch_rows={batch}", f"run.block_rows={block}")
        assert clusters(out) == wanted
    out, half = tmp_path / "grown", [*range(60), *range(100, 130)]
    cut = (*METHOD, "run.batch_rows=16", "run.block_rows=32", "source.max_removed=1")
    audit(given.npz(tmp_path / "y.npz", x[half], [keys[at] for at in half]), out, *cut)
    audit(given.npz(tmp_path / "y.npz", x[50:], keys[50:]), out, *cut)
    audit(given.npz(tmp_path / "y.npz", x, keys), out, *cut)
    assert clusters(out) == wanted


def test_it_is_one_leiden_over_all_rows(tmp_path: Path):
    x, keys = data(0)
    audit(given.npz(tmp_path / "x.npz", x, keys), tmp_path / "run", *METHOD)
    order = np.argsort(keys)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    measure = Measure("vectors", "cosine", "float16", 12, 0.95)
    settings = Leiden(neighbours=6)
    found = clusterers.fit(unit[order].astype(np.float16), settings, 0, measure, backend.cpu())
    got = [clusters(tmp_path / "run")[keys[at]] for at in order]
    assert [cluster for cluster, _ in got] == found.cluster.tolist()
    np.testing.assert_allclose([strength for _, strength in got], found.strength, atol=1e-6)


def test_the_seed_and_the_resolution_count(tmp_path: Path):
    x, keys = data(0)
    source = given.npz(tmp_path / "x.npz", x, keys)
    few, many = (f"cluster.resolution={value}" for value in (0.2, 10.0))
    counts = []
    for setting in (few, many):
        audit(source, tmp_path / "run", *METHOD, "cluster.min_cluster_size=2", setting)
        counts.append(len({cluster for cluster, _ in clusters(tmp_path / "run").values()}))
    assert counts[0] < counts[1]
    assert audit(source, tmp_path / "run", *METHOD, many).stage("match").ran
    assert audit(source, tmp_path / "run", *METHOD, many, "run.seed=1").stage("match").ran
    assert not audit(source, tmp_path / "run", *METHOD, many, "run.seed=1").stage("match").ran
