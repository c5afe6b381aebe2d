"""Rows drawn from a run."""

import tempfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

from pixsieve.config.cluster import Dbscan, Hdbscan, Kmeans
from pixsieve.folder import sample
from pixsieve.folder.embeddings import Store
from pixsieve.folder.measure import Measure
from pixsieve.folder.run_folder import Run
from pixsieve.images.status import STATUSES
from tests.pipeline.helpers import audit, unit_rows


def test_a_sample_is_the_same_for_any_cut(tmp_path: Path):
    x = unit_rows(np.random.default_rng(0), 200, 8, 0.2)
    x[7] = np.nan
    x[9] = 0
    np.save(tmp_path / "x.npy", x)
    found = []
    for rows in (200, 30):
        out = tmp_path / str(rows)
        audit(tmp_path / "x.npy", out, f"run.batch_rows={rows}", until="embed")
        this = Run.open(out)
        drawn = sample.draw(this, 50, 0)
        keys = this.manifest.all(["row", "key"]).to_pandas().set_index("row").key
        assert drawn.of == 198 and drawn.share == 50 / 198
        assert (sample.read(this, drawn.rows) == drawn.vectors).all()
        found.append((keys[drawn.rows].tolist(), drawn.vectors.tolist()))
        everything = sample.draw(this, 1000, 0)
        assert len(everything.rows) == 198 and everything.share == 1
    assert found[0] == found[1] and len(set(found[0][0])) == 50 and not {"7", "9"} & set(found[0][0])


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(STATUSES) - 1), st.sampled_from([(0, 0), (0, 1), (-1, 0)])), max_size=8),
    st.sampled_from(["cosine", "hamming"]),
)
def test_usable_rows_could_be_read_and_can_be_compared(rows: list[tuple[int, tuple[int, int]]], metric: str):
    """Under cosine a row of zeros has no direction; bits may all be zero."""
    dtype = "float16" if metric == "cosine" else "uint8"
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), Measure("some", metric, dtype, 2, 0.9), 8)
        store.prepare(1, {"backend": "cpu"})
        vectors = np.array([x for _, x in rows], np.int8).reshape(-1, 2).astype(dtype)
        store.write(0, vectors, np.array([s for s, _ in rows], np.uint8))
        shard = store.read([0])
    expected = [STATUSES[s] in ("ok", "damaged") and (metric == "hamming" or x != (0, 0)) for s, x in rows]
    assert shard.usable.tolist() == expected + [False] * (8 - len(rows))
    assert (shard.vectors[: len(rows)] == vectors).all() and shard.vectors.dtype == dtype


def test_removed_rows_are_not_drawn(tmp_path: Path):
    x = unit_rows(np.random.default_rng(0), 90, 8, 0.2)
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "run", "run.batch_rows=40", until="embed")
    np.save(tmp_path / "x.npy", x[:70])
    audit(tmp_path / "x.npy", tmp_path / "run", "run.batch_rows=40", until="embed")
    this = Run.open(tmp_path / "run")
    assert sample.draw(this, 1000, 0).of == 70
    keys = this.manifest.all(["row", "key"]).to_pandas().set_index("row").key
    assert sorted(map(int, keys[np.flatnonzero(sample.usable(this))])) == list(range(70))


def test_a_sample_is_uniform_and_always_the_same(tmp_path: Path):
    """Rows of the short last batch too. A row is known by the place of its only number."""
    np.save(tmp_path / "x.npy", np.eye(230, dtype=np.float32))
    audit(tmp_path / "x.npy", tmp_path / "run", "run.batch_rows=100", until="embed")
    this = Run.open(tmp_path / "run")
    taken = np.zeros(230, int)
    for seed in range(150):
        drawn = sample.draw(this, 40, seed)
        assert drawn.vectors.shape == (40, 230) and drawn.of == 230
        taken[drawn.vectors.argmax(axis=1)] += 1
    expected = 150 * 40 / 230
    chi_squared = ((taken - expected) ** 2).sum() / (expected * (1 - 40 / 230))
    assert 229 - 5 * np.sqrt(2 * 229) < chi_squared < 229 + 5 * np.sqrt(2 * 229)
    np.testing.assert_array_equal(sample.draw(this, 40, 0).rows, sample.draw(this, 40, 0).rows)


def test_thinner_settings():
    whole = Hdbscan(min_samples=21, min_cluster_size=100)
    assert whole.thinned(1.0) == whole
    half = whole.thinned(0.5)
    assert (half.min_samples, half.min_cluster_size) == (11, 50)
    least = whole.thinned(1e-6)
    assert (least.min_samples, least.min_cluster_size) == (2, 2)
    assert Dbscan(min_samples=1).thinned(0.1).min_samples == 1
    assert Kmeans(n_clusters=3).thinned(0.1) == Kmeans(n_clusters=3)
