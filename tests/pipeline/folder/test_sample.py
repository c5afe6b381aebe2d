"""Rows drawn from a run."""

from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from pixsieve.clusterers.sampled import thinned
from pixsieve.config.sections import Cluster
from pixsieve.folder import embeddings, sample
from pixsieve.folder.run import Run
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
        drawn = sample.draw(this, 50)
        keys = this.manifest.all(["row", "key"]).to_pandas().set_index("row").key
        assert drawn.of == 198 and drawn.share == 50 / 198
        assert (sample.read(this, drawn.rows) == drawn.vectors).all()
        found.append((keys[drawn.rows].tolist(), drawn.vectors.tolist()))
        everything = sample.draw(this, 1000)
        assert len(everything.rows) == 198 and everything.share == 1
    assert found[0] == found[1] and len(set(found[0][0])) == 50 and not {"7", "9"} & set(found[0][0])


@given(st.lists(st.tuples(st.integers(0, len(STATUSES) - 1), st.sampled_from([(0, 0), (0, 1), (-1, 0)]))))
def test_usable_rows_could_be_read_and_are_not_zero(rows: list[tuple[int, tuple[int, int]]]):
    status, vectors = np.array([s for s, _ in rows], np.uint8), np.array([x for _, x in rows], np.float16)
    expected = [STATUSES[s] in ("ok", "damaged") and x != (0, 0) for s, x in rows]
    assert embeddings.usable(vectors.reshape(-1, 2), status).tolist() == expected


def test_removed_rows_are_not_drawn(tmp_path: Path):
    x = unit_rows(np.random.default_rng(0), 90, 8, 0.2)
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "run", "run.batch_rows=40", until="embed")
    np.save(tmp_path / "x.npy", x[:70])
    audit(tmp_path / "x.npy", tmp_path / "run", "run.batch_rows=40", until="embed")
    this = Run.open(tmp_path / "run")
    assert sample.draw(this, 1000).of == 70
    keys = this.manifest.all(["row", "key"]).to_pandas().set_index("row").key
    assert sorted(map(int, keys[np.flatnonzero(sample.usable(this))])) == list(range(70))
    first = sample.draw(this, 1000, batches=1)
    assert first.of == len(first.rows) <= 40 and (first.rows < 40).all()


def test_a_sample_is_uniform_and_always_the_same(tmp_path: Path):
    """Rows of the short last batch too. A row is known by the place of its only number."""
    np.save(tmp_path / "x.npy", np.eye(230, dtype=np.float32))
    audit(tmp_path / "x.npy", tmp_path / "run", "run.batch_rows=100", until="embed")
    this = Run.open(tmp_path / "run")
    taken = np.zeros(230, int)
    for seed in range(150):
        seeded = this.config.model_copy(update={"run": this.config.run.model_copy(update={"seed": seed})})
        drawn = sample.draw(replace(this, config=seeded), 40)
        assert drawn.vectors.shape == (40, 230) and drawn.of == 230
        taken[drawn.vectors.argmax(axis=1)] += 1
    expected = 150 * 40 / 230
    chi_squared = ((taken - expected) ** 2).sum() / (expected * (1 - 40 / 230))
    assert 229 - 5 * np.sqrt(2 * 229) < chi_squared < 229 + 5 * np.sqrt(2 * 229)
    np.testing.assert_array_equal(sample.draw(this, 40).rows, sample.draw(this, 40).rows)


def test_thinner_settings():
    whole = Cluster(min_samples=21, min_cluster_size=100)
    assert thinned(whole, 1.0) == whole
    half = thinned(whole, 0.5)
    assert (half.min_samples, half.min_cluster_size) == (11, 50)
    least = thinned(whole, 1e-6)
    assert (least.min_samples, least.min_cluster_size) == (2, 2)
    assert thinned(Cluster(min_samples=1), 0.1).min_samples == 1
