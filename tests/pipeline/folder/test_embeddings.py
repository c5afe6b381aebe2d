"""The store of vectors."""

from pathlib import Path

import numpy as np
import pytest

from pixsieve.errors import FolderDamagedError
from pixsieve.folder.embeddings import Store
from pixsieve.folder.measure import Measure


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path, Measure("some", "cosine", "float32", 3, 0.9), 8)
    made.prepare(2, {"backend": "cpu"})
    return made


def filled(store: Store, batch: int, value: float, rows: int = 8) -> None:
    store.write(batch, np.full((rows, 3), value, np.float32), np.ones(rows, np.uint8))


def test_a_batch_of_zeros_is_a_file_however_often_the_store_was_used(store: Store):
    filled(store, 0, 1)
    assert store.read([0]).vectors.tolist() == [[1, 1, 1]] * 8
    for batch in (0, 1):
        store.write(batch, np.zeros((8, 3), np.float32), np.zeros(8, np.uint8))
        assert all((store.root / file).exists() for file in store.files(batch))


def test_another_process_may_lengthen_the_store(store: Store):
    filled(store, 1, 2)
    Store(store.root, store.measure, 8).prepare(5, {"backend": "cpu"})
    filled(store, 4, 3, rows=5)
    assert store.read([4]).vectors[:, 0].tolist() == [3] * 5 + [0] * 3
    assert store.read([1]).vectors[:, 0].tolist() == [2] * 8


def test_a_store_that_is_made_anew_is_another(store: Store):
    filled(store, 0, 1)
    wide = Store(store.root / "again", Measure("some", "cosine", "float32", 4, 0.9), 8)
    wide.prepare(1, {"backend": "cpu"})
    wide.write(0, np.full((8, 4), 5, np.float32), np.ones(8, np.uint8))
    assert wide.read([0]).vectors.tolist() == [[5] * 4] * 8
    (store.root / "embeddings.zarr").rename(store.root / "old.zarr")
    (store.root / "again" / "embeddings.zarr").rename(store.root / "embeddings.zarr")
    assert store.read([0]).vectors.tolist() == [[5] * 4] * 8


def test_what_says_how_it_is_stored_may_be_damaged(store: Store):
    filled(store, 0, 1)
    (store.root / "embeddings.zarr/some/vectors/zarr.json").write_bytes(b"{}")
    with pytest.raises(FolderDamagedError, match=r"embeddings\.zarr is damaged"):
        store.read([0])
