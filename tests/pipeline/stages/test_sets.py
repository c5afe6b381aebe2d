"""Groups that are one set; and that no finding contradicts another."""

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from pixsieve import files
from tests.pipeline.helpers import audit, by_key, unit_rows

NEAR = "duplicates.similarity=0.97"


@pytest.mark.parametrize("cut", [(), ("run.batch_rows=64", "run.block_rows=64")])
def test_a_set_is_what_near_pairs_hold_together(tmp_path: Path, cut: tuple[str, ...]):
    x = unit_rows(np.random.default_rng(2), 300, 6, 0.3, copies=20)
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "run", NEAR, *cut)
    stored = x.astype(np.float16).astype(np.float64)
    near = stored @ stored.T / np.outer(*[np.linalg.norm(stored, axis=1)] * 2) >= 0.97
    whole = connected_components(near)[1]
    rows = by_key(tmp_path / "run", "duplicates")
    assert {row["set"] for row in rows} == set(range(len({row["set"] for row in rows})))
    ours = {(row["set"], int(whole[int(row["key"])])) for row in rows}
    assert len(ours) == len({one for one, _ in ours}) == len({other for _, other in ours})
    assert len({row["group"] for row in rows}) > len({row["set"] for row in rows}) > 3
    found = files.read_json(tmp_path / "run/report/report.json")["duplicates"]
    assert found["sets"] == len({row["set"] for row in rows})


def test_the_page_shows_the_groups_of_a_set_together(tmp_path: Path):
    turn = np.deg2rad(np.concatenate([np.arange(0, 75, 12), [150, 151]]))  # a chain, and a pair
    np.save(tmp_path / "x.npy", np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32))
    audit(tmp_path / "x.npy", tmp_path / "run", NEAR)
    rows = by_key(tmp_path / "run", "duplicates")
    assert [len({row["group"] for row in rows if row["set"] == number}) for number in range(2)] == [3, 1]
    page = (tmp_path / "run/report/index.html").read_text()
    images = sum(row["set"] == 0 for row in rows)
    assert page.count(f"A set of 3 groups, {images} images") == 1 and page.count("A set of") == 1


@pytest.mark.parametrize("method", ["dbscan", "hdbscan", "kmeans"])
def test_a_row_with_its_like_is_no_outlier(tmp_path: Path, method: str):
    rng = np.random.default_rng(0)
    x = np.concatenate([unit_rows(rng, 300, 8, 0.1), rng.normal(size=(6, 8)) * np.arange(1, 7)[:, None]])
    x[301] = x[300] * 2  # far from all, and twice
    np.save(tmp_path / "x.npy", x.astype(np.float32))
    asked = ("cluster.n_clusters=4",) if method == "kmeans" else ()
    audit(tmp_path / "x.npy", tmp_path / "run", f"cluster.method={method}", *asked, "outliers.sensitivity=3", NEAR)
    outliers = {row["key"] for row in by_key(tmp_path / "run", "outliers") if row["level"] != "none"}
    copies = {row["key"] for row in by_key(tmp_path / "run", "duplicates")}
    dense = {r["key"] for r in by_key(tmp_path / "run", "assignments") if r["cluster"] >= 0 and r["strength"] >= 0.5}
    dense = set() if method == "kmeans" else dense  # whose clusters hold everything
    assert {"300", "301"} <= copies and outliers
    assert not outliers & copies and not outliers & dense
