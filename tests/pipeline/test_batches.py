"""However the rows are cut into batches and blocks, the clusters and the duplicate groups are the same."""

import tempfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from tests.pipeline.helpers import audit, by_key, results, unit_rows


@settings(max_examples=16, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 120),
    spread=st.sampled_from([0.02, 0.15, 0.4]),
    batch_rows=st.integers(1, 40).filter(lambda rows: rows > 2),
    batches_in_block=st.integers(1, 4),
    min_samples=st.integers(1, 6),
    limit=st.sampled_from([0.8, 0.95]),
    method=st.sampled_from(["dbscan", "hdbscan"]),
    size=st.integers(2, 8),
)
def test_any_cut_gives_the_same_answer(seed, n, spread, batch_rows, batches_in_block, min_samples, limit, method, size):
    x = unit_rows(np.random.default_rng(seed), n, 12, spread, copies=n // 8)
    settings_ = (
        f"cluster.method={method}",
        f"cluster.min_samples={min_samples}",
        f"cluster.min_cluster_size={size}" if method == "hdbscan" else f"cluster.similarity={limit}",
        "duplicates.similarity=0.9",
    )
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", x)
        source, whole, cut = Path(folder, "x.npy"), Path(folder, "whole"), Path(folder, "cut")
        audit(source, whole, *settings_)
        block = f"run.block_rows={batch_rows * batches_in_block}"
        audit(source, cut, *settings_, f"run.batch_rows={batch_rows}", block)
        for name in ("assignments", "clusters", "duplicates", "better", "outliers", "findings"):
            assert by_key(whole, name) == by_key(cut, name)


@pytest.mark.parametrize("method", [pytest.param("hdbscan", marks=pytest.mark.slow), "kmeans"])
def test_neither_workers_nor_the_hash_seed_change_a_byte(tmp_path: Path, method: str):
    np.save(tmp_path / "x.npy", unit_rows(np.random.default_rng(0), 400, 12, 0.2, copies=40))
    cut = ["run.batch_rows=40", "run.block_rows=80", f"cluster.method={method}"]
    cut += ["cluster.n_clusters=4"] if method == "kmeans" else []
    audit(tmp_path / "x.npy", tmp_path / "one", *cut)
    audit(tmp_path / "x.npy", tmp_path / "two", *cut, "workers.kind=local", "workers.n=2")
    assert results(tmp_path / "one") == results(tmp_path / "two")
    for folder in ("pairs", "clusters", "images", "representatives", "manifest", "tree"):
        for path in (tmp_path / "one" / folder).glob("*"):
            assert path.read_bytes() == (tmp_path / "two" / folder / path.name).read_bytes()
