"""Near pairs of images, verified: look-alikes are none, turned copies are some; and what has to be done again."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline import ConfigError
from pipeline.descriptors.symmetries import SYMMETRIES, inverse, turned
from tests.pipeline.helpers import audit, by_key, ran, save
from tests.pipeline.test_structure import cropped, scene

AFTER = {"duplicates", "findings", "report"}


def drawn(folder: Path, turns: tuple[int, ...]) -> None:
    """A scene with a crop and turned copies, other scenes, and boxes on white that are all alike to the descriptor."""
    rng = np.random.default_rng(0)
    for number in range(6):
        grey(folder / f"scene{number}.png", scene(rng))
    picture = scene(np.random.default_rng(0))
    grey(folder / "small.png", cv2.resize(cropped(picture, 0.05), (128, 128), interpolation=cv2.INTER_AREA))
    for symmetry in turns:
        grey(folder / f"turned{symmetry}.png", turned(picture, symmetry)[::2, ::2])
    for number in range(8):
        page = np.full((256, 256), 255, np.uint8)
        page[64:192, 64:192] = scene(rng, 128)
        grey(folder / f"box{number}.png", page)


def grey(path: Path, image: np.ndarray) -> None:
    save(path, np.repeat(image[:, :, None], 3, axis=2))


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("verify") / "images"
    drawn(folder, tuple(range(1, 8)))
    return folder


def groups(out: Path) -> list[set[str]]:
    found: dict[int, set[str]] = {}
    for row in by_key(out, "duplicates"):
        found.setdefault(row["group"], set()).add(row["key"])
    return sorted(found.values(), key=min)


def test_boxes_are_near_but_are_no_copies(images: Path, tmp_path: Path):
    summary = audit(images, tmp_path / "run")
    assert groups(tmp_path / "run") == [{"scene0.png", "small.png"}]
    assert summary.stage("pairs").counts["near"] >= 28  # all pairs of boxes
    assert summary.stage("verify").counts["verified"] == 1
    table = pq.read_table(tmp_path / "run/pairs/00000-00000.verified.parquet")
    assert table.column_names == ["i", "j", "similarity", "symmetry", "agreement"]


@pytest.mark.parametrize("cut", [("run.batch_rows=64",), ("run.batch_rows=4", "run.block_rows=8")])
def test_turned_copies(images: Path, tmp_path: Path, cut: tuple[str, ...]):
    audit(images, tmp_path / "run", "duplicates.symmetries=true", *cut)
    every = {"scene0.png", "small.png", *(f"turned{symmetry}.png" for symmetry in range(1, 8))}
    assert groups(tmp_path / "run") == [every]
    says = {row["key"]: row["turned"] for row in by_key(tmp_path / "run", "duplicates")}
    assert says["scene0.png"] == says["small.png"] == ""
    for symmetry in range(1, 8):
        assert says[f"turned{symmetry}.png"] == SYMMETRIES[inverse(symmetry)]  # what turns it into the kept one


def test_no_cut_into_batches_changes_a_byte(images: Path, tmp_path: Path):
    for name, cut in (("one", ["run.batch_rows=64"]), ("many", ["run.batch_rows=4", "run.block_rows=8"])):
        audit(images, tmp_path / name, "duplicates.symmetries=true", *cut)
    one, many = (by_key(tmp_path / name, "duplicates") for name in ("one", "many"))
    assert one == many


def test_a_higher_threshold_joins_nothing_again(images: Path, tmp_path: Path):
    cut = ("run.batch_rows=8", "run.block_rows=8")
    audit(images, tmp_path / "run", *cut)
    found = audit(images, tmp_path / "run", "duplicates.similarity=0.99", *cut)
    assert set(ran(found)) == AFTER
    assert groups(tmp_path / "run") == []
    audit(images, tmp_path / "fresh", "duplicates.similarity=0.99", *cut)
    assert by_key(tmp_path / "run", "duplicates") == by_key(tmp_path / "fresh", "duplicates")
    assert audit(images, tmp_path / "run", "duplicates.similarity=0.99", *cut).idle
    lower = audit(images, tmp_path / "run", "duplicates.similarity=0.6", *cut)
    assert "pairs" in ran(lower)
    turned = audit(images, tmp_path / "run", "duplicates.similarity=0.6", "duplicates.symmetries=true", *cut)
    assert "verify" in ran(turned) and "pairs" not in ran(turned)
    higher = audit(images, tmp_path / "run", "duplicates.similarity=0.8", "duplicates.symmetries=true", *cut)
    assert {"duplicates"} <= set(ran(higher)) <= AFTER
    audit(images, tmp_path / "turned", "duplicates.similarity=0.8", "duplicates.symmetries=true", *cut)
    assert by_key(tmp_path / "run", "duplicates") == by_key(tmp_path / "turned", "duplicates")


def test_what_was_cut_short_does_not_serve(images: Path, tmp_path: Path):
    few = "duplicates.max_pairs=5"
    audit(images, tmp_path / "run", few)
    again = audit(images, tmp_path / "run", few, "duplicates.similarity=0.99")
    assert "pairs" in ran(again)


def test_the_best_of_the_better_ones(images: Path, tmp_path: Path):
    audit(images, tmp_path / "run")
    table = pq.read_table(tmp_path / "run/better.parquet").to_pylist()
    keys = {row["row"]: row["key"] for row in pq.read_table(tmp_path / "run/images.parquet").to_pylist()}
    assert [(keys[row["row"]], keys[row["related"]]) for row in table] == [("small.png", "scene0.png")]
    assert 0.7 <= table[0]["similarity"] < 1


def test_the_spacing_of_the_cluster_decides_when_asked(images: Path, tmp_path: Path):
    audit(images, tmp_path / "run", "duplicates.adaptive=0")
    assert groups(tmp_path / "run") == []
    found = audit(images, tmp_path / "run", "duplicates.adaptive=10")
    assert groups(tmp_path / "run") == [{"scene0.png", "small.png"}]
    assert set(ran(found)) == AFTER


def test_only_dct_knows_turned_copies(tmp_path: Path):
    np.save(tmp_path / "x.npy", np.eye(3, dtype=np.float32))
    with pytest.raises(ConfigError, match="not for given vectors"):
        audit(tmp_path / "x.npy", tmp_path / "run", "duplicates.symmetries=true")
    with pytest.raises(ConfigError, match=r"not for embed\.model"):
        audit(tmp_path / "x.npy", tmp_path / "run", "duplicates.symmetries=true", "embed.model=resnet18")
