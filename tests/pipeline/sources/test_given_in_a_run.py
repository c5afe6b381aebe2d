"""What a run makes of given vectors: bad ones have a status, near ones are no copies, keys may show their pictures."""

from pathlib import Path

import numpy as np
import pytest

from pixsieve import ConfigError, files
from tests.pipeline.helpers import audit, by_key, pattern, save, unit_rows
from tests.pipeline.sources import given


@pytest.mark.parametrize("form", [2, 3])
@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_rows_of_a_missing_chunk_have_a_status(tmp_path: Path, form: int, fill: float):
    import zarr

    x = unit_rows(np.random.default_rng(0), 12, 8, 0.3).astype(np.float32)
    x[10] = 0
    array = zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(4, 8), zarr_format=form, fill_value=fill)
    assert array.nchunks == 3
    (tmp_path / "x.zarr" / ("1.0" if form == 2 else "c/1/0")).unlink()
    audit(tmp_path / "x.zarr", tmp_path / "run")
    status = {int(row["key"]): row["status"] for row in by_key(tmp_path / "run", "images")}
    assert {at for at, word in status.items() if word == "not_finite"} == {4, 5, 6, 7}
    assert {at for at, word in status.items() if word == "zero"} == {10}
    assert len(status) == 12


def test_near_vectors_are_no_copies_unless_asked(tmp_path: Path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=8) + rng.normal(size=(40, 8)) * 0.1
    x[7] = x[3]
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "run")
    assert {row["key"] for row in by_key(tmp_path / "run", "duplicates")} == {"3", "7"}
    assert files.read_json(tmp_path / "run/report/report.json")["duplicates"]["similarity"] is None
    assert "Similar ones are not looked for" in (tmp_path / "run/report/index.html").read_text()
    audit(tmp_path / "x.npy", tmp_path / "run", "duplicates.similarity=0.9")
    assert len(by_key(tmp_path / "run", "duplicates")) > 20
    audit(tmp_path / "x.npy", tmp_path / "run")
    assert {row["key"] for row in by_key(tmp_path / "run", "duplicates")} == {"3", "7"}


def test_keys_that_are_paths_show_their_pictures(tmp_path: Path):
    keys = ["a/0.png", "a/1.png", "gone.png", "../outside.png"]
    for key in (*keys[:2], "../outside.png"):
        save(tmp_path / "images" / key, pattern(np.random.default_rng(0)))
    x = np.ones((4, 3), np.float32)
    given.npz(tmp_path / "x.npz", x, keys=keys)
    audit(tmp_path / "x.npz", tmp_path / "run", f"source.images={tmp_path / 'images'}")
    assert (tmp_path / "run/report/index.html").read_text().count("data:image/jpeg") == 2
    audit(tmp_path / "x.npz", tmp_path / "run")
    assert "data:image/jpeg" not in (tmp_path / "run/report/index.html").read_text()
    with pytest.raises(ConfigError, match=r"source\.images: .* is no folder"):
        audit(tmp_path / "x.npz", tmp_path / "run", f"source.images={tmp_path / 'none'}")
    with pytest.raises(ConfigError, match=r"source\.images is for given vectors"):
        audit(tmp_path / "images", tmp_path / "other", f"source.images={tmp_path / 'images'}")
